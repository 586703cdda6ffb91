"""FHIR dates and times, converted to one time zone; a value without a day is not a date here.

Source: FHIR R4, "Datatypes: dateTime": year, month, day, or second with offset.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

_END_OF_DAY = time(23, 59, 59, 999999)
_FIRST, _LAST = 1850, 2999  # years
_SLACK = timedelta(minutes=5)  # between the clocks of two systems


class Moment(msgspec.Struct, frozen=True, gc=False):
    """The time of something: an instant, or (``day_only``) the end of a day."""

    when: datetime
    day: date
    day_only: bool

    def after(self, as_of: datetime) -> bool:
        """Whether it is later than ``as_of``, allowing for differences between clocks."""
        if self.day_only:
            return self.day > as_of.date()
        return self.when > as_of + _SLACK


def read_when(value: object, zone: tzinfo) -> datetime | None:
    """A dateTime, instant or date with at least a day; None for anything less.

    A date counts as the end of that day. A value without an offset is taken to be in ``zone``.
    """
    if not isinstance(value, str) or len(value) < 10 or value[4] != "-" or value[7] != "-":
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not _FIRST <= when.year <= _LAST:
        return None
    if len(value) == 10:
        return datetime.combine(when, _END_OF_DAY, zone)
    if value[10] != "T":
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=zone)


def read_moment(value: object, zone: tzinfo) -> Moment | None:
    """The time that `read_when` reads, with its day in ``zone``; None where there is none."""
    when = read_when(value, zone)
    return None if when is None else moment_at(when, value, zone)


def moment_at(when: datetime, value: object, zone: tzinfo) -> Moment:
    """The moment for ``when``, which `read_when` read from ``value``, with its day in ``zone``."""
    here = when if when.tzinfo is zone else when.astimezone(zone)
    return Moment(when, here.date(), len(str(value)) == 10)


def why_undated(value: object) -> str:
    """Why `read_moment` gave None, in words for a clinician."""
    if value is None or value == "":
        return "it has no date"
    if isinstance(value, str) and len(value) in (4, 7) and value[:4].isdigit():
        return "its date has no day"
    return "its date cannot be read"


def zone_of(as_of: datetime) -> tzinfo:
    """The time zone in which days are counted."""
    return as_of.tzinfo or UTC
