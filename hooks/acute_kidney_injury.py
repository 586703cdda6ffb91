"""Acute kidney injury shown by creatinine (NHS England algorithm and KDIGO)."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from msgspec import Struct

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.core.series import Worse

_UMOL_PER_MG_DL = Fraction("88.40")


class AcuteKidneyInjury(Struct, frozen=True):
    """A rise in creatinine from ``baseline`` that is large enough for possible AKI."""

    newest: Result
    baseline: Result

    @property
    def words(self) -> str:
        """The rise and the time it took, short enough for a summary."""
        baseline, newest = self.baseline, self.newest
        unit = f" {baseline.reported.partition(' ')[2]}" if baseline.unit is not newest.unit else ""
        days = (newest.day - baseline.day).days
        span = "the same day" if days == 0 else f"{days} day{'s' * (days > 1)}"
        return (
            f"possible AKI, creatinine {baseline.reported.split(' ')[0]}{unit} → {newest.reported} "
            f"in {span}"
        ).replace("in the same day", "on the same day")


def acute_kidney_injury(facts: Facts) -> AcuteKidneyInjury | None:
    """Acute kidney injury shown by creatinine, derived once per call; None if there is none.

    Only final, exact results count. Patients on dialysis or under 18 are not judged.
    """
    return facts.derived(_detected)


def _earlier_results(facts: Facts, newest: Result, span: timedelta) -> list[Result]:
    """The exact final creatinines within a span of time before the newest one."""
    return [
        creatinine
        for creatinine in facts.series["creatinine"].finals(since=newest.when - span)
        if creatinine.value.exact
        and creatinine.when < newest.when
        and "contaminated" not in creatinine.remarks
    ]


def _latest_creatinine(facts: Facts) -> Result | None:
    """The newest final creatinine, also of a haemolysed sample but not of a contaminated one."""
    newest = facts.newest("creatinine", Worse.HIGH)
    tentative = newest.tentative
    if tentative is None or tentative.preliminary or "contaminated" in tentative.remarks:
        return newest.result
    return tentative


def _detected(facts: Facts) -> AcuteKidneyInjury | None:
    newest = _latest_creatinine(facts)
    if newest is None or facts.minor or facts.hazards("dialysis"):
        return None
    if not newest.value.exact or facts.as_of - newest.when > timedelta(days=7):
        return None
    # Results of the last year are read only if there are none in the last week.
    week = _earlier_results(facts, newest, timedelta(days=7))
    earlier = week or _earlier_results(facts, newest, timedelta(days=365))
    if not earlier:
        return None
    ratio = Fraction(facts.limits.value("aki.ratio"))
    value = newest.canonical_middle()
    if week:
        lowest = min(week, key=Result.canonical_middle)
        if value >= ratio * lowest.canonical_middle():
            return AcuteKidneyInjury(newest, lowest)
    else:
        ascending = sorted(earlier, key=Result.canonical_middle)
        central = [
            creatinine.canonical_middle()
            for creatinine in ascending[(len(ascending) - 1) // 2 : len(ascending) // 2 + 1]
        ]
        if value >= ratio * sum(central) / len(central):
            return AcuteKidneyInjury(newest, ascending[(len(ascending) - 1) // 2])
    last_two_days = [
        creatinine for creatinine in week if newest.when - creatinine.when <= timedelta(hours=48)
    ]
    if last_two_days:
        lowest = min(last_two_days, key=Result.canonical_middle)
        rise = (value - lowest.canonical_middle()) * _UMOL_PER_MG_DL
        if rise > Fraction(facts.limits.value("aki.rise")):
            return AcuteKidneyInjury(newest, lowest)
    return None
