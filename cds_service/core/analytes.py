"""Analytes: what is measured, in which units, and what no living patient can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from cds_service.core.quantities import Unit


@dataclass(frozen=True, slots=True)
class Analyte:
    """One analyte as the rules know it.

    ``units`` maps every accepted spelling (UCUM is case-sensitive: a list, no case
    folding) to its unit. ``plausible`` are canonical ends, both allowed; outside, a
    result is unusable. ``least`` maps a unit's name to the smallest value that can be
    meant in it. ``range_low`` are the canonical ends between which a laboratory's own
    lower reference limit must lie: one that another unit of the analyte explains contradicts
    the value's unit, any other is left aside; so is a range whose upper limit does not lie
    between the ends of ``range_high``.
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
