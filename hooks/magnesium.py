"""Accumulation of magnesium: what the rules on magnesium taken and on magnesium ordered share.

Renal function and the magnesium level together show how great the risk is. A treatment
(parenteral, or for an emergency) is distinguished from a supplement.
"""

from __future__ import annotations

from msgspec import Struct

from cds_service.core.facts import Result
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence, conditions, demographics, orders, results
from hooks import levels, reading
from hooks.renal import ADVANCED, RENAL_LIMITS, RenalFunction, renal_function
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
    *RENAL_LIMITS,
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


class Accumulation(Struct, frozen=True):
    """What is known about the risk that magnesium accumulates.

    ``unresolved`` names what could not be used or was not obtained: while there is any, the risk
    cannot be excluded.
    """

    renal: RenalFunction
    level: levels.Level
    low: levels.Level
    above_toxic: bool
    unresolved: tuple[str, ...]

    @property
    def deficit(self) -> Result | None:
        """A final magnesium below range within 30 days."""
        if self.low.beyond is not True or self.low.repeat_only or self.recently_above_range:
            return None
        return self.low.result

    @property
    def preliminary_deficit(self) -> Result | None:
        """A preliminary magnesium below range within 30 days."""
        return None if self.recently_above_range else self.low.preliminary_result

    @property
    def above_range(self) -> bool:
        """Magnesium above range, recent or not."""
        return self.level.beyond is True

    @property
    def recently_above_range(self) -> bool:
        """Magnesium above range within 30 days."""
        return self.above_range and not self.level.stale

    def reaches(self, facts: Facts, key: str, *, count_doubtful: bool = False) -> bool:
        """Whether the recent magnesium is at or above a limit.

        A result from a doubtful sample counts only with ``count_doubtful``.
        """
        result = self.level.result
        if (
            not self.recently_above_range
            or result is None
            or (self.doubtful and not count_doubtful)
        ):
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
        """The tests to repeat first, if the risk rests on preliminary results alone."""
        impaired = self.renal.severe or self.renal.moderate
        egfr = self.renal.egfr
        impairment_is_preliminary = (
            egfr is not None and egfr.preliminary and not self.renal.diagnoses
        )
        if (impaired and not impairment_is_preliminary) or (
            self.recently_above_range and not self.level.preliminary
        ):
            return ()
        tests = [
            *(("creatinine",) if impaired else ()),
            *(("magnesium",) if self.recently_above_range else ()),
        ]
        return tuple(tests)

    def phrase(self) -> str:
        """The risk in a few words, for a summary."""
        parts = []
        if self.deficit is not None:
            parts.append(f"low Mg {self.deficit.reported}")
        if self.preliminary_deficit is not None:
            parts.append(f"low Mg {self.preliminary_deficit.reported}, preliminary")
        if self.renal.severe or self.renal.moderate:
            impairment_preliminary = self.renal.egfr is not None and self.renal.egfr.preliminary
            parts.append(self.renal.phrase() + (" (preliminary)" if impairment_preliminary else ""))
        if self.recently_above_range and self.level.result is not None:
            level_status = ", preliminary" if self.level.preliminary else ""
            parts.append(
                f"Mg {self.level.result.reported} ({day(self.level.result)}{level_status})"
            )
        return "; ".join(parts)

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The renal function and the magnesium used."""
        level = () if self.level.result is None else (self.level.evidence(),)
        if self.deficit is not None:
            level = (self.low.evidence(),)
        return (*self.renal.evidence(facts), *level)

    def missing(self) -> tuple[str, ...]:
        """What was missing, in words for a card."""
        return (
            *(self.renal.missing if self.renal.results_obtained else ()),
            *(() if self.level.result else ("magnesium in the last 12 months",)),
            *self.unresolved,
        )


def accumulation(facts: Facts) -> Accumulation:
    """How great the risk is that magnesium accumulates in this patient."""
    renal, level = renal_function(facts), levels.high(facts, "magnesium")
    undecided = level.result is not None and level.beyond is None
    toxic = facts.limits.value("magnesium.toxic")
    return Accumulation(
        renal=renal,
        level=level,
        low=levels.low(facts, "magnesium"),
        above_toxic=(
            level.beyond is True
            and not level.stale
            and level.result is not None
            and level.result.above(toxic) is True
        ),
        unresolved=(
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
            *levels.newer_unusable(level.unusable, "magnesium"),
            *(("magnesium, given with a comparator, may be above range",) if undecided else ()),
        ),
    )


def is_treatment(medication: Medication) -> bool:
    """Whether the magnesium is a treatment: parenteral, or for one of the emergencies."""
    return INTRAVENOUS in medication.classes or not medication.reason.concepts.isdisjoint(
        EMERGENCIES
    )
