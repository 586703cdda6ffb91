"""Albumin ordered for cramps outside cirrhosis with ascites or diuretics.

Recommendation: albumin infusion, 20-40 g a week, may be considered for cramps in cirrhosis with
ascites on diuretic therapy (article, "Evidence-based pharmacological options" and "Cirrhosis
patients on diuretics"); nowhere else.

When: a selected draft orders albumin with cramps as its reason, and there is no cirrhosis
(warning), or cirrhosis with neither ascites nor a diuretic (info).
Then: where the evidence comes from; the warning offers removal of the draft.
Does not cover: albumin ordered without a reason, or for another one.
"""

from __future__ import annotations

from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    RemoveDraft,
    Tier,
    conditions,
    medications,
    rule,
)
from hooks.cirrhosis import DIURETICS
from hooks.cramps import LEG_CRAMPS
from hooks.reading import conditions_unread, medications_unread
from hooks.wording import FOR_DRUGS, TOO_COSTLY, headline


@rule(
    id="albumin-ordered-without-cirrhosis",
    title="Albumin ordered for cramps without cirrhosis and ascites",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article"],
    judges=["albumin"],
    overrides=(*FOR_DRUGS, TOO_COSTLY),
    needs=[
        conditions("cirrhosis", "ascites").optional(),
        medications(*DIURETICS).optional(),
    ],
)
def albumin_ordered_without_cirrhosis(facts: Facts) -> Answer:
    """Albumin was tried for cramps only in cirrhosis with ascites and diuretics."""
    drafts = tuple(
        draft
        for draft in facts.drafts.selected_medications
        if "albumin" in draft.classes and LEG_CRAMPS in draft.reason.concepts
    )
    if not drafts:
        return NotFired("the albumin is not ordered for cramps")
    cirrhosis, ascites = facts.conditions("cirrhosis"), facts.conditions("ascites")
    diuretics = (*facts.taking(*DIURETICS), *facts.drafted(*DIURETICS))
    evidence = (
        *(Evidence(draft) for draft in drafts),
        *(Evidence(condition) for condition in (*cirrhosis, *ascites)),
        *(Evidence(diuretic) for diuretic in diuretics),
    )
    if cirrhosis and (ascites or diuretics):
        return NotFired("cirrhosis with ascites or a diuretic is documented", evidence)
    unread = conditions_unread(facts)
    if cirrhosis:
        unread += medications_unread(facts)
    if unread:
        return CannotTell(unread, trigger=True, evidence=evidence)
    if cirrhosis:
        indicator, missing = Indicator.INFO, "neither ascites nor a diuretic"
        action = "discuss it with hepatology"
    else:
        indicator, missing = Indicator.WARNING, "no cirrhosis"
        action = "not advised"
    return Finding(
        indicator=indicator,
        summary=headline(f"Albumin for cramps, {missing} on record: {action}"),
        advice=(
            "Evidence only there: albumin has been tried for cramps only in cirrhosis with ascites "
            f"on diuretics (20–40 g a week). Here there is {missing} on record.",
            "If the patient has cirrhosis with ascites, document it and discuss albumin with "
            "hepatology."
            if not cirrhosis
            else "Discuss it with hepatology first.",
        ),
        evidence=evidence,
        strength="Small studies in cirrhosis with ascites; none outside it.",
        suggestions=(
            tuple(RemoveDraft(draft.source.reference, draft.name) for draft in drafts)
            if indicator is Indicator.WARNING
            else ()
        ),
        overrides=(*FOR_DRUGS, TOO_COSTLY),
        about=tuple(draft.source.reference for draft in drafts),
    )
