"""Magnesium ordered in renal impairment.

Recommendation: extreme caution with magnesium in renal insufficiency, because it can
accumulate to toxic levels (article, "Electrolyte correction").

When: a selected draft orders magnesium of any kind (supplement, antacid, laxative, infusion), and
renal function is impaired or unknown, or serum magnesium is above range. A supplement in advanced
disease (eGFR below 30, CKD 4-5, dialysis, AKI): critical; with eGFR 30-59, CKD 3, an unknown renal
function, or a mildly high magnesium and normal renal function: warning; with a recent low
magnesium never more than a warning, and no removal.
Treatment: parenteral magnesium, or magnesium for eclampsia, pre-eclampsia, torsades, another
arrhythmia or severe asthma, is never obstructed: no removal, at most a warning up to 3.5 mmol/L.
Then: why; offers magnesium and creatinine, and removal of the draft of a supplement.
Does not cover: treatment of magnesium toxicity; how to dose magnesium in renal impairment.
"""

from __future__ import annotations

from cds_service.core.facts import Condition
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
    Suggestion,
    Tier,
    conditions,
    rule,
)
from hooks import levels
from hooks.magnesium import (
    EMERGENCIES,
    LIMITS,
    NEEDS,
    REFERENCES,
    SIGNS,
    STRENGTH,
    TOXIC,
    WATCH,
    Accumulation,
    accumulation,
    is_treatment,
)
from hooks.renal import renal_headline
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, day, headline, named


@rule(
    id="magnesium-ordered-renal-impairment",
    title="Magnesium ordered in renal impairment",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=REFERENCES,
    limits=LIMITS,
    judges=["magnesium"],
    minors=True,
    offers=["creatinine", "magnesium"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[*NEEDS, conditions("myasthenia_gravis", "heart_block", *EMERGENCIES).optional()],
)
def magnesium_ordered_renal_impairment(facts: Facts) -> Answer:
    """Magnesium that is being ordered accumulates in renal impairment."""
    risk = accumulation(facts)
    drafts = tuple(
        draft for draft in facts.drafts.selected_medications if "magnesium" in draft.classes
    )
    supplements = tuple(draft for draft in drafts if not _is_treatment(facts, draft))
    if not supplements:
        return _treatment_ordered(facts, risk, drafts)
    renal = risk.renal
    if renal.severe or renal.moderate or renal.unknown or risk.recently_above_range:
        treatments = tuple(draft for draft in drafts if draft not in supplements)
        return _supplement_ordered(facts, risk, supplements, treatments)
    if risk.above_range:
        return _supplement_ordered_and_once_high(facts, risk, supplements)
    if risk.unresolved:
        return CannotTell(risk.unresolved, (*renal.unusable, *risk.level.unusable), trigger=True)
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        risk.evidence(facts),
    )


def _is_treatment(facts: Facts, draft: Medication) -> bool:
    """Whether a draft is a treatment, by its route or reason.

    If it has no reason, eclampsia on the problem list is reason enough: to obstruct the
    treatment would be the greater danger.
    """
    return is_treatment(draft) or (not draft.reason.given and bool(facts.hazards("eclampsia")))


def _treatment_ordered(facts: Facts, risk: Accumulation, drafts: tuple[Medication, ...]) -> Answer:
    renal = risk.renal
    cautions = _cautions_for_parenteral(facts)
    impaired = renal.severe or renal.moderate
    if not (risk.toxic or impaired or cautions or renal.unknown):
        return NotFired("a treatment with magnesium, and renal function is not impaired")
    if risk.toxic:
        indicator, action = Indicator.CRITICAL, "toxic; pause and monitor"
    elif impaired:
        indicator, action = Indicator.WARNING, "adjust the dose and monitor"
    elif cautions:
        indicator, action = Indicator.WARNING, "weigh the risk and monitor"
    else:
        indicator, action = Indicator.INFO, "levels, reflexes, urine output"
    phrases = [risk.phrase() or (renal.phrase() if renal.unknown else "")]
    if cautions:
        phrases.append(named(cautions))
    emergency = any(not draft.reason.concepts.isdisjoint(EMERGENCIES) for draft in drafts)
    # In pregnancy intravenous magnesium is given against seizures, whatever the order says.
    emergency = emergency or bool(facts.hazards(*EMERGENCIES, "pregnancy"))
    advice = []
    if risk.toxic:
        advice.append(TOXIC + SIGNS)
    elif impaired:
        advice.append(
            "Loading dose unchanged; lower maintenance dose."
            if emergency
            else "Half the dose, more slowly."
        )
    if cautions:
        advice.append(
            f"{named(cautions)}: magnesium impairs neuromuscular and atrioventricular conduction."
        )
    advice += [WATCH, f"Ordered: {named(drafts)}."]
    if risk.level.result is not None and risk.recently_above_range:
        advice += levels.sample_words(risk.level.result)
    return Finding(
        indicator=indicator,
        summary=renal_headline(
            risk.renal, f"Magnesium treatment, {'; '.join(filter(None, phrases))}: {action}"
        ),
        advice=tuple(advice),
        evidence=(
            *(Evidence(draft) for draft in drafts),
            *(Evidence(condition) for condition in cautions),
            *risk.evidence(facts),
        ),
        missing=risk.missing(),
        background=(_DOSES,) if impaired and not risk.toxic else (),
        strength=STRENGTH,
        suggestions=(
            OrderTest("magnesium", "level under treatment"),
            OrderTest("creatinine", "renal function under treatment"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in drafts),
    )


_DOSES = (
    "For replacement with an eGFR below 30: half the dose (NHS Highland, cited second-hand). For "
    "eclampsia and arrhythmia the loading dose is kept."
)


def _cautions_for_parenteral(facts: Facts) -> tuple[Condition, ...]:
    return tuple(facts.hazards("myasthenia_gravis", "heart_block"))


def _supplement_ordered(
    facts: Facts,
    risk: Accumulation,
    drafts: tuple[Medication, ...],
    treatments: tuple[Medication, ...],
) -> Finding:
    """``treatments`` are ordered together with the supplements, and are never removed."""
    renal = risk.renal
    impaired = renal.severe or renal.moderate
    unknown = renal.unknown and not risk.recently_above_range
    mildly_high = (
        risk.recently_above_range
        and not impaired
        and renal.fresh_normal
        and not risk.reaches(facts, "magnesium.mild")
    )
    critical = (renal.severe or risk.recently_above_range) and not mildly_high and not risk.doubtful
    critical = (critical or renal.severe) and risk.deficit is None
    advice = []
    if risk.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
    if risk.level.result is not None and risk.recently_above_range:
        advice += levels.sample_words(risk.level.result)
    if risk.deficit is not None and renal.severe:
        action = "dose and monitor with care"
        advice.append(
            "A deficiency is documented: correct it with a dose adjusted for renal function, with "
            "specialist advice and monitoring of levels."
        )
    elif critical:
        action = "risk of toxic accumulation" if impaired else "no more magnesium"
        advice.append(
            "Do not give it without a documented deficiency, a dose adjusted for renal function "
            "and monitoring. " + SIGNS
            if impaired
            else "Magnesium is above range: give none, and recheck. " + SIGNS
        )
    elif risk.recently_above_range and not impaired:
        action = "above range, no more magnesium needed"
        advice.append("Magnesium is above range: no more is needed; recheck it.")
    elif unknown:
        action = "check creatinine first"
        advice.append("Check creatinine and magnesium before it is given.")
    else:
        action = "low dose, monitor"
        advice.append("If it is needed, use a low dose and monitor magnesium and creatinine.")
    if risk.preliminary_deficit is not None:
        advice.append("The low magnesium is preliminary: confirm it now.")
    advice.append(f"Ordered: {named(drafts)}.")
    if treatments:
        dose = "adjust the dose. " if impaired else ""
        advice.append(f"Treatment, not to be removed: {named(treatments)}; {dose}{WATCH}")
    if impaired and risk.deficit is None:
        advice.append("In renal insufficiency magnesium can accumulate to toxic levels.")
    offers: list[Suggestion]
    if risk.repeats:
        offers = [OrderTest(key, "repeat the preliminary result") for key in risk.repeats]
    else:
        removal = risk.deficit is None or not renal.severe
        removal = removal and risk.preliminary_deficit is None
        offers = [
            *(RemoveDraft(draft.source.reference, draft.name) for draft in drafts if removal),
            OrderTest("creatinine", "renal function before magnesium"),
            OrderTest("magnesium", "magnesium level before giving more"),
        ]
    phrase = risk.phrase() or renal.phrase()
    return Finding(
        indicator=Indicator.CRITICAL if critical else Indicator.WARNING,
        summary=renal_headline(risk.renal, f"Magnesium ordered, {phrase}: {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(draft) for draft in drafts), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in (*drafts, *treatments)),
    )


def _supplement_ordered_and_once_high(
    facts: Facts, risk: Accumulation, drafts: tuple[Medication, ...]
) -> Finding:
    result = risk.level.result
    assert result is not None  # a level above range exists
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Magnesium ordered, level was high, {result.reported} from {day(result)}: repeat first"
        ),
        advice=(
            f"Ordered: {named(drafts)}. Magnesium was above range on {day(result)}: repeat it "
            "before more is given.",
        ),
        evidence=(*(Evidence(draft) for draft in drafts), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=(OrderTest("magnesium", "repeat the high result"),),
        overrides=FOR_HAZARDS,
        about=tuple(draft.source.reference for draft in drafts),
    )
