"""Limits and references as data: each number has a unit, a source and the day it was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cds_service.core.quantities import printed_unit


class KnowledgeError(Exception):
    """A limit, reference or rule that is wrong; the program does not start with it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One source, described in one place.

    ``kind`` is label, guideline, trial, review, survey, cohort, article, general knowledge
    or judgement. ``seen`` is True where the primary source itself was read; only then may
    a card cite it as an authority. ``label`` is what a card shows as its source. ``url`` is
    empty for general knowledge and judgements, which have no page of their own.
    """

    key: str
    label: str
    citation: str
    kind: str
    url: str
    year: int | None = None
    pmid: str = ""
    doi: str = ""
    seen: bool = False
    checked: date | None = None

    @property
    def primary(self) -> bool:
        """Whether it is a primary source: neither the article nor an opinion."""
        return self.kind not in ("article", "general knowledge", "judgement")

    @property
    def found_at(self) -> str:
        """Where to find the source: PMID, DOI or its address; empty where it has none."""
        if self.pmid:
            return f"PMID {self.pmid}"
        return f"doi:{self.doi}" if self.doi else self.url

    @property
    def authority(self) -> str:
        """The kind of source, and whether it was read or cited second-hand, in words for a card."""
        if self.kind in ("general knowledge", "judgement"):
            return self.kind
        return self.kind if self.seen else f"{self.kind}, cited second-hand"


# A limit is made once. Compared by identity, it is a cheap key for the text that is made of it.
@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """One number that a rule compares with, in the analyte's canonical unit or in ``unit``."""

    key: str
    value: Decimal
    unit: str
    reference: str
    checked: date
    meaning: str = ""
    overridden: bool = False

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {printed_unit(self.unit)}"
        return f"{self.value:f}{unit}"


class Limits(Mapping[str, Limit]):
    """All limits by key. An unknown key raises KnowledgeError: it is the rule author's mistake."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = dict(limits)

    def __getitem__(self, key: str) -> Limit:
        try:
            return self._limits[key]
        except KeyError:
            raise KnowledgeError(f"no limit is called {key}") from None

    def __contains__(self, key: object) -> bool:
        return key in self._limits

    def __iter__(self) -> Iterator[str]:
        return iter(self._limits)

    def __len__(self) -> int:
        return len(self._limits)

    def value(self, key: str) -> Decimal:
        """The number alone."""
        return self[key].value
