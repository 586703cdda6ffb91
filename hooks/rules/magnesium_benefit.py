"""Magnesium for cramps without a deficiency, taken or being ordered.

Recommendation: magnesium is not supplemented empirically; in patients with normal magnesium it
has no clinically meaningful benefit for cramps (article, "Medications to Avoid" and
"Common Pitfalls"; Cochrane review 2020).

When: magnesium is taken or ordered for cramps, and serum magnesium was normal within 90 days; or,
for an order, there is no usable magnesium within 90 days.
Then: the figures of the review, or to measure magnesium first.
Does not cover: magnesium for another reason, infusions, antacids and laxatives, pregnancy.
"""

from __future__ import annotations

from cds_service.core.facts import Reason, Result
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
    Tier,
    conditions,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps, levels, reading
from hooks.windows import ORDERED, YEAR
from hooks.wording import (
    EVIDENCE_DOUBTED,
    FOR_DRUGS,
    FOR_TESTS,
    NOT_APPLICABLE,
    PREFERENCE,
    day,
    headline,
    named,
)

LASTING_LOSS = "magnesium_loss"
NOT_SUPPLEMENTS = frozenset({"magnesium_antacid_laxative", "magnesium_intravenous"})
# If one of these is on the problem list, it is the likelier reason for magnesium that has none.
OTHER_USES = ("arrhythmia", "eclampsia", "hypomagnesemia")
_FIGURES = (
    "With normal magnesium, supplements had no clinically meaningful benefit: mean "
    "difference −0.18 cramps a week (95 % CI −0.84 to 0.49; 5 studies, n = 307; Cochrane "
    "2020)."
)
_DIARRHOEA = "Diarrhoea in 11–37 % is the article's figure."
_STRENGTH = (
    "Systematic review of randomised trials, mostly in older people; the figure for diarrhoea "
    "is the article's."
)


def is_supplement(medication: Medication) -> bool:
    """Whether it is magnesium as a supplement, not as an antacid, laxative or infusion."""
    return "magnesium" in medication.classes and not NOT_SUPPLEMENTS & medication.classes


def meant_for_cramps(facts: Facts, reason: Reason) -> bool | None:
    """Whether magnesium is meant for cramps; None if that is not known.

    If no reason is given, a documented arrhythmia, eclampsia or magnesium deficiency is taken to
    be the reason rather than cramps.
    """
    if not reason.given and facts.hazards(*OTHER_USES):
        return False
    return cramps.is_indication(facts, reason)


@rule(
    id="magnesium-not-indicated",
    title="Magnesium supplement with normal magnesium",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.COMPLAINT,
    references=["cochrane-magnesium-2020", "article"],
    limits=["magnesium.low", "magnesium.high"],
    overrides=FOR_DRUGS,
    needs=[
        results("magnesium", YEAR),
        medications("magnesium").optional(),
        conditions("leg_cramps", "pregnancy", LASTING_LOSS, *OTHER_USES).optional(),
    ],
)
def magnesium_not_indicated(facts: Facts) -> Answer:
    """A magnesium supplement without a deficiency does not prevent cramps."""
    supplements = tuple(
        medication
        for medication in facts.taking("magnesium")
        if is_supplement(medication) and meant_for_cramps(facts, medication.reason)
    )
    if not supplements:
        unread = reading.medications_unread(facts)
        if unread:
            return CannotTell(unread)
        return NotFired("no magnesium supplement that may be meant for cramps is on the list")
    withheld = _reason_to_withhold(facts)
    if withheld is not None:
        return withheld
    level = levels.low(facts, "magnesium")
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(f"On magnesium, level normal ({_value(level)}): no benefit for cramps"),
        advice=(
            f"On the list: {named(supplements)}. {_FIGURES} {_DIARRHOEA}",
            "If it is taken for cramps alone, review whether it is still wanted.",
        ),
        evidence=(*(Evidence(supplement) for supplement in supplements), level.evidence()),
        strength=_STRENGTH,
        overrides=FOR_DRUGS,
    )


def _reason_to_withhold(facts: Facts) -> Answer | None:
    """The answer if no card about the lack of benefit may be shown, else None."""
    if facts.hazards("pregnancy"):
        return NotFired("pregnancy: nothing is said about the benefit of magnesium")
    if unread := reading.conditions_unread(facts):
        return CannotTell(unread, trigger=True)
    losses = facts.hazards(LASTING_LOSS)
    if losses:
        return NotFired("a cause of lasting loss of magnesium is documented")
    low_result = _low_in_last_year(facts)
    if low_result is not None:
        evidence = (Evidence(low_result, facts.limits["magnesium.low"]),)
        return NotFired("magnesium was low in the last 12 months", evidence)
    is_normal = levels.normal(facts, "magnesium")
    if is_normal is None:
        level = levels.low(facts, "magnesium")
        reasons = levels.newer_unusable(level.unusable, "magnesium")
        if not reasons and level.checked:
            reasons = ("the magnesium result does not say whether it is in range",)
        return CannotTell(
            reasons or ("no magnesium result in the last 90 days",), level.unusable, trigger=True
        )
    if not is_normal:
        out_of_range = levels.out_of_range(facts, "magnesium")
        assert out_of_range is not None  # what makes it not normal
        return NotFired("magnesium is not normal", (out_of_range.evidence(),))
    return None


def _low_in_last_year(facts: Facts) -> Result | None:
    """A final magnesium below range within 12 months."""
    series = facts.series.get("magnesium")
    limit = facts.limits.value("magnesium.low")
    for result in series.finals() if series is not None else ():
        if not facts.within(result, YEAR):
            return None
        if result.below_range(limit) is True:
            return result
    return None


def _value(level: levels.Level) -> str:
    assert level.result is not None  # a normal level exists
    return f"{level.result.reported}, {day(level.result)}"


_ORDER_NEEDS = [
    results("magnesium", YEAR).optional(),
    conditions(cramps.LEG_CRAMPS, "pregnancy", LASTING_LOSS, *OTHER_USES).optional(),
]


def _drafts_for_cramps(facts: Facts) -> tuple[Medication, ...] | Answer:
    """The selected supplements meant for cramps, or the answer if there are none."""
    selected = [draft for draft in facts.drafts.selected_medications if is_supplement(draft)]
    purposes = [(draft, meant_for_cramps(facts, draft.reason)) for draft in selected]
    for_cramps_drafts = tuple(draft for draft, for_cramps in purposes if for_cramps)
    if for_cramps_drafts:
        return for_cramps_drafts
    if any(for_cramps is None for _, for_cramps in purposes):
        return CannotTell(reading.conditions_unread(facts), trigger=True)
    return NotFired("no selected magnesium supplement is meant for cramps")


@rule(
    id="magnesium-ordered-normal-level",
    title="Magnesium ordered for cramps with normal magnesium",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["cochrane-magnesium-2020", "article"],
    limits=["magnesium.low", "magnesium.high"],
    judges=["magnesium"],
    overrides=(NOT_APPLICABLE, PREFERENCE, EVIDENCE_DOUBTED),
    needs=_ORDER_NEEDS,
)
def magnesium_ordered_normal_level(facts: Facts) -> Answer:
    """Magnesium ordered for cramps has no benefit when magnesium is normal."""
    drafts = _drafts_for_cramps(facts)
    if not isinstance(drafts, tuple):
        return drafts
    withheld = _reason_to_withhold(facts)
    if withheld is not None:
        return withheld
    level = levels.low(facts, "magnesium")
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Magnesium for cramps, but level normal ({_value(level)}): no benefit expected"
        ),
        advice=(f"Ordered: {named(drafts)}. {_FIGURES} {_DIARRHOEA}",),
        evidence=(*(Evidence(draft) for draft in drafts), level.evidence()),
        strength=_STRENGTH,
        overrides=(NOT_APPLICABLE, EVIDENCE_DOUBTED, PREFERENCE),
    )


@rule(
    id="magnesium-ordered-level-unknown",
    title="Magnesium ordered for cramps with unknown magnesium",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["cochrane-magnesium-2020", "article"],
    judges=["magnesium"],
    offers=["magnesium"],
    overrides=FOR_TESTS,
    limits=["magnesium.low"],
    needs=[*_ORDER_NEEDS, orders("magnesium")],
)
def magnesium_ordered_level_unknown(facts: Facts) -> Answer:
    """Magnesium is measured before it is supplemented for cramps."""
    drafts = _drafts_for_cramps(facts)
    if not isinstance(drafts, tuple):
        return drafts
    if facts.hazards("pregnancy"):
        return NotFired("pregnancy: nothing is said about the benefit of magnesium")
    level = levels.low(facts, "magnesium")
    if level.checked:
        return NotFired("magnesium was checked within 90 days", (level.evidence(),))
    unread = (*reading.conditions_unread(facts), *reading.results_unread(facts))
    if unread:
        return CannotTell(unread, level.unusable, trigger=True)
    if facts.ordered("magnesium", within=ORDERED):
        return NotFired("magnesium is already ordered")
    level_evidence = () if level.result is None else (level.evidence(),)
    return Finding(
        indicator=Indicator.INFO,
        summary="Magnesium ordered for cramps without a recent level: check magnesium first",
        advice=(
            f"Ordered: {named(drafts)}. There is no usable serum magnesium from the last 90 days. "
            f"Check it before supplementing: a documented deficiency is corrected. {_FIGURES}",
        ),
        evidence=(*(Evidence(draft) for draft in drafts), *level_evidence),
        missing=(
            "a final magnesium result of the last 90 days",
            *levels.newer_unusable(level.unusable, "magnesium"),
        ),
        strength=_STRENGTH,
        suggestions=(OrderTest("magnesium", "before supplementing"),),
        overrides=FOR_TESTS,
    )
