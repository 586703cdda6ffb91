"""What CodeableConcepts say, read once for each wording that is met.

The same statuses, diagnoses and products come with every call. What is kept of them from one
call to the next is a bounded number of short texts without whose they were or when.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TypeVar, cast

from cds_service.core.facts import Dosage
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.elements import (
    codings,
    decoded,
    items,
    name_of,
    said_by,
    status_words,
    texts,
)
from cds_service.fhir.values.versions import dosage_to_r4
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary

T = TypeVar("T")
_KEPT = 4096
_LONGEST = 1000  # bytes; what is longer is free text, read anew each time


class Said:
    """A CodeableConcept (or several, or whatever stands in its place) and what it says."""

    def __init__(self, value: object = None) -> None:
        self.value = value
        self.codings: tuple[Coding, ...] = codings(value)
        self.texts: tuple[str, ...] = texts(value)
        self._concepts: dict[Vocabulary, frozenset[str]] = {}
        self._derived: dict[object, object] = {}

    @property
    def anything(self) -> bool:
        """Whether it names anything at all."""
        return bool(self.codings or self.texts)

    @cached_property
    def name(self) -> str:
        """What a person would call it; empty where it names nothing."""
        return name_of(self.codings, self.texts)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Texts and displays, each once."""
        return said_by(self.codings, self.texts)

    @cached_property
    def lower(self) -> str:
        """All `words` in small letters."""
        return "; ".join(self.words).lower()

    @cached_property
    def status(self) -> tuple[str, ...]:
        """The words of a status, in small letters."""
        return status_words(self.value)

    def concepts(self, vocabulary: Vocabulary) -> frozenset[str]:
        """The concepts it stands for."""
        found = self._concepts.get(vocabulary)
        if found is None:
            found = self._concepts[vocabulary] = vocabulary.concepts(self.codings, self.texts)
        return found

    def read_by(self, vocabulary: Vocabulary) -> bool:
        """Whether it names something in words, or by a code of a system with a list."""
        return vocabulary.reads(self.codings, self.texts)

    def derived(self, make: Callable[[Said], T]) -> T:
        """What ``make`` makes of it, made once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return cast("T", self._derived[make])


NOTHING = Said()


def said(raw: bytes) -> Said:
    """What an undecoded CodeableConcept says. Raises one of `UNREADABLE`."""
    return _said(raw) if len(raw) <= _LONGEST else Said(decoded(raw))


@lru_cache(maxsize=_KEPT)
def _said(raw: bytes) -> Said:
    return Said(decoded(raw))


def dosages(raw: bytes) -> tuple[Dosage, ...]:
    """What an undecoded list of dosage instructions says. Raises one of `UNREADABLE`."""
    return _dosages(raw) if len(raw) <= _LONGEST else _read_dosages(raw)


def _read_dosages(raw: bytes) -> tuple[Dosage, ...]:
    return read_dosages([dosage_to_r4(one) for one in items(decoded(raw))])


_dosages = lru_cache(maxsize=_KEPT)(_read_dosages)
