"""The value of one Observation: number and comparator, with its unit and own range.

Nothing is corrected: a value that cannot be used as reported becomes a `Problem` that says
why. Sources: FHIR R4 Observation; clinical content, section 3 ("Comparators").
`units` reads the unit, `own_range` the laboratory's own range.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Raw, Struct

from cds_service.core.analytes import Analyte
from cds_service.core.facts import Problem, Result, Source
from cds_service.core.quantities import Interval, decimals_of
from cds_service.core.text import shortened
from cds_service.fhir.read.own_range import own_range
from cds_service.fhir.read.remarks import is_critical, remarks_on
from cds_service.fhir.read.units import Unusable, check_plausible, unit_of
from cds_service.fhir.values.elements import UNREADABLE, decoded, exact, text
from cds_service.fhir.values.moments import Moment
from cds_service.fhir.values.peeks import Missing, Peek, Quantity, read_members, read_quantity

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


class ResultContext(Struct, frozen=True):
    """What is known of a result before its value is read; ``age`` is the patient's, in years."""

    analyte: Analyte
    moment: Moment
    source: Source
    preliminary: bool = False
    method: str = ""
    age: int | None = None


def read_value(
    peek: Peek, undecoded: Callable[[], bytes | Raw], expected: ResultContext
) -> Result | Problem:
    """The result of a peeked-at Observation, or why it cannot be used. Raises nothing.

    ``undecoded`` gives the undecoded resource; it is called only if there is no quantity.
    """
    try:
        return _result(peek, undecoded, expected)
    except Unusable as why:
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


def _result(peek: Peek, undecoded: Callable[[], bytes | Raw], expected: ResultContext) -> Result:
    if not isinstance(peek.dataAbsentReason, Missing) and bytes(peek.dataAbsentReason) != b"null":
        raise Unusable("no-value", "the laboratory gave no value (dataAbsentReason)")
    if isinstance(peek.valueQuantity, Missing) or bytes(peek.valueQuantity) == b"null":
        raise _why_no_quantity(undecoded())
    analyte, moment = expected.analyte, expected.moment
    quantity = _quantity(peek.valueQuantity)
    written = "" if isinstance(quantity.value, Missing) else bytes(quantity.value).decode()
    if written in ("", "null"):
        raise Unusable("no-value", "it has no value")
    if written.startswith('"'):
        raise Unusable("not-a-number", "its value is text, not a number")
    value = exact(written)
    if value is None:
        raise Unusable("not-a-number", "its value is not a number that a laboratory would report")
    interval = _interval(quantity.comparator, value)
    unit = unit_of(quantity, analyte)
    check_plausible(value, unit, analyte)
    decimals = decimals_of(value)
    low, high = own_range(peek.referenceRange, unit, decimals, analyte, expected.age)
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


def _why_no_quantity(resource: bytes | Raw) -> Unusable:
    members = {name for name, value in read_members(resource).items() if bytes(value) != b"null"}
    for name, words in _NOT_NUMBERS.items():
        if name in members:
            return Unusable("not-a-number", f"its value is {words}, not a number with a unit")
    if any(name.startswith("value") for name in members):
        return Unusable("not-a-number", "its value is not a number with a unit")
    if "component" in members:
        return Unusable("no-value", "it has only components, no value of its own")
    return Unusable("no-value", "it has no value")


def _quantity(raw: Raw | bytes) -> Quantity:
    """A Quantity; if one of its members has the wrong type, each is read separately."""
    try:
        return read_quantity(raw)
    except UNREADABLE:
        members = read_members(raw)  # not an object: unreadable
        found: dict[str, Any] = {}
        if "value" in members:
            found["value"] = members["value"]
        stated = decoded(members.get("comparator", b"null"))
        if stated is not None:
            # A comparator that is not text could be any of them.
            found["comparator"] = text(stated) or "?"
        for name in ("unit", "system", "code"):
            if name in members:
                found[name] = text(decoded(members[name]))
        return Quantity(**found)


def _interval(comparator: str | None, value: Decimal) -> Interval:
    if comparator is None:
        return Interval(value, value)
    try:
        return Interval.compared(text(comparator), value)
    except ValueError:
        reason = f"its comparator {shortened(text(comparator), 10)} is not known"
        raise Unusable("comparator", reason) from None
