"""Reads the knowledge files: analytes, limits, references and orderables.

All are read once per process. A file that is wrong is refused with a `KnowledgeError`
that names the file, the entry and the fix.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import KnowledgeError, Limit, Limits, Reference
from cds_service.core.quantities import Unit
from cds_service.engine.orderables import Orderable
from cds_service.terminology.codes import Coding

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


def _toml(name: str) -> dict[str, Any]:
    text = resources.files("hooks.knowledge").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def analytes() -> Mapping[str, Analyte]:
    """Every analyte by key, with all spellings of its units."""
    return {key: _analyte(key, entry) for key, entry in _toml("analytes.toml").items()}


def _analyte(key: str, entry: dict[str, Any]) -> Analyte:
    units: dict[str, Unit] = {}
    least: dict[str, Decimal] = {}
    for row in entry["unit"]:
        unit = Unit(
            name=row["name"],
            factor=Fraction(row.get("times", "1")) / Fraction(row.get("by", "1")),
            offset=Fraction(row.get("plus", "0")),
            note=row.get("note", ""),
        )
        if "least" in row:
            least[unit.name] = Decimal(row["least"])
        for spelling in row["spellings"]:
            for spelled in dict.fromkeys((spelling, spelling.replace("µ", "μ"))):
                if spelled in units:
                    raise KnowledgeError(f"analytes.toml: {key}: {spelled} is listed twice")
                units[spelled] = unit
    low, high = (Decimal(end) for end in entry["plausible"])
    ends, upper = entry.get("range_low"), entry.get("range_high")
    return Analyte(
        key=key,
        name=entry["name"],
        canonical=entry["canonical"],
        units=units,
        plausible=(low, high),
        decimals=entry["decimals"],
        range_low=(Decimal(ends[0]), Decimal(ends[1])) if ends else None,
        range_high=(Decimal(upper[0]), Decimal(upper[1])) if upper else None,
        least=least or None,
    )


@cache
def references() -> Mapping[str, Reference]:
    """Every source by key."""
    found = {}
    for key, entry in _toml("references.toml").items():
        if entry["kind"] not in KINDS:
            raise KnowledgeError(f"references.toml: {key}: kind {entry['kind']} is not known")
        found[key] = Reference(key=key, **{"url": "", **entry})
    return found


@cache
def _own_limits() -> Mapping[str, Limit]:
    return {
        key: Limit(
            key=key,
            value=Decimal(entry["value"]),
            unit=entry["unit"],
            reference=entry["reference"],
            checked=entry["checked"],
            meaning=entry["meaning"],
        )
        for key, entry in _toml("limits.toml").items()
    }


def limits(given: Mapping[str, Any] | None = None, where: str = "") -> Limits:
    """Every limit by key, overridden by a site's entries where there are any.

    An entry is ``"magnesium.low": {"value": "0.75", "unit": "mmol/L"}``; ``where`` says whence it
    is. Raises KnowledgeError that names the place, the entry and how to correct it.
    """
    merged = dict(_own_limits())
    if given is not None:
        for key, entry in given.items():
            merged[key] = _override(where, key, entry, merged)
        _ordered(where, merged)
    return Limits(merged)


def _override(path: str, key: str, entry: Any, known: Mapping[str, Limit]) -> Limit:
    own = known.get(key)
    if own is None:
        hint = f' (in TOML the key stands in quotes: ["{key}.low"])' if "." not in key else ""
        raise KnowledgeError(
            f"{path}: {key} is not a limit{hint}; the limits are {', '.join(sorted(known))}"
        )
    if not isinstance(entry, dict):
        raise KnowledgeError(f'{path}: {key}: write {{"value": ..., "unit": "{own.unit}"}}')
    stray = set(entry) - {"value", "unit", "checked", "meaning"}
    if stray:
        raise KnowledgeError(f"{path}: {key}: {', '.join(sorted(stray))} is not a field of a limit")
    raw = entry.get("value")
    if isinstance(raw, bool) or not isinstance(raw, (str, int)):
        raise KnowledgeError(f"{path}: {key}: it has no number as value")
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        raise KnowledgeError(f"{path}: {key}: {raw} is not a number") from None
    if not value.is_finite() or value <= 0:
        raise KnowledgeError(f"{path}: {key}: {raw} must be a number above zero")
    if entry.get("unit") != own.unit:
        raise KnowledgeError(f'{path}: {key}: the unit must be given and be "{own.unit}"')
    analyte = analytes().get(key.split(".", 1)[0])
    if analyte and not analyte.plausible[0] <= value <= analyte.plausible[1]:
        raise KnowledgeError(f"{path}: {key}: {value} {own.unit} is not plausible")
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


_ORDERED = (
    ("magnesium.severe", "magnesium.low", "magnesium.high"),
    ("potassium.severe", "potassium.urgent", "potassium.low", "potassium.caution"),
    ("potassium.caution", "potassium.high", "potassium.critical"),
    ("egfr.severe", "egfr.moderate"),
    ("ferritin.low", "ferritin.rls"),
    ("hemoglobin.critical", "hemoglobin.severe", "hemoglobin.pregnant"),
    ("sodium.critical", "sodium.diuretic", "sodium.low"),
    ("calcium.critical", "calcium.low"),
    ("calcium_ionized.critical", "calcium_ionized.low"),
    ("multiple.creatine_kinase", "multiple.creatine_kinase_statin"),
    ("transferrin_saturation.low", "transferrin_saturation.high"),
    ("magnesium_oxide.least", "magnesium_oxide.most"),
    ("baclofen.start", "baclofen.most"),
)


def _ordered(path: str, merged: Mapping[str, Limit]) -> None:
    for keys in _ORDERED:
        for lower, higher in pairwise(keys):
            if merged[lower].value >= merged[higher].value:
                raise KnowledgeError(
                    f"{path}: {lower} ({merged[lower]}) must lie below {higher} ({merged[higher]})"
                )


@cache
def orderables() -> Mapping[str, Orderable]:
    """Everything a card can offer, by key."""
    found = {}
    for key, entry in _toml("orders.toml").items():
        found[key] = Orderable(
            key=key,
            label=entry["label"],
            covers=frozenset(entry["covers"]),
            codes=tuple(
                Coding(code["system"], code["code"], code["display"]) for code in entry["codes"]
            ),
            medication=entry.get("medication", False),
            dosage=entry.get("dosage", ""),
        )
    return found
