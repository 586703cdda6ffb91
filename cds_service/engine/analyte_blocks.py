"""One block of ``analytes.toml``: an analyte with its units, its codes and its names.

What raises KnowledgeError or CodeError names the block and how to correct it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import KnowledgeError
from cds_service.core.quantities import Unit
from cds_service.engine.knowledge_entries import check_fields, number_in
from cds_service.terminology.codelists import CodeList, CodeRow, Name, read_names
from cds_service.terminology.codes import LOINC, CodeError, parse_code

_MUST = {"name", "canonical", "decimals", "plausible", "unit"}
_MAY = _MUST | {"range_low", "range_high", "codes", "names", "order"}


def check_block(key: str, entry: Mapping[str, Any]) -> None:
    """Raise KnowledgeError for a field of the block that is missing or unknown."""
    check_fields("analytes.toml", key, entry, _MUST, _MAY)


def analyte_of(key: str, entry: Mapping[str, Any]) -> Analyte:
    """The analyte with all spellings of its units. Raises KnowledgeError."""
    units: dict[str, Unit] = {}
    least: dict[str, Decimal] = {}
    file = "analytes.toml"
    rows = entry["unit"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise KnowledgeError(f"{file}: {key}: write its units like [[{key}.unit]]")
    for row in rows:
        check_fields(
            file,
            f"{key}.unit",
            row,
            {"name", "spellings"},
            {"name", "spellings", "times", "by", "plus", "note", "least"},
        )
        unit = Unit(
            name=row["name"],
            factor=_factor(key, row, "times") / _factor(key, row, "by"),
            offset=Fraction(number_in(file, f"{key}.unit: plus", row.get("plus", "0"))),
            note=row.get("note", ""),
        )
        if "least" in row:
            least[unit.name] = number_in(file, key, row["least"])
        for spelling in row["spellings"]:
            for spelled in dict.fromkeys((spelling, spelling.replace("µ", "μ"))):
                if spelled in units:
                    raise KnowledgeError(f"{file}: {key}: {spelled} is listed twice")
                units[spelled] = unit
    if not any(unit.name == entry["canonical"] and unit.same for unit in units.values()):
        raise KnowledgeError(
            f"{file}: {key}: none of its units is {entry['canonical']}, the canonical one; "
            f"add a [[{key}.unit]] with that name, without times, by and plus"
        )
    return Analyte(
        key=key,
        name=entry["name"],
        canonical=entry["canonical"],
        units=units,
        plausible=_pair(key, "plausible", entry["plausible"]),
        decimals=entry["decimals"],
        range_low=_pair(key, "range_low", entry["range_low"]) if "range_low" in entry else None,
        range_high=_pair(key, "range_high", entry["range_high"]) if "range_high" in entry else None,
        least=least or None,
    )


def _factor(key: str, row: Mapping[str, Any], name: str) -> Fraction:
    """``times`` or ``by`` of a unit; may be written as a fraction, like ``"1/18"``."""
    raw = str(row.get(name, "1"))
    try:
        value = Fraction(raw)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise KnowledgeError(
            f"analytes.toml: {key}.unit: {name}: {raw} must be a number above zero"
        )
    return value


def _pair(key: str, name: str, ends: object) -> tuple[Decimal, Decimal]:
    if not isinstance(ends, list) or len(ends) != 2:
        raise KnowledgeError(f'analytes.toml: {key}: write {name} like ["0.5", "3.5"]')
    low, high = (number_in("analytes.toml", f"{key}: {name}", end) for end in ends)
    if low >= high:
        raise KnowledgeError(f"analytes.toml: {key}: {name}: {low} must be below {high}")
    return low, high


def codes_of(key: str, rows: object) -> CodeList:
    """``codes = [{ code = "2000-8", display = "…", source = "…" }]``; LOINC without ``system``."""
    found: list[CodeRow] = []
    for row in rows if isinstance(rows, list) else [rows]:
        where = f"analytes.toml: {key}: codes"
        if not isinstance(row, dict):
            raise KnowledgeError(f'{where}: write {{ code = "…", display = "…", source = "…" }}')
        must = {"code", "display", "source"}
        check_fields("analytes.toml", f"{key}: codes", row, must, must | {"system", "verified"})
        try:
            code = parse_code(row.get("system", LOINC), row["code"])
        except CodeError as error:
            raise CodeError(error.what, error.fix, where) from None
        if code in [known_code.code for known_code in found]:
            raise KnowledgeError(f"{where}: {code} is listed twice")
        found.append(CodeRow(code, row["display"], bool(row.get("verified", False)), row["source"]))
    return CodeList(key, tuple(found))


def names_of(key: str, names: object) -> tuple[Name, ...]:
    """Names that match the whole text only: ``names = ["calcium", "serum calcium"]``."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise KnowledgeError(f'analytes.toml: {key}: write names like ["calcium", "ca"]')
    head = "concept,kind,pattern,note\n"
    rows = "".join(f'{key},exact,"{name.lower()}",\n' for name in names)
    return read_names(head + rows, f"analytes.toml: {key}: names")
