"""Oral baclofen ordered in renal impairment or liver disease.

Recommendation: baclofen is the drug the article names for severe cramps ("Pharmacological
treatment"); it is cleared by the kidney and causes encephalopathy in renal impairment (cohort
of 2019), and older adults with eGFR below 60 should avoid it (Beers criteria 2023). In
hepatic encephalopathy it may worsen confusion (general knowledge, low certainty).

When: a selected draft orders oral baclofen. Critical with eGFR below 30, CKD stage 4 or 5,
dialysis or AKI; warning with eGFR 30-59 or CKD 3, or if renal function has not been known for 12
months or could not be checked. Critical if hepatic encephalopathy is or ever was recorded; info
with cirrhosis without it.
Then: why; creatinine if renal function is not recent; removal of the draft only if the patient is
known not to take baclofen already, because it is never stopped abruptly.
Does not cover: intrathecal baclofen; the dose (see baclofen-ordered-dose).
"""

from __future__ import annotations

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
from hooks import levels
from hooks.reading import conditions_unread, medications_unread, results_unread
from hooks.renal import (
    RENAL_LIMITS,
    RenalFunction,
    only_preliminary,
    renal_function,
    renal_headline,
)
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, headline, named

BACLOFEN = "baclofen"
WITHDRAWAL = "baclofen_withdrawal"
# A patient with an intrathecal pump already takes baclofen.
ANY_BACLOFEN = (BACLOFEN, "baclofen_intrathecal")


@rule(
    id="baclofen-ordered-renal-impairment",
    title="Baclofen ordered in renal impairment",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["baclofen-ckd-2019", "beers-2023", "article"],
    limits=[*RENAL_LIMITS, "age.older"],
    judges=[BACLOFEN],
    minors=True,
    offers=["creatinine"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions("aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3", "pregnancy").optional(),
        conditions(WITHDRAWAL).optional(),
        medications(*ANY_BACLOFEN).optional(),
        orders("creatinine", "egfr"),
        demographics(),
    ],
)
def baclofen_ordered_renal_impairment(facts: Facts) -> Answer:
    """Baclofen accumulates in renal impairment and causes encephalopathy."""
    renal = renal_function(facts)
    evidence = renal.evidence(facts)
    impaired = renal.severe or renal.moderate
    if not impaired and not renal.unknown:
        unread = (
            *conditions_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
        )
        if unread:
            return CannotTell(unread, renal.unusable, trigger=True, evidence=evidence)
        return NotFired("renal function is not known to be impaired", evidence)
    drafts = baclofen_drafts(facts)
    preliminary = only_preliminary(facts, renal)
    return Finding(
        indicator=Indicator.CRITICAL if renal.severe else Indicator.WARNING,
        summary=_summary(facts, renal, preliminary),
        advice=_advice(facts, renal, preliminary),
        evidence=(*(Evidence(draft) for draft in drafts), *evidence),
        missing=_missing(facts, renal),
        strength="Observational (cohort of 2019): 30-day admission with encephalopathy in CKD was "
        "1.11 % at 20 mg/day or more, against 0.42 % below. The eGFR limits are conventional.",
        suggestions=(
            *(removals(facts, drafts) if not preliminary else ()),
            *_tests(renal, preliminary),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in drafts),
    )


def _summary(facts: Facts, renal: RenalFunction, preliminary: bool) -> str:
    state = renal.phrase() + (" (preliminary)" if preliminary else "")
    if renal.severe and treats_withdrawal(facts, baclofen_drafts(facts)):
        return renal_headline(
            renal, f"Baclofen for withdrawal, {state}: low dose under supervision"
        )
    if renal.severe:
        return renal_headline(renal, f"Baclofen not advised: {state}. Risk of encephalopathy")
    if renal.moderate:
        older = facts.limits["age.older"]
        if facts.age is not None and facts.age >= older.value:
            return headline(
                f"Baclofen, {state}: avoid at {older.value:f} or older; else lowest dose"
            )
        return headline(f"Baclofen, {state}: lowest dose, risk of encephalopathy")
    return headline(f"Baclofen ordered, {renal.phrase()}: check creatinine first")


def _advice(facts: Facts, renal: RenalFunction, preliminary: bool) -> tuple[str, ...]:
    lines = []
    if preliminary:
        lines.append("The eGFR is preliminary: repeat it before acting on it.")
    if renal.unknown:
        lines.append(
            f"{_unknown_renal_function(renal)}: check renal function before the first dose. "
            "Baclofen is cleared by the kidney and causes encephalopathy when it accumulates."
        )
    else:
        lines.append(
            f"Baclofen is cleared by the kidney; with {renal.phrase()} it accumulates and "
            "causes encephalopathy: drowsiness, confusion, falls, coma."
        )
    older = facts.limits["age.older"]
    if facts.age is not None and facts.age >= older.value and not renal.unknown:
        lines.append(
            f"Age {facts.age}: the Beers criteria 2023 advise against baclofen at {older} or older "
            "with eGFR below 60."
        )
    return (*lines, *never_abruptly(facts))


def _unknown_renal_function(renal: RenalFunction) -> str:
    if renal.creatinine_only is not None:
        return f"No eGFR can be computed from the creatinine ({renal.creatinine_only.reported})"
    return "Renal function in the last 12 months is not known"


def _missing(facts: Facts, renal: RenalFunction) -> tuple[str, ...]:
    unread = results_unread(facts)
    return (
        *unread,
        *(() if unread else renal.missing),
        *levels.newer_unusable(renal.unusable, "renal function"),
        *conditions_unread(facts),
        *medications_unread(facts),
    )


def _tests(renal: RenalFunction, preliminary: bool) -> tuple[Suggestion, ...]:
    if preliminary or renal.egfr is None or renal.unknown or renal.stale:
        return (OrderTest("creatinine", "renal function before baclofen"),)
    return ()


@rule(
    id="baclofen-ordered-encephalopathy",
    title="Baclofen ordered in hepatic encephalopathy or cirrhosis",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    judges=[BACLOFEN],
    minors=True,
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        conditions("hepatic_encephalopathy", "cirrhosis", WITHDRAWAL).optional(),
        medications(*ANY_BACLOFEN).optional(),
    ],
)
def baclofen_ordered_encephalopathy(facts: Facts) -> Answer:
    """Baclofen may cause or mask hepatic encephalopathy."""
    encephalopathy = facts.ever("hepatic_encephalopathy")
    cirrhosis = facts.conditions("cirrhosis")
    unread = conditions_unread(facts)
    if not encephalopathy and not cirrhosis:
        if unread:
            return CannotTell(unread, trigger=True)
        return NotFired("neither hepatic encephalopathy nor cirrhosis is documented")
    drafts = baclofen_drafts(facts)
    if encephalopathy:
        summary = "Baclofen not advised: hepatic encephalopathy on record, which it may worsen"
        advice = (
            f"Hepatic encephalopathy is on record ({named(encephalopathy)}). Baclofen sedates and "
            "may cause, worsen or mask it: avoid it.",
            *never_abruptly(facts),
        )
    else:
        summary = "Baclofen in cirrhosis: ask about encephalopathy, watch for drowsiness"
        advice = (
            "Baclofen for cramps was tried only in cirrhosis, but it sedates: ask about previous "
            "encephalopathy, tell the patient and family which signs to report, and stop "
            "increasing the dose at the first of them.",
        )
    return Finding(
        indicator=Indicator.CRITICAL if encephalopathy else Indicator.INFO,
        summary=headline(summary),
        advice=advice,
        evidence=(
            *(Evidence(draft) for draft in drafts),
            *(Evidence(condition) for condition in (*encephalopathy, *cirrhosis)),
        ),
        missing=(*unread, *medications_unread(facts)),
        strength="Certainty is low: case reports and the drug's action, no comparative studies.",
        suggestions=removals(facts, drafts) if encephalopathy else (),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in drafts),
    )


def baclofen_drafts(facts: Facts) -> tuple[Medication, ...]:
    """The selected drafts of oral baclofen."""
    return tuple(draft for draft in facts.drafts.selected_medications if BACLOFEN in draft.classes)


def treats_withdrawal(facts: Facts, drafts: tuple[Medication, ...]) -> bool:
    """Whether baclofen is ordered to treat its own withdrawal, an emergency."""
    return bool(facts.hazards(WITHDRAWAL)) or any(
        WITHDRAWAL in draft.reason.concepts for draft in drafts
    )


def never_abruptly(facts: Facts) -> tuple[str, ...]:
    """The advice on baclofen that is, or may be, taken already."""
    if treats_withdrawal(facts, baclofen_drafts(facts)):
        return (
            "Baclofen withdrawal is on record (seizures, hallucinations, high fever): restart it "
            "at a dose adjusted for this patient, under supervision.",
        )
    how = "never stop it abruptly (withdrawal: seizures, hallucinations); taper it."
    if facts.taking(*ANY_BACLOFEN, hazard=True) or any(
        draft.signed for draft in baclofen_drafts(facts)
    ):
        return (f"The patient already takes baclofen: {how}",)
    return (f"Whether baclofen is already taken is not known. If so, {how}",) * bool(
        medications_unread(facts)
    )


def removals(facts: Facts, drafts: tuple[Medication, ...]) -> tuple[Suggestion, ...]:
    """Removal of the drafts, for a patient who is known not to take baclofen already."""
    taken = bool(facts.taking(*ANY_BACLOFEN, hazard=True)) or treats_withdrawal(facts, drafts)
    if medications_unread(facts) or taken:
        return ()
    return tuple(RemoveDraft(draft.source.reference, draft.name) for draft in drafts)
