"""Which eGFR counts, and how it is computed from creatinine.

The eGFR of the newest day counts: the race-free CKD-EPI 2021 value of that day, else the lowest,
and a reported value rather than a computed one. If a creatinine is later than the eGFR, a new
eGFR is computed from it; if one of the two has only a date, the lower counts.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache

from cds_service.core.facts import Problem, Result
from cds_service.core.patient import Facts
from cds_service.core.quantities import Interval, Unit, rounded
from cds_service.core.series import NO_RESULTS, Newest, Series, Worse
from cds_service.core.times import years_between
from hooks.acute_kidney_injury import acute_kidney_injury
from hooks.knowledge.files import analytes

_NOT_COMPUTED = ("aki", "dialysis", "pregnancy")


def ckd_epi_2021(creatinine: Fraction, age: int, female: bool) -> float:
    """eGFR in mL/min/1.73 m2 from creatinine in mg/dL (CKD-EPI 2021, without race)."""
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = float(creatinine) / kappa
    value: float = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age
    return value * 1.012 if female else value


def newest_egfr(facts: Facts, worse: Worse) -> Newest:
    """The eGFR that counts, chosen among the methods."""
    series = facts.series.get("egfr", NO_RESULTS)
    newest = series.newest(worse)
    reported = _best_of_day(newest.result, series)
    creatinine = facts.newest("creatinine", Worse.HIGH)
    result = reported
    latest = creatinine.result
    if latest is not None and _may_replace(latest, reported):
        result = _later_of(reported, _from_creatinine(facts, latest))
    tentative_results = [
        egfr
        for egfr in (newest.tentative, _from_creatinine(facts, creatinine.tentative))
        if egfr is not None and (result is None or egfr.day >= result.day)
    ]
    tentative = max(tentative_results, key=lambda egfr: egfr.day, default=None)
    return Newest(result, tentative, _newer_problems(newest, creatinine, result))


def _may_replace(creatinine: Result, reported: Result | None) -> bool:
    """Whether an eGFR computed from a creatinine would be later, or perhaps of the same moment."""
    if reported is None or creatinine.when > reported.when:
        return True
    return reported.day == creatinine.day and (reported.day_only or creatinine.day_only)


def _later_of(reported: Result | None, calculated: Result | None) -> Result | None:
    """The later of the two; the lower if they are of the same day and one of them has no time."""
    if reported is None or calculated is None:
        return reported or calculated
    if reported.day == calculated.day and (reported.day_only or calculated.day_only):
        return min(reported, calculated, key=Result.canonical_middle)
    return calculated if calculated.when > reported.when else reported


def _best_of_day(newest: Result | None, series: Series) -> Result | None:
    if newest is None:
        return None
    same_day = []
    for result in series.finals(since=newest.when - timedelta(days=2)):
        if result.day < newest.day:
            break
        same_day.append(result)  # no result is of a later day than ``newest``
    race_free = [result for result in same_day if result.method == "race_free_2021"]
    return min(
        race_free or same_day or [newest],
        key=Result.canonical_middle,
    )


def _from_creatinine(facts: Facts, creatinine: Result | None) -> Result | None:
    """The eGFR computed for an adult without AKI, dialysis or pregnancy; else None."""
    birth = facts.patient.birth
    if creatinine is None or birth is None:
        return None
    age = years_between(birth, creatinine.day)
    if age < 18 or facts.hazards(*_NOT_COMPUTED):
        return None
    if acute_kidney_injury(facts) is not None:
        return None
    sexes = {"female": (True,), "male": (False,)}.get(facts.patient.sex, (True, False))
    unit, value = creatinine.unit, creatinine.value

    def egfr(end: Decimal | None) -> Decimal | None:
        if end is None:
            return None
        exact = unit.to_canonical(end)
        return rounded(Fraction(min(ckd_epi_2021(exact, age, female) for female in sexes)), 1)

    low = egfr(value.low)
    high = low if value.exact else egfr(value.high)
    return Result(
        analyte=analytes()["egfr"],
        # The higher the creatinine the lower the eGFR: ">15" becomes "<3".
        value=Interval(high, low, value.high_open, value.low_open),
        decimals=1,
        unit=_canonical_unit(),
        when=creatinine.when,
        day=creatinine.day,
        day_only=creatinine.day_only,
        source=creatinine.source,
        preliminary=creatinine.preliminary,
        remarks=creatinine.remarks,
        method="computed",
        computed=True,
    )


@cache
def _canonical_unit() -> Unit:
    return Unit(analytes()["egfr"].canonical)


def _newer_problems(egfr: Newest, creatinine: Newest, result: Result | None) -> tuple[Problem, ...]:
    return tuple(
        problem
        for problem in (*egfr.unusable, *creatinine.unusable)
        if result is None or problem.when is None or problem.when > result.when
    )
