"""Restless legs, a mimic of leg cramps, and the iron studies they call for.

Recommendation: ferritin is measured if restless legs syndrome is suspected; leg cramps must not
be confused with it, because it needs different treatment, dopaminergic agents (article,
"Laboratory evaluation" and "Common pitfalls"). AASM 2025 suggests against their standard use,
because they make it worse over time (augmentation), and suggests alpha-2-delta ligands and iron.

When: restless legs are documented or suspected and there is no ferritin in 6 months; or restless
legs are documented together with cramps.
Then: offers ferritin and transferrin saturation; or says how the two differ and what the sources
say about treatment, and suggests no drug.
Does not cover: the diagnosis of restless legs.
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
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
    orders,
    results,
    rule,
)
from hooks import cramps
from hooks.levels import newer_unusable
from hooks.windows import IRON, ORDERED
from hooks.wording import FOR_ADVICE, FOR_TESTS, day, headline


@rule(
    id="ferritin-not-checked",
    title="Restless legs without a ferritin",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["aasm-2025", "article"],
    offers=["ferritin", "transferrin_saturation"],
    overrides=FOR_TESTS,
    needs=[
        conditions("rls"),
        results("ferritin", IRON),
        results("transferrin_saturation", IRON).optional(),
        orders("ferritin", "transferrin_saturation"),
    ],
)
def ferritin_not_checked(facts: Facts) -> Answer:
    """Restless legs, documented or suspected, without ferritin in 6 months."""
    rls = facts.hazards("rls")
    if not rls:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(
                ("whether restless legs are documented: not all conditions were received",)
            )
        return NotFired("restless legs are neither documented nor suspected")
    ferritin = facts.newest("ferritin", Worse.LOW)
    if facts.within(ferritin.result, IRON):
        assert ferritin.result is not None
        return NotFired("ferritin was measured in the last 6 months", (Evidence(ferritin.result),))
    if not facts.availability(Kind.RESULTS).whole:
        return CannotTell(
            ("whether ferritin was measured: not all results were received",), trigger=True
        )
    if facts.ordered("ferritin", within=ORDERED):
        return NotFired("ferritin is already ordered")
    tsat = facts.newest("transferrin_saturation", Worse.LOW)
    offers = [OrderTest("ferritin", "none in the last 6 months")]
    if not facts.within(tsat.result, IRON):
        offers.append(OrderTest("transferrin_saturation", "ferritin misleads in inflammation"))
    last = ferritin.result
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Restless legs, no ferritin in the last 6 months: measure it"),
        advice=(
            "Measure ferritin and transferrin saturation: in the morning, and off iron for "
            "24 hours.",
        ),
        evidence=tuple(Evidence(condition) for condition in rls),
        missing=(
            *newer_unusable(ferritin.unusable, "ferritin"),
            *((f"ferritin since {day(last)} ({last.reported})",) if last else ()),
        ),
        strength="AASM 2025 advises iron studies in everyone with restless legs.",
        suggestions=tuple(offers),
        overrides=FOR_TESTS,
    )


@rule(
    id="restless-legs-mimic",
    title="Restless legs with leg cramps",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.COMPLAINT,
    references=["aasm-2025", "article"],
    overrides=FOR_ADVICE,
    needs=[conditions("rls", "leg_cramps")],
)
def restless_legs_mimic(facts: Facts) -> Answer:
    """Restless legs and leg cramps in one patient: tell them apart."""
    rls = facts.conditions("rls")
    if not rls:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(
                ("whether restless legs are documented: not all conditions were received",)
            )
        return NotFired("restless legs are not documented")
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Restless legs and cramps documented: tell them apart before treating"),
        advice=(
            "Ask which of the two it is before treating: they need different treatment.",
            "For restless legs, the article names dopaminergic agents; AASM 2025 suggests against "
            "their standard use because of augmentation, and suggests alpha-2-delta ligands and "
            "iron. No drug is suggested here.",
        ),
        sections=(
            (
                "How they differ",
                "Restless legs: an urge to move, worse at rest and in the evening, relieved by "
                "movement. Cramp: sudden, seconds to minutes, relieved by stretching.",
            ),
        ),
        evidence=(*(Evidence(condition) for condition in rls), *cramps.evidence(facts)),
        strength="The distinction is clinical; the order of treatments is from AASM 2025.",
        overrides=FOR_ADVICE,
    )
