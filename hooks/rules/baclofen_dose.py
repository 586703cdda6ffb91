"""Oral baclofen ordered for cramps: its dose, sedation, and where the evidence comes from.

Recommendation: baclofen starts at 10 mg/day and rises weekly by 10 mg to 30 mg/day (article,
"Evidence-based pharmacological options" and "Cirrhosis patients on diuretics"); older patients
are watched closely for side effects (article, "Elderly patients").

When: a selected draft orders oral baclofen for cramps (by its reason, or without one if cramps are
documented), and spasticity is neither active nor the reason. A warning if it starts above 10
mg/day in a patient without active baclofen or goes above 30 mg/day, if the patient is 65 or
older or pregnant, or if a sedative, opioid or gabapentinoid is active or drafted; else info if
there is no cirrhosis.
Then: which limit the dose is above; sedation, falls and withdrawal; how far the evidence goes.
Does not cover: spasticity, intrathecal baclofen. A dose that cannot be computed is named as such,
never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

from cds_service.core.knowledge import Limit
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.text import quoted
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Tier,
    conditions,
    demographics,
    medications,
    results,
    rule,
)
from hooks import cramps
from hooks.dose import daily_amount
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import ADVANCED, RENAL_LIMITS, renal_function
from hooks.rules.baclofen_hazards import BACLOFEN, WITHDRAWAL, baclofen_drafts, removals
from hooks.windows import YEAR
from hooks.wording import FOR_DRUGS, OUTCOME_FEARED, headline, named

_NAMES = (
    "baclofen|arbaclofen|baclosan|lioresal|lyflex|kemstro|ozobax|lyvispah|fleqsuvy",
)  # as the name list of medications has them
_SEDATING = {"sedative": "a sedative", "opioid": "an opioid", "gabapentinoid": "a gabapentinoid"}


@rule(
    id="baclofen-ordered-dose",
    title="Baclofen ordered for cramps: dose and sedation",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article", "aan-2010", "beers-2023", "general-knowledge"],
    limits=[
        *RENAL_LIMITS,
        "baclofen.start",
        "baclofen.most",
        "age.older",
    ],
    judges=[BACLOFEN],
    minors=True,
    overrides=(*FOR_DRUGS, OUTCOME_FEARED),
    needs=[
        conditions(
            cramps.LEG_CRAMPS,
            "spasticity",
            WITHDRAWAL,
            "cirrhosis",
            "hepatic_encephalopathy",
            "pregnancy",
            *ADVANCED,
            "ckd_stage_3",
        ).optional(),
        medications(BACLOFEN, "baclofen_intrathecal", *_SEDATING).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        demographics(),
    ],
)
def baclofen_ordered_dose(facts: Facts) -> Answer:
    """Baclofen for cramps is started low; it sedates, and was tried only in cirrhosis."""
    spasticity = facts.certain("spasticity")
    if spasticity:
        return NotFired(
            "spasticity is documented: the baclofen is not for cramps",
            tuple(Evidence(condition) for condition in spasticity),
        )
    candidates = [
        draft for draft in baclofen_drafts(facts) if "spasticity" not in draft.reason.concepts
    ]
    purposes = [(draft, cramps.is_indication(facts, draft.reason)) for draft in candidates]
    drafts = tuple(draft for draft, for_cramps in purposes if for_cramps)
    if not drafts:
        if any(for_cramps is None for _, for_cramps in purposes):
            return CannotTell(conditions_unread(facts), trigger=True)
        return NotFired("the baclofen is not for cramps")
    doses = tuple(_dose(facts, draft) for draft in drafts)
    sedating = _sedating(facts, drafts)
    older = _older(facts)
    pregnancy = facts.hazards("pregnancy")
    cirrhosis = facts.conditions("cirrhosis")
    unread = (*conditions_unread(facts), *medications_unread(facts))
    excess = tuple(phrase for dose in doses for phrase in dose.excess)
    warning = bool(excess or sedating or older or pregnancy)
    unsupported = not cirrhosis and not conditions_unread(facts)
    unknown_doses = tuple(
        f"dose could not be read: {quoted(dose.unknown_because)}"
        for dose in doses
        if dose.unknown_because
    )
    evidence = (
        *(dose.evidence for dose in doses),
        *(Evidence(sedative) for sedative in sedating),
        *(Evidence(condition) for condition in (*cirrhosis, *pregnancy)),
    )
    if not warning and not unsupported:
        if unread or unknown_doses:
            unreadable = any(dose.unknown_because and dose.draft.dosages for dose in doses)
            return CannotTell(
                (*unread, *unknown_doses), trigger=bool(unread) or unreadable, evidence=evidence
            )
        return NotFired("the dose is within its limits, in cirrhosis, with no sedative", evidence)
    return Finding(
        indicator=Indicator.WARNING if warning else Indicator.INFO,
        summary=_summary(excess, sedating, older, bool(pregnancy)),
        advice=tuple(_advice(facts, excess, sedating, older, unsupported)),
        evidence=evidence,
        missing=(*unread, *unknown_doses),
        strength="Small trials in cirrhosis only; the article extends them to other cramps, and "
        "the AAN (2010) makes no recommendation on baclofen.",
        suggestions=removals(facts, drafts) if warning else (),
        overrides=(*FOR_DRUGS, OUTCOME_FEARED),
        about=tuple(draft.source.reference for draft in drafts),
    )


class _Dose(Struct, frozen=True):
    """One draft's daily dose: how it exceeds a limit, or why it could not be read."""

    draft: Medication
    excess: tuple[str, ...]
    evidence: Evidence
    unknown_because: str


def _dose(facts: Facts, draft: Medication) -> _Dose:
    daily = daily_amount(draft, _NAMES)
    start, most = facts.limits["baclofen.start"], facts.limits["baclofen.most"]
    excess: list[str] = []
    limit: Limit | None = None
    # A drug already taken is not being started; if the list could not be read, it may be.
    if daily.start is not None and daily.start > start.value and not facts.taking(BACLOFEN):
        excess.append(f"{_amount(daily.start)} to start, above {start}")
        limit = start
    if daily.most is not None and daily.most > most.value:
        excess = [f"{_amount(daily.most)}, above {most}"]  # says more than the starting dose
        limit = most
    known = daily.most if daily.most is not None else daily.start
    note = "" if known is None else f"up to {_amount(known)}"
    return _Dose(draft, tuple(excess), Evidence(draft, limit, note=note), daily.unknown_because)


def _amount(milligrams: Fraction) -> str:
    return f"{float(milligrams):g} mg/day"


def _older(facts: Facts) -> str:
    older = facts.limits["age.older"]
    return f"age {facts.age}" if facts.age is not None and facts.age >= older.value else ""


def _sedating(facts: Facts, drafts: tuple[Medication, ...]) -> tuple[Medication, ...]:
    others = (*facts.taking(*_SEDATING, hazard=True), *facts.drafted(*_SEDATING))
    return tuple(medication for medication in others if medication not in drafts)


def _kinds(sedating: Iterable[Medication]) -> list[str]:
    classes = {concept for medication in sedating for concept in medication.classes}
    return [words for concept, words in _SEDATING.items() if concept in classes]


def _summary(
    excess: tuple[str, ...], sedating: tuple[Medication, ...], older: str, pregnant: bool
) -> str:
    parts = [*(["pregnancy, not advised"] if pregnant else []), *excess]
    risks = ([older] if older else []) + _kinds(sedating)
    if risks:
        parts.append(f"sedation and falls with {', '.join(risks)}")
    return headline(
        "Baclofen for cramps: "
        + ("; ".join(parts) or "no cirrhosis on record; no trial evidence outside it")
    )


def _advice(
    facts: Facts,
    excess: tuple[str, ...],
    sedating: tuple[Medication, ...],
    older: str,
    unsupported: bool,
) -> Iterable[str]:
    if facts.hazards("pregnancy"):
        yield (
            "In pregnancy only on obstetric advice: baclofen near term may cause withdrawal in "
            "the newborn."
        )
    if excess:
        yield f"Ordered: {'; '.join(excess)}."
    yield from _dose_range(facts)
    if sedating:
        yield f"Sedation adds up with {named(sedating)}: review whether both are needed."
    if older:
        limit = facts.limits["age.older"]
        yield f"At {limit} or older, sedation, confusion and falls are more likely: watch closely."
    if unsupported:
        yield (
            "No cirrhosis is documented: there is no trial evidence for baclofen in cramps outside "
            "cirrhosis."
        )
    yield "Baclofen causes drowsiness and falls, and must not be stopped abruptly once taken."


def _dose_range(facts: Facts) -> Iterable[str]:
    """The article's doses, unless another card for the same order advises against any."""
    renal = renal_function(facts)
    if encephalopathy := facts.ever("hepatic_encephalopathy"):
        yield f"No dose is given here: baclofen is not advised ({named(encephalopathy)})."
        return
    if renal.severe or renal.moderate:
        yield f"No dose is given here: baclofen is not advised ({renal.phrase()})."
        return
    if facts.hazards("pregnancy"):
        return
    start, most = facts.limits["baclofen.start"], facts.limits["baclofen.most"]
    check_first = " Renal function is not known: check it first." if renal.unknown else ""
    yield (
        f"The article's doses for cramps: {start}, weekly steps of {start.value:f} mg, to "
        f"{most}.{check_first}"
    )
