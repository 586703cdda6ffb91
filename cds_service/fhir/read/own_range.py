"""The reference range that a laboratory reports with a result."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b

from msgspec import Raw

from cds_service.core.analytes import Analyte
from cds_service.core.quantities import Unit, rounded
from cds_service.fhir.read.units import Unusable, is_inside, plain_short, unit_of
from cds_service.fhir.values.elements import decoded, items, number, part, status_words, text
from cds_service.fhir.values.peeks import Missing, Quantity

_Range = tuple[Decimal | None, Decimal | None, Decimal | None]
_RANGES: dict[tuple[bytes, str, str, int, int | None], _Range] = {}
_MOST_RANGES = 4096
# A word that begins with one of these says that a range is not the one of healthy adults.
_OTHER_KINDS = re.compile(
    r"\b(crit|krit|panic|panik|alert|alarm|action|therap|toxi|target|ziel|goal|recommend|treat|"
    r"pre-?dialysis|dialysis|absurd|reportable|measur|analytic|linear|detect|decision|urgent|"
    r"warning|notif|call|life|lethal|sub-?therap|supra-?therap|trough|peak|pregnan|trimester|"
    r"schwanger|gravid|newborn|neonat|infant|child|kinder|paediatric|pediatric)"
)
# How many of each unit of age there are in a year.
_IN_A_YEAR = {"a": 1, "y": 1, "yr": 1, "yrs": 1, "year": 1, "years": 1, "jahr": 1, "jahre": 1} | {
    "mo": 12, "month": 12, "months": 12, "monat": 12, "monate": 12, "wk": 52, "week": 52,
    "weeks": 52, "d": 365, "day": 365, "days": 365, "h": 8760, "hour": 8760, "hours": 8760,
}  # fmt: skip
_ADULT = 18
_OLD = 110


def own_range(
    raw: Raw | Missing, unit: Unit, decimals: int, analyte: Analyte, age: int | None
) -> tuple[Decimal | None, Decimal | None]:
    """The laboratory's own limits in the value's unit; None where a limit is absent or unclear.

    Raises `Unusable` if the low limit cannot be in this unit: the value's unit is then in doubt.
    """
    if isinstance(raw, Missing):
        return None, None
    # A laboratory sends the same range with every result; only the digest of it is kept.
    if b'"age"' not in bytes(raw):
        age = None
    key = (blake2b(raw, digest_size=16).digest(), analyte.key, unit.name, decimals, age)
    known = _RANGES.get(key)
    if known is None:
        if len(_RANGES) >= _MOST_RANGES:
            _RANGES.clear()
        low, high = _read_range(raw, unit, decimals, analyte, age)
        known = _RANGES[key] = _belonging(low, high, unit, analyte)
    low, high, contradicts = known
    if contradicts is not None:
        raise Unusable(
            "contradicting-range",
            f"its reference range, from {plain_short(contradicts)}, "
            f"contradicts its unit {unit.name}",
        )
    return low, high


def _belonging(low: Decimal | None, high: Decimal | None, unit: Unit, analyte: Analyte) -> _Range:
    """Limits that can be in this unit. The third is a low limit that must be in another unit."""
    ends, upper = analyte.range_low, analyte.range_high
    if low is not None and ends is not None and not is_inside(ends, low, unit):
        other = any(is_inside(ends, low, other) for other in analyte.units.values())
        return None, None, low if other else None
    if high is not None and upper is not None and not is_inside(upper, high, unit):
        return None, None, None
    if low is not None and high is not None and low > high:
        return None, None, None
    return low, high, None


def _read_range(
    raw: Raw, unit: Unit, decimals: int, analyte: Analyte, age: int | None
) -> tuple[Decimal | None, Decimal | None]:
    try:
        fitting = [stated for stated in items(decoded(raw)) if _of_healthy_people(stated, age)]
        if len(fitting) != 1:
            return None, None
        low = _limit(part(fitting[0], "low"), unit, decimals, analyte)
        high = _limit(part(fitting[0], "high"), unit, decimals, analyte)
    except Unusable:
        return None, None
    return low, high


def _of_healthy_people(stated: object, age: int | None) -> bool:
    """Whether a range is for all healthy people of the patient's age."""
    if not isinstance(stated, dict) or (stated.get("low") is None and stated.get("high") is None):
        return False
    if any(item for item in items(stated.get("appliesTo"))):
        return False
    if not _of_age(stated.get("age"), age):
        return False
    kind = stated.get("type") if stated.get("type") is not None else stated.get("meaning")
    if kind is not None and "normal" not in status_words(kind):
        return False
    words = text(stated.get("text")).lower()
    return not words or not _OTHER_KINDS.search(words)


def _of_age(ages: object, age: int | None) -> bool:
    """Whether a range of ages includes the patient's; for an unknown age, that of every adult."""
    if ages is None:
        return True
    least, most = (_years(part(ages, end)) for end in ("low", "high"))
    if least is None and most is None:
        return False
    youngest, oldest = (_ADULT, _OLD) if age is None else (age, age)
    return (least is None or least <= youngest) and (most is None or oldest <= most)


def _years(end: object) -> Fraction | None:
    """An age in years; None where there is none. Raises `Unusable` if it cannot be read."""
    if end is None:
        return None
    value = number(part(end, "value"))
    unit = text(part(end, "code")) or text(part(end, "unit"))
    parts = _IN_A_YEAR.get(unit.lower()) if unit else 1
    if value is None or parts is None:
        raise Unusable("range", "")
    return Fraction(value) / parts


def _limit(value: object, unit: Unit, decimals: int, analyte: Analyte) -> Decimal | None:
    if value is None:
        return None
    limit = number(part(value, "value"))
    if limit is None or part(value, "comparator") is not None:
        raise Unusable("range", "")
    stated = Quantity(
        unit=text(part(value, "unit")),
        system=text(part(value, "system")),
        code=text(part(value, "code")),
    )
    if not stated.unit and not stated.code:
        return limit
    own = unit_of(stated, analyte)
    if (own.factor, own.offset) == (unit.factor, unit.offset):
        return limit
    converted: Fraction = (own.to_canonical(limit) - unit.offset) / unit.factor
    return rounded(converted, max(decimals, 1))
