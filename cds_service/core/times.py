"""Time is an argument: windows counted back from the moment of the call."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct


class Window(Struct, frozen=True):
    """How far back a fact may lie: calendar days, or calendar months."""

    days: int = 0
    months: int = 0

    def start(self, today: date) -> date:
        """The earliest day inside the window, seen from ``today``."""
        return _back(today, self.months, self.days)

    def __str__(self) -> str:
        if self.months and self.months % 12 == 0 and self.months > 12:
            return f"{self.months // 12} years"
        return f"{self.months} months" if self.months else f"{self.days} days"


@lru_cache(maxsize=1024)
def _back(today: date, months: int, days: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    day = min(today.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day) - timedelta(days=days)


def days(count: int) -> Window:
    """A window of ``count`` calendar days."""
    return Window(days=count)


def months(count: int) -> Window:
    """A window of ``count`` calendar months."""
    return Window(months=count)


def years_between(birth: date, today: date) -> int:
    """Completed years of life on ``today``."""
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
