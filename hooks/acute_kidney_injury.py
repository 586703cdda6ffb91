"""Acute kidney injury shown by creatinine (NHS England algorithm and KDIGO)."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from cds_service.core.facts import Result
from cds_service.core.immutable import immutable
from cds_service.core.patient import Facts
from cds_service.core.series import Worse

_UMOL_PER_MG_DL = Fraction("88.40")


@immutable
class Acute:
    """A rise in creatinine large enough for possible acute kidney injury."""

    newest: Result
    before: Result

    @property
    def words(self) -> str:
        """The rise and the time it took, short enough for a summary."""
        first, last = self.before, self.newest
        unit = f" {first.reported.partition(' ')[2]}" if first.unit is not last.unit else ""
        days = (last.day - first.day).days
        span = "the same day" if days == 0 else f"{days} day{'s' * (days > 1)}"
        return (
            f"possible AKI, creatinine {first.reported.split(' ')[0]}{unit} → {last.reported} "
            f"in {span}"
        ).replace("in the same day", "on the same day")


def acute(facts: Facts) -> Acute | None:
    """Acute kidney injury shown by creatinine, derived once per call; None if there is none.

    Only final, exact results count; nobody on dialysis or under 18 is judged.
    """
    return facts.derived(_acute)


def _before(facts: Facts, newest: Result, span: timedelta) -> list[Result]:
    """The exact final creatinines within a span of time before the newest one."""
    return [
        one
        for one in facts.series["creatinine"].finals(since=newest.when - span)
        if one.value.exact and one.when < newest.when and "contaminated" not in one.remarks
    ]


def _latest_creatinine(facts: Facts) -> Result | None:
    """The newest final creatinine, also of a haemolysed sample but not of a contaminated one."""
    newest = facts.newest("creatinine", Worse.HIGH)
    doubted = newest.tentative
    if doubted is None or doubted.preliminary or "contaminated" in doubted.remarks:
        return newest.result
    return doubted


def _acute(facts: Facts) -> Acute | None:
    newest = _latest_creatinine(facts)
    if newest is None or facts.minor or facts.hazards("dialysis"):
        return None
    if not newest.value.exact or facts.as_of - newest.when > timedelta(days=7):
        return None
    # A year of results is read only if the week before has none.
    week = _before(facts, newest, timedelta(days=7))
    earlier = week or _before(facts, newest, timedelta(days=365))
    if not earlier:
        return None
    ratio = Fraction(facts.limits.value("aki.ratio"))
    value = newest.canonical_middle()
    if week:
        lowest = min(week, key=Result.canonical_middle)
        if value >= ratio * lowest.canonical_middle():
            return Acute(newest, lowest)
    else:
        ordered = sorted(earlier, key=Result.canonical_middle)
        middle = [
            one.canonical_middle()
            for one in ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
        ]
        if value >= ratio * sum(middle) / len(middle):
            return Acute(newest, ordered[(len(ordered) - 1) // 2])
    two_days = [one for one in week if newest.when - one.when <= timedelta(hours=48)]
    if two_days:
        lowest = min(two_days, key=Result.canonical_middle)
        rise = (value - lowest.canonical_middle()) * _UMOL_PER_MG_DL
        if rise > Fraction(facts.limits.value("aki.rise")):
            return Acute(newest, lowest)
    return None
