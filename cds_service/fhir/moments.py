"""FHIR dates and times, brought to one time zone; what has no day is no date here.

Source: FHIR R4, "Datatypes: dateTime": year, month, day, or second with offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from cds_service.fhir.elements import part

_END_OF_DAY = time(23, 59, 59, 999999)
_YEARS = range(1850, 3000)
_SLACK = timedelta(minutes=5)  # between the clocks of two systems


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was: an instant, or (``day_only``) the end of a day."""

    when: datetime
    day: date
    day_only: bool

    def after(self, as_of: datetime) -> bool:
        """Whether it lies in the future, seen from ``as_of``."""
        if self.day_only:
            return self.day > as_of.date()
        return self.when > as_of + _SLACK


def read_moment(value: object, zone: tzinfo) -> Moment | None:
    """A dateTime, instant or date with at least a day; None for anything less.

    A time without offset is taken to be in ``zone``; the day is the day there.
    """
    if not isinstance(value, str) or len(value) < 10 or value[4] != "-" or value[7] != "-":
        return None
    try:
        if len(value) == 10:
            day = date.fromisoformat(value)
            if day.year not in _YEARS:
                return None
            return Moment(datetime.combine(day, _END_OF_DAY, zone), day, day_only=True)
        if value[10] not in "Tt":
            return None
        when = datetime.fromisoformat(value)
        if when.year not in _YEARS:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone)
        day = when.date() if when.tzinfo is zone else when.astimezone(zone).date()
        return Moment(when, day, day_only=False)
    except (ValueError, OverflowError):
        return None


def read_period(value: object, zone: tzinfo) -> Moment | None:
    """The end of a Period, else its start."""
    return read_moment(part(value, "end"), zone) or read_moment(part(value, "start"), zone)


def why_undated(value: object) -> str:
    """Why `read_moment` gave nothing, for a clinician."""
    if value is None or value == "":
        return "it has no date"
    if isinstance(value, str) and len(value) in (4, 7) and value[:4].isdigit():
        return "its date has no day"
    return "its date cannot be read"


def zone_of(as_of: datetime) -> tzinfo:
    """The time zone that days are counted in."""
    return as_of.tzinfo or UTC
