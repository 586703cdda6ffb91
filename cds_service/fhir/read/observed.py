"""The value of one Observation: number, unit, comparator and the laboratory's own range.

Nothing is corrected: a value that cannot be used as reported becomes a `Problem` that says
why. Sources: FHIR R4 Observation and Quantity; clinical content, section 3 ("Units",
"Plausible", "Comparators").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from math import ceil, floor

from msgspec import Raw, Struct

from cds_service.core.analytes import Analyte
from cds_service.core.facts import Problem, Result, Source, plain
from cds_service.core.quantities import Interval, Unit, decimals_of, rounded
from cds_service.core.text import shortened
from cds_service.fhir.read.remarks import is_critical, remarks_on
from cds_service.fhir.values.elements import (
    MOST_DECIMALS,
    UNREADABLE,
    decoded,
    exact,
    items,
    number,
    part,
    status_words,
    text,
)
from cds_service.fhir.values.moments import Moment
from cds_service.fhir.values.peeks import Missing, Peek, Quantity, read_members, read_quantity
from cds_service.fhir.values.unit_spellings import plainer

UCUM = "http://unitsofmeasure.org"
_UCUM = frozenset({UCUM, "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"})
_Range = tuple[Decimal | None, Decimal | None, Decimal | None]
_RANGES: dict[tuple[bytes, str, str, int, int | None], _Range] = {}
_MOST_RANGES = 4096
_ENDS: dict[tuple[Unit, int], tuple[tuple[Decimal, Decimal], Decimal, Decimal]] = {}
_NOT_NUMBERS = {
    "valueString": "text",
    "valueInteger": "a number without a unit",
    "valueDecimal": "a number without a unit",
    "valueCodeableConcept": "a code",
    "valueBoolean": "yes or no",
    "valueRange": "a range",
    "valueRatio": "a ratio",
    "valueSampledData": "sampled data",
    "valueAttachment": "an attachment",
}


class Expected(Struct, frozen=True):
    """What is known of a result before its value is read; ``age`` is the patient's, in years."""

    analyte: Analyte
    moment: Moment
    source: Source
    preliminary: bool = False
    method: str = ""
    age: int | None = None


class _Unusable(Exception):
    """Ends the reading of one value; never leaves this module."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def read_value(
    peek: Peek, whole: Callable[[], bytes | Raw], expected: Expected
) -> Result | Problem:
    """The result of a peeked-at Observation, or why it cannot be used. Raises nothing.

    ``whole`` gives the undecoded resource; it is called only if there is no quantity.
    """
    try:
        return _result(peek, whole, expected)
    except _Unusable as why:
        kind, reason = why.kind, why.reason
    except UNREADABLE:
        kind, reason = "unreadable", "its value cannot be read"
    return Problem(
        kind,
        expected.analyte.key,
        reason,
        expected.source,
        expected.moment.when,
        is_critical(peek),
    )


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


def _result(peek: Peek, whole: Callable[[], bytes | Raw], expected: Expected) -> Result:
    if not isinstance(peek.dataAbsentReason, Missing) and bytes(peek.dataAbsentReason) != b"null":
        raise _Unusable("no-value", "the laboratory gave no value (dataAbsentReason)")
    if isinstance(peek.valueQuantity, Missing) or bytes(peek.valueQuantity) == b"null":
        raise _why_no_quantity(whole())
    analyte, moment = expected.analyte, expected.moment
    quantity = _quantity(peek.valueQuantity)
    written = "" if isinstance(quantity.value, Missing) else bytes(quantity.value).decode()
    if written in ("", "null"):
        raise _Unusable("no-value", "it has no value")
    if written.startswith('"'):
        raise _Unusable("not-a-number", "its value is text, not a number")
    value = exact(written)
    if value is None:
        raise _Unusable("not-a-number", "its value is not a number that a laboratory would report")
    interval = _interval(quantity.comparator, value)
    unit = unit_of(quantity, analyte)
    _check_plausible(value, unit, analyte)
    decimals = decimals_of(value)
    low, high = _own_range(peek.referenceRange, unit, decimals, analyte, expected.age)
    return Result(
        analyte=analyte,
        value=interval,
        decimals=decimals,
        unit=unit,
        when=moment.when,
        day=moment.day,
        day_only=moment.day_only,
        source=expected.source,
        preliminary=expected.preliminary,
        range_low=low,
        range_high=high,
        method=expected.method,
        critical=is_critical(peek),
        remarks=remarks_on(peek),
    )


def _why_no_quantity(whole: bytes | Raw) -> _Unusable:
    members = {name for name, value in read_members(whole).items() if bytes(value) != b"null"}
    for name, words in _NOT_NUMBERS.items():
        if name in members:
            return _Unusable("not-a-number", f"its value is {words}, not a number with a unit")
    if any(name.startswith("value") for name in members):
        return _Unusable("not-a-number", "its value is not a number with a unit")
    if "component" in members:
        return _Unusable("no-value", "it has only components, no value of its own")
    return _Unusable("no-value", "it has no value")


def _quantity(raw: Raw | bytes) -> Quantity:
    """A Quantity; if one of its members has the wrong type, each is read separately."""
    try:
        return read_quantity(raw)
    except UNREADABLE:
        members = read_members(raw)  # not an object: unreadable
        found = Quantity()
        if "value" in members:
            found.value = members["value"]
        stated = decoded(members.get("comparator", b"null"))
        if stated is not None:
            # A comparator that is not text could be any of them.
            found.comparator = text(stated) or "?"
        for name in ("unit", "system", "code"):
            if name in members:
                setattr(found, name, text(decoded(members[name])))
        return found


def _interval(comparator: str | None, value: Decimal) -> Interval:
    if comparator is None:
        return Interval(value, value)
    try:
        return Interval.compared(text(comparator), value)
    except ValueError:
        reason = f"its comparator {shortened(text(comparator), 10)} is not known"
        raise _Unusable("comparator", reason) from None


def unit_of(quantity: Quantity, analyte: Analyte) -> Unit:
    """The unit: by its UCUM code, else by its text.

    Raises `_Unusable` if it is not known, or if code and text disagree so that it matters.
    """
    known = analyte.units.get(quantity.code or "")
    if known is not None and (quantity.system is None or quantity.system in _UCUM):
        return known if quantity.unit == quantity.code else _agreed(known, quantity, analyte)
    code, name = text(quantity.code), text(quantity.unit)
    system = text(quantity.system).rstrip("/")
    if not code and not name:
        raise _Unusable("no-unit", "it has no unit")
    if code and (not system or system in _UCUM):
        known = analyte.units.get(code) or analyte.units.get(plainer(code))
        if known is not None:
            return _agreed(known, quantity, analyte)
        if system or not name:
            raise _Unusable("unknown-unit", f"its unit {shortened(code, 30)} is not known")
    known = analyte.units.get(name) or analyte.units.get(plainer(name))
    if known is None:
        raise _Unusable("unknown-unit", f"its unit {shortened(name or code, 30)} is not known")
    return known


def _agreed(known: Unit, quantity: Quantity, analyte: Analyte) -> Unit:
    """The unit of the code, which takes precedence over the text.

    If the text is a different unit of the analyte, the code counts only if the value is low in
    both units or in neither; otherwise the choice would turn a high value into a low one.
    Raises `_Unusable` then.
    """
    name = text(quantity.unit)
    other = analyte.units.get(name) or analyte.units.get(plainer(name))
    if other is None or (other.factor, other.offset) == (known.factor, known.offset):
        return known
    value = exact(bytes(quantity.value).decode()) if isinstance(quantity.value, Raw) else None
    if value is not None and analyte.range_low is not None:
        top = Fraction(analyte.range_low[1])
        low_by = {one.to_canonical(value) < top for one in (known, other)}
        if len(low_by) == 1:
            return known
    stated = f"{shortened(text(quantity.code), 30)} and {shortened(name, 30)}"
    raise _Unusable("unknown-unit", f"it has two units that differ: {stated}")


def _check_plausible(value: Decimal, unit: Unit, analyte: Analyte) -> None:
    least = (analyte.least or {}).get(unit.name)
    if least is not None and value < least:
        raise _Unusable(
            "ambiguous-unit",
            f"{plain(value)} {unit.name} is too small for this unit: "
            "it may follow another convention (tetramer)",
        )
    if not _inside(analyte.plausible, value, unit):
        raise _Unusable("implausible", f"{_written(value)} {unit.name} is not plausible")


def _inside(ends: tuple[Decimal, Decimal], value: Decimal, unit: Unit) -> bool:
    """Whether a value is between two ends, given in the canonical unit, both included."""
    key = (unit, id(ends))  # the ends are kept too, so that nothing else can have their id
    known = _ENDS.get(key)
    if known is None:
        known = _ENDS[key] = (ends, *_ends_in(ends, unit))
    return known[1] <= value <= known[2]


def _ends_in(ends: tuple[Decimal, Decimal], unit: Unit) -> tuple[Decimal, Decimal]:
    """Canonical ends, converted to a unit with as many decimals as a value can have.

    They are rounded inwards.
    """
    lowest, highest = ((Fraction(end) - unit.offset) / unit.factor for end in ends)
    scale = 10**MOST_DECIMALS
    return (
        Decimal(f"{ceil(lowest * scale)}E-{MOST_DECIMALS}"),
        Decimal(f"{floor(highest * scale)}E-{MOST_DECIMALS}"),
    )


def _written(value: Decimal) -> str:
    written = plain(value)
    return written if len(written) <= 16 else f"{value:.6g}"


def _own_range(
    raw: Raw | Missing, unit: Unit, decimals: int, analyte: Analyte, age: int | None
) -> tuple[Decimal | None, Decimal | None]:
    """The laboratory's own limits in the value's unit; None where a limit is absent or unclear.

    Raises `_Unusable` if the low limit cannot be in this unit: the value's unit is then in doubt.
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
        raise _Unusable(
            "contradicting-range",
            f"its reference range, from {_written(contradicts)}, contradicts its unit {unit.name}",
        )
    return low, high


def _belonging(low: Decimal | None, high: Decimal | None, unit: Unit, analyte: Analyte) -> _Range:
    """Limits that can be in this unit. The third is a low limit that must be in another unit."""
    ends, upper = analyte.range_low, analyte.range_high
    if low is not None and ends is not None and not _inside(ends, low, unit):
        other = any(_inside(ends, low, other) for other in analyte.units.values())
        return None, None, low if other else None
    if high is not None and upper is not None and not _inside(upper, high, unit):
        return None, None, None
    if low is not None and high is not None and low > high:
        return None, None, None
    return low, high, None


def _read_range(
    raw: Raw, unit: Unit, decimals: int, analyte: Analyte, age: int | None
) -> tuple[Decimal | None, Decimal | None]:
    try:
        fitting = [one for one in items(decoded(raw)) if _of_healthy_people(one, age)]
        if len(fitting) != 1:
            return None, None
        low = _limit(part(fitting[0], "low"), unit, decimals, analyte)
        high = _limit(part(fitting[0], "high"), unit, decimals, analyte)
    except _Unusable:
        return None, None
    return low, high


def _of_healthy_people(one: object, age: int | None) -> bool:
    """Whether a range is for all healthy people of the patient's age."""
    if not isinstance(one, dict) or (one.get("low") is None and one.get("high") is None):
        return False
    if any(item for item in items(one.get("appliesTo"))):
        return False
    if not _of_age(one.get("age"), age):
        return False
    kind = one.get("type") if one.get("type") is not None else one.get("meaning")
    if kind is not None and "normal" not in status_words(kind):
        return False
    words = text(one.get("text")).lower()
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
    """An age in years; None where there is none. Raises `_Unusable` if it cannot be read."""
    if end is None:
        return None
    value = number(part(end, "value"))
    unit = text(part(end, "code")) or text(part(end, "unit"))
    parts = _IN_A_YEAR.get(unit.lower()) if unit else 1
    if value is None or parts is None:
        raise _Unusable("range", "")
    return Fraction(value) / parts


def _limit(value: object, unit: Unit, decimals: int, analyte: Analyte) -> Decimal | None:
    if value is None:
        return None
    limit = number(part(value, "value"))
    if limit is None or part(value, "comparator") is not None:
        raise _Unusable("range", "")
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
