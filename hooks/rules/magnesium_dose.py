"""The daily dose of magnesium oxide for a documented deficiency.

Recommendation: documented hypomagnesaemia is corrected with magnesium oxide 12-24 mmol a day,
at night (article, "Electrolyte correction"). The article's "480-960 mg" is the salt.

When: a selected draft orders magnesium oxide, magnesium is documented low, and the daily dose
can be computed and, rounded to whole mmol, lies outside 12-24.
Then: the arithmetic, in salt, elemental magnesium and mmol.
Does not cover: other salts, infusions, antacids and laxatives, pregnancy, patients under 18, and
patients whose renal function is impaired or not known.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.quantities import rounded
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
from hooks import levels
from hooks.dose import Salt, daily_amount, salts
from hooks.renal import ADVANCED, RENAL_LIMITS
from hooks.rules.magnesium_benefit import is_supplement
from hooks.rules.magnesium_ordered import magnesium_ordered_renal_impairment
from hooks.windows import YEAR
from hooks.wording import EVIDENCE_DOUBTED, NOT_APPLICABLE, PREFERENCE, day, headline, named

_OTHER_INDICATIONS = frozenset({"constipation", "dyspepsia", "arrhythmia", "eclampsia"})


@rule(
    id="magnesium-ordered-dose",
    title="Dose of magnesium oxide for a deficiency",
    version="1.0.3",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["article"],
    limits=[
        *RENAL_LIMITS,
        "magnesium.high",
        "magnesium.mild",
        "magnesium.toxic",
        "magnesium.low",
        "magnesium_oxide.least",
        "magnesium_oxide.most",
    ],
    judges=["magnesium"],
    offers=["magnesium"],
    overrides=(NOT_APPLICABLE, PREFERENCE, EVIDENCE_DOUBTED),
    needs=[
        results("magnesium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy", "eclampsia").optional(),
        orders("magnesium"),
        demographics(),
    ],
)
def magnesium_ordered_dose(facts: Facts) -> Answer:
    """Magnesium oxide for a deficiency is given as 12-24 mmol a day."""
    salt = salts()["magnesium_oxide"]
    drafts = tuple(
        draft
        for draft in facts.drafts.selected_medications
        if is_supplement(draft)
        and salt.is_in(draft)
        and _OTHER_INDICATIONS.isdisjoint(draft.reason.concepts)
    )
    if not drafts:
        return NotFired("no selected draft orders magnesium oxide as a supplement")
    if facts.hazards("pregnancy"):
        return NotFired("pregnancy: no dose of magnesium oxide is judged")
    assert magnesium_ordered_renal_impairment.check is not None
    renal_answer = magnesium_ordered_renal_impairment.check(facts)
    if isinstance(renal_answer, Finding):
        return NotFired("renal function is impaired or not known: see that card")
    if isinstance(renal_answer, CannotTell):
        return renal_answer
    level = levels.low(facts, "magnesium")
    if level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable)
    if not level.beyond:
        return NotFired("magnesium is not documented low", (level.evidence(),))
    return _answer(facts, level, salt, drafts)


def _answer(
    facts: Facts, level: levels.Level, salt: Salt, drafts: tuple[Medication, ...]
) -> Answer:
    least = facts.limits.value("magnesium_oxide.least")
    most = facts.limits.value("magnesium_oxide.most")
    outside: list[tuple[Medication, Fraction]] = []
    unknown_doses = []
    for draft in drafts:
        daily = daily_amount(draft, salt.names, salt)
        if daily.most is None:
            unknown_doses.append(daily.unknown_because)
        elif not least <= rounded(salt.mmol(daily.most), 0) <= most:
            outside.append((draft, daily.most))
    if not outside:
        if unknown_doses:
            return NotFired(f"the daily dose is not known: {unknown_doses[0]}")
        return NotFired("the daily dose is within the range", (level.evidence(),))
    assert level.result is not None
    advice = [_arithmetic(salt, draft, mg) for draft, mg in outside]
    advice.append(
        f"For a documented deficiency: {least:f}–{most:f} mmol a day at night = "
        f"{_whole(salt.salt_mg(Fraction(least)))}–{_whole(salt.salt_mg(Fraction(most)))} mg "
        f"magnesium oxide (salt) = {_whole(Fraction(least) * salt.element)}–"
        f"{_whole(Fraction(most) * salt.element)} mg elemental magnesium."
    )
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        advice.insert(0, f"The low magnesium is {reason}: repeat first.")
    mmol = " and ".join(str(_tenth(salt.mmol(mg))) for _, mg in outside)
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Magnesium oxide {mmol} mmol a day: outside {least:f}–{most:f} mmol for a deficiency"
        ),
        advice=tuple(advice),
        evidence=(*(Evidence(draft) for draft, _ in outside), level.evidence()),
        strength="The range is the article's; it was not checked against a primary source.",
        suggestions=(
            (OrderTest("magnesium", "repeat the low result"),) if level.repeat_only else ()
        ),
        overrides=(NOT_APPLICABLE, EVIDENCE_DOUBTED, PREFERENCE),
    )


def _arithmetic(salt: Salt, draft: Medication, mg: Fraction) -> str:
    return (
        f"{named((draft,))}: {_tenth(mg)} mg magnesium oxide (salt) a day ÷ "
        f"{rounded(salt.mass, 3)} g/mol = {_tenth(salt.mmol(mg))} mmol; × "
        f"{rounded(salt.element, 3)} g/mol = {_whole(salt.elemental(mg))} mg elemental magnesium."
    )


def _tenth(value: Fraction) -> Decimal:
    return rounded(value, 0 if value.denominator == 1 else 1)


def _whole(value: Fraction) -> Decimal:
    return rounded(value, 0)
