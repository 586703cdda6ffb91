"""Code lists and name lists: the CSV files that define the codes and names of concepts.

A code list has the columns ``system,code,display,verified,source``. A name list has
``concept,kind,pattern,note``; the kinds are:

=============  =====================================================================
ingredient,    a name of the concept (patterns: :mod:`cds_service.terminology.wording`)
phrase
brand          likewise, but not in square brackets after the ingredients
exact          a name only when it is the whole text
bare           a name only when all the other words of the text are ``neutral``
neutral        words that do not contradict a ``bare`` name: "serum", "level", "mmol"
not            names that are entirely inside this pattern do not count
unless         found anywhere: the concept does not apply, even when a code matched
unless_three   likewise, if three different ones are found
even_so        found anywhere: the ``unless`` kinds do not apply
before         in the same clause, at most eight words before a name: negates it
after          in the same clause, or opening the next, at most three words after: likewise
until          a word that ends the reach of ``before``
qualifier      a word that may come before ``^``
implies        the pattern is another concept that comes with this one
=============  =====================================================================

The concept ``*`` in a ``not``, ``unless``, ``before``, ``after``, ``until`` or ``qualifier``
row means every concept of the vocabulary; ``neutral`` words always apply to all concepts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.terminology.codes import Code, CodeError, parse_code
from cds_service.terminology.wording import PatternError, read_pattern

NAMES = frozenset({"ingredient", "brand", "phrase", "exact", "bare"})
MARKS = frozenset({"not", "unless", "unless_three", "even_so", "before", "after", "until"})
_KINDS = NAMES | MARKS | {"qualifier", "neutral", "implies"}


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row of a code list."""

    code: Code
    display: str
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """The codes of one concept; ``excludes`` lists those that rule the concept out."""

    concept: str
    rows: tuple[CodeRow, ...]
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """One row of a name list."""

    concept: str
    kind: str
    pattern: str


def _rows(text: str, file: str, columns: list[str]) -> Iterable[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text))
    if next(reader, None) != columns:
        raise CodeError("the first line is wrong.", f"Write {','.join(columns)}.", f"{file}:1")
    for cells in reader:
        if len(cells) != len(columns):
            raise CodeError(
                f"{len(cells)} columns instead of {len(columns)}.",
                "Put texts with commas in double quotes.",
                f"{file}:{reader.line_num}",
            )
        yield reader.line_num, cells


def read_codes(text: str, file: str, concept: str, excludes: bool = False) -> CodeList:
    """Read a code list; raises :class:`CodeError` naming file, line and what to do."""
    rows: list[CodeRow] = []
    seen: set[tuple[str, str]] = set()
    for line, cells in _rows(text, file, ["system", "code", "display", "verified", "source"]):
        where = f"{file}:{line}"
        system, written, display, verified, source = cells
        try:
            code = parse_code(system, written)
        except CodeError as error:
            raise CodeError(error.what, error.fix, where) from None
        if (code.system, code) in seen:
            raise CodeError(f"{code} is listed twice.", "Keep one row.", where)
        if verified not in ("true", "false") or not source:
            raise CodeError(
                "verified or source is missing.", "Write true or false, and the source.", where
            )
        seen.add((code.system, code))
        rows.append(CodeRow(code, display, verified == "true", source))
    return CodeList(concept, tuple(rows), excludes)


def read_names(text: str, file: str) -> tuple[Name, ...]:
    """Read a name list; raises :class:`CodeError` naming file, line and what to do."""
    names: dict[tuple[str, str, str], Name] = {}
    for line, (concept, kind, pattern, _) in _rows(
        text, file, ["concept", "kind", "pattern", "note"]
    ):
        where = f"{file}:{line}"
        if kind not in _KINDS:
            raise CodeError(
                f"{kind!r} is not a kind of name.",
                f"Use one of {', '.join(sorted(_KINDS))}.",
                where,
            )
        try:
            read_pattern(pattern)
        except PatternError as error:
            raise CodeError(f"{error}.", "See cds_service/terminology/wording.py.", where) from None
        if (concept, kind, pattern) in names:
            raise CodeError(f"{pattern!r} is listed twice.", "Keep one row.", where)
        names[concept, kind, pattern] = Name(concept, kind, pattern)
    return tuple(names.values())
