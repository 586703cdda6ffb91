"""Accumulation of magnesium: what the rules on magnesium taken and on magnesium ordered share.

Renal function and the magnesium level together show how great the danger is. A treatment
(parenteral, or for an emergency) is distinguished from a supplement.
"""

from __future__ import annotations

from cds_service.core.facts import Result
from cds_service.core.immutable import immutable
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence, conditions, demographics, orders, results
from hooks import levels, reading
from hooks.renal import ADVANCED, Renal, renal
from hooks.renal import LIMITS as KIDNEY
from hooks.windows import YEAR
from hooks.wording import day

NEEDS = [
    results("egfr", YEAR).optional(),
    results("creatinine", YEAR).optional(),
    results("magnesium", YEAR).optional(),
    conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
    demographics(),
    orders("magnesium", "creatinine"),
]
STRENGTH = (
    "Accumulation of magnesium in renal insufficiency is established; the eGFR limits of 30 and "
    "60 are general medical knowledge, not taken from a trial."
)
INTRAVENOUS = "magnesium_intravenous"
EMERGENCIES = ("eclampsia", "arrhythmia", "asthma_severe")
"""Reasons that make magnesium a treatment, which no card obstructs."""
LIMITS = [
    *KIDNEY,
    "magnesium.low",
    "magnesium.high",
    "magnesium.mild",
    "magnesium.critical",
    "magnesium.toxic",
]
REFERENCES = ["magnesium-sulfate-label", "article", "general-knowledge"]
WATCH = "Watch levels, reflexes, urine output and breathing; keep calcium at hand."
TOXIC = (
    "Magnesium is toxic at this level: pause the infusion as its protocol says, and give calcium "
    "if breathing or heart rhythm is failing. "
)
SIGNS = (
    "Signs of toxicity: weakness, loss of reflexes, drowsiness, low blood pressure, bradycardia."
)


@immutable
class Accumulation:
    """What is known about the danger that magnesium accumulates.

    ``open`` names what could not be used or was not obtained, and so rules out an all-clear.
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
    def early_deficit(self) -> Result | None:
        """A preliminary magnesium below range within 30 days."""
        return None if self.urgent else self.low.early

    @property
    def high(self) -> bool:
        """Magnesium above range, recent or not."""
        return self.level.beyond is True

    @property
    def urgent(self) -> bool:
        """Magnesium above range within 30 days."""
        return self.high and not self.level.stale

    def reaches(self, facts: Facts, key: str, *, doubtful: bool = False) -> bool:
        """Whether the recent magnesium is at or above a limit.

        A doubtful sample counts only with ``doubtful``.
        """
        result = self.level.result
        if not self.urgent or result is None or (self.doubtful and not doubtful):
            return False
        return result.at_least(facts.limits.value(key)) is True

    @property
    def toxic(self) -> bool:
        """Whether magnesium is above the target range of parenteral treatment."""
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
        """The tests to repeat first, if the whole danger rests on preliminary results."""
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
            parts.append(f"low Mg {self.deficit.reported}")
        if self.early_deficit is not None:
            parts.append(f"low Mg {self.early_deficit.reported}, preliminary")
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
        return (
            *(self.function.lacking if self.function.fetched else ()),
            *(() if self.level.result else ("magnesium in the last 12 months",)),
            *self.open,
        )


def accumulation(facts: Facts) -> Accumulation:
    """How dangerous an accumulation of magnesium may be in this patient."""
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
            *(("magnesium, given with a comparator, may be above range",) if undecided else ()),
        ),
    )


def treats(medication: Medication) -> bool:
    """Whether the magnesium is a treatment: parenteral, or for one of the emergencies."""
    return INTRAVENOUS in medication.classes or not medication.reason.concepts.isdisjoint(
        EMERGENCIES
    )
