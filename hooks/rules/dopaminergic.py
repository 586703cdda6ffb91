"""A dopamine agonist or levodopa ordered for cramps.

Recommendation: leg cramps must not be confused with restless legs syndrome, which needs
different treatment, dopaminergic agents (article, "Common pitfalls").

When: a selected draft orders a dopamine agonist or levodopa with cramps as its reason, and none
of restless legs, Parkinson disease and prolactinoma is documented or is also its reason.
Then: how the two differ; removal of the draft.
Does not cover: whether a dopaminergic agent is right for restless legs.
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
    rule,
)
from hooks.cramps import LEG_CRAMPS
from hooks.reading import conditions_unread
from hooks.wording import FOR_DRUGS, drugs, headline, named

INDICATIONS = ("rls", "parkinson", "prolactinoma")


@rule(
    id="dopaminergic-ordered-for-cramps",
    title="Dopaminergic drug ordered for cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article", "aasm-2025"],
    judges=["dopaminergic"],
    overrides=FOR_DRUGS,
    needs=[conditions(*INDICATIONS).optional()],
)
def dopaminergic_ordered_for_cramps(facts: Facts) -> Answer:
    """Cramps are not restless legs, and dopaminergic drugs do not treat them."""
    drafts = tuple(
        draft
        for draft in facts.drafts.selected_medications
        if "dopaminergic" in draft.classes
        and LEG_CRAMPS in draft.reason.concepts
        and draft.reason.concepts.isdisjoint(INDICATIONS)
    )
    if not drafts:
        return NotFired("no dopaminergic drug is ordered for cramps alone")
    indicated = facts.conditions(*INDICATIONS)
    if indicated:
        return NotFired(
            "restless legs, Parkinson disease or prolactinoma is documented",
            tuple(Evidence(condition) for condition in indicated),
        )
    unread = conditions_unread(facts)
    if unread:
        return CannotTell(unread, trigger=True)
    suspected = facts.hazards("rls")
    confirm_first = ("Restless legs are suspected: confirm them first.",) if suspected else ()
    return Finding(
        indicator=Indicator.WARNING,
        summary=headline(
            f"{drugs(drafts, 1).capitalize() or 'Dopaminergic drug'} not advised for leg cramps: "
            "cramps are not restless legs"
        ),
        advice=(
            f"{named(drafts)}: dopaminergic drugs do not treat leg cramps, and neither restless "
            "legs, Parkinson disease nor prolactinoma is documented.",
            *confirm_first,
        ),
        sections=(
            (
                "How they differ",
                "Restless legs: an urge to move, worse at rest and in the evening, relieved by "
                "moving. Cramp: a sudden painful contraction, relieved by stretching.",
            ),
        ),
        evidence=(
            *(Evidence(draft) for draft in drafts),
            *(Evidence(condition) for condition in suspected),
        ),
        strength="The article's distinction; no trial supports dopaminergic drugs for cramps.",
        suggestions=tuple(RemoveDraft(draft.source.reference, draft.name) for draft in drafts),
        overrides=FOR_DRUGS,
        about=tuple(draft.source.reference for draft in drafts),
    )
