"""FHIR dates and times, brought to one time zone; what has no day is no date here.

Source: FHIR R4, "Datatypes: dateTime": year, month, day, or second with offset.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

_END_OF_DAY = time(23, 59, 59, 999999)
_FIRST, _LAST = 1850, 2999  # years
_SLACK = timedelta(minutes=5)  # between the clocks of two systems


class Moment(msgspec.Struct, frozen=True, gc=False):
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
            if not _FIRST <= day.year <= _LAST:
                return None
            return Moment(datetime.combine(day, _END_OF_DAY, zone), day, True)
        when = datetime.fromisoformat(value)
        if value[10] != "T" or not _FIRST <= when.year <= _LAST:
            return None
        own = when.tzinfo
        if own is None:
            when = when.replace(tzinfo=zone)
            return Moment(when, when.date(), False)
        return Moment(when, (when if own is zone else when.astimezone(zone)).date(), False)
    except (ValueError, OverflowError):
        return None


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
