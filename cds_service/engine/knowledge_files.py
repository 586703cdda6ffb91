"""The knowledge of a topic as data files: one folder, read once and checked.

================================  ==================================================================
``analytes.toml``                 what is measured: units, plausible range, codes and names
``limits.toml``                   every number that a rule compares with
``references.toml``               the sources
``orders.toml``                   what a card can offer
``codelists/VOCABULARY/KEY.csv``  the codes of a concept; ``KEY.not.csv``: codes that rule it out
``names/VOCABULARY.csv``          the words that stand for a concept, and the words that do not
================================  ==================================================================

Every file may be missing. A new analyte is one block of ``analytes.toml``: its ``codes`` and
``names`` are written there (long lists are files of their own), and ``order`` is the label of the
test that a card offers for it. Orders are recognised by the codes and names of results, too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Any

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import KnowledgeError, Limit, Limits, Reference
from cds_service.engine.analyte_blocks import analyte_of, check_block, codes_of, names_of
from cds_service.engine.knowledge_entries import check_fields, names_line, number_in
from cds_service.engine.orderables import Orderable
from cds_service.engine.topic import Vocabularies
from cds_service.terminology.codelists import CodeList, Name, read_codes, read_names
from cds_service.terminology.codes import LOINC, Coding
from cds_service.terminology.vocabulary import TextUse, Vocabulary

KINDS = frozenset(
    {
        "label",
        "guideline",
        "trial",
        "review",
        "survey",
        "cohort",
        "article",
        "general knowledge",
        "judgement",
    }
)
_NEGATING = resources.files("cds_service.terminology").joinpath("negating")
_TEXT_USE = {
    "conditions": TextUse.ALWAYS,
    "medications": TextUse.ALWAYS,
    "observations": TextUse.WHEN_NO_CODE_FITS,
    "orders": TextUse.WHEN_NO_CODE_FITS,
    "allergies": TextUse.ALWAYS,
}


class KnowledgeFolder:
    """The files of one topic in ``folder``; each is read when it is first asked for.

    ``ascending`` are sequences of limit keys whose values must ascend, whatever a site sets.
    Every property and method raises KnowledgeError (CodeError for code and name lists) that
    names the file, the entry and how to correct it.
    """

    def __init__(self, folder: Traversable, ascending: Sequence[Sequence[str]] = ()) -> None:
        self.folder = folder
        self._ascending = ascending

    def text_of(self, name: str) -> str:
        """The text of a file; empty where there is none."""
        file = self.folder.joinpath(name)
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def _toml(self, name: str) -> dict[str, dict[str, Any]]:
        try:
            content = tomllib.loads(self.text_of(name))
        except tomllib.TOMLDecodeError as error:
            raise KnowledgeError(f"{name}: {error}") from None
        for key, entry in content.items():
            if not isinstance(entry, dict):
                raise KnowledgeError(f"{name}: {key} is not a table; write [{key}] above its lines")
        return content

    @cached_property
    @names_line
    def _analyte_blocks(self) -> Mapping[str, dict[str, Any]]:
        blocks = self._toml("analytes.toml")
        for key, entry in blocks.items():
            check_block(key, entry)
        return blocks

    @cached_property
    @names_line
    def analytes(self) -> Mapping[str, Analyte]:
        """Every analyte by key, with all spellings of its units."""
        return {key: analyte_of(key, entry) for key, entry in self._analyte_blocks.items()}

    @cached_property
    @names_line
    def references(self) -> Mapping[str, Reference]:
        """Every source by key."""
        file, entries = "references.toml", {}
        must = {"label", "citation", "kind"}
        may = must | {"url", "year", "pmid", "doi", "seen", "checked"}
        for key, entry in self._toml(file).items():
            check_fields(file, key, entry, must, may)
            if entry["kind"] not in KINDS:
                raise KnowledgeError(
                    f"{file}: {key}: kind {entry['kind']} is not known; "
                    f"use one of {', '.join(sorted(KINDS))}"
                )
            entries[key] = Reference(key=key, **{"url": "", **entry})
        return entries

    @cached_property
    @names_line
    def _own_limits(self) -> Mapping[str, Limit]:
        file, entries = "limits.toml", {}
        fields = {"value", "unit", "reference", "checked", "meaning"}
        for key, entry in self._toml(file).items():
            if not fields & entry.keys():
                raise KnowledgeError(f'{file}: {key}: write the key in quotes: ["{key}.low"]')
            check_fields(file, key, entry, fields, fields)
            if not isinstance(entry["unit"], str):
                raise KnowledgeError(f'{file}: {key}: write unit like "mmol/L"')
            entries[key] = Limit(
                key=key, **{**entry, "value": number_in(file, key, entry["value"])}
            )
            self._fits(file, entries[key])
        return entries

    def _fits(self, where: str, limit: Limit) -> None:
        """Raise KnowledgeError for the limit of an analyte in another unit, or not plausible."""
        analyte = self.analytes.get(limit.key.split(".", 1)[0])
        if analyte is None:
            return
        if limit.unit != analyte.canonical:
            raise KnowledgeError(
                f'{where}: {limit.key}: unit must be "{analyte.canonical}"; a limit of something '
                f"else, such as a ratio or a number of days, needs a key that does not begin "
                f"with {analyte.key}"
            )
        if not analyte.plausible[0] <= limit.value <= analyte.plausible[1]:
            low, high = analyte.plausible
            raise KnowledgeError(
                f"{where}: {limit.key}: {limit} is not plausible; use a number from {low} to {high}"
            )

    @cached_property
    @names_line
    def orderables(self) -> Mapping[str, Orderable]:
        """Everything a card can offer, by key: the entries of orders.toml, and the test of each
        analyte that has an ``order``."""
        file, entries = "orders.toml", {}
        must = {"label", "covers", "codes"}
        for key, entry in self._toml(file).items():
            check_fields(file, key, entry, must, must | {"medication", "dosage", "verified"})
            entries[key] = Orderable(
                key=key,
                label=entry["label"],
                covers=frozenset(entry["covers"]),
                codes=_codes_of_order(file, key, entry["codes"]),
                medication=entry.get("medication", False),
                dosage=entry.get("dosage", ""),
            )
        for key, entry in self._analyte_blocks.items():
            if "order" not in entry:
                continue
            if key in entries:
                raise KnowledgeError(f"analytes.toml: {key}: its order is also listed in {file}")
            codes = [coding for coding in self.codes(key) if coding.system == LOINC][:1]
            if not codes:
                raise KnowledgeError(
                    f"analytes.toml: {key}: its order has no code; add codes to the block"
                )
            entries[key] = Orderable(key, entry["order"], frozenset({key}), tuple(codes))
        return entries

    def codes(self, analyte: str) -> Iterable[Coding]:
        """The LOINC codes by which results of an analyte are searched for."""
        return [
            code for code in self.vocabulary("observations").codes(analyte) if code.system == LOINC
        ]

    # --- vocabularies ----------------------------------------------------------------------------

    @cached_property
    @names_line
    def vocabularies(self) -> Vocabularies:
        """The vocabulary for each kind of entry."""
        return Vocabularies(**{name: self.vocabulary(name) for name in _TEXT_USE})

    def vocabulary(self, name: str) -> Vocabulary:
        """One vocabulary, read once."""
        known = self._vocabularies.get(name)
        if known is None:
            lists, names = self.code_lists(name), self.name_list(name)
            if name == "orders":
                lists = (*self.code_lists("observations"), *lists)
                names = (*self.name_list("observations"), *names)
            known = self._vocabularies[name] = Vocabulary(lists, names, _TEXT_USE[name])
        return known

    @cached_property
    def _vocabularies(self) -> dict[str, Vocabulary]:
        return {}

    def code_lists(self, vocabulary: str) -> tuple[CodeList, ...]:
        """The code lists of a vocabulary; raises CodeError naming file and line."""
        lists: list[CodeList] = []
        folder = self.folder.joinpath("codelists", vocabulary)
        entries = folder.iterdir() if folder.is_dir() else ()
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".csv"):
                concept = entry.name.removesuffix(".csv")
                excludes = concept.endswith(".not")
                text = entry.read_text(encoding="utf-8")
                where = f"codelists/{vocabulary}/{entry.name}"
                lists.append(read_codes(text, where, concept.removesuffix(".not"), excludes))
        if vocabulary == "observations":
            listed = {code_list.concept for code_list in lists if not code_list.excludes}
            for key, block in self._analyte_blocks.items():
                if "codes" not in block:
                    continue
                if key in listed:
                    raise KnowledgeError(
                        f"analytes.toml: {key}: codes are also in "
                        f"codelists/observations/{key}.csv; keep one of them"
                    )
                lists.append(codes_of(key, block["codes"]))
        return tuple(lists)

    def name_list(self, vocabulary: str) -> tuple[Name, ...]:
        """The names of a vocabulary, and what negates them in any topic ("no", "ruled out").

        Raises CodeError naming file and line.
        """
        names: tuple[Name, ...] = ()
        name = f"{vocabulary}.csv"
        for folder, where in ((_NEGATING, "negating"), (self.folder.joinpath("names"), "names")):
            file = folder.joinpath(name)
            if file.is_file():
                names += read_names(file.read_text(encoding="utf-8"), f"{where}/{name}")
        if vocabulary == "observations":
            for key, block in self._analyte_blocks.items():
                names += names_of(key, block.get("names", ()))
        return names

    # --- limits ----------------------------------------------------------------------------------

    def limits(self, site_limits: Mapping[str, Any] | None = None, where: str = "") -> Limits:
        """Every limit by key, overridden by a site's entries where there are any.

        An entry is ``"magnesium.low": {"value": "0.75", "unit": "mmol/L"}``; ``where`` names the
        file or setting that it comes from. Raises KnowledgeError that names this, the entry and
        how to correct it.
        """
        merged = dict(self._own_limits)
        if site_limits is not None:
            for key, entry in site_limits.items():
                merged[key] = self._override(where, key, entry, merged)
            self._ordered(where, merged)
        return Limits(merged)

    def _override(self, path: str, key: str, entry: Any, limits: Mapping[str, Limit]) -> Limit:
        own = limits.get(key)
        if own is None:
            hint = f' (in TOML write the key in quotes: ["{key}.low"])' if "." not in key else ""
            raise KnowledgeError(
                f"{path}: {key} is not a limit{hint}; the limits are {', '.join(sorted(limits))}"
            )
        if not isinstance(entry, dict):
            raise KnowledgeError(f'{path}: {key}: write {{"value": ..., "unit": "{own.unit}"}}')
        stray = set(entry) - {"value", "unit", "checked", "meaning"}
        if stray:
            raise KnowledgeError(
                f"{path}: {key}: {', '.join(sorted(stray))} is not a field of a limit; "
                "use value, unit, checked and meaning"
            )
        raw = entry.get("value")
        if isinstance(raw, bool) or not isinstance(raw, (str, int)):
            raise KnowledgeError(f'{path}: {key}: value is not a number; write it like "0.75"')
        value = number_in(path, key, raw)
        if value <= 0:
            raise KnowledgeError(f"{path}: {key}: {raw} must be a number above zero")
        if entry.get("unit") != own.unit:
            raise KnowledgeError(f'{path}: {key}: unit must be "{own.unit}"')
        self._fits(path, replace(own, value=value))
        checked = entry.get("checked", own.checked)
        if isinstance(checked, str):
            try:
                checked = date.fromisoformat(checked)
            except ValueError:
                checked = None
        if not isinstance(checked, date):
            raise KnowledgeError(f"{path}: {key}: checked is not a day like 2026-11-23")
        meaning = str(entry.get("meaning", own.meaning))
        return Limit(key, value, own.unit, own.reference, checked, meaning, overridden=True)

    def _ordered(self, path: str, merged: Mapping[str, Limit]) -> None:
        for keys in self._ascending:
            for lower, higher in pairwise(keys):
                if merged[lower].value >= merged[higher].value:
                    raise KnowledgeError(
                        f"{path}: {lower} ({merged[lower]}) must be below "
                        f"{higher} ({merged[higher]})"
                    )


def _codes_of_order(file: str, key: str, rows: object) -> tuple[Coding, ...]:
    """The codes of an order; none where it is ordered in words. Raises KnowledgeError."""
    must = {"system", "code", "display"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise KnowledgeError(
            f'{file}: {key}: write codes like [{{ system = "…", code = "…", display = "…" }}]'
        )
    for row in rows:
        check_fields(file, f"{key}: codes", row, must, must | {"verified"})
    return tuple(Coding(row["system"], row["code"], row["display"]) for row in rows)
