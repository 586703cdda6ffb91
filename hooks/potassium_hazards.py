"""Hazards of an order that raises potassium: a supplement, or a potassium-sparing diuretic.

They are the potassium level, renal function, and the other drugs taken or drafted that raise
potassium. A recent low potassium lowers their severity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cds_service.core.facts import Result
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence
from hooks import levels, potassium_raising, reading
from hooks.potassium_raising import CLASSES, SPARING, SUPPLEMENT, TRIMETHOPRIM
from hooks.renal import RenalFunction
from hooks.wording import day, drugs


@dataclass(slots=True)
class Hazards:
    """Reasons against the order, in short words for the summary, and the drugs behind them.

    ``preliminary`` are the reasons that rest on a preliminary result alone, with the test to
    repeat.
    """

    critical: list[str] = field(default_factory=list)
    warning: list[str] = field(default_factory=list)
    preliminary: dict[str, str] = field(default_factory=dict)
    drugs: list[Medication] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Every reason once, the more serious ones first."""
        return list(dict.fromkeys(self.critical + self.warning))

    @property
    def repeats(self) -> tuple[str, ...]:
        """The tests to repeat, if every reason rests on a preliminary result."""
        if self.reasons and all(reason in self.preliminary for reason in self.reasons):
            return tuple(dict.fromkeys(self.preliminary.values()))
        return ()


def recent_deficit(facts: Facts) -> Evidence | None:
    """A final potassium below range within 30 days that nothing contradicts."""
    low, high = (
        levels.low(facts, "potassium"),
        levels.at_least(facts, "potassium", "potassium.caution"),
    )
    usable = low.beyond is True and not low.repeat_only and not low.unusable
    if not usable or high.beyond is True or levels.contaminated(low.result):
        return None
    return low.evidence()


def preliminary_deficit(facts: Facts) -> Result | None:
    """A preliminary potassium below range within 30 days."""
    result = levels.low(facts, "potassium").preliminary_result
    return None if levels.contaminated(result) else result


def _other_drugs(facts: Facts, drafts: tuple[Medication, ...], *classes: str) -> list[Medication]:
    """Drugs of the classes that are taken, or drafted apart from the judged drafts."""
    others: list[Medication] = []
    for draft in drafts:
        # An order that is being re-signed is also among the active ones.
        others += facts.taking(*classes, hazard=True, other_than=draft)
        others += potassium_raising.drafted(facts, *classes, other_than=draft)
    return [
        medication
        for medication in dict.fromkeys(others)
        if medication not in drafts or len(drafts) > 1
    ]


def judge_supplement(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> None:
    """Adds the hazards of the drafts of potassium; with a deficit none is more than a warning."""
    serious = hazards.warning if deficit else hazards.critical
    diuretics = _other_drugs(facts, drafts, SPARING)
    if diuretics:
        serious.append(drugs(tuple(diuretics), most=2))
        hazards.drugs += diuretics
    if not deficit:
        _add_potassium_level(facts, level, hazards, "potassium.caution")
    _add_renal_function(renal, serious, hazards)
    for drug_class in CLASSES:
        if drug_class in (SUPPLEMENT, SPARING):
            continue
        others = [
            medication
            for medication in _other_drugs(facts, drafts, drug_class)
            if medication not in hazards.drugs
        ]
        if others:
            hazards.warning.append(drugs(tuple(others), most=2))
            hazards.drugs += others
    supplements = _other_drugs(facts, drafts, SUPPLEMENT)
    if supplements:
        hazards.warning.append(f"more potassium ({drugs(tuple(supplements), most=2)})")
        hazards.drugs += supplements


def judge_sparing(
    facts: Facts,
    drafts: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> None:
    """Adds the hazards of the drafts of a potassium-sparing diuretic.

    With a deficit only advanced renal impairment is one.
    """
    if deficit:
        if renal.severe:
            hazards.warning.append(renal.phrase())
        return
    supplements = _other_drugs(facts, drafts, SUPPLEMENT)
    if supplements:
        hazards.critical.append(drugs(tuple(supplements), most=2) or "potassium")
        hazards.drugs += supplements
    above_caution = level.result is not None and not level.stale and level.beyond is True
    above_high = (
        above_caution
        and level.result is not None
        and level.result.at_least(facts.limits.value("potassium.high")) is True
    )
    high_and_impaired = above_caution and renal.severe and not _doubtful(level)
    if above_caution and level.result is not None:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            hazards.preliminary[reason] = "potassium"
        critical = high_and_impaired or (above_high and not _doubtful(level))
        (hazards.critical if critical else hazards.warning).append(reason)
    else:
        _add_potassium_level(facts, level, hazards, "potassium.caution")
    if renal.severe:
        _add_renal_function(
            renal, hazards.critical if high_and_impaired else hazards.warning, hazards
        )
    trimethoprim = _other_drugs(facts, drafts, TRIMETHOPRIM)
    if trimethoprim:
        hazards.warning.append(drugs(tuple(trimethoprim), most=2))
        hazards.drugs += trimethoprim
    raising = [
        medication
        for medication in _other_drugs(facts, drafts, *CLASSES)
        if not medication.classes & {SUPPLEMENT, TRIMETHOPRIM}
    ]
    if renal.moderate and raising:
        hazards.warning += [renal.phrase(), drugs(tuple(raising), most=2)]
        hazards.drugs += raising
    if renal.unknown:
        hazards.warning.append(renal.phrase())


def _remark(level: levels.Level) -> str:
    remarks = level.result.remarks if level.result is not None else ()
    return ", preliminary" * level.preliminary + "".join(f", {remark}" for remark in remarks)


def _doubtful(level: levels.Level) -> bool:
    """Whether a remark on the sample could explain the high potassium."""
    remarks = level.result.remarks if level.result is not None else ()
    return "haemolysed" in remarks or levels.contaminated(level.result)


def _add_potassium_level(facts: Facts, level: levels.Level, hazards: Hazards, key: str) -> None:
    low = preliminary_deficit(facts)
    if low is not None:
        hazards.warning.append(f"K {low.reported} (preliminary) is low")
    elif level.result is None or level.stale:
        unread = reading.results_unread(facts) or level.unusable
        hazards.warning.append(
            "potassium could not be checked"
            if unread
            else "no potassium result in the last 30 days"
        )
    elif level.beyond is True:
        reason = f"K {level.result.reported} ({day(level.result)}{_remark(level)})"
        if level.preliminary:
            hazards.preliminary[reason] = "potassium"
        (hazards.warning if _doubtful(level) else hazards.critical).append(reason)
    elif level.unusable:
        hazards.warning.append("potassium could not be checked")
    elif level.beyond is None:
        hazards.warning.append(f"K {level.result.reported} may or may not be high")


def _add_renal_function(renal: RenalFunction, serious: list[str], hazards: Hazards) -> None:
    reason = renal.phrase()
    supported = renal.diagnoses or renal.injury is not None
    if renal.egfr is not None and renal.egfr.preliminary and not supported:
        reason += " (preliminary)"
        hazards.preliminary[reason] = "creatinine"
    if renal.severe:
        serious.append(reason)
    elif renal.moderate or renal.unknown:
        hazards.warning.append(reason)
