"""Low ferritin, with or without restless legs.

Recommendation: ferritin is measured where restless legs syndrome is suspected; below 50 ng/mL
it may be associated with it (article, "Laboratory evaluation"). In documented restless legs
the 2025 guideline of the American Academy of Sleep Medicine considers iron at ferritin
<= 75 ng/mL or transferrin saturation < 20 %.

When: newest ferritin of 6 months below 50 ug/L; with restless legs documented also at or
below 75 ug/L, or transferrin saturation below 20 %.
Then: the value, what it may mean, when ferritin misleads; offers transferrin saturation where
none is fresh. Iron itself is never suggested as an order.
Does not cover: the dose or route of iron, the cause of iron loss.
"""

from __future__ import annotations

from cds_service.core.facts import Kind, Result
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
    demographics,
    orders,
    results,
    rule,
)
from cds_service.core.series import Newest, Worse
from hooks.levels import unread
from hooks.renal import renal
from hooks.windows import ACT, IRON
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, headline, named

MISLEADING = ("ckd_any", "ckd_stage_3", "ckd_stage_4_5", "cirrhosis", "liver_disease")


@rule(
    id="low-ferritin",
    title="Low ferritin",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["aasm-2025", "article", "general-knowledge"],
    limits=[
        "ferritin.low",
        "ferritin.rls",
        "transferrin_saturation.low",
        "transferrin_saturation.high",
        "crp.raised",
    ],
    needs=[
        results("ferritin", IRON),
        results("transferrin_saturation", IRON),
        results("crp", ACT).optional(),
        conditions("rls").optional(),
        conditions(*MISLEADING, "iron_overload", "dialysis").optional(),
        orders("ferritin", "transferrin_saturation"),
        demographics(),
    ],
)
def low_ferritin(facts: Facts) -> Answer:
    """Ferritin below 50, or iron short in documented restless legs."""
    ferritin = facts.newest("ferritin", Worse.LOW)
    saturation = facts.newest("transferrin_saturation", Worse.LOW)
    rls = facts.conditions("rls")
    used = _low(facts, ferritin, "ferritin.rls" if rls else "ferritin.low")
    short = _low(facts, saturation, "transferrin_saturation.low") if rls else None
    if used is None and short is None:
        return _not_low(facts, ferritin, saturation, bool(rls))
    return _finding(facts, used, short, bool(rls), ferritin, saturation)


def _low(facts: Facts, newest: Newest, key: str) -> Evidence | None:
    """The result that is low against a limit; a preliminary one may raise the card."""
    limit = facts.limits[key]
    for result in (newest.preliminary, newest.result):
        if result is None or not facts.within(result, IRON):
            continue
        at_limit = key == "ferritin.rls"
        low = result.at_most(limit.value) if at_limit else result.below(limit.value)
        if low is True:
            return Evidence(result, limit, note="preliminary" if result.preliminary else "")
        if not result.preliminary:
            return None
    return None


def _not_low(facts: Facts, ferritin: Newest, saturation: Newest, rls: bool) -> Answer:
    problems = (*ferritin.unusable, *(saturation.unusable if rls else ()))
    if problems:
        return CannotTell(unread(problems, "iron"), problems)
    result = ferritin.result
    if result is None or not facts.within(result, IRON):
        return CannotTell(("no ferritin result in the last 6 months",))
    if result.below(facts.limits.value("ferritin.low")) is None:
        return CannotTell((f"ferritin {result.reported} does not say whether it is low",))
    between = result.at_most(facts.limits.value("ferritin.rls"))
    if between is not False and not rls and not facts.availability(Kind.CONDITIONS).whole:
        return CannotTell(("whether restless legs are documented",), trigger=True)
    if rls and between is None:
        return CannotTell((f"ferritin {result.reported} does not say whether it is low",))
    return NotFired("ferritin is not low", (Evidence(result, facts.limits["ferritin.low"]),))


def _finding(
    facts: Facts,
    used: Evidence | None,
    short: Evidence | None,
    rls: bool,
    ferritin: Newest,
    saturation: Newest,
) -> Finding:
    evidence = [one for one in (used, short) if one is not None]
    preliminary = all(isinstance(one.fact, Result) and one.fact.preliminary for one in evidence)
    fresh = saturation.result is not None and facts.within(saturation.result, IRON)
    if fresh and short is None and saturation.result is not None:
        evidence.append(Evidence(saturation.result))
    if preliminary:
        suggestions: tuple[OrderTest, ...] = (OrderTest("ferritin", "repeat the early result"),)
    elif fresh:
        suggestions = ()
    else:
        suggestions = (OrderTest("transferrin_saturation", "confirms what ferritin suggests"),)
    return Finding(
        indicator=Indicator.INFO,
        summary=_summary(used, short, rls, preliminary),
        advice=_advice(facts, rls, saturation, preliminary),
        evidence=(*evidence, *(Evidence(one) for one in facts.conditions("rls"))),
        missing=(
            *unread(ferritin.unusable, "ferritin"),
            *(() if fresh else ("transferrin saturation in the last 6 months",)),
        ),
        strength="The article cites < 50 ng/mL second-hand; ≤ 75 ng/mL or saturation < 20 % in "
        "restless legs is the AASM 2025 guideline.",
        suggestions=suggestions,
        overrides=(*FOR_TESTS, CONTRAINDICATED),
        reference="aasm-2025" if rls else "article",
    )


def _summary(used: Evidence | None, short: Evidence | None, rls: bool, preliminary: bool) -> str:
    lead = used or short
    assert lead is not None and isinstance(lead.fact, Result)
    name = "Ferritin" if used else "Transferrin saturation"
    early = ", preliminary" if preliminary else ""
    meaning = "iron matters in restless legs" if rls else "ask about restless legs"
    return headline(f"{name} low: {lead.fact.reported} ({day(lead.fact)}){early}; {meaning}")


def _advice(facts: Facts, rls: bool, saturation: Newest, preliminary: bool) -> tuple[str, ...]:
    lines = ["The result is preliminary: repeat it before acting on it."] if preliminary else []
    if rls:
        lines.append(
            "Restless legs are documented: AASM 2025 considers iron at ferritin ≤ 75 ng/mL or "
            "transferrin saturation < 20 %."
        )
    else:
        lines.append(
            "Ferritin < 50 ng/mL may be associated with restless legs syndrome, a mimic of leg "
            "cramps: ask for an urge to move, worse at rest and in the evening."
        )
    lines.append(_iron(facts, saturation))
    if reason := _misleads(facts):
        lines.append(
            f"Ferritin rises with inflammation, kidney and liver disease ({reason}): judge iron "
            "by transferrin saturation."
        )
    return tuple(lines)


def _iron(facts: Facts, saturation: Newest) -> str:
    high = facts.limits["transferrin_saturation.high"]
    result = saturation.result if facts.within(saturation.result, IRON) else None
    against = [*facts.hazards("iron_overload", "dialysis")]
    if result is not None and result.above(high.value) is True:
        return f"No iron is advised: transferrin saturation {result.reported} is above {high}."
    if against:
        return f"No iron is advised here: {named(against)}; this needs specialist advice."
    return "Look for the cause of iron loss; whether to give iron is the clinician's decision."


def _misleads(facts: Facts) -> str:
    found = facts.hazards(*MISLEADING)
    if found:
        return named(found)
    crp = facts.newest("crp", Worse.HIGH).result
    raised = crp is not None and crp.above(facts.limits.value("crp.raised")) is True
    if crp is not None and raised and facts.within(crp, ACT):
        return f"CRP {crp.reported}"
    function = renal(facts)
    return function.phrase() if function.severe or function.moderate else ""
