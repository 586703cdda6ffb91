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

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from msgspec import structs

from cds_service.core.facts import Result
from cds_service.core.immutable import immutable
from cds_service.core.patient import Facts
from cds_service.core.quantities import Interval, rounded
from cds_service.core.series import NO_RESULTS, Worse
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
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
from hooks.levels import unread
from hooks.reading import conditions_unread, results_unread
from hooks.windows import ACT, CHECKED
from hooks.wording import CONTRAINDICATED, FOR_TESTS, drugs, fitting, headline, named, short_day

_READ = ("calcium", "calcium_adjusted", "calcium_ionized", "creatine_kinase", "sodium", "tsh")
_WORSE = {"creatine_kinase": Worse.HIGH, "tsh": Worse.HIGH}
_SAME_TIME = 7  # days
_PER_GRAM = Fraction(2, 100)  # mmol/L of calcium for each g/L of albumin that is missing


@rule(
    id="metabolic-cause-found",
    title="A metabolic cause of cramps was measured",
    version="1.1.1",
    changed="2026-11-27",
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
        *(results(analyte, CHECKED).optional() for analyte in _READ),
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
    judged = [_judged(facts, analyte) for analyte in _READ if analyte != superseded]
    found = [one for one in judged if isinstance(one, _Cause)]
    undecided = tuple(line for one in judged if isinstance(one, tuple) for line in one)
    critical = [one for one in found if one.indicator is Indicator.CRITICAL]
    if not found:
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
    found.sort(key=lambda one: -one.indicator)  # stable: equally grave ones in their order
    return Finding(
        indicator=found[0].indicator,
        summary=headline(_summary(found)),
        advice=tuple(one.advice for one in found),
        evidence=tuple(line for one in found for line in one.evidence),
        missing=undecided,
        strength="The limits are general knowledge; each site should confirm them.",
        suggestions=tuple(dict.fromkeys(test for one in found for test in one.tests)),
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


@immutable
class _Cause:
    """One finding: its severity, the value, what to do, and what to measure again."""

    indicator: Indicator
    value: str
    words: str
    action: str
    advice: str
    evidence: tuple[Evidence, ...]
    tests: tuple[OrderTest, ...]


def _nothing(facts: Facts) -> str:
    measured = [
        (newest.result.analyte.name, facts.within(newest.result, CHECKED))
        for newest in (facts.newest(key, _WORSE.get(key, Worse.LOW)) for key in _READ)
        if newest.result is not None
    ]
    usable = [name for name, fresh in measured if fresh]
    if not usable:
        return "neither calcium, creatine kinase, sodium nor TSH was measured in 90 days"
    return f"{', '.join(usable)}: within the limits; the others were not measured in 90 days"


def _summary(found: list[_Cause]) -> str:
    text = f"{found[0].words}: {found[0].action}"
    for one in found[1:]:
        text = fitting(text, f"; also {one.value}")
    return text


def _judged(facts: Facts, analyte: str) -> _Cause | tuple[str, ...]:
    """The cause that an analyte shows; else why it could not be judged, if it could not."""
    newest = facts.newest(analyte, _WORSE.get(analyte, Worse.LOW))
    if newest.result is None and newest.tentative is None:
        return unread(newest.unusable, analyte)
    name = newest.result.analyte.name if newest.result else analyte
    doubts = unread(newest.unusable, name.lower())
    final = newest.result if facts.within(newest.result, CHECKED) else None
    early = newest.tentative if facts.within(newest.tentative, CHECKED) else None
    final_cause, final_doubt = _cause(facts, final)
    early_cause, _ = _cause(facts, early)
    # A preliminary result may raise only the critical level, which fires without cramps.
    raises = early_cause is not None and (
        early_cause.indicator is Indicator.CRITICAL or (early is not None and bool(early.remarks))
    )
    graver = final_cause is None or (
        early_cause is not None and early_cause.indicator > final_cause.indicator
    )
    if early_cause is not None and raises and graver:
        return early_cause
    if final_cause is not None:
        return final_cause
    return (*doubts, *final_doubt)


def _cause(facts: Facts, result: Result | None) -> tuple[_Cause | None, tuple[str, ...]]:
    if result is None:
        return None, ()
    cause, decided = _JUDGES[result.analyte.key](facts, result)
    if cause is None:
        name = result.analyte.name.lower()
        doubt = f"{name} {result.reported} does not say whether it is beyond the limit"
        return None, (() if decided else (doubt,))
    if not facts.within(result, ACT):
        seen = short_day(result.day, facts.today)
        return (
            replace(
                cause,
                indicator=Indicator.INFO,
                words=f"{cause.words} on {seen}",
                action="repeat first",
                advice=f"{cause.value[0].upper()}{cause.value[1:]} is from {seen}: repeat it "
                "before acting on it.",
                tests=cause.tests[:1],
            ),
            (),
        )
    if result.preliminary or result.remarks:
        why = "preliminary" if result.preliminary else "from a doubtful sample"
        spoilt = "contaminated" in result.remarks
        return (
            replace(
                cause,
                indicator=min(cause.indicator, Indicator.WARNING) if spoilt else cause.indicator,
                words=f"{cause.words} ({why})",
                advice=f"The result is {why}: repeat it now. {cause.advice}",
                tests=cause.tests[:1] if result.preliminary else cause.tests,
            ),
            (),
        )
    return cause, ()


_Judgement = tuple[_Cause | None, bool]


def _low(
    facts: Facts, result: Result, judged: Result, note: str, remark: str = ""
) -> tuple[Indicator | None, Evidence, bool]:
    """How low: against the laboratory's range, else the limit, and against the critical one."""
    key = result.analyte.key.removesuffix("_adjusted")
    limit, critical = facts.limits[f"{key}.low"], facts.limits[f"{key}.critical"]
    beyond = judged.below_range(limit.value)
    grave = judged.below(critical.value) is True
    own = judged.range_low is not None and not grave
    evidence = Evidence(result, critical if grave else limit, own, note + remark)
    if grave:
        return Indicator.CRITICAL, evidence, True
    return (Indicator.WARNING if beyond else None), evidence, beyond is not None


def _calcium(facts: Facts, result: Result) -> _Judgement:
    indicator, evidence, decided = _low(facts, result, result, "")
    if indicator is None and decided:
        return None, True  # the correction only raises it
    judged, albumin, note = _corrected(facts, result)
    indicator, evidence, decided = _low(facts, result, judged, note)
    if indicator is None:
        return None, decided
    value = f"Calcium {judged.reported}" + (" (corrected)" if albumin else "")
    return _calcium_cause(
        indicator,
        value,
        ""
        if albumin or judged is not result
        else " No albumin within 7 days: the total value, not corrected.",
        (evidence, *((Evidence(albumin),) if albumin else ())),
        "calcium",
    )


def _adjusted(facts: Facts, result: Result) -> _Judgement:
    indicator, evidence, decided = _low(facts, result, result, "adjusted by the laboratory")
    if indicator is None:
        return None, decided
    value = f"Adjusted calcium {result.reported}"
    return _calcium_cause(indicator, value, "", (evidence,), "calcium")


def _ionised(facts: Facts, result: Result) -> _Judgement:
    indicator, evidence, decided = _low(facts, result, result, "")
    if indicator is None:
        return None, decided
    value = f"Ionised calcium {result.reported}"
    return _calcium_cause(indicator, value, "", (evidence,), "calcium_ionized")


def _calcium_cause(
    indicator: Indicator, value: str, remark: str, evidence: tuple[Evidence, ...], key: str
) -> _Judgement:
    urgent = "Assess today, with an ECG. " if indicator is Indicator.CRITICAL else ""
    return (
        _Cause(
            indicator=indicator,
            value=value,
            words=f"{value} low",
            action="assess today, ECG" if urgent else "a cause of cramps; correct it",
            advice=f"{urgent}{value} is a cause of cramps: correct it together with the magnesium; "
            f"it prolongs QT.{remark}",
            evidence=evidence,
            tests=(
                OrderTest(key, "repeat the low calcium"),
                OrderTest("magnesium", "low magnesium keeps calcium low"),
                *((OrderTest("ecg", "low calcium prolongs QT"),) if urgent else ()),
            ),
        ),
        True,
    )


def _corrected(facts: Facts, calcium: Result) -> tuple[Result, Result | None, str]:
    """Total calcium corrected for the albumin nearest to it within 7 days, with that albumin."""
    albumin = _albumin_of(facts, calcium)
    if albumin is None or not calcium.value.exact or calcium.value.low is None:
        return calcium, None, "not corrected: no albumin within 7 days"
    grams = albumin.canonical_value()
    assert grams is not None  # only exact ones are looked for
    lacking = Fraction(facts.limits.value("albumin.corrects")) - grams
    if lacking <= 0:
        return calcium, albumin, ""
    exact = calcium.unit.to_canonical(calcium.value.low) + lacking * _PER_GRAM
    unit = calcium.unit
    value = rounded((exact - unit.offset) / unit.factor, max(calcium.decimals, 1))
    corrected = structs.replace(
        calcium, value=Interval(value, value), decimals=max(calcium.decimals, 1)
    )
    return corrected, albumin, f"corrected for albumin: {corrected.reported}"


def _albumin_of(facts: Facts, calcium: Result) -> Result | None:
    near = [
        one
        for one in facts.series.get("albumin", NO_RESULTS).finals(
            since=calcium.when - timedelta(days=_SAME_TIME + 2)
        )
        if abs((one.day - calcium.day).days) <= _SAME_TIME and one.value.exact
    ]
    if not near:
        return None

    def distance(one: Result) -> tuple[timedelta, Fraction]:
        # Of two equally near the higher one counts: it corrects less and so hides no low calcium.
        return abs(one.when - calcium.when), -(one.canonical_value() or Fraction(0))

    return min(near, key=distance)


def _creatine_kinase(facts: Facts, result: Result) -> _Judgement:
    upper, own = _upper(facts, result)

    def above(key: str) -> bool | None:
        return result.value.above(upper * facts.limits.value(key))

    beyond = above("multiple.creatine_kinase")
    if not beyond:
        return None, beyond is not None
    statins = facts.taking("statin", hazard=True)
    key = "multiple.creatine_kinase_statin" if statins else "multiple.creatine_kinase_critical"
    grave = above(key) is True
    with_statin = f" on {drugs(statins)}" if statins else ""
    stop = f"Stop the statin ({named(statins)}). " if statins else ""
    return (
        _Cause(
            indicator=Indicator.CRITICAL if grave else Indicator.WARNING,
            value=f"CK {result.reported}",
            words=f"CK {result.reported}{with_statin}",
            action="stop statin, look for rhabdomyolysis" if statins else "look for rhabdomyolysis",
            advice=f"{stop}Look for rhabdomyolysis: creatinine, potassium, urine (dark, or "
            "positive for blood without red cells).",
            evidence=(
                Evidence(result, facts.limits[key if grave else "multiple.creatine_kinase"], own),
                *(Evidence(one) for one in statins),
            ),
            tests=(
                OrderTest("creatine_kinase", "repeat the high value"),
                OrderTest("creatinine", "kidney injury from muscle breakdown"),
                OrderTest("potassium", "muscle breakdown releases potassium"),
            ),
        ),
        True,
    )


def _upper(facts: Facts, result: Result) -> tuple[Decimal, bool]:
    """The upper limit of creatine kinase in the result's unit: the laboratory's own, else 200."""
    if result.range_high is not None and result.range_high > 0:
        return result.range_high, True
    limit = facts.limits.value("creatine_kinase.upper")
    return result.unit.from_canonical(limit, max(result.decimals, 2)), False


def _sodium(facts: Facts, result: Result) -> _Judgement:
    limit, critical = facts.limits["sodium.low"], facts.limits["sodium.critical"]
    beyond = result.below(limit.value)
    if not beyond:
        return None, beyond is not None
    grave = result.below(critical.value) is True
    diuretics = facts.taking(*DIURETICS, hazard=True)
    stops = (
        diuretics
        and facts.conditions("cirrhosis")
        and result.below(facts.limits.value("sodium.diuretic")) is True
    )
    taken = f" on {drugs(diuretics, 2)}" if diuretics else ""
    if stops:
        review = f"In cirrhosis, discontinue the diuretics ({named(diuretics)}). "
    elif diuretics:
        review = f"Review {named(diuretics)}: a diuretic is a common cause, a thiazide above all. "
    else:
        review = ""
    urgent = "Assess today: confusion, seizures, falls. " if grave else ""
    action = "review the diuretic" if diuretics else "find the cause"
    return (
        _Cause(
            indicator=Indicator.CRITICAL if grave else Indicator.WARNING,
            value=f"sodium {result.reported}",
            words=f"Sodium {result.reported}{taken}",
            action="assess today" if grave else action,
            advice=f"{urgent}Sodium {result.reported} is a cause of cramps. {review}"
            "Correct it slowly: too rapid a rise harms the brain.",
            evidence=(
                Evidence(result, critical if grave else limit),
                *(Evidence(one) for one in diuretics),
            ),
            tests=(OrderTest("sodium", "repeat the low value"),),
        ),
        True,
    )


def _tsh(facts: Facts, result: Result) -> _Judgement:
    limit = facts.limits["tsh.high"]
    beyond = result.above(limit.value)
    if not beyond:
        return None, beyond is not None
    return (
        _Cause(
            indicator=Indicator.INFO,
            value=f"TSH {result.reported}",
            words=f"TSH {result.reported}",
            action="hypothyroidism can cause cramps",
            advice="TSH above 10: hypothyroidism can cause cramps and raise creatine kinase. "
            "Repeat it with free thyroxine before treatment.",
            evidence=(Evidence(result, limit),),
            tests=(OrderTest("tsh", "repeat the high value"),),
        ),
        True,
    )


_JUDGES = {
    "calcium": _calcium,
    "calcium_adjusted": _adjusted,
    "calcium_ionized": _ionised,
    "creatine_kinase": _creatine_kinase,
    "sodium": _sodium,
    "tsh": _tsh,
}
