"""Magnesium and impaired kidneys: taken, or being ordered.

Recommendation: extreme caution with magnesium in renal insufficiency, because it can
accumulate to toxic levels (article, "Electrolyte correction").

When: magnesium of any kind (supplement, antacid, laxative, infusion) is on the medication
list or in a selected draft, and renal function is impaired or unknown, or serum magnesium is
above range. Advanced disease (eGFR below 30, CKD 4-5, dialysis, AKI) or a high magnesium:
critical; eGFR 30-59 or CKD 3: warning; unknown for 12 months: info for what is taken, warning
for what is ordered. Advanced chronic disease with cramps and no magnesium: advice about
over-the-counter products.
Then: why, magnesium and creatinine, and for a draft its removal.
Does not cover: treatment of magnesium toxicity; how to dose magnesium in renal impairment.
"""

from __future__ import annotations

from cds_service.core.facts import Medication
from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.core.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
    Service,
    Suggestion,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps, levels, reading
from hooks.renal import ADVANCED, Renal, renal
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, FOR_HAZARDS, day, headline, named

_NEEDS = [
    results("egfr", YEAR).optional(),
    results("creatinine", YEAR).optional(),
    results("magnesium", YEAR).optional(),
    conditions(*ADVANCED, "ckd_stage_3").optional(),
    demographics(),
    orders("magnesium", "creatinine"),
]
_STRENGTH = (
    "Accumulation of magnesium in renal insufficiency is established; the eGFR limits of 30 and "
    "60 are general medical knowledge, not taken from a trial."
)
_SIGNS = "Signs of toxicity: weakness, lost reflexes, drowsiness, low blood pressure, bradycardia."


@record
class Accumulation:
    """What is known about the danger that magnesium accumulates.

    ``urgent`` the high magnesium is recent enough to act on. ``early`` everything that speaks
    for the danger is preliminary; ``open`` names what was there, or not obtained, and keeps
    an all-clear from being given.
    """

    function: Renal
    level: levels.Level
    open: tuple[str, ...]

    @property
    def high(self) -> bool:
        """Magnesium above range, recent or not."""
        return self.level.beyond is True

    @property
    def urgent(self) -> bool:
        """Magnesium above range within 30 days."""
        return self.high and not self.level.stale

    @property
    def critical(self) -> bool:
        """Advanced renal impairment, or a recent magnesium above range."""
        return self.function.severe or self.urgent

    @property
    def repeats(self) -> tuple[str, ...]:
        """The tests to repeat before anything else, where all the danger is preliminary."""
        kidney = self.function.severe or self.function.moderate
        egfr = self.function.egfr
        kidney_early = egfr is not None and egfr.preliminary and not self.function.diagnoses
        if (kidney and not kidney_early) or (self.urgent and not self.level.preliminary):
            return ()
        found = [*(("creatinine",) if kidney else ()), *(("magnesium",) if self.urgent else ())]
        return tuple(found)

    def because(self) -> str:
        """The danger in a few words, for a summary."""
        parts = []
        if self.function.severe or self.function.moderate:
            early = self.function.egfr is not None and self.function.egfr.preliminary
            parts.append(self.function.phrase() + (" (preliminary)" if early else ""))
        if self.urgent and self.level.result is not None:
            early_level = ", preliminary" if self.level.preliminary else ""
            parts.append(f"Mg {self.level.result.reported} ({day(self.level.result)}{early_level})")
        return " and ".join(parts)

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The renal function and the magnesium used."""
        level = () if self.level.result is None else (self.level.evidence(),)
        return (*self.function.evidence(facts), *level)

    def missing(self) -> tuple[str, ...]:
        """What was missing, in words for a card."""
        unknown = self.function.egfr is None and self.function.fetched
        return (
            *(("renal function in the last 12 months",) if unknown else ()),
            *(() if self.level.result else ("magnesium in the last 12 months",)),
            *self.open,
        )


def accumulation(facts: Facts) -> Accumulation:
    """How far magnesium may accumulate in this patient."""
    function, level = renal(facts), levels.high(facts, "magnesium")
    undecided = level.result is not None and level.beyond is None
    return Accumulation(
        function=function,
        level=level,
        open=(
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(function.unusable, "renal function"),
            *levels.unread(level.unusable, "magnesium"),
            *(("magnesium behind a comparator may be above range",) if undecided else ()),
        ),
    )


@rule(
    id="magnesium-in-renal-impairment",
    title="Magnesium in renal impairment",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=["egfr.severe", "egfr.moderate", "magnesium.high"],
    minors=True,
    needs=[*_NEEDS, medications("magnesium").optional(), conditions(cramps.LEG_CRAMPS).optional()],
)
def magnesium_in_renal_impairment(facts: Facts) -> Answer:
    """Magnesium on the medication list accumulates when the kidneys fail."""
    danger = accumulation(facts)
    supplements = facts.taking("magnesium", hazard=True)
    if not supplements:
        return _without(facts, danger)
    if danger.critical or danger.function.moderate:
        return _taken(facts, danger, supplements)
    if danger.high:
        return _taken_and_once_high(facts, danger, supplements)
    if danger.function.unknown and danger.function.fetched:
        return _taken_unchecked(facts, danger, supplements)
    if danger.open:
        return CannotTell(
            danger.open, (*danger.function.unusable, *danger.level.unusable), trigger=True
        )
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        danger.evidence(facts),
    )


def _taken(facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]) -> Finding:
    critical = danger.critical
    action = "Review whether it can be stopped" if critical else "Monitor"
    start = "Magnesium is taken with " if critical else "Magnesium with "
    advice = [
        f"Magnesium on the list: {named(supplements)}. In renal insufficiency it can accumulate "
        "to toxic levels.",
        "Review today whether it is still needed; check magnesium and creatinine. " + _SIGNS
        if critical
        else "Monitor magnesium and creatinine, and stop magnesium that has no documented reason.",
    ]
    if danger.repeats:
        advice.insert(0, "The result is preliminary: repeat it before acting on it.")
    level = levels.low(facts, "magnesium")
    if level.beyond and level.result is not None and not level.repeat_only:
        advice.append(
            f"Magnesium is low all the same ({level.result.reported}): decide on stopping and on "
            "correcting it together, with specialist advice."
        )
    tests = danger.repeats or ("magnesium", "creatinine")
    return Finding(
        indicator=Indicator.CRITICAL if critical else Indicator.WARNING,
        summary=headline(f"{start}{danger.because()}: toxic accumulation possible. {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=tuple(OrderTest(key, "magnesium may accumulate") for key in tests),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _taken_and_once_high(
    facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    result = danger.level.result
    assert result is not None  # a level above range exists
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Magnesium is taken and was high: {result.reported}. From {day(result)}: repeat first"
        ),
        advice=(
            f"Magnesium on the list: {named(supplements)}. The result above range is from "
            f"{day(result)}: repeat it before acting on it.",
        ),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=(OrderTest("magnesium", "repeat the high result"),),
        overrides=FOR_HAZARDS,
    )


def _taken_unchecked(
    facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Magnesium is taken and renal function is not known: check creatinine"),
        advice=(
            f"Magnesium on the list: {named(supplements)}. It accumulates in renal "
            "insufficiency, and no usable renal function of the last 12 months is known.",
        ),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=(OrderTest("creatinine", "renal function of a patient who takes magnesium"),),
        overrides=FOR_HAZARDS,
    )


def _without(facts: Facts, danger: Accumulation) -> Answer:
    advanced = _advanced_chronic(facts, danger.function)
    unread = reading.medications_unread(facts)
    if unread:
        return CannotTell(unread, trigger=danger.function.severe or danger.urgent)
    documented = cramps.documented(facts)
    if documented is None:
        return CannotTell(reading.conditions_unread(facts))
    if not documented or not advanced:
        return NotFired("no magnesium is on the medication list")
    tests = []
    if not danger.level.checked:
        tests.append(OrderTest("magnesium", "magnesium in advanced renal impairment"))
    if danger.function.egfr is None or danger.function.stale:
        tests.append(OrderTest("creatinine", "renal function is not recent"))
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Leg cramps with {danger.function.phrase()}: advise against over-the-counter magnesium"
        ),
        advice=(
            "Many people take magnesium for cramps without telling. In advanced renal impairment "
            "it can accumulate to toxic levels: ask about supplements, antacids and laxatives "
            "that contain it, and advise against them.",
        ),
        evidence=danger.evidence(facts),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=tuple(tests),
        overrides=FOR_ADVICE,
    )


def _advanced_chronic(facts: Facts, function: Renal) -> bool:
    if facts.hazards("ckd_stage_4_5", "dialysis"):
        return True
    return function.egfr is not None and (
        function.egfr.below(facts.limits.value("egfr.severe")) is True
    )


@rule(
    id="magnesium-ordered-renal-impairment",
    title="Magnesium ordered in renal impairment",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.ORDER_SELECT,
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=["egfr.severe", "egfr.moderate", "magnesium.high"],
    judges=["magnesium"],
    minors=True,
    needs=_NEEDS,
)
def magnesium_ordered_renal_impairment(facts: Facts) -> Answer:
    """Magnesium that is being ordered accumulates when the kidneys fail."""
    danger = accumulation(facts)
    drafts = tuple(
        draft for draft in facts.drafts.selected_medications if "magnesium" in draft.classes
    )
    if danger.critical or danger.function.moderate or danger.function.unknown:
        return _ordered(facts, danger, drafts)
    if danger.high:
        return _ordered_and_once_high(facts, danger, drafts)
    if danger.open:
        return CannotTell(
            danger.open, (*danger.function.unusable, *danger.level.unusable), trigger=True
        )
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        danger.evidence(facts),
    )


def _ordered(facts: Facts, danger: Accumulation, drafts: tuple[Medication, ...]) -> Finding:
    unknown = not danger.because()
    because = danger.function.phrase() if unknown else danger.because()
    advice = [
        f"Ordered: {named(drafts)}. In renal insufficiency magnesium can accumulate to toxic "
        "levels.",
    ]
    if danger.critical:
        advice.append(
            "Do not give it without a documented deficiency, a dose for this renal function and "
            "monitoring. " + _SIGNS
        )
    elif unknown:
        advice.append("Check creatinine and magnesium before it is given.")
    else:
        advice.append("If it is needed, use a low dose and monitor magnesium and creatinine.")
    offers: list[Suggestion]
    if danger.repeats:
        advice.insert(0, "The result is preliminary: repeat it before acting on it.")
        offers = [OrderTest(key, "repeat the preliminary result") for key in danger.repeats]
    else:
        offers = [
            *(RemoveDraft(draft.source.reference, draft.name) for draft in drafts),
            OrderTest("creatinine", "renal function before magnesium"),
            OrderTest("magnesium", "magnesium before more of it"),
        ]
    return Finding(
        indicator=Indicator.CRITICAL if danger.critical else Indicator.WARNING,
        summary=headline(f"Magnesium ordered: {because}. Risk of toxic accumulation"),
        advice=tuple(advice),
        evidence=(*(Evidence(one) for one in drafts), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _ordered_and_once_high(
    facts: Facts, danger: Accumulation, drafts: tuple[Medication, ...]
) -> Finding:
    result = danger.level.result
    assert result is not None  # a level above range exists
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Magnesium ordered and was high: {result.reported}. From {day(result)}: repeat first"
        ),
        advice=(
            f"Ordered: {named(drafts)}. Magnesium was above range on {day(result)}: repeat it "
            "before more is given.",
        ),
        evidence=(*(Evidence(one) for one in drafts), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=(OrderTest("magnesium", "repeat the high result"),),
        overrides=FOR_HAZARDS,
    )
