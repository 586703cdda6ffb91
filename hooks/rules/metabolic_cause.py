"""Calcium, creatine kinase, sodium and TSH: metabolic causes of cramps that were measured.

Recommendation: exclude secondary causes (article, "Overview"); a measured value that is far
from normal is treated as one. All limits are general knowledge.

When: calcium below the laboratory's range (else 2.10 mmol/L, ionised 1.12), as adjusted by the
laboratory, else total calcium corrected for an albumin within 7 days; creatine kinase above 5
times its upper limit; sodium below 130 mmol/L; TSH above 10 mIU/L. Results of the last 90 days
count; those older than 30 days are info. Critical, whether or not cramps are documented: calcium
below 1.90 (ionised 0.90), creatine kinase above 10 times its upper limit with a statin or 25
times without, sodium below 120.
Then: one card, the worst first; offers the tests that confirm it.
Does not cover: high calcium or sodium, the treatment itself.
"""

from __future__ import annotations

from msgspec.structs import replace

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Finding,
    Indicator,
    NotFired,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps
from hooks.cirrhosis import DIURETICS
from hooks.levels import newer_unusable
from hooks.metabolic_causes import calcium, creatine_kinase, sodium, tsh
from hooks.metabolic_causes.cause import Cause
from hooks.reading import conditions_unread, results_unread
from hooks.windows import CHECKED, RECENT
from hooks.wording import CONTRAINDICATED, FOR_TESTS, append_if_short, headline, short_day

_JUDGEMENTS = {
    "calcium": calcium.low_total,
    "calcium_adjusted": calcium.low_adjusted,
    "calcium_ionized": calcium.low_ionised,
    "creatine_kinase": creatine_kinase.high,
    "sodium": sodium.low,
    "tsh": tsh.high,
}
_WORSE = {"creatine_kinase": Worse.HIGH, "tsh": Worse.HIGH}


@rule(
    id="metabolic-cause-found",
    title="Metabolic cause of cramps in the results",
    version="1.1.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["general-knowledge", "article"],
    limits=[
        "calcium.low",
        "calcium.critical",
        "calcium_ionized.low",
        "calcium_ionized.critical",
        "albumin.corrects",
        "creatine_kinase.upper",
        "multiple.creatine_kinase",
        "multiple.creatine_kinase_statin",
        "multiple.creatine_kinase_critical",
        "sodium.low",
        "sodium.diuretic",
        "sodium.critical",
        "tsh.high",
    ],
    minors=True,
    offers=[
        "calcium",
        "calcium_ionized",
        "creatine_kinase",
        "creatinine",
        "ecg",
        "magnesium",
        "potassium",
        "sodium",
        "tsh",
    ],
    overrides=(*FOR_TESTS, CONTRAINDICATED),
    needs=[
        *(results(analyte, CHECKED).optional() for analyte in _JUDGEMENTS),
        results("albumin", CHECKED).optional(),
        conditions(cramps.LEG_CRAMPS, "cirrhosis").optional(),
        medications("statin", *DIURETICS).optional(),
        orders("calcium", "creatine_kinase", "sodium", "tsh", "potassium", "creatinine"),
        demographics(),
    ],
)
def metabolic_cause_found(facts: Facts) -> Answer:
    """Low calcium or sodium, a high creatine kinase or TSH: named, and treated as a cause."""
    superseded = _superseded(facts)
    judgements = [_judged(facts, analyte) for analyte in _JUDGEMENTS if analyte != superseded]
    causes = [judgement for judgement in judgements if isinstance(judgement, Cause)]
    undecided = tuple(
        line for judgement in judgements if isinstance(judgement, tuple) for line in judgement
    )
    critical = [cause for cause in causes if cause.indicator is Indicator.CRITICAL]
    if not causes:
        lacking = (*undecided, *results_unread(facts))
        return CannotTell(lacking) if lacking else NotFired(_nothing(facts))
    if not critical:
        if facts.minor:
            return NotFired("the patient is under 18 and nothing measured is critical")
        documented = cramps.documented(facts)
        if documented is None:
            return CannotTell(("whether leg cramps are documented", *conditions_unread(facts)))
        if not documented:
            return NotFired("leg cramps are not documented, and nothing measured is critical")
    causes.sort(key=lambda cause: -cause.indicator)  # stable: the order above within one severity
    return Finding(
        indicator=causes[0].indicator,
        summary=headline(_summary(causes)),
        advice=tuple(cause.advice for cause in causes),
        evidence=tuple(line for cause in causes for line in cause.evidence),
        missing=undecided,
        strength="The limits are general knowledge; each site should confirm them.",
        suggestions=tuple(dict.fromkeys(test for cause in causes for test in cause.tests)),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _superseded(facts: Facts) -> str:
    """Whichever of total and adjusted calcium is superseded by the other; empty if neither is."""
    total, adjusted = (
        facts.newest(key, Worse.LOW).result for key in ("calcium", "calcium_adjusted")
    )
    if total is None or adjusted is None:
        return ""
    return "calcium" if adjusted.day >= total.day else "calcium_adjusted"


def _nothing(facts: Facts) -> str:
    measured = [
        (newest.result.analyte.name, facts.within(newest.result, CHECKED))
        for newest in (facts.newest(key, _WORSE.get(key, Worse.LOW)) for key in _JUDGEMENTS)
        if newest.result is not None
    ]
    usable = [name for name, recent in measured if recent]
    if not usable:
        return "neither calcium, creatine kinase, sodium nor TSH was measured in the last 90 days"
    return f"{', '.join(usable)}: within the limits; the others not measured in the last 90 days"


def _summary(causes: list[Cause]) -> str:
    text = f"{causes[0].words}: {causes[0].action}"
    for cause in causes[1:]:
        text = append_if_short(text, f"; also {cause.value}")
    return text


def _judged(facts: Facts, analyte: str) -> Cause | tuple[str, ...]:
    """The cause that an analyte shows; else why it could not be judged, if it could not."""
    newest = facts.newest(analyte, _WORSE.get(analyte, Worse.LOW))
    if newest.result is None and newest.tentative is None:
        return newer_unusable(newest.unusable, analyte)
    name = newest.result.analyte.name if newest.result else analyte
    unusable = newer_unusable(newest.unusable, name.lower())
    final = newest.result if facts.within(newest.result, CHECKED) else None
    tentative = newest.tentative if facts.within(newest.tentative, CHECKED) else None
    final_cause, final_undecided = _cause(facts, final)
    tentative_cause, _ = _cause(facts, tentative)
    # A preliminary result counts only if it is critical; a final one with a remark always does.
    tentative_counts = tentative_cause is not None and (
        tentative_cause.indicator is Indicator.CRITICAL
        or (tentative is not None and bool(tentative.remarks))
    )
    more_severe = final_cause is None or (
        tentative_cause is not None and tentative_cause.indicator > final_cause.indicator
    )
    if tentative_cause is not None and tentative_counts and more_severe:
        return tentative_cause
    if final_cause is not None:
        return final_cause
    return (*unusable, *final_undecided)


def _cause(facts: Facts, result: Result | None) -> tuple[Cause | None, tuple[str, ...]]:
    if result is None:
        return None, ()
    cause, conclusive = _JUDGEMENTS[result.analyte.key](facts, result)
    if cause is None:
        name = result.analyte.name.lower()
        undecided = f"{name} {result.reported} does not say whether it is beyond the limit"
        return None, (() if conclusive else (undecided,))
    if not facts.within(result, RECENT):
        day = short_day(result.day, facts.today)
        return (
            replace(
                cause,
                indicator=Indicator.INFO,
                words=f"{cause.words} on {day}",
                action="repeat first",
                advice=f"{cause.value[0].upper()}{cause.value[1:]} is from {day}: repeat it "
                "before acting on it.",
                tests=cause.tests[:1],
            ),
            (),
        )
    if result.preliminary or result.remarks:
        why = "preliminary" if result.preliminary else "from a doubtful sample"
        contaminated = "contaminated" in result.remarks
        return (
            replace(
                cause,
                indicator=min(cause.indicator, Indicator.WARNING)
                if contaminated
                else cause.indicator,
                words=f"{cause.words} ({why})",
                advice=f"The result is {why}: repeat it now. {cause.advice}",
                tests=cause.tests[:1] if result.preliminary else cause.tests,
            ),
            (),
        )
    return cause, ()
