"""Measured values: intervals, units, and comparison with a limit in the laboratory's own unit.

Numbers are exact. A value keeps the unit and the decimals that the laboratory reported. A
limit is converted to that unit, rounded half up to those decimals (at least one), and only
then compared, strictly: 1.7 mg/dL is not below 0.70 mmol/L (1.70135 mg/dL).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

from msgspec import Struct

_ONE, _ZERO = Fraction(1), Fraction(0)


# A unit is made once. Compared by identity, it is a cheap key for cached conversions.
@dataclass(frozen=True, eq=False)
class Unit:
    """One unit of one analyte: ``canonical = reported * factor + offset``.

    ``name`` is the unit in UCUM; ``note`` says where the factor comes from.
    """

    name: str
    factor: Fraction = _ONE
    offset: Fraction = _ZERO
    note: str = ""

    @cached_property
    def same(self) -> bool:
        """Whether the canonical unit has the same numbers, so that nothing is converted."""
        return self.factor == 1 and not self.offset

    def to_canonical(self, value: Decimal) -> Fraction:
        """The value in the analyte's canonical unit, exactly."""
        if self.same:
            return Fraction(*value.as_integer_ratio())  # Fraction(value) takes thrice the time
        numerator, denominator = value.as_integer_ratio()
        factor, offset = self.factor, self.offset
        scaled = Fraction(numerator * factor.numerator, denominator * factor.denominator)
        return scaled + offset if offset else scaled

    def from_canonical(self, value: Decimal, decimals: int) -> Decimal:
        """A canonical value in this unit, rounded half up to ``decimals``.

        Where no conversion is needed the value is returned unchanged.
        """
        return value if self.same else _converted(value, self, max(decimals, 1))


# Only limits are converted this way, and they are few: no patient data is kept.
@lru_cache(maxsize=4096)
def _converted(value: Decimal, unit: Unit, decimals: int) -> Decimal:
    return rounded((Fraction(value) - unit.offset) / unit.factor, decimals)


def rounded(value: Fraction, decimals: int) -> Decimal:
    """``value`` rounded to ``decimals`` places, halves away from zero."""
    scaled, divisor = abs(value.numerator) * 10**decimals, value.denominator
    whole = (2 * scaled + divisor) // (2 * divisor)
    return Decimal(f"{'-' if value.numerator < 0 else ''}{whole}E-{decimals}")


def decimal_text(value: Decimal) -> str:
    """A decimal with all its digits and no exponent: 1.20, 5, 100 for 1E+2."""
    text = str(value)  # much faster than the format "f", and mostly the same
    return f"{value:f}" if "E" in text else text


def decimals_of(value: Decimal) -> int:
    """The number of decimals that were written: 1.20 has two, 5 has none, 1E+2 has none."""
    return len(decimal_text(value).partition(".")[2])


@lru_cache(maxsize=512)
def printed_unit(name: str) -> str:
    """A UCUM unit as a person writes it: ``mL/min/1.73 m²`` for ``mL/min/{1.73_m2}``."""
    return name.replace("{1.73_m2}", "1.73 m²").replace("10*", "10^")


class Interval(Struct, frozen=True):
    """What a reported value says: a point, or the whole range that a comparator allows.

    ``below``, ``above``, ``at_least`` and ``at_most`` give True, False, or None where the
    interval straddles the limit ("<50" against 30).
    """

    low: Decimal | None
    high: Decimal | None
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def compared(cls, comparator: str, value: Decimal) -> Interval:
        """A FHIR ``Quantity`` with a comparator. Raises ValueError for an unknown comparator."""
        match comparator:
            case "" | "=":
                return cls(value, value)
            case "<":
                return cls(None, value, high_open=True)
            case "<=":
                return cls(None, value)
            case ">":
                return cls(value, None, low_open=True)
            case ">=":
                return cls(value, None)
        raise ValueError(comparator)

    @property
    def exact(self) -> bool:
        """True where there was no comparator."""
        return self.low is not None and self.low == self.high

    def below(self, limit: Decimal) -> bool | None:
        """Whether the value is < limit."""
        if self.high is not None and (self.high < limit or (self.high == limit and self.high_open)):
            return True
        if self.low is not None and self.low >= limit:
            return False
        return None

    def above(self, limit: Decimal) -> bool | None:
        """Whether the value is > limit."""
        if self.low is not None and (self.low > limit or (self.low == limit and self.low_open)):
            return True
        if self.high is not None and self.high <= limit:
            return False
        return None

    def at_least(self, limit: Decimal) -> bool | None:
        """Whether the value is >= limit."""
        answer = self.below(limit)
        return None if answer is None else not answer

    def at_most(self, limit: Decimal) -> bool | None:
        """Whether the value is <= limit."""
        answer = self.above(limit)
        return None if answer is None else not answer

    def middle(self) -> Decimal:
        """The known end, or the point: only for deciding which of two values is worse."""
        known = self.low if self.low is not None else self.high
        return known if known is not None else Decimal(0)
