"""Claudication and deep vein thrombosis, mimics of leg cramps.

Recommendation: assess the vascular status, because claudication can mimic leg cramps:
reproducible with exercise, relieved by minutes of rest (article, "History and physical
examination").

When: cramps are documented together with peripheral arterial disease or claudication, or with a
deep vein thrombosis of the leg, active or suspected (which the article does not name).
Then: what to examine; offers an ankle-brachial index if none is known in 12 months. With a
thrombosis: no massage of that leg. Acute limb ischaemia: vascular surgery at once.
Does not cover: venous claudication; the referral (`specialist-referral`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cds_service.core.facts import Condition, Kind
from cds_service.core.patient import Facts
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
    rule,
)
from hooks import cramps
from hooks.windows import YEAR
from hooks.wording import FOR_ADVICE, FOR_TESTS, headline, named

DVT = "dvt"
_ACUTE_ISCHAEMIA = "limb_ischaemia_acute"
_ONLY_SUSPECTED = re.compile(r"\?|\b(rule out|r/o|suspected|possible|probable|query)\b")


@rule(
    id="claudication-mimic",
    title="Claudication can pass for leg cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.COMPLAINT,
    references=["article"],
    offers=["abi"],
    overrides=FOR_TESTS,
    needs=[conditions("pad", "claudication", _ACUTE_ISCHAEMIA, "leg_cramps"), orders("abi")],
)
def claudication_mimic(facts: Facts) -> Answer:
    """Arterial disease with leg cramps: is it claudication?"""
    if ischaemia := facts.hazards(_ACUTE_ISCHAEMIA):
        return _ischaemia_finding(facts, ischaemia)
    claudication = facts.conditions("claudication")
    arterial_disease = facts.conditions("pad", "claudication")
    if not arterial_disease:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(("whether arterial disease is documented",))
        return NotFired("neither arterial disease nor claudication is documented")
    abi = facts.ordered("abi", within=YEAR)
    return Finding(
        indicator=Indicator.WARNING if claudication else Indicator.INFO,
        summary=headline(
            "Claudication on record: can pass for cramps; examine pulses and bruits"
            if claudication
            else "Peripheral arterial disease: could the cramps be claudication?"
        ),
        advice=(
            "Examine pulses and bruits; measure the ankle–brachial index. "
            "Ask whether the pain comes with walking and goes with rest.",
        ),
        sections=(
            (
                "How they differ",
                "Claudication: reproducible with exercise, relieved by minutes of rest. "
                "Cramp: sudden, seconds to minutes, relieved by stretching.",
            ),
        ),
        evidence=(
            *(Evidence(condition) for condition in arterial_disease),
            *cramps.evidence(facts),
        ),
        strength="A clinical distinction that the article names.",
        suggestions=() if abi else (OrderTest("abi", "none known in the last 12 months"),),
        overrides=FOR_TESTS,
    )


def _ischaemia_finding(facts: Facts, ischaemia: Sequence[Condition]) -> Finding:
    return Finding(
        indicator=Indicator.WARNING,
        summary=headline("Acute limb ischaemia on record: not a cramp; vascular surgery now"),
        advice=(
            "A leg without blood flow is an emergency: examine pulses, sensation and strength now, "
            "and call vascular surgery. No massage, no ice.",
        ),
        evidence=(*(Evidence(condition) for condition in ischaemia), *cramps.evidence(facts)),
        strength="General medical knowledge; the article asks for pulses and bruits.",
        overrides=FOR_TESTS,
        reference="article",
    )


@rule(
    id="dvt-mimic",
    title="Deep vein thrombosis can pass for leg cramps",
    version="1.0.1",
    changed="2026-11-27",
    tier=Tier.COMPLAINT,
    references=["general-knowledge", "article"],
    overrides=FOR_ADVICE,
    needs=[conditions(DVT, "leg_cramps")],
)
def dvt_mimic(facts: Facts) -> Answer:
    """Calf pain in a leg with a thrombosis is not taken for a cramp until shown to be one."""
    thrombosis = facts.hazards(DVT)
    if not thrombosis:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(("whether a deep vein thrombosis of the leg is documented",))
        return NotFired("no deep vein thrombosis of the leg is documented or suspected")
    # A problem may be active and yet name what is only suspected: "rule out DVT".
    documented = [
        condition
        for condition in facts.conditions(DVT)
        if not _ONLY_SUSPECTED.search(condition.words)
    ]
    return Finding(
        indicator=Indicator.WARNING,
        summary=headline(
            "Deep vein thrombosis of the leg: do not assume calf pain is a cramp; no massage"
            if documented
            else "Deep vein thrombosis suspected: exclude it before treating a cramp; no massage"
        ),
        advice=(
            f"{named(thrombosis)}: examine the leg for swelling, warmth and tenderness. Calf pain "
            "with a thrombosis is not a cramp until shown to be one. No massage of that leg.",
        ),
        evidence=(*(Evidence(condition) for condition in thrombosis), *cramps.evidence(facts)),
        strength="General knowledge; the article does not name thrombosis.",
        overrides=FOR_ADVICE,
    )
