"""When to refer, and when not to look further.

Recommendation: refer to neurology or vascular surgery for severe, persistent or progressive
cramps, neurological deficits, or suspected vascular disease (article, "When to refer"); severe
cramps in cirrhosis to hepatology (a judgement of this project). No extensive imaging or
laboratory workup in typical idiopathic nocturnal cramps with a normal examination (article,
"Common pitfalls").

When: cramps are documented with one of the criteria; or (order selected) imaging of the leg or
spine, nerve conduction studies or extended panels are ordered for cramps with none of the criteria
on record, and neither a suspected thrombosis nor a swollen or one-sided leg. Imaging of the leg
veins is not judged.
Then: which specialist by which criterion, with the referral; or that the workup is not
indicated in typical cramps.
Does not cover: examination findings that are not coded.
"""

from __future__ import annotations

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
from hooks.windows import ORDERED
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, FOR_TESTS, headline, named

DEFICITS = ("motor_neuron_disease", "radiculopathy", "neurological_deficit")
VASCULAR = ("claudication", "pad")
RED_FLAGS = (
    *DEFICITS,
    *VASCULAR,
    "neurogenic_claudication",
    "neuropathy",
    "dvt",
    "leg_swelling",
    "rhabdomyolysis",
    "limb_or_spine_emergency",
    "spine_red_flag",
)
EXTENSIVE = ("imaging_leg_spine", "emg_nerve_conduction", "extended_panel")


@rule(
    id="specialist-referral",
    title="Referral for leg cramps",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.COMPLAINT,
    references=["article"],
    offers=["referral_hepatology", "referral_neurology", "referral_vascular"],
    overrides=FOR_TESTS,
    needs=[
        conditions(*DEFICITS, *VASCULAR, "cirrhosis", "leg_cramps"),
        orders("referral_neurology", "referral_vascular", "referral_hepatology"),
    ],
)
def specialist_referral(facts: Facts) -> Answer:
    """Severe or persistent cramps, a neurological deficit or vascular disease: which specialist."""
    persistent = cramps.persistent(facts)
    deficit = facts.hazards(*DEFICITS)
    vascular = facts.hazards(*VASCULAR)
    if not persistent and not deficit and not vascular:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(("whether a criterion for referral is documented",))
        return NotFired("no criterion for referral is documented")
    offers: list[OrderTest] = []
    specialists = []
    cirrhosis = facts.conditions("cirrhosis") if cramps.severe(facts) else ()
    if cirrhosis:
        offers.append(OrderTest("referral_hepatology", "severe cramps in cirrhosis"))
        specialists.append("hepatology")
    if persistent or deficit:
        offers.append(OrderTest("referral_neurology", "severe cramps or a neurological deficit"))
        specialists.append("neurology")
    if vascular:
        offers.append(OrderTest("referral_vascular", "vascular disease is suspected"))
        specialists.append("vascular surgery")
    not_ordered = [offer for offer in offers if not facts.ordered(offer.key, within=ORDERED)]
    if not not_ordered:
        return NotFired("the referral is already ordered")
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(f"Leg cramps: consider referral to {' and '.join(specialists)}"),
        advice=_criteria(persistent, deficit, vascular, cirrhosis),
        evidence=tuple(
            Evidence(condition)
            for condition in (*deficit, *vascular, *cirrhosis, *cramps.conditions(facts))
        ),
        strength="The article's criteria.",
        suggestions=tuple(offers),
        overrides=FOR_TESTS,
    )


def _criteria(
    persistent: str,
    deficit: tuple[Condition, ...],
    vascular: tuple[Condition, ...],
    cirrhosis: tuple[Condition, ...],
) -> tuple[str, ...]:
    lines = []
    if cirrhosis:
        lines.append(f"Hepatology: the cramps are severe in cirrhosis ({named(cirrhosis)}).")
    if persistent:
        lines.append(f"Neurology: the cramps are {persistent}.")
    if deficit:
        lines.append(f"Neurology: neurological deficit ({named(deficit)}).")
    if vascular:
        lines.append(f"Vascular surgery: vascular disease ({named(vascular)}).")
    return tuple(lines)


@rule(
    id="extensive-workup-ordered",
    title="Extensive workup for leg cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article", "differential-1995"],
    judges=EXTENSIVE,
    overrides=(*FOR_ADVICE, CONTRAINDICATED),
    needs=[conditions(*RED_FLAGS, "leg_cramps")],
)
def extensive_workup_ordered(facts: Facts) -> Answer:
    """Imaging, nerve conduction studies or extended panels for typical cramps."""
    selected = [
        order for order in facts.drafts.selected_orders if not order.covers.isdisjoint(EXTENSIVE)
    ]
    for_cramps = [
        order
        for order in selected
        if cramps.is_indication(facts, order.reason) and order.reason.concepts.isdisjoint(RED_FLAGS)
    ]
    if not for_cramps:
        if any(cramps.is_indication(facts, order.reason) is None for order in selected):
            return CannotTell(("whether the order is for leg cramps",), trigger=True)
        return NotFired("the order is not for leg cramps")
    if red_flags := facts.hazards(*RED_FLAGS):
        return NotFired(
            "a finding calls for it", tuple(Evidence(condition) for condition in red_flags)
        )
    if cramps.persistent(facts):
        return NotFired("the cramps are severe or persistent")
    if not facts.could_be_read(Kind.CONDITIONS):
        return CannotTell(
            ("whether a finding calls for it: not all conditions were received",), trigger=True
        )
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Typical nocturnal cramps: this workup is not indicated; examine first"),
        advice=(
            "Most leg cramps are idiopathic. Imaging, nerve conduction studies and extended panels "
            "are for a neurological deficit, vascular disease or another specific finding, and "
            "none is on record. A finding on examination takes precedence over this card.",
        ),
        evidence=(*(Evidence(order) for order in for_cramps), *cramps.evidence(facts)),
        strength="The article's advice.",
        overrides=(*FOR_ADVICE, CONTRAINDICATED),
        about=tuple(order.source.reference for order in for_cramps),
    )
