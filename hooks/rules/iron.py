"""Low ferritin, with or without restless legs.

Recommendation: ferritin is measured where restless legs syndrome is suspected; below 50 ng/mL
it may be associated with it (article, "Laboratory evaluation"). In documented restless legs
the 2025 guideline of the American Academy of Sleep Medicine considers iron at ferritin
<= 75 ng/mL or transferrin saturation < 20 %.

When: the newest ferritin of the last 6 months is below 50 ug/L; with restless legs documented
also at or below 75 ug/L, or transferrin saturation below 20 %, or a ferritin above 75 that may
hide a deficiency: CRP above 10 mg/L, CKD or liver disease, and no transferrin saturation in 6
months.
Then: the value and what it may mean. Inflammation raises ferritin, so a low ferritin is low even
with inflammation, and only one that is not low can mislead. Offers transferrin saturation if none
is recent. Iron itself is never suggested as an order.
Does not cover: the dose or route of iron, the cause of iron loss.
"""

from __future__ import annotations

from msgspec.structs import replace

from cds_service.core.facts import Kind, Result
from cds_service.core.patient import Facts
from cds_service.core.series import Newest, Worse
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
    demographics,
    orders,
    results,
    rule,
)
from hooks.levels import newer_unusable
from hooks.reading import conditions_unread
from hooks.renal import RENAL_LIMITS, renal_function
from hooks.windows import IRON, RECENT, YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, append_if_short, day, headline, named

NO_IRON = ("iron_overload", "dialysis")
RAISING_FERRITIN = ("ckd_any", "ckd_stage_3", "ckd_stage_4_5", "cirrhosis", "liver_disease")


@rule(
    id="low-ferritin",
    title="Low ferritin",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["aasm-2025", "article", "allen-2018", "general-knowledge"],
    limits=[
        *RENAL_LIMITS,
        "ferritin.low",
        "ferritin.rls",
        "ferritin.dialysis",
        "transferrin_saturation.low",
        "transferrin_saturation.high",
        "crp.raised",
    ],
    offers=["ferritin", "transferrin_saturation"],
    overrides=(*FOR_TESTS, CONTRAINDICATED),
    needs=[
        results("ferritin", IRON),
        results("transferrin_saturation", IRON),
        results("crp", RECENT).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions("rls", "aki", "pregnancy").optional(),
        conditions(*RAISING_FERRITIN, *NO_IRON).optional(),
        orders("ferritin", "transferrin_saturation"),
        demographics(),
    ],
)
def low_ferritin(facts: Facts) -> Answer:
    """Ferritin below 50, or low iron stores in documented restless legs."""
    ferritin = facts.newest("ferritin", Worse.LOW)
    saturation = facts.newest("transferrin_saturation", Worse.LOW)
    rls = facts.conditions("rls")
    ferritin_low = _low_result(facts, ferritin, "ferritin.rls" if rls else "ferritin.low")
    if rls and ferritin_low is not None and _below(ferritin_low, facts, "ferritin.low"):
        ferritin_low = replace(ferritin_low, limit=facts.limits["ferritin.low"])
    tsat_low = _low_result(facts, saturation, "transferrin_saturation.low") if rls else None
    if ferritin_low is None and tsat_low is None:
        may_hide = _may_hide_deficiency(facts, ferritin, saturation) if rls else None
        return may_hide or _not_low(facts, ferritin, saturation, bool(rls))
    return _finding(facts, ferritin_low, tsat_low, ferritin, saturation)


def _low_result(facts: Facts, newest: Newest, key: str) -> Evidence | None:
    """The result that is low against a limit: the final one, else a preliminary one."""
    limit = facts.limits[key]
    for result in (newest.result, newest.tentative):
        if result is None or not facts.within(result, IRON):
            continue
        at_limit = key == "ferritin.rls"
        low = result.at_most(limit.value) if at_limit else result.below(limit.value)
        if low is True:
            return Evidence(result, limit, note="preliminary" if result.preliminary else "")
    return None


def _below(evidence: Evidence, facts: Facts, key: str) -> bool:
    return isinstance(evidence.fact, Result) and (
        evidence.fact.below(facts.limits.value(key)) is True
    )


def _not_low(facts: Facts, ferritin: Newest, saturation: Newest, rls: bool) -> Answer:
    problems = (*ferritin.unusable, *(saturation.unusable if rls else ()))
    if problems:
        return CannotTell(newer_unusable(problems, "iron"), problems)
    if not rls and not facts.could_be_read(Kind.CONDITIONS) and _would_be_low(facts):
        return CannotTell(("whether restless legs are documented",), trigger=True)
    result = ferritin.result if facts.within(ferritin.result, IRON) else None
    if result is None:
        return CannotTell(("no ferritin result in the last 6 months",))
    limit = facts.limits["ferritin.rls" if rls else "ferritin.low"]
    low = result.at_most(limit.value) if rls else result.below(limit.value)
    if low is None:
        return CannotTell((f"ferritin {result.reported} does not say whether it is low",))
    tsat = saturation.result if facts.within(saturation.result, IRON) else None
    unmeasured = (
        "; transferrin saturation was not measured in the last 6 months" if tsat is None else ""
    )
    return NotFired(f"ferritin is not low{unmeasured}", (Evidence(result, limit),))


def _may_hide_deficiency(facts: Facts, ferritin: Newest, saturation: Newest) -> Finding | None:
    """In restless legs, a ferritin that is not low and may hide a deficiency."""
    result = ferritin.result
    tsat = saturation.result if facts.within(saturation.result, IRON) else None
    if result is None or not facts.within(result, IRON) or tsat is not None:
        return None
    reason, evidence = _raises_ferritin(facts)
    limit = facts.limits["ferritin.rls"]
    if not reason or result.above(limit.value) is not True:
        return None
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            append_if_short(
                f"Ferritin {result.reported} may hide a deficiency ({reason})", ": check TSAT"
            )
        ),
        advice=(
            "Measure transferrin saturation (TSAT): in restless legs, ferritin alone misleads "
            f"here ({reason}), because inflammation or disease raises it whatever the iron stores.",
            *_dialysis(facts),
        ),
        evidence=(
            Evidence(result, limit),
            *evidence,
            *(Evidence(condition) for condition in facts.conditions("rls")),
        ),
        missing=(
            *newer_unusable(ferritin.unusable, "ferritin"),
            *newer_unusable(saturation.unusable, "transferrin saturation"),
            "transferrin saturation in the last 6 months",
        ),
        strength="That inflammation, kidney and liver disease raise ferritin is established.",
        suggestions=(OrderTest("transferrin_saturation", "ferritin may hide a deficiency"),),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
        reference="aasm-2025",
    )


def _dialysis(facts: Facts) -> tuple[str, ...]:
    if not facts.hazards("dialysis") or not facts.conditions("rls"):
        return ()
    ferritin = facts.limits["ferritin.dialysis"].value
    tsat = facts.limits["transferrin_saturation.low"].value
    return (
        f"On dialysis: AASM 2025 suggests IV iron sucrose when ferritin < {ferritin} ng/mL and "
        f"TSAT < {tsat} %: a decision for the renal team.",
    )


def _would_be_low(facts: Facts) -> bool:
    """Whether iron is low by the limits that apply only in restless legs."""
    for analyte, key in (
        ("ferritin", "ferritin.rls"),
        ("transferrin_saturation", "transferrin_saturation.low"),
    ):
        if _low_result(facts, facts.newest(analyte, Worse.LOW), key) is not None:
            return True
    return False


def _finding(
    facts: Facts,
    ferritin_low: Evidence | None,
    tsat_low: Evidence | None,
    ferritin: Newest,
    saturation: Newest,
) -> Finding:
    rls = facts.conditions("rls")
    evidence = [low for low in (ferritin_low, tsat_low) if low is not None]
    preliminary = all(isinstance(low.fact, Result) and low.fact.preliminary for low in evidence)
    tsat = saturation.result if facts.within(saturation.result, IRON) else None
    if tsat is not None and tsat_low is None:
        evidence.append(Evidence(tsat))
    return Finding(
        indicator=Indicator.INFO,
        summary=_summary(ferritin_low, tsat_low, bool(rls), preliminary),
        advice=_advice(
            facts, bool(rls), tsat, low=ferritin_low is not None, preliminary=preliminary
        ),
        evidence=(
            *evidence,
            *(Evidence(condition) for condition in (*rls, *facts.hazards(*NO_IRON))),
        ),
        missing=(
            *newer_unusable(ferritin.unusable, "ferritin"),
            *newer_unusable(saturation.unusable, "transferrin saturation"),
            *(() if tsat else ("transferrin saturation in the last 6 months",)),
            *conditions_unread(facts),
        ),
        strength="The article cites < 50 ng/mL second-hand; ≤ 75 ng/mL or saturation < 20 % in "
        "restless legs is from the AASM 2025 guideline; no iron above 45 % is from the IRLSSG "
        "(2018, cited second-hand).",
        suggestions=_suggestions(ferritin_low, tsat_low, preliminary, bool(tsat)),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
        reference="aasm-2025" if rls else "article",
    )


def _suggestions(
    ferritin_low: Evidence | None,
    tsat_low: Evidence | None,
    preliminary: bool,
    saturation_known: bool,
) -> tuple[OrderTest, ...]:
    if preliminary:
        preliminary_results = (
            ("ferritin", ferritin_low),
            ("transferrin_saturation", tsat_low),
        )
        return tuple(
            OrderTest(key, "repeat the preliminary result")
            for key, low in preliminary_results
            if low
        )
    if saturation_known:
        return ()
    return (OrderTest("transferrin_saturation", "to confirm what ferritin suggests"),)


def _summary(
    ferritin_low: Evidence | None,
    tsat_low: Evidence | None,
    rls: bool,
    preliminary: bool,
) -> str:
    lead = ferritin_low or tsat_low
    assert lead is not None and isinstance(lead.fact, Result)
    name = "ferritin" if ferritin_low else "transferrin saturation"
    status = ", preliminary" if preliminary else ""
    meaning = "relevant to restless legs" if rls else "ask about restless legs"
    return headline(f"Low {name}: {lead.fact.reported} ({day(lead.fact)}){status}; {meaning}")


def _advice(
    facts: Facts, rls: bool, tsat: Result | None, *, low: bool, preliminary: bool
) -> tuple[str, ...]:
    if rls:
        meaning = (
            "Restless legs are documented: AASM 2025 considers iron at ferritin ≤ 75 ng/mL or "
            "transferrin saturation (TSAT) < 20 %."
        )
    else:
        meaning = (
            "Ferritin < 50 ng/mL may be associated with restless legs syndrome: ask about an urge "
            "to move at rest and in the evening."
        )
    reason = _raises_ferritin(facts)[0]
    inflammation = ""
    if reason and low:
        confirms = "" if tsat is not None else " Confirm it with TSAT."
        inflammation = (
            f"Inflammation raises ferritin ({reason}): low even with inflammation.{confirms}"
        )
    elif reason:
        inflammation = f"Ferritin misleads here ({reason}): rely on the transferrin saturation."
    if preliminary:
        lines = ("The result is preliminary: repeat it before acting on it.", meaning)
    else:
        dialysis = _dialysis(facts)
        lines = (*(() if dialysis else (meaning,)), *_iron(facts, tsat, dialysis))
    return tuple(line for line in (*lines, inflammation) if line)


def _iron(facts: Facts, tsat: Result | None, dialysis: tuple[str, ...]) -> tuple[str, ...]:
    """Whether iron is left to the clinician, or why it is not advised."""
    high = facts.limits["transferrin_saturation.high"]
    if tsat is not None and tsat.above(high.value) is True:
        return (f"No iron is advised: transferrin saturation {tsat.reported} is above {high}.",)
    if overload := facts.hazards("iron_overload"):
        return (f"No iron is advised here: {named(overload)}; seek specialist advice.",)
    if dialysis:
        return dialysis
    if on_dialysis := facts.hazards("dialysis"):
        return (f"No iron is advised here ({named(on_dialysis)}): the renal team decides on it.",)
    return (
        "Look for a cause. Giving iron is the clinician's decision; avoid it in iron overload or "
        f"with TSAT above {high}.",
    )


def _raises_ferritin(facts: Facts) -> tuple[str, tuple[Evidence, ...]]:
    """What may raise this ferritin: kidney or liver disease, or a CRP of 30 days."""
    diseases = facts.hazards(*RAISING_FERRITIN)
    if diseases:
        return named(diseases), tuple(Evidence(disease) for disease in diseases)
    limit = facts.limits["crp.raised"]
    crp = facts.newest("crp", Worse.HIGH).result
    if crp is not None and crp.above(limit.value) is True and facts.within(crp, RECENT):
        return f"CRP {crp.reported}", (Evidence(crp, limit),)
    renal = renal_function(facts)
    if renal.severe or renal.moderate:
        return renal.phrase(), renal.evidence(facts)
    return "", ()
