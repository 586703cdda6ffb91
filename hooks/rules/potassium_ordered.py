"""Potassium ordered where it is dangerous, or a potassium-sparing diuretic on top of it.

Recommendation: a documented deficiency is corrected (article); potassium is not added where it
accumulates: high potassium, renal impairment, drugs that raise it (general medical knowledge).

When: a selected draft orders potassium, and potassium is 5.0 mmol/L or above, or renal
impairment is advanced, or a potassium-sparing diuretic is taken or drafted: critical. eGFR
30-59 or CKD 3, renal function unknown for 12 months, a RAAS inhibitor, an NSAID, more
potassium taken or drafted, or potassium unknown for 30 days: warning. A selected
potassium-sparing diuretic with potassium taken or drafted is the same danger: critical.
A documented potassium below 3.0 lowers the renal part to a warning.
Then: why, removal, repeat potassium and creatinine.
Does not cover: rates and routes of intravenous potassium; salt substitutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cds_service.core.facts import Medication
from cds_service.core.patient import Facts
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
from cds_service.core.series import Worse
from hooks import levels, reading
from hooks.renal import ADVANCED, Renal, renal
from hooks.windows import ACT, YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, day, headline, named

_WITH_SPARING = "potassium-sparing diuretic"
POTASSIUM = "potassium"
SPARING = "diuretic_potassium_sparing"
_ALSO_RAISING = {"raas_inhibitor": "RAAS inhibitor", "nsaid": "NSAID"}


@dataclass(slots=True)
class Dangers:
    """What speaks against the potassium: short words for the summary, and the facts.

    ``early`` those critical or warning reasons that rest on a preliminary result alone.
    """

    critical: list[str] = field(default_factory=list)
    warning: list[str] = field(default_factory=list)
    early: dict[str, str] = field(default_factory=dict)  # reason -> test to repeat
    drugs: list[Medication] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Every reason, the worse ones first."""
        return self.critical + self.warning

    @property
    def repeats(self) -> tuple[str, ...]:
        """The tests to repeat, where every reason rests on a preliminary result."""
        if self.reasons and all(reason in self.early for reason in self.reasons):
            return tuple(dict.fromkeys(self.early.values()))
        return ()


@rule(
    id="potassium-ordered-hazard",
    title="Potassium ordered: risk of hyperkalaemia",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.ORDER_SELECT,
    tier=Tier.ALWAYS,
    references=["general-knowledge", "article"],
    limits=["potassium.caution", "potassium.urgent", "egfr.severe", "egfr.moderate"],
    judges=[POTASSIUM, SPARING],
    minors=True,
    needs=[
        results("potassium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3").optional(),
        medications(POTASSIUM, SPARING, *_ALSO_RAISING).optional(),
        demographics(),
        orders("potassium", "creatinine"),
    ],
)
def potassium_ordered_hazard(facts: Facts) -> Answer:
    """Ordered potassium is dangerous with failing kidneys and with drugs that raise it."""
    selected = facts.drafts.selected_medications
    potassium = tuple(draft for draft in selected if POTASSIUM in draft.classes)
    sparing = tuple(
        draft for draft in selected if SPARING in draft.classes and _potassium_beside(facts, draft)
    )
    if not potassium and not sparing:
        if reading.medications_unread(facts):
            return CannotTell(reading.medications_unread(facts), trigger=True)
        return NotFired("no potassium is taken or drafted beside the potassium-sparing diuretic")
    level = levels.at_least(facts, "potassium", "potassium.caution")
    function = renal(facts)
    dangers = _dangers(facts, potassium, sparing, level, function)
    if not dangers.reasons:
        unread = (
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(function.unusable, "renal function"),
        )
        if unread:
            return CannotTell(unread, function.unusable, trigger=True)
        return NotFired(
            "potassium and renal function allow it, and nothing that raises potassium is taken",
            (level.evidence(), *function.evidence(facts)),
        )
    return _finding(
        facts, (*potassium, *(d for d in sparing if d not in potassium)), level, dangers
    )


def _potassium_beside(facts: Facts, draft: Medication) -> tuple[Medication, ...]:
    return (
        *facts.taking(POTASSIUM, hazard=True, other_than=draft),
        *facts.drafted(POTASSIUM, other_than=draft),
    )


def _dangers(
    facts: Facts,
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    level: levels.Level,
    function: Renal,
) -> Dangers:
    found = Dangers()
    beside = [
        *facts.taking(SPARING, hazard=True),
        *(one for draft in potassium for one in facts.drafted(SPARING, other_than=draft)),
    ]
    if sparing or beside:
        found.critical.append(_WITH_SPARING)
        found.drugs += [
            *beside,
            *(one for draft in sparing for one in _potassium_beside(facts, draft)),
        ]
    _level_danger(facts, level, found)
    _renal_danger(facts, function, found)
    for kind, words in _ALSO_RAISING.items():
        others = (*facts.taking(kind, hazard=True), *facts.drafted(kind))
        if others:
            found.warning.append(words)
            found.drugs += others
    more = [one for draft in potassium for one in _potassium_beside(facts, draft)]
    if more:
        found.warning.append("more potassium already")
        found.drugs += more
    return found


def _level_danger(facts: Facts, level: levels.Level, found: Dangers) -> None:
    if level.result is None or level.stale:
        unread = reading.results_unread(facts) or level.unusable
        found.warning.append(
            "potassium could not be checked" if unread else "potassium unknown for 30 days"
        )
    elif level.beyond is True:
        early = ", preliminary" if level.preliminary else ""
        reason = f"K {level.result.reported} ({day(level.result)}{early})"
        if level.preliminary:
            found.early[reason] = "potassium"
        found.critical.append(reason)
    elif level.unusable:
        found.warning.append("potassium could not be checked")
    elif level.beyond is None:
        found.warning.append(f"K {level.result.reported} leaves the level open")


def _renal_danger(facts: Facts, function: Renal, found: Dangers) -> None:
    reason = function.phrase()
    if function.egfr is not None and function.egfr.preliminary and not function.diagnoses:
        reason += " (preliminary)"
        found.early[reason] = "creatinine"
    if function.severe and _documented_deficit(facts) is None:
        found.critical.append(reason)
    elif function.severe or function.moderate or function.unknown:
        found.warning.append(reason)


def _documented_deficit(facts: Facts) -> Evidence | None:
    """A final potassium below 3.0 mmol/L within 30 days that nothing newer contradicts."""
    newest = facts.newest("potassium", Worse.HIGH)
    limit = facts.limits["potassium.urgent"]
    if newest.result is None or newest.unusable or not facts.within(newest.result, ACT):
        return None
    if newest.preliminary is not None and newest.preliminary.below(limit.value) is not True:
        return None
    return Evidence(newest.result, limit) if newest.result.below(limit.value) is True else None


def _finding(
    facts: Facts, drafts: tuple[Medication, ...], level: levels.Level, dangers: Dangers
) -> Finding:
    function = renal(facts)
    deficit = _documented_deficit(facts)
    drugs = tuple(drug for drug in dict.fromkeys(dangers.drugs) if drug not in drafts)
    advice = [f"Ordered: {named(drafts)}. Reasons: {'; '.join(dangers.reasons)}."]
    if drugs:
        advice.append(f"Also taken or drafted: {named(drugs, most=6)}.")
    if deficit is not None:
        advice.append(
            "Potassium is documented below 3.0 mmol/L: replacement is still needed, under "
            "monitoring of potassium and ECG."
        )
    if _WITH_SPARING in dangers.critical:
        advice.append(
            "Potassium and a potassium-sparing diuretic are not combined without close monitoring."
        )
    elif deficit is None and dangers.critical:
        advice.append("Do not add potassium before potassium and renal function are verified.")
    elif deficit is None:
        advice.append("If it is needed, check potassium and creatinine first and within days.")
    offers: list[Suggestion]
    if dangers.repeats:
        advice.insert(0, "The result is preliminary: repeat it before acting on it.")
        offers = [OrderTest(key, "repeat the preliminary result") for key in dangers.repeats]
    else:
        offers = _offers(drafts, dangers, function, deficit)
    ordered = "Potassium"
    if not any(POTASSIUM in draft.classes for draft in drafts):
        ordered = "Diuretic beside potassium"
    known = () if level.result is None else (level.evidence(),)
    return Finding(
        indicator=Indicator.CRITICAL if dangers.critical else Indicator.WARNING,
        summary=headline(f"{ordered} ordered, risk of hyperkalaemia: {'; '.join(dangers.reasons)}"),
        advice=tuple(advice),
        evidence=(
            *(Evidence(draft) for draft in (*drafts, *drugs)),
            *(known if deficit is None else (deficit,)),
            *function.evidence(facts),
        ),
        missing=(
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.unread(level.unusable, "potassium"),
            *levels.unread(function.unusable, "renal function"),
            *(("renal function in the last 12 months",) if function.unknown else ()),
        ),
        strength="General medical knowledge; the limits were not taken from a trial.",
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _offers(
    drafts: tuple[Medication, ...], dangers: Dangers, function: Renal, deficit: Evidence | None
) -> list[Suggestion]:
    offers: list[Suggestion] = []
    if deficit is None or dangers.critical:
        offers = [RemoveDraft(draft.source.reference, draft.name) for draft in drafts]
    offers.append(OrderTest("potassium", "potassium before more of it"))
    if function.unknown or function.stale or function.unusable:
        offers.append(OrderTest("creatinine", "renal function before potassium"))
    return offers
