"""Analytes: what is measured, in which units, and which values are impossible in life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from cds_service.core.quantities import Unit


@dataclass(frozen=True, slots=True)
class Analyte:
    """One analyte as the rules know it.

    ``units`` maps every accepted spelling to its unit (UCUM is case-sensitive, so that
    spellings are listed and never case-folded). ``plausible`` is the inclusive range of
    usable values, in the canonical unit. ``least`` maps a unit's name to the smallest value
    that can be meant in it. ``range_low`` and ``range_high`` are the limits, in the canonical
    unit, between which the lower and the upper end of a laboratory's reference range must
    lie. A range outside them is ignored; where another unit of the analyte would explain its
    lower end, it contradicts the unit of the value.
    """

    key: str
    name: str
    canonical: str
    units: Mapping[str, Unit]
    plausible: tuple[Decimal, Decimal]
    decimals: int = 1
    range_low: tuple[Decimal, Decimal] | None = None
    range_high: tuple[Decimal, Decimal] | None = None
    least: Mapping[str, Decimal] | None = None
