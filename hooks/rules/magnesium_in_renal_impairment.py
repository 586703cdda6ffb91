"""Magnesium in renal impairment: taken, or being ordered.

Recommendation: extreme caution with magnesium in renal insufficiency, because it can
accumulate to toxic levels (article, "Electrolyte correction").

When: magnesium of any kind (supplement, antacid, laxative, infusion) is on the medication
list or in a selected draft, and renal function is impaired or unknown, or serum magnesium is
above range. A supplement in advanced disease (eGFR below 30, CKD 4-5, dialysis, AKI), or with a
magnesium of 2.0 mmol/L or more: critical; eGFR 30-59, CKD 3 or a milder high magnesium: warning
(info below 1.5 with normal renal function); with a fresh low magnesium never more than a
warning and no removal. Advanced chronic disease with cramps and no magnesium: advice on
over-the-counter products.
Treatment: parenteral magnesium, or magnesium for eclampsia, pre-eclampsia, torsades, another
arrhythmia or severe asthma, is never obstructed: no removal, at most a warning up to 3.5 mmol/L.
Then: why, magnesium and creatinine, and for a supplement's draft its removal.
Does not cover: treatment of magnesium toxicity; how to dose magnesium in renal impairment.
"""

from __future__ import annotations

from cds_service.core.facts import Condition, Medication, Result
from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
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
from hooks.renal import ADVANCED, Renal, kidney_headline, renal
from hooks.renal import LIMITS as KIDNEY
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, FOR_HAZARDS, PREFERENCE, day, headline, named

_NEEDS = [
    results("egfr", YEAR).optional(),
    results("creatinine", YEAR).optional(),
    results("magnesium", YEAR).optional(),
    conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
    demographics(),
    orders("magnesium", "creatinine"),
]
_STRENGTH = (
    "Accumulation of magnesium in renal insufficiency is established; the eGFR limits of 30 and "
    "60 are general medical knowledge, not taken from a trial."
)
INTRAVENOUS = "magnesium_intravenous"
EMERGENCIES = ("eclampsia", "arrhythmia", "asthma_severe")
"""Reasons for which magnesium is a treatment that no card obstructs."""
_LIMITS = [
    *KIDNEY,
    "magnesium.low",
    "magnesium.high",
    "magnesium.mild",
    "magnesium.critical",
    "magnesium.toxic",
]
_REFERENCES = ["magnesium-sulfate-label", "article", "general-knowledge"]
_WATCH = "Watch levels, reflexes, breathing and urine output; keep calcium at hand."
_TOXIC = (
    "Magnesium is toxic at this level: pause the infusion as its protocol says, give calcium where "
    "breathing or rhythm fails. "
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
    low: levels.Level
    above_toxic: bool
    open: tuple[str, ...]

    @property
    def deficit(self) -> Result | None:
        """A final magnesium below range within 30 days."""
        if self.low.beyond is not True or self.low.repeat_only or self.urgent:
            return None
        return self.low.result

    @property
    def high(self) -> bool:
        """Magnesium above range, recent or not."""
        return self.level.beyond is True

    @property
    def urgent(self) -> bool:
        """Magnesium above range within 30 days."""
        return self.high and not self.level.stale

    def reaches(self, facts: Facts, key: str, *, doubtful: bool = False) -> bool:
        """Whether the recent magnesium is at or above a limit; ``doubtful``: of any sample."""
        result = self.level.result
        if not self.urgent or result is None or (self.doubtful and not doubtful):
            return False
        return result.at_least(facts.limits.value(key)) is True

    @property
    def toxic(self) -> bool:
        """Whether magnesium is above what parenteral treatment aims at."""
        return self.above_toxic and not self.doubtful

    @property
    def doubtful(self) -> bool:
        """Whether a remark on the sample could explain a high magnesium."""
        result = self.level.result
        return result is not None and (
            "haemolysed" in result.remarks or levels.contaminated(result)
        )

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
        if self.deficit is not None:
            parts.append(f"Mg {self.deficit.reported} low")
        if self.function.severe or self.function.moderate:
            early = self.function.egfr is not None and self.function.egfr.preliminary
            parts.append(self.function.phrase() + (" (preliminary)" if early else ""))
        if self.urgent and self.level.result is not None:
            early_level = ", preliminary" if self.level.preliminary else ""
            parts.append(f"Mg {self.level.result.reported} ({day(self.level.result)}{early_level})")
        return "; ".join(parts)

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The renal function and the magnesium used."""
        level = () if self.level.result is None else (self.level.evidence(),)
        if self.deficit is not None:
            level = (self.low.evidence(),)
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
    toxic = facts.limits.value("magnesium.toxic")
    return Accumulation(
        function=function,
        level=level,
        low=levels.low(facts, "magnesium"),
        above_toxic=(
            level.beyond is True
            and not level.stale
            and level.result is not None
            and level.result.above(toxic) is True
        ),
        open=(
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(function.unusable, "renal function"),
            *levels.unread(level.unusable, "magnesium"),
            *(("magnesium behind a comparator may be above range",) if undecided else ()),
        ),
    )


def treats(medication: Medication) -> bool:
    """Whether it is a treatment: parenteral, or for one of the emergencies."""
    return INTRAVENOUS in medication.classes or not medication.reason.concepts.isdisjoint(
        EMERGENCIES
    )


@rule(
    id="magnesium-in-renal-impairment",
    title="Magnesium in renal impairment",
    version="2.0.0",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=_LIMITS,
    minors=True,
    offers=["creatinine", "magnesium"],
    overrides=(*FOR_HAZARDS, PREFERENCE, CONTRAINDICATED),
    needs=[*_NEEDS, medications("magnesium").optional(), conditions(cramps.LEG_CRAMPS).optional()],
)
def magnesium_in_renal_impairment(facts: Facts) -> Answer:
    """Magnesium on the medication list accumulates in renal impairment."""
    danger = accumulation(facts)
    taken = facts.taking("magnesium", hazard=True)
    if not taken:
        return _without(facts, danger)
    supplements = tuple(one for one in taken if not treats(one))
    impaired = danger.function.severe or danger.function.moderate
    if not supplements and (impaired or danger.urgent):
        return _treated(facts, danger, taken)
    if impaired or danger.urgent:
        return _taken(facts, danger, supplements)
    if danger.high and supplements:
        return _taken_and_once_high(facts, danger, supplements)
    if danger.function.unknown and danger.function.fetched and supplements:
        return _taken_unchecked(facts, danger, supplements)
    if danger.open:
        return CannotTell(
            danger.open, (*danger.function.unusable, *danger.level.unusable), trigger=True
        )
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        danger.evidence(facts),
    )


def _treated(facts: Facts, danger: Accumulation, taken: tuple[Medication, ...]) -> Finding:
    return Finding(
        indicator=Indicator.CRITICAL if danger.toxic else Indicator.WARNING,
        summary=kidney_headline(
            danger.function,
            f"Magnesium treatment, {danger.because()}: "
            + ("act now" if danger.toxic else "levels, reflexes, urine output"),
        ),
        advice=(
            _TOXIC + _SIGNS if danger.toxic else "Therapy in progress. " + _WATCH,
            f"On the list: {named(taken)}.",
        ),
        evidence=(*(Evidence(one) for one in taken), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=(
            OrderTest("magnesium", "level under treatment"),
            OrderTest("creatinine", "renal function under treatment"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _graded(facts: Facts, danger: Accumulation) -> Indicator:
    """How grave a supplement is."""
    if danger.deficit is not None:
        return Indicator.WARNING
    if danger.function.severe or danger.reaches(facts, "magnesium.critical"):
        return Indicator.CRITICAL
    if danger.function.moderate or not danger.function.fresh_normal:
        return Indicator.WARNING
    if danger.reaches(facts, "magnesium.mild", doubtful=True):
        return Indicator.WARNING
    return Indicator.INFO


def _taken(facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]) -> Finding:
    indicator = _graded(facts, danger)
    impaired = danger.function.severe or danger.function.moderate
    advice = []
    if danger.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
    if danger.level.result is not None and danger.urgent:
        advice += levels.sample_words(danger.level.result)
    if danger.deficit is not None:
        action = "correct it with specialist advice"
        advice.append(
            f"Magnesium is low all the same ({danger.deficit.reported}): decide on stopping and "
            "on correcting it together, with specialist advice."
        )
    elif indicator is Indicator.CRITICAL:
        action = "toxic accumulation possible" if impaired else "stop it and recheck"
        advice.append(
            "Review today whether it is still needed; check magnesium and creatinine. " + _SIGNS
            if impaired
            else "Stop it today; check magnesium and creatinine. " + _SIGNS
        )
    elif not impaired:
        action = "recheck, less or none"
        advice.append("Magnesium is above range: recheck it, and give less or none.")
    else:
        action = "monitor"
        advice.append(
            "Monitor magnesium and creatinine, and stop magnesium that has no documented reason."
        )
    advice.append(f"Magnesium on the list: {named(supplements)}.")
    if impaired and danger.deficit is None:
        advice.append("In renal insufficiency magnesium can accumulate to toxic levels.")
    tests = danger.repeats or ("magnesium", "creatinine")
    return Finding(
        indicator=indicator,
        summary=kidney_headline(danger.function, f"Magnesium taken, {danger.because()}: {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=tuple(OrderTest(key, "magnesium in the blood") for key in tests),
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
            "Many people take magnesium for cramps without mentioning it. In advanced renal "
            "impairment it can accumulate to toxic levels: ask about supplements, antacids and "
            "laxatives that contain it, and advise against them.",
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
    version="2.0.0",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=_LIMITS,
    judges=["magnesium"],
    minors=True,
    offers=["creatinine", "magnesium"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[*_NEEDS, conditions("myasthenia_gravis", "heart_block", *EMERGENCIES).optional()],
)
def magnesium_ordered_renal_impairment(facts: Facts) -> Answer:
    """Magnesium that is being ordered accumulates in renal impairment."""
    danger = accumulation(facts)
    drafts = tuple(
        draft for draft in facts.drafts.selected_medications if "magnesium" in draft.classes
    )
    supplements = tuple(draft for draft in drafts if not _treatment(facts, draft))
    if not supplements:
        return _treatment_ordered(facts, danger, drafts)
    function = danger.function
    if function.severe or function.moderate or function.unknown or danger.urgent:
        return _ordered(facts, danger, supplements)
    if danger.high:
        return _ordered_and_once_high(facts, danger, supplements)
    if danger.open:
        return CannotTell(danger.open, (*function.unusable, *danger.level.unusable), trigger=True)
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        danger.evidence(facts),
    )


def _treatment(facts: Facts, draft: Medication) -> bool:
    """Whether a draft is a treatment, by its route or reason.

    Where it has no reason, an eclampsia on the problem list is reason enough: obstructing the
    treatment is the greater danger.
    """
    return treats(draft) or (not draft.reason.given and bool(facts.hazards("eclampsia")))


def _treatment_ordered(
    facts: Facts, danger: Accumulation, drafts: tuple[Medication, ...]
) -> Answer:
    function = danger.function
    against = _against_parenteral(facts)
    impaired = function.severe or function.moderate
    if not (danger.toxic or impaired or against or function.unknown):
        return NotFired("a treatment with magnesium, and renal function is not impaired")
    if danger.toxic:
        indicator, action = Indicator.CRITICAL, "toxic, pause and monitor"
    elif impaired:
        indicator, action = Indicator.WARNING, "adjust the dose and monitor"
    elif against:
        indicator, action = Indicator.WARNING, "weigh the risk and monitor"
    else:
        indicator, action = Indicator.INFO, "reflexes, urine output, levels"
    words = [danger.because() or (function.phrase() if function.unknown else "")]
    if against:
        words.append(named(against))
    emergency = any(not draft.reason.concepts.isdisjoint(EMERGENCIES) for draft in drafts)
    emergency = emergency or bool(facts.hazards(*EMERGENCIES))
    advice = []
    if danger.toxic:
        advice.append(_TOXIC + _SIGNS)
    elif impaired:
        advice.append(
            "Loading dose unchanged; lower maintenance dose."
            if emergency
            else "Half the dose, more slowly."
        )
    if against:
        advice.append(
            f"{named(against)}: magnesium weakens neuromuscular and atrioventricular conduction."
        )
    advice += [_WATCH, f"Ordered: {named(drafts)}."]
    if danger.level.result is not None and danger.urgent:
        advice += levels.sample_words(danger.level.result)
    return Finding(
        indicator=indicator,
        summary=kidney_headline(
            danger.function, f"Magnesium treatment, {'; '.join(filter(None, words))}: {action}"
        ),
        advice=tuple(advice),
        evidence=(
            *(Evidence(one) for one in drafts),
            *(Evidence(one) for one in against),
            *danger.evidence(facts),
        ),
        missing=danger.missing(),
        background=(_DOSES,) if impaired and not danger.toxic else (),
        strength=_STRENGTH,
        suggestions=(
            OrderTest("magnesium", "level under treatment"),
            OrderTest("creatinine", "renal function under treatment"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in drafts),
    )


_DOSES = (
    "For replacement with an eGFR below 30: half the dose (NHS Highland, cited second-hand). For "
    "eclampsia and arrhythmia the loading dose is kept."
)


def _against_parenteral(facts: Facts) -> tuple[Condition, ...]:
    return tuple(facts.hazards("myasthenia_gravis", "heart_block"))


def _ordered(facts: Facts, danger: Accumulation, drafts: tuple[Medication, ...]) -> Finding:
    function = danger.function
    impaired = function.severe or function.moderate
    unknown = function.unknown and not danger.urgent
    mild = (
        danger.urgent
        and not impaired
        and function.fresh_normal
        and not danger.reaches(facts, "magnesium.mild")
    )
    critical = (function.severe or danger.urgent) and not mild and not danger.doubtful
    critical = (critical or function.severe) and danger.deficit is None
    advice = []
    if danger.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
    if danger.level.result is not None and danger.urgent:
        advice += levels.sample_words(danger.level.result)
    if danger.deficit is not None and function.severe:
        action = "dose and monitor with care"
        advice.append(
            "A deficiency is documented: correct it with a dose for this renal function, with "
            "specialist advice and levels."
        )
    elif critical:
        action = "risk of toxic accumulation" if impaired else "no more magnesium"
        advice.append(
            "Do not give it without a documented deficiency, a dose for this renal function and "
            "monitoring. " + _SIGNS
            if impaired
            else "Magnesium is above range: give none, and recheck. " + _SIGNS
        )
    elif danger.urgent and not impaired:
        action = "above range, no more magnesium needed"
        advice.append("Magnesium is above range: no more is needed; recheck it.")
    elif unknown:
        action = "check creatinine first"
        advice.append("Check creatinine and magnesium before it is given.")
    else:
        action = "low dose, monitor"
        advice.append("If it is needed, use a low dose and monitor magnesium and creatinine.")
    advice.append(f"Ordered: {named(drafts)}.")
    if impaired and danger.deficit is None:
        advice.append("In renal insufficiency magnesium can accumulate to toxic levels.")
    offers: list[Suggestion]
    if danger.repeats:
        offers = [OrderTest(key, "repeat the preliminary result") for key in danger.repeats]
    else:
        removal = danger.deficit is None or not function.severe
        offers = [
            *(RemoveDraft(draft.source.reference, draft.name) for draft in drafts if removal),
            OrderTest("creatinine", "renal function before magnesium"),
            OrderTest("magnesium", "magnesium before more of it"),
        ]
    because = danger.because() or function.phrase()
    return Finding(
        indicator=Indicator.CRITICAL if critical else Indicator.WARNING,
        summary=kidney_headline(danger.function, f"Magnesium ordered, {because}: {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(one) for one in drafts), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=_STRENGTH,
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        about=tuple(draft.source.reference for draft in drafts),
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
        about=tuple(draft.source.reference for draft in drafts),
    )
