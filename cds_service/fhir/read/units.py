"""The unit of a quantity, and whether a value is plausible in it.

Sources: FHIR R4 Quantity; clinical content, section 3 ("Units", "Plausible").
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from msgspec import Raw

from cds_service.core.analytes import Analyte
from cds_service.core.facts import plain
from cds_service.core.quantities import Unit
from cds_service.core.text import shortened
from cds_service.fhir.values.elements import MOST_DECIMALS, exact, text
from cds_service.fhir.values.peeks import Quantity
from cds_service.fhir.values.unit_spellings import usual_spelling

UCUM = "http://unitsofmeasure.org"
_UCUM = frozenset({UCUM, "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"})
_ENDS: dict[tuple[Unit, int], tuple[tuple[Decimal, Decimal], Decimal, Decimal]] = {}


class Unusable(Exception):
    """Ends the reading of one value: its kind of problem, and why. `read_value` catches it."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def unit_of(quantity: Quantity, analyte: Analyte) -> Unit:
    """The unit: by its UCUM code, else by its text.

    Raises `Unusable` if it is not known, or if code and text disagree so that it matters.
    """
    unit = analyte.units.get(quantity.code or "")
    if unit is not None and (quantity.system is None or quantity.system in _UCUM):
        return unit if quantity.unit == quantity.code else _agreed(unit, quantity, analyte)
    code, name = text(quantity.code), text(quantity.unit)
    system = text(quantity.system).rstrip("/")
    if not code and not name:
        raise Unusable("no-unit", "it has no unit")
    if code and (not system or system in _UCUM):
        unit = analyte.units.get(code) or analyte.units.get(usual_spelling(code))
        if unit is not None:
            return _agreed(unit, quantity, analyte)
        if system or not name:
            raise Unusable("unknown-unit", f"its unit {shortened(code, 30)} is not known")
    unit = analyte.units.get(name) or analyte.units.get(usual_spelling(name))
    if unit is None:
        raise Unusable("unknown-unit", f"its unit {shortened(name or code, 30)} is not known")
    return unit


def _agreed(known: Unit, quantity: Quantity, analyte: Analyte) -> Unit:
    """The unit of the code, which takes precedence over the text.

    If the text is a different unit of the analyte, the code counts only if the value is low in
    both units or in neither; otherwise the choice would turn a high value into a low one.
    Raises `Unusable` then.
    """
    name = text(quantity.unit)
    other = analyte.units.get(name) or analyte.units.get(usual_spelling(name))
    if other is None or (other.factor, other.offset) == (known.factor, known.offset):
        return known
    value = exact(bytes(quantity.value).decode()) if isinstance(quantity.value, Raw) else None
    if value is not None and analyte.range_low is not None:
        top = Fraction(analyte.range_low[1])
        low_by = {unit.to_canonical(value) < top for unit in (known, other)}
        if len(low_by) == 1:
            return known
    stated = f"{shortened(text(quantity.code), 30)} and {shortened(name, 30)}"
    raise Unusable("unknown-unit", f"it has two units that differ: {stated}")


def check_plausible(value: Decimal, unit: Unit, analyte: Analyte) -> None:
    """Raise `Unusable` for a value that is not plausible, or too small to be in its unit."""
    least = (analyte.least or {}).get(unit.name)
    if least is not None and value < least:
        raise Unusable(
            "ambiguous-unit",
            f"{plain(value)} {unit.name} is too small for this unit: "
            "it may follow another convention (tetramer)",
        )
    if not is_inside(analyte.plausible, value, unit):
        raise Unusable("implausible", f"{plain_short(value)} {unit.name} is not plausible")


def is_inside(ends: tuple[Decimal, Decimal], value: Decimal, unit: Unit) -> bool:
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


def plain_short(value: Decimal) -> str:
    """A number as it was reported; a long one with six digits."""
    written = plain(value)
    return written if len(written) <= 16 else f"{value:.6g}"
