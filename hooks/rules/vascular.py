"""Claudication, a mimic of leg cramps.

Recommendation: evaluate the vascular status, for claudication can mimic leg cramps:
reproducible with exercise, relieved by minutes of rest (article, "History and physical
examination").

When: cramps documented together with peripheral arterial disease or claudication.
Then: what to examine; offers an ankle-brachial index where none is known in 12 months.
Does not cover: venous claudication; the referral (`specialist-referral`).
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Service,
    Tier,
    conditions,
    orders,
    rule,
)
from hooks import cramps
from hooks.windows import YEAR
from hooks.wording import FOR_TESTS, headline


@rule(
    id="claudication-mimic",
    title="Claudication can pass for leg cramps",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.CRAMPS,
    references=["article"],
    needs=[conditions("pad", "claudication", "leg_cramps"), orders("abi")],
)
def claudication_mimic(facts: Facts) -> Answer:
    """Arterial disease beside leg cramps: is it claudication?"""
    claudication = facts.conditions("claudication")
    found = facts.conditions("pad", "claudication")
    if not found:
        if not facts.availability(Kind.CONDITIONS).whole:
            return CannotTell(("whether arterial disease is documented",))
        return NotFired("neither arterial disease nor claudication is documented")
    known = facts.ordered("abi", within=YEAR)
    return Finding(
        indicator=Indicator.WARNING if claudication else Indicator.INFO,
        summary=headline(
            "Claudication is documented: exertional leg pain can pass for cramps"
            if claudication
            else "Peripheral arterial disease: rule out claudication behind the cramps"
        ),
        advice=(
            "Claudication is reproducible with exercise and relieved by minutes of rest; a cramp "
            "is sudden and relieved by stretching.",
            "Examine pulses and bruits; ankle–brachial index.",
        ),
        evidence=(*(Evidence(one) for one in found), *cramps.evidence(facts)),
        strength="Clinical distinction named by the article.",
        suggestions=() if known else (OrderTest("abi", "none known in the last 12 months"),),
        overrides=FOR_TESTS,
    )
