"""Potassium, or a potassium-sparing drug, ordered where it is dangerous.

Recommendation: a documented deficiency is corrected (article); potassium is not given where it
accumulates: with high potassium, renal impairment or drugs that raise it (UKKA 2023, cited
second-hand; trimethoprim together with spironolactone: BMJ 2011;343:d5228).

When, for potassium: potassium 5.0 mmol/L or above, advanced renal impairment or acute kidney
injury, or a potassium-sparing diuretic taken or drafted: critical; eGFR 30-59, another drug that
raises potassium, more potassium, or potassium or renal function unknown: warning. With a recent
low potassium: a warning at most, and no removal.
When, for a potassium-sparing diuretic or mineralocorticoid antagonist: potassium 5.5 or above,
potassium taken or drafted, or 5.0 together with advanced renal impairment: critical; one of
these alone, trimethoprim, eGFR 30-59 with another drug that raises potassium, or potassium or
renal function unknown: warning. With a recent low potassium only advanced renal impairment
counts, as a warning without removal.
Then: why; offers removal, and repeat potassium and creatinine.
Does not cover: rates and routes of intravenous potassium.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cds_service.core.facts import Result
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
from hooks import levels, potassium_raising, reading
from hooks.potassium_raising import CLASSES, SPARING, SUPPLEMENT, TRIMETHOPRIM
from hooks.renal import ADVANCED, Renal, kidney_headline, renal
from hooks.renal import LIMITS as KIDNEY
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, day, drugs, named


@dataclass(slots=True)
class Dangers:
    """Reasons against the order, in short words for the summary, and the drugs behind them.

    ``early`` are the reasons that rest on a preliminary result alone, with the test to repeat.
    """

    critical: list[str] = field(default_factory=list)
    warning: list[str] = field(default_factory=list)
    early: dict[str, str] = field(default_factory=dict)
    drugs: list[Medication] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Every reason once, the more serious ones first."""
        return list(dict.fromkeys(self.critical + self.warning))

    @property
    def repeats(self) -> tuple[str, ...]:
        """The tests to repeat, if every reason rests on a preliminary result."""
        if self.reasons and all(reason in self.early for reason in self.reasons):
            return tuple(dict.fromkeys(self.early.values()))
        return ()


@rule(
    id="potassium-ordered-hazard",
    title="Potassium ordered: risk of hyperkalaemia",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=[
        "ukka-hyperkalaemia-2023",
        "trimethoprim-spironolactone-2011",
        "general-knowledge",
        "article",
    ],
    limits=[
        *KIDNEY,
        "potassium.low",
        "potassium.caution",
        "potassium.high",
    ],
    judges=[SUPPLEMENT, SPARING],
    minors=True,
    offers=["creatinine", "potassium"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        results("potassium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
        medications(*CLASSES).optional(),
        demographics(),
        orders("potassium", "creatinine"),
    ],
)
def potassium_ordered_hazard(facts: Facts) -> Answer:
    """Potassium, or a drug that spares it, ordered for a patient who may not excrete it."""
    selected = facts.drafts.selected_medications
    potassium = tuple(draft for draft in selected if SUPPLEMENT in draft.classes)
    sparing = tuple(
        draft for draft in selected if SPARING in draft.classes and draft not in potassium
    )
    level = levels.at_least(facts, "potassium", "potassium.caution")
    function = renal(facts)
    deficit = _fresh_deficit(facts)
    dangers = Dangers()
    if potassium:
        _with_potassium(facts, potassium, level, function, deficit, dangers)
    if sparing:
        _with_sparing(facts, sparing, level, function, deficit, dangers)
    if not dangers.reasons:
        unread = (
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(function.unusable, "renal function"),
        )
        if unread:
            return CannotTell(unread, function.unusable, trigger=True)
        known = () if level.result is None else (level.evidence(),)
        known = known if deficit is None else (deficit,)
        looked = "potassium-raising drugs of any class" if potassium else "interacting drugs"
        return NotFired(
            f"potassium and renal function allow it, and no {looked} are taken or drafted"
            if not deficit
            else "a low potassium is documented, and renal function allows it",
            (*known, *function.evidence(facts)),
        )
    return _finding(facts, potassium, sparing, level, function, deficit, dangers)


def _fresh_deficit(facts: Facts) -> Evidence | None:
    """A final potassium below range within 30 days that nothing contradicts."""
    under, over = (
        levels.low(facts, "potassium"),
        levels.at_least(facts, "potassium", "potassium.caution"),
    )
    usable = under.beyond is True and not under.repeat_only and not under.unusable
    if not usable or over.beyond is True or levels.contaminated(under.result):
        return None
    return under.evidence()


def _early_deficit(facts: Facts) -> Result | None:
    """A preliminary potassium below range within 30 days."""
    early = levels.low(facts, "potassium").early
    return None if levels.contaminated(early) else early


def _others(facts: Facts, drafts: tuple[Medication, ...], *classes: str) -> list[Medication]:
    """Drugs of the classes that are taken, or drafted apart from the judged drafts."""
    found: list[Medication] = []
    for draft in drafts:
        # An order that is being re-signed is also among the active ones.
        found += facts.taking(*classes, hazard=True, other_than=draft)
        found += potassium_raising.drafted(facts, *classes, other_than=draft)
    return [one for one in dict.fromkeys(found) if one not in drafts or len(drafts) > 1]


def _with_potassium(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    function: Renal,
    deficit: Evidence | None,
    found: Dangers,
) -> None:
    grave = found.warning if deficit else found.critical
    beside = _others(facts, drafts, SPARING)
    if beside:
        grave.append(drugs(tuple(beside), most=2))
        found.drugs += beside
    if not deficit:
        _level_danger(facts, level, found, "potassium.caution")
    _renal_danger(function, grave, found)
    for kind in CLASSES:
        if kind in (SUPPLEMENT, SPARING):
            continue
        others = [one for one in _others(facts, drafts, kind) if one not in found.drugs]
        if others:
            found.warning.append(drugs(tuple(others), most=2))
            found.drugs += others
    more = _others(facts, drafts, SUPPLEMENT)
    if more:
        found.warning.append(f"more potassium ({drugs(tuple(more), most=2)})")
        found.drugs += more


def _with_sparing(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    function: Renal,
    deficit: Evidence | None,
    found: Dangers,
) -> None:
    if deficit:
        if function.severe:
            found.warning.append(function.phrase())
        return
    potassium = _others(facts, drafts, SUPPLEMENT)
    if potassium:
        found.critical.append(drugs(tuple(potassium), most=2) or "potassium")
        found.drugs += potassium
    high = level.result is not None and not level.stale and level.beyond is True
    very = (
        high
        and level.result is not None
        and level.result.at_least(facts.limits.value("potassium.high")) is True
    )
    both = high and function.severe and not _doubtful(level)
    if high and level.result is not None:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            found.early[reason] = "potassium"
        grave = both or (very and not _doubtful(level))
        (found.critical if grave else found.warning).append(reason)
    else:
        _level_danger(facts, level, found, "potassium.caution")
    if function.severe:
        _renal_danger(function, found.critical if both else found.warning, found)
    trimethoprim = _others(facts, drafts, TRIMETHOPRIM)
    if trimethoprim:
        found.warning.append(drugs(tuple(trimethoprim), most=2))
        found.drugs += trimethoprim
    raising = [
        one
        for one in _others(facts, drafts, *CLASSES)
        if not one.classes & {SUPPLEMENT, TRIMETHOPRIM}
    ]
    if function.moderate and raising:
        found.warning += [function.phrase(), drugs(tuple(raising), most=2)]
        found.drugs += raising
    if function.unknown:
        found.warning.append(function.phrase())


def _remark(level: levels.Level) -> str:
    remarks = level.result.remarks if level.result is not None else ()
    return ", preliminary" * level.preliminary + "".join(f", {one}" for one in remarks)


def _doubtful(level: levels.Level) -> bool:
    """Whether a remark on the sample could explain the high potassium."""
    remarks = level.result.remarks if level.result is not None else ()
    return "haemolysed" in remarks or levels.contaminated(level.result)


def _level_danger(facts: Facts, level: levels.Level, found: Dangers, key: str) -> None:
    early = _early_deficit(facts)
    if early is not None:
        found.warning.append(f"K {early.reported} (preliminary) is low")
    elif level.result is None or level.stale:
        unread = reading.results_unread(facts) or level.unusable
        found.warning.append(
            "potassium could not be checked" if unread else "potassium unknown for 30 days"
        )
    elif level.beyond is True:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            found.early[reason] = "potassium"
        (found.warning if _doubtful(level) else found.critical).append(reason)
    elif level.unusable:
        found.warning.append("potassium could not be checked")
    elif level.beyond is None:
        found.warning.append(f"K {level.result.reported} may or may not be high")


def _renal_danger(function: Renal, grave: list[str], found: Dangers) -> None:
    reason = function.phrase()
    supported = function.diagnoses or function.acute is not None
    if function.egfr is not None and function.egfr.preliminary and not supported:
        reason += " (preliminary)"
        found.early[reason] = "creatinine"
    if function.severe:
        grave.append(reason)
    elif function.moderate or function.unknown:
        found.warning.append(reason)


def _finding(
    facts: Facts,
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    level: levels.Level,
    function: Renal,
    deficit: Evidence | None,
    dangers: Dangers,
) -> Finding:
    drafts = (*potassium, *sparing)
    beside = tuple(drug for drug in dict.fromkeys(dangers.drugs) if drug not in drafts)
    early = _early_deficit(facts)
    advice = []
    offers: list[Suggestion] = []
    if dangers.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
        offers = [OrderTest(key, "repeat the preliminary result") for key in dangers.repeats]
    elif deficit is None and early is None:
        offers += [RemoveDraft(draft.source.reference, draft.name) for draft in drafts]
    if not dangers.repeats:
        offers.append(OrderTest("potassium", "potassium level before giving more"))
        if function.unknown or function.stale or function.unusable:
            offers.append(OrderTest("creatinine", "renal function before potassium"))
    if level.result is not None and level.beyond is True and not level.stale:
        advice += levels.sample_words(level.result)
    if early is not None:
        advice.append(f"Potassium {early.reported} is low but preliminary: confirm it now.")
    if deficit is not None and not potassium:
        advice.append(
            "It may correct the low potassium: recheck potassium and creatinine within days."
        )
    elif deficit is not None:
        advice.append(
            "Replacement is needed: monitor potassium and ECG closely, and stop when it is normal."
        )
    elif dangers.critical and early is None:
        advice.append("Do not give it until potassium and renal function have been verified.")
    else:
        advice.append(
            "If it is needed, check potassium and creatinine first, and again within a few days."
        )
    advice.append(f"Ordered: {named(drafts)}. Reasons: {'; '.join(dangers.reasons)}.")
    if beside:
        advice.append(f"Also taken or drafted: {named(beside, most=6)}.")
    known = () if level.result is None else (level.evidence(),)
    return Finding(
        indicator=Indicator.CRITICAL if dangers.critical else Indicator.WARNING,
        summary=kidney_headline(function, _summary(potassium, sparing, deficit, dangers)),
        advice=tuple(advice),
        evidence=(
            *(Evidence(draft) for draft in (*drafts, *beside)),
            *(known if deficit is None else (deficit,)),
            *function.evidence(facts),
        ),
        missing=(
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(level.unusable, "potassium"),
            *levels.unread(function.unusable, "renal function"),
            *function.lacking,
        ),
        strength="Guideline, cited second-hand; the limits were not taken from a trial.",
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        reference=(
            "trimethoprim-spironolactone-2011"
            if any(TRIMETHOPRIM in one.classes for one in dangers.drugs)
            else "ukka-hyperkalaemia-2023"
        ),
        about=tuple(draft.source.reference for draft in drafts),
    )


def _summary(
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    deficit: Evidence | None,
    dangers: Dangers,
) -> str:
    reasons = "; ".join(dangers.reasons)
    if deficit is not None:
        value = getattr(deficit.fact, "reported", "")
        if potassium:
            return f"K {value}: replacement needed; {reasons}: monitor"
        return f"{drugs(sparing).capitalize()} ordered, K {value}; {reasons}: monitor"
    what = "Potassium" if potassium else drugs(sparing).capitalize()
    unchecked = " could not be checked"
    both = f"potassium{unchecked}; renal function{unchecked}"
    reasons = reasons.replace(both, f"potassium and renal function{unchecked}")
    return f"{what} ordered, risk of hyperkalaemia: {reasons}"
