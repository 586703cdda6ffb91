"""Renal function: which eGFR counts, how it is computed from creatinine, and how impaired it is.

Choice of eGFR: the newest day first; on that day the race-free CKD-EPI 2021 value, else the
lowest; a reported eGFR before a computed one. From a creatinine later than the eGFR a new eGFR
is computed; if one of the two has only a date, the lower counts.

Acute kidney injury is coded, or shown by creatinine (NHS England algorithm and KDIGO). In
pregnancy no eGFR counts as normal, and creatinine decides (Wiles 2019).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from functools import cache

from cds_service.core.facts import Condition, Kind, Problem, Result
from cds_service.core.immutable import immutable
from cds_service.core.patient import Facts
from cds_service.core.quantities import Interval, Unit, rounded
from cds_service.core.series import NO_RESULTS, Newest, Series, Worse
from cds_service.core.times import years_between
from cds_service.engine.rule import Evidence
from hooks.knowledge.files import analytes
from hooks.windows import FRESH_RENAL, YEAR
from hooks.wording import READ_AT_ONCE, headline

ACUTE_OR_DIALYSIS = ("aki", "dialysis")
PREGNANCY = "pregnancy"
ADVANCED = ("ckd_stage_4_5", "dialysis", "aki")
LIMITS = ("egfr.severe", "egfr.moderate", "aki.ratio", "aki.rise", "creatinine.pregnancy")
"""The limits that renal function uses; a rule that asks for it adds them to its own."""


def ckd_epi_2021(creatinine: Fraction, age: int, female: bool) -> float:
    """eGFR in mL/min/1.73 m2 from creatinine in mg/dL (CKD-EPI 2021, without race)."""
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = float(creatinine) / kappa
    value: float = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age
    return value * 1.012 if female else value


def computed(facts: Facts, analyte: str, worse: Worse) -> Newest | None:
    """The newest eGFR, chosen among the methods; None for every other analyte."""
    if analyte != "egfr":
        return None
    series = facts.series.get("egfr", NO_RESULTS)
    newest = series.newest(worse)
    reported = _best_of_day(newest.result, series)
    creatinine = facts.newest("creatinine", Worse.HIGH)
    result = reported
    latest = creatinine.result
    if latest is not None and _may_replace(latest, reported):
        result = _of_both(reported, _from_creatinine(facts, latest))
    early = [
        one
        for one in (newest.tentative, _from_creatinine(facts, creatinine.tentative))
        if one is not None and (result is None or one.day >= result.day)
    ]
    preliminary = max(early, key=lambda one: one.day, default=None)
    return Newest(result, preliminary, _still_newer(newest, creatinine, result))


def _may_replace(creatinine: Result, reported: Result | None) -> bool:
    """Whether an eGFR computed from a creatinine would be later, or perhaps of the same moment."""
    if reported is None or creatinine.when > reported.when:
        return True
    return reported.day == creatinine.day and (reported.day_only or creatinine.day_only)


def _of_both(reported: Result | None, calculated: Result | None) -> Result | None:
    """The later of the two; the lower if they are of one day and one has no time."""
    if reported is None or calculated is None:
        return reported or calculated
    if reported.day == calculated.day and (reported.day_only or calculated.day_only):
        return min(reported, calculated, key=_size)
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
        key=_size,
    )


def _from_creatinine(facts: Facts, creatinine: Result | None) -> Result | None:
    """The eGFR computed for an adult without AKI, dialysis or pregnancy; else None."""
    birth = facts.patient.birth
    if creatinine is None or birth is None:
        return None
    age = years_between(birth, creatinine.day)
    if age < 18 or facts.hazards(*ACUTE_OR_DIALYSIS, PREGNANCY):
        return None
    if acute(facts) is not None:
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
    value = _size(newest)
    if week:
        lowest = min(week, key=_size)
        if value >= ratio * _size(lowest):
            return Acute(newest, lowest)
    else:
        ordered = sorted(earlier, key=_size)
        middle = [_size(one) for one in ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]]
        if value >= ratio * sum(middle) / len(middle):
            return Acute(newest, ordered[(len(ordered) - 1) // 2])
    two_days = [one for one in week if newest.when - one.when <= timedelta(hours=48)]
    if two_days:
        lowest = min(two_days, key=_size)
        rise = (value - _size(lowest)) * _UMOL_PER_MG_DL
        if rise > Fraction(facts.limits.value("aki.rise")):
            return Acute(newest, lowest)
    return None


_UMOL_PER_MG_DL = Fraction("88.40")


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


@immutable
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
    acute: Acute | None = None
    creatinine: Result | None = None  # in pregnancy, where it decides
    uncomputed: Result | None = None  # creatinine of the last 12 months that gives no eGFR
    doubtful: bool = False  # advanced by a contaminated sample alone: MODERATE, and no dose

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
        """No renal function in 12 months, or none that is conclusive."""
        return self.impairment is Impairment.UNKNOWN

    @property
    def lacking(self) -> tuple[str, ...]:
        """What is not known about renal function, in words for a card."""
        if not self.unknown:
            return ()
        return (self.phrase() if self.uncomputed else "renal function in the last 12 months",)

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The eGFR and diagnoses that were used."""
        lines = [Evidence(one) for one in self.diagnoses]
        if self.uncomputed is not None:
            lines.append(Evidence(self.uncomputed, note="no eGFR: under 18, or the age is unknown"))
        if self.egfr is not None:
            limit = facts.limits["egfr.severe" if self.severe else "egfr.moderate"]
            lines.append(Evidence(self.egfr, limit, note=self.note()))
        if self.acute is not None:
            lines += [Evidence(self.acute.newest), Evidence(self.acute.before, note="before")]
        if self.creatinine is not None:
            limit = facts.limits["creatinine.pregnancy"]
            lines.append(Evidence(self.creatinine, limit, note="in pregnancy"))
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
        remarks.extend(self.egfr.remarks)
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
        if self.acute is not None:
            return self.acute.words
        if self.egfr is not None and self.measured:
            doubt = " (sample contaminated)" if "contaminated" in self.egfr.remarks else ""
            return f"eGFR {self.egfr.reported.split(' ')[0]}{doubt}"
        if self.creatinine is not None and self.moderate:
            return f"creatinine {self.creatinine.reported} in pregnancy"
        if self.severe:
            return "CKD stage 4-5"
        if self.moderate:
            return "CKD stage 3"
        if self.egfr is not None and not self.unknown:
            return f"eGFR {self.egfr.reported.split(' ')[0]}"
        if self.uncomputed is not None:
            return f"creatinine {self.uncomputed.reported} without an eGFR"
        return "renal function unknown" if self.fetched else "renal function could not be checked"


def kidney_headline(function: Renal, text: str) -> str:
    """A summary that states renal function; a creatinine rise is shortened if it is too long."""
    risen = function.acute
    if risen is not None and len(text) > READ_AT_ONCE:
        first, last = (one.reported.split(" ")[0] for one in (risen.before, risen.newest))
        same = risen.before.unit is risen.newest.unit
        short = f"possible AKI, creatinine {first} → {last}" if same else "possible AKI"
        text = text.replace(risen.words, short)
        if len(text) > READ_AT_ONCE:
            text = text.replace(short, "possible AKI")
    return headline(text)


def only_preliminary(facts: Facts, function: Renal) -> bool:
    """Whether the impairment rests on a preliminary value alone."""
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
    return facts.derived(_renal)


def _renal(facts: Facts) -> Renal:
    newest = facts.newest("egfr", Worse.LOW)
    severe_limit = facts.limits.value("egfr.severe")
    moderate_limit = facts.limits.value("egfr.moderate")
    early = newest.tentative
    if early is not None and (
        not facts.within(early, YEAR) or early.below(moderate_limit) is not True
    ):
        early = None  # a preliminary value may raise a hazard, but never clears one
    final = newest.result if facts.within(newest.result, YEAR) else None
    if early is not None and final is not None and _size(early) >= _size(final):
        early = None  # nor does it make one look milder
    egfr = early or final
    advanced = facts.hazards(*ADVANCED)
    stage_3 = facts.hazards("ckd_stage_3")
    pregnant = bool(facts.hazards(PREGNANCY))
    risen = acute(facts)
    creatinine = _in_pregnancy(facts) if pregnant else None
    if advanced or risen or (egfr is not None and egfr.below(severe_limit) is True):
        impairment = Impairment.SEVERE
    elif stage_3 or (egfr is not None and egfr.below(moderate_limit) is True):
        impairment = Impairment.MODERATE
    elif pregnant:
        impairment = _by_creatinine(facts, creatinine)
    elif egfr is not None and egfr.below(moderate_limit) is False:
        impairment = Impairment.NONE
    else:
        impairment = Impairment.UNKNOWN
    doubtful = (
        impairment is Impairment.SEVERE
        and not advanced
        and risen is None
        and egfr is not None
        and "contaminated" in egfr.remarks
    )
    if doubtful:  # a warning at most; `phrase` says why
        impairment = Impairment.MODERATE
    shown_below = {Impairment.SEVERE: severe_limit, Impairment.MODERATE: moderate_limit}.get(
        impairment
    )
    fresh = egfr is not None and facts.within(egfr, FRESH_RENAL)
    uncomputable = impairment is Impairment.UNKNOWN and (facts.age is None or facts.minor)
    return Renal(
        impairment=impairment,
        egfr=egfr,
        measured=(egfr is not None and shown_below is not None and egfr.below(shown_below) is True),
        stale=egfr is not None and not fresh,
        diagnoses=(*advanced, *(() if advanced else stage_3)),
        fresh_normal=(
            impairment is Impairment.NONE
            and fresh
            and not pregnant
            and not newest.unusable  # nor a doubtful one
            and facts.could_be_read(Kind.CONDITIONS)
        ),
        unusable=newest.beside(egfr),
        fetched=facts.obtained(Kind.RESULTS),
        acute=risen,
        creatinine=creatinine,
        uncomputed=_creatinine(facts) if uncomputable and egfr is None else None,
        doubtful=doubtful,
    )


def _creatinine(facts: Facts) -> Result | None:
    newest = facts.newest("creatinine", Worse.HIGH)
    return next((one for one in (newest.result, newest.tentative) if facts.within(one, YEAR)), None)


def _in_pregnancy(facts: Facts) -> Result | None:
    """The creatinine of the last 90 days, which decides in pregnancy."""
    newest = facts.newest("creatinine", Worse.HIGH)
    limit = facts.limits.value("creatinine.pregnancy")
    for one in (newest.tentative, newest.result):
        raises = one is not None and bool(one.remarks) and one.above(limit) is True
        if one is not None and facts.within(one, FRESH_RENAL) and (raises or one is newest.result):
            return one
    return None


def _by_creatinine(facts: Facts, creatinine: Result | None) -> Impairment:
    if creatinine is None:
        return Impairment.UNKNOWN
    above = creatinine.above(facts.limits.value("creatinine.pregnancy"))
    if above is None:
        return Impairment.UNKNOWN
    return Impairment.MODERATE if above else Impairment.NONE
