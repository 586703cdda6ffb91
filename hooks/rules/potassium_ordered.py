"""Potassium, or a potassium-sparing drug, ordered where it is dangerous.

Recommendation: a documented deficiency is corrected (article); potassium is not given where it
accumulates: with high potassium, renal impairment or drugs that raise it (UKKA 2023, cited
second-hand; trimethoprim together with spironolactone: BMJ 2011;343:d5228).

When, for potassium: potassium 5.0 mmol/L or above, advanced renal impairment or acute kidney
injury, or a potassium-sparing diuretic taken or drafted: critical; eGFR 30-59, another drug that
raises potassium, more potassium, or potassium or renal function unknown: warning. With a recent
low potassium: a warning at most, and no removal.
When, for a potassium-sparing diuretic or mineralocorticoid antagonist: potassium 5.5 or above,
potassium taken or drafted, or 5.0 together with advanced renal impairment: critical; one of
these alone, trimethoprim, eGFR 30-59 with another drug that raises potassium, or potassium or
renal function unknown: warning. With a recent low potassium only advanced renal impairment
counts, as a warning without removal.
Then: why; offers removal, and repeat potassium and creatinine.
Does not cover: rates and routes of intravenous potassium.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cds_service.core.facts import Result
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
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import levels, potassium_raising, reading
from hooks.potassium_raising import CLASSES, SPARING, SUPPLEMENT, TRIMETHOPRIM
from hooks.renal import ADVANCED, RENAL_LIMITS, RenalFunction, renal_function, renal_headline
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, day, drugs, named


@dataclass(slots=True)
class Hazards:
    """Reasons against the order, in short words for the summary, and the drugs behind them.

    ``preliminary`` are the reasons that rest on a preliminary result alone, with the test to
    repeat.
    """

    critical: list[str] = field(default_factory=list)
    warning: list[str] = field(default_factory=list)
    preliminary: dict[str, str] = field(default_factory=dict)
    drugs: list[Medication] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Every reason once, the more serious ones first."""
        return list(dict.fromkeys(self.critical + self.warning))

    @property
    def repeats(self) -> tuple[str, ...]:
        """The tests to repeat, if every reason rests on a preliminary result."""
        if self.reasons and all(reason in self.preliminary for reason in self.reasons):
            return tuple(dict.fromkeys(self.preliminary.values()))
        return ()


@rule(
    id="potassium-ordered-hazard",
    title="Potassium ordered: risk of hyperkalaemia",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=[
        "ukka-hyperkalaemia-2023",
        "trimethoprim-spironolactone-2011",
        "general-knowledge",
        "article",
    ],
    limits=[
        *RENAL_LIMITS,
        "potassium.low",
        "potassium.caution",
        "potassium.high",
    ],
    judges=[SUPPLEMENT, SPARING],
    minors=True,
    offers=["creatinine", "potassium"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        results("potassium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
        medications(*CLASSES).optional(),
        demographics(),
        orders("potassium", "creatinine"),
    ],
)
def potassium_ordered_hazard(facts: Facts) -> Answer:
    """Potassium, or a drug that spares it, ordered for a patient who may not excrete it."""
    selected = facts.drafts.selected_medications
    potassium = tuple(draft for draft in selected if SUPPLEMENT in draft.classes)
    sparing = tuple(
        draft for draft in selected if SPARING in draft.classes and draft not in potassium
    )
    level = levels.at_least(facts, "potassium", "potassium.caution")
    renal = renal_function(facts)
    deficit = _recent_deficit(facts)
    hazards = Hazards()
    if potassium:
        _judge_potassium(facts, potassium, level, renal, deficit, hazards)
    if sparing:
        _judge_sparing(facts, sparing, level, renal, deficit, hazards)
    if not hazards.reasons:
        unread = (
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
        )
        if unread:
            return CannotTell(unread, renal.unusable, trigger=True)
        evidence = () if level.result is None else (level.evidence(),)
        evidence = evidence if deficit is None else (deficit,)
        classes_checked = (
            "potassium-raising drugs of any class" if potassium else "interacting drugs"
        )
        return NotFired(
            f"potassium and renal function allow it, and no {classes_checked} are taken or drafted"
            if not deficit
            else "a low potassium is documented, and renal function allows it",
            (*evidence, *renal.evidence(facts)),
        )
    return _finding(facts, potassium, sparing, level, renal, deficit, hazards)


def _recent_deficit(facts: Facts) -> Evidence | None:
    """A final potassium below range within 30 days that nothing contradicts."""
    low, high = (
        levels.low(facts, "potassium"),
        levels.at_least(facts, "potassium", "potassium.caution"),
    )
    usable = low.beyond is True and not low.repeat_only and not low.unusable
    if not usable or high.beyond is True or levels.contaminated(low.result):
        return None
    return low.evidence()


def _preliminary_deficit(facts: Facts) -> Result | None:
    """A preliminary potassium below range within 30 days."""
    result = levels.low(facts, "potassium").preliminary_result
    return None if levels.contaminated(result) else result


def _other_drugs(facts: Facts, drafts: tuple[Medication, ...], *classes: str) -> list[Medication]:
    """Drugs of the classes that are taken, or drafted apart from the judged drafts."""
    others: list[Medication] = []
    for draft in drafts:
        # An order that is being re-signed is also among the active ones.
        others += facts.taking(*classes, hazard=True, other_than=draft)
        others += potassium_raising.drafted(facts, *classes, other_than=draft)
    return [
        medication
        for medication in dict.fromkeys(others)
        if medication not in drafts or len(drafts) > 1
    ]


def _judge_potassium(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> None:
    serious = hazards.warning if deficit else hazards.critical
    diuretics = _other_drugs(facts, drafts, SPARING)
    if diuretics:
        serious.append(drugs(tuple(diuretics), most=2))
        hazards.drugs += diuretics
    if not deficit:
        _add_potassium_level(facts, level, hazards, "potassium.caution")
    _add_renal_function(renal, serious, hazards)
    for drug_class in CLASSES:
        if drug_class in (SUPPLEMENT, SPARING):
            continue
        others = [
            medication
            for medication in _other_drugs(facts, drafts, drug_class)
            if medication not in hazards.drugs
        ]
        if others:
            hazards.warning.append(drugs(tuple(others), most=2))
            hazards.drugs += others
    supplements = _other_drugs(facts, drafts, SUPPLEMENT)
    if supplements:
        hazards.warning.append(f"more potassium ({drugs(tuple(supplements), most=2)})")
        hazards.drugs += supplements


def _judge_sparing(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> None:
    if deficit:
        if renal.severe:
            hazards.warning.append(renal.phrase())
        return
    supplements = _other_drugs(facts, drafts, SUPPLEMENT)
    if supplements:
        hazards.critical.append(drugs(tuple(supplements), most=2) or "potassium")
        hazards.drugs += supplements
    above_caution = level.result is not None and not level.stale and level.beyond is True
    above_high = (
        above_caution
        and level.result is not None
        and level.result.at_least(facts.limits.value("potassium.high")) is True
    )
    high_and_impaired = above_caution and renal.severe and not _doubtful(level)
    if above_caution and level.result is not None:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            hazards.preliminary[reason] = "potassium"
        critical = high_and_impaired or (above_high and not _doubtful(level))
        (hazards.critical if critical else hazards.warning).append(reason)
    else:
        _add_potassium_level(facts, level, hazards, "potassium.caution")
    if renal.severe:
        _add_renal_function(
            renal, hazards.critical if high_and_impaired else hazards.warning, hazards
        )
    trimethoprim = _other_drugs(facts, drafts, TRIMETHOPRIM)
    if trimethoprim:
        hazards.warning.append(drugs(tuple(trimethoprim), most=2))
        hazards.drugs += trimethoprim
    raising = [
        medication
        for medication in _other_drugs(facts, drafts, *CLASSES)
        if not medication.classes & {SUPPLEMENT, TRIMETHOPRIM}
    ]
    if renal.moderate and raising:
        hazards.warning += [renal.phrase(), drugs(tuple(raising), most=2)]
        hazards.drugs += raising
    if renal.unknown:
        hazards.warning.append(renal.phrase())


def _remark(level: levels.Level) -> str:
    remarks = level.result.remarks if level.result is not None else ()
    return ", preliminary" * level.preliminary + "".join(f", {remark}" for remark in remarks)


def _doubtful(level: levels.Level) -> bool:
    """Whether a remark on the sample could explain the high potassium."""
    remarks = level.result.remarks if level.result is not None else ()
    return "haemolysed" in remarks or levels.contaminated(level.result)


def _add_potassium_level(facts: Facts, level: levels.Level, hazards: Hazards, key: str) -> None:
    low = _preliminary_deficit(facts)
    if low is not None:
        hazards.warning.append(f"K {low.reported} (preliminary) is low")
    elif level.result is None or level.stale:
        unread = reading.results_unread(facts) or level.unusable
        hazards.warning.append(
            "potassium could not be checked" if unread else "potassium unknown for 30 days"
        )
    elif level.beyond is True:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            hazards.preliminary[reason] = "potassium"
        (hazards.warning if _doubtful(level) else hazards.critical).append(reason)
    elif level.unusable:
        hazards.warning.append("potassium could not be checked")
    elif level.beyond is None:
        hazards.warning.append(f"K {level.result.reported} may or may not be high")


def _add_renal_function(renal: RenalFunction, serious: list[str], hazards: Hazards) -> None:
    reason = renal.phrase()
    supported = renal.diagnoses or renal.injury is not None
    if renal.egfr is not None and renal.egfr.preliminary and not supported:
        reason += " (preliminary)"
        hazards.preliminary[reason] = "creatinine"
    if renal.severe:
        serious.append(reason)
    elif renal.moderate or renal.unknown:
        hazards.warning.append(reason)


def _finding(
    facts: Facts,
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> Finding:
    drafts = (*potassium, *sparing)
    other_drugs = tuple(drug for drug in dict.fromkeys(hazards.drugs) if drug not in drafts)
    preliminary_deficit = _preliminary_deficit(facts)
    advice = []
    offers: list[Suggestion] = []
    if hazards.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
        offers = [OrderTest(key, "repeat the preliminary result") for key in hazards.repeats]
    elif deficit is None and preliminary_deficit is None:
        offers += [RemoveDraft(draft.source.reference, draft.name) for draft in drafts]
    if not hazards.repeats:
        offers.append(OrderTest("potassium", "potassium level before giving more"))
        if renal.unknown or renal.stale or renal.unusable:
            offers.append(OrderTest("creatinine", "renal function before potassium"))
    if level.result is not None and level.beyond is True and not level.stale:
        advice += levels.sample_words(level.result)
    if preliminary_deficit is not None:
        advice.append(
            f"Potassium {preliminary_deficit.reported} is low but preliminary: confirm it now."
        )
    if deficit is not None and not potassium:
        advice.append(
            "It may correct the low potassium: recheck potassium and creatinine within days."
        )
    elif deficit is not None:
        advice.append(
            "Replacement is needed: monitor potassium and ECG closely, and stop when it is normal."
        )
    elif hazards.critical and preliminary_deficit is None:
        advice.append("Do not give it until potassium and renal function have been verified.")
    else:
        advice.append(
            "If it is needed, check potassium and creatinine first, and again within a few days."
        )
    advice.append(f"Ordered: {named(drafts)}. Reasons: {'; '.join(hazards.reasons)}.")
    if other_drugs:
        advice.append(f"Also taken or drafted: {named(other_drugs, most=6)}.")
    level_evidence = () if level.result is None else (level.evidence(),)
    return Finding(
        indicator=Indicator.CRITICAL if hazards.critical else Indicator.WARNING,
        summary=renal_headline(renal, _summary(potassium, sparing, deficit, hazards)),
        advice=tuple(advice),
        evidence=(
            *(Evidence(draft) for draft in (*drafts, *other_drugs)),
            *(level_evidence if deficit is None else (deficit,)),
            *renal.evidence(facts),
        ),
        missing=(
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.newer_unusable(level.unusable, "potassium"),
            *levels.newer_unusable(renal.unusable, "renal function"),
            *renal.missing,
        ),
        strength="Guideline, cited second-hand; the limits were not taken from a trial.",
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        reference=(
            "trimethoprim-spironolactone-2011"
            if any(TRIMETHOPRIM in medication.classes for medication in hazards.drugs)
            else "ukka-hyperkalaemia-2023"
        ),
        about=tuple(draft.source.reference for draft in drafts),
    )


def _summary(
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    deficit: Evidence | None,
    hazards: Hazards,
) -> str:
    reasons = "; ".join(hazards.reasons)
    if deficit is not None:
        value = getattr(deficit.fact, "reported", "")
        if potassium:
            return f"K {value}: replacement needed; {reasons}: monitor"
        return f"{drugs(sparing).capitalize()} ordered, K {value}; {reasons}: monitor"
    subject = "Potassium" if potassium else drugs(sparing).capitalize()
    unchecked = " could not be checked"
    both_unchecked = f"potassium{unchecked}; renal function{unchecked}"
    reasons = reasons.replace(both_unchecked, f"potassium and renal function{unchecked}")
    return f"{subject} ordered, risk of hyperkalaemia: {reasons}"
