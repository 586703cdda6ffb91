"""Renal function: which eGFR counts, computing it from creatinine, and how bad it is.

eGFR choice: the newest day first; on that day the race-free CKD-EPI 2021 value, else the
lowest; a reported eGFR before a computed one. A creatinine of a later day is computed.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from functools import cache

from cds_service.core.facts import Condition, Kind, Problem, Result
from cds_service.core.patient import Facts
from cds_service.core.quantities import Interval, Unit, rounded
from cds_service.core.records import record
from cds_service.core.rule import Evidence
from cds_service.core.series import Newest, Series, Worse
from cds_service.core.times import years_between
from hooks.knowledge.files import analytes
from hooks.windows import FRESH_RENAL, YEAR

ACUTE_OR_DIALYSIS = ("aki", "dialysis")
ADVANCED = ("ckd_stage_4_5", "dialysis", "aki")


def ckd_epi_2021(creatinine: Fraction, age: int, female: bool) -> float:
    """eGFR in mL/min/1.73 m2 from creatinine in mg/dL (CKD-EPI 2021, without race)."""
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = float(creatinine) / kappa
    value: float = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age
    return value * 1.012 if female else value


def computed(facts: Facts, analyte: str, worse: Worse) -> Newest | None:
    """The newest eGFR with its choice among methods; None for every other analyte."""
    if analyte != "egfr":
        return None
    series = facts.series.get("egfr", Series())
    newest = series.newest(worse)
    reported = _best_of_day(newest.result, series)
    creatinine = facts.newest("creatinine", Worse.HIGH)
    result = reported
    latest = creatinine.result
    if latest is not None and (reported is None or latest.day > reported.day):
        result = _from_creatinine(facts, latest) or reported
    early = [
        one
        for one in (newest.preliminary, _from_creatinine(facts, creatinine.preliminary))
        if one is not None and (result is None or one.day >= result.day)
    ]
    preliminary = max(early, key=lambda one: one.day, default=None)
    return Newest(result, preliminary, _still_newer(newest, creatinine, result))


def _best_of_day(newest: Result | None, series: Series) -> Result | None:
    if newest is None:
        return None
    same_day = []
    for result in series.finals():
        if result.day < newest.day:
            break
        same_day.append(result)  # ``newest`` is of the latest day there is
    race_free = [result for result in same_day if result.method == "race_free_2021"]
    return min(
        race_free or same_day or [newest],
        key=_size,
    )


def _from_creatinine(facts: Facts, creatinine: Result | None) -> Result | None:
    """eGFR computed for adults outside AKI and dialysis; None where it must not be."""
    birth = facts.patient.birth
    if creatinine is None or birth is None:
        return None
    age = years_between(birth, creatinine.day)
    if age < 18 or facts.hazards(*ACUTE_OR_DIALYSIS):
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
        method="computed",
        computed=True,
    )


@cache
def _canonical_unit() -> Unit:
    return Unit(analytes()["egfr"].canonical)


def _still_newer(egfr: Newest, creatinine: Newest, result: Result | None) -> tuple[Problem, ...]:
    return tuple(
        problem
        for problem in (*egfr.unusable, *creatinine.unusable)
        if result is None or problem.when is None or problem.when > result.when
    )


class Impairment(IntEnum):
    """How far renal function is known to be impaired."""

    UNKNOWN = 0
    NONE = 1
    MODERATE = 2
    SEVERE = 3


@record
class Renal:
    """Renal function as a hazard: stale values (91 days to 12 months) count here.

    ``impairment`` SEVERE is advanced CKD (stage 4-5, dialysis, eGFR < 30) or AKI; MODERATE
    eGFR 30-59 or CKD 3, or a value that is at least below 60. ``fresh_normal`` is True only
    for eGFR >= 60 within 90 days with no such diagnosis: the one state in which a card may
    offer a drug. ``measured`` is True where the eGFR itself shows the impairment.
    """

    impairment: Impairment
    egfr: Result | None
    measured: bool
    stale: bool
    diagnoses: tuple[Condition, ...]
    fresh_normal: bool
    unusable: tuple[Problem, ...]
    fetched: bool

    @property
    def severe(self) -> bool:
        """Advanced CKD or AKI."""
        return self.impairment is Impairment.SEVERE

    @property
    def moderate(self) -> bool:
        """Impaired, but not known to be advanced."""
        return self.impairment is Impairment.MODERATE

    @property
    def unknown(self) -> bool:
        """No renal function in 12 months, or none that decides."""
        return self.impairment is Impairment.UNKNOWN

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The eGFR and diagnoses that were used."""
        lines = [Evidence(one) for one in self.diagnoses]
        if self.egfr is not None:
            limit = facts.limits["egfr.severe" if self.severe else "egfr.moderate"]
            lines.append(Evidence(self.egfr, limit, note=self.note()))
        return tuple(lines)

    def note(self) -> str:
        """Remarks on the eGFR: computed, preliminary, stale."""
        if self.egfr is None:
            return ""
        remarks = []
        if self.egfr.computed:
            remarks.append("computed from creatinine, CKD-EPI 2021")
        if self.egfr.preliminary:
            remarks.append("preliminary")
        if self.stale:
            remarks.append("older than 90 days")
        return ", ".join(remarks)

    def phrase(self) -> str:
        """Renal function in a few words, for a summary or a sentence."""
        acute = [one for one in self.diagnoses if "aki" in one.concepts]
        dialysis = [one for one in self.diagnoses if "dialysis" in one.concepts]
        if acute:
            return "acute kidney injury"
        if dialysis:
            return "dialysis"
        if self.egfr is not None and self.measured:
            return f"eGFR {self.egfr.reported.split(' ')[0]}"
        if self.severe:
            return "CKD stage 4-5"
        if self.moderate:
            return "CKD stage 3"
        if self.egfr is not None and not self.unknown:
            return f"eGFR {self.egfr.reported.split(' ')[0]}"
        return "renal function unknown" if self.fetched else "renal function could not be checked"


def only_preliminary(facts: Facts, function: Renal) -> bool:
    """Whether nothing but a preliminary value says how far the kidneys are impaired."""
    supported = function.diagnoses if function.moderate else facts.hazards(*ADVANCED)
    if function.egfr is None or not function.egfr.preliminary or supported:
        return False
    final = facts.newest("egfr", Worse.LOW).result
    limit = facts.limits.value("egfr.severe" if function.severe else "egfr.moderate")
    return not (final and facts.within(final, YEAR) and final.below(limit))


def _size(egfr: Result) -> Fraction:
    return egfr.unit.to_canonical(egfr.value.middle())


def renal(facts: Facts) -> Renal:
    """Renal function now, derived once per call."""
    known = facts.memory.get("renal")
    if not isinstance(known, Renal):
        known = facts.memory["renal"] = _renal(facts)
    return known


def _renal(facts: Facts) -> Renal:
    newest = facts.newest("egfr", Worse.LOW)
    severe_limit = facts.limits.value("egfr.severe")
    moderate_limit = facts.limits.value("egfr.moderate")
    early = newest.preliminary
    if early is not None and (
        not facts.within(early, YEAR) or early.below(moderate_limit) is not True
    ):
        early = None  # a preliminary value may raise a hazard, never clear one
    final = newest.result if facts.within(newest.result, YEAR) else None
    if early is not None and final is not None and _size(early) >= _size(final):
        early = None  # nor make it look milder
    egfr = early or final
    advanced = facts.hazards(*ADVANCED)
    stage_3 = facts.hazards("ckd_stage_3")
    if advanced or (egfr is not None and egfr.below(severe_limit) is True):
        impairment = Impairment.SEVERE
    elif stage_3 or (egfr is not None and egfr.below(moderate_limit) is True):
        impairment = Impairment.MODERATE
    elif egfr is not None and egfr.below(moderate_limit) is False:
        impairment = Impairment.NONE
    else:
        impairment = Impairment.UNKNOWN
    shown_below = {Impairment.SEVERE: severe_limit, Impairment.MODERATE: moderate_limit}.get(
        impairment
    )
    fresh = egfr is not None and facts.within(egfr, FRESH_RENAL)
    return Renal(
        impairment=impairment,
        egfr=egfr,
        measured=(egfr is not None and shown_below is not None and egfr.below(shown_below) is True),
        stale=egfr is not None and not fresh,
        diagnoses=(*advanced, *(() if advanced else stage_3)),
        fresh_normal=(
            impairment is Impairment.NONE
            and fresh
            and not newest.unusable
            and facts.availability(Kind.CONDITIONS).whole
        ),
        unusable=newest.unusable,
        fetched=facts.obtained(Kind.RESULTS),
    )
