"""Renal function: how far it is impaired, and how a card says so.

Diagnoses, the eGFR that counts (``hooks.egfr``) and a rise in creatinine
(``hooks.acute_kidney_injury``) decide. In pregnancy no eGFR counts as normal, and creatinine
decides (Wiles 2019).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from cds_service.core.facts import Condition, Kind, Problem, Result
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import Evidence
from hooks.acute_kidney_injury import AcuteKidneyInjury, acute_kidney_injury
from hooks.windows import FRESH_RENAL, YEAR
from hooks.wording import READ_AT_ONCE, headline

PREGNANCY = "pregnancy"
ADVANCED = ("ckd_stage_4_5", "dialysis", "aki")
RENAL_LIMITS = ("egfr.severe", "egfr.moderate", "aki.ratio", "aki.rise", "creatinine.pregnancy")
"""The limits behind renal function; a rule that reads it adds them to its own."""


class Impairment(IntEnum):
    """How far renal function is known to be impaired."""

    UNKNOWN = 0
    NONE = 1
    MODERATE = 2
    SEVERE = 3


class RenalFunction(Struct, frozen=True):
    """Renal function as a hazard: stale values (91 days to 12 months) count here.

    ``impairment`` is SEVERE in advanced CKD (stage 4-5, dialysis, eGFR < 30) or AKI, and MODERATE
    with eGFR 30-59, CKD 3 or a value that is known only to be below 60. ``fresh_normal`` is True
    only for eGFR >= 60 within 90 days with no such diagnosis: the only state in which a card may
    offer a drug. ``shown_by_egfr`` is True if the eGFR itself shows the impairment.
    """

    impairment: Impairment
    egfr: Result | None
    shown_by_egfr: bool
    stale: bool
    diagnoses: tuple[Condition, ...]
    fresh_normal: bool
    unusable: tuple[Problem, ...]
    results_obtained: bool
    injury: AcuteKidneyInjury | None = None
    creatinine: Result | None = None  # in pregnancy, where it decides
    creatinine_only: Result | None = None  # creatinine of the last 12 months that gives no eGFR
    doubtful: bool = False  # advanced by a contaminated sample alone: MODERATE, and no dose

    @property
    def severe(self) -> bool:
        """Advanced CKD or AKI."""
        return self.impairment is Impairment.SEVERE

    @property
    def moderate(self) -> bool:
        """Impaired, but not known to be advanced."""
        return self.impairment is Impairment.MODERATE

    @property
    def unknown(self) -> bool:
        """No renal function in 12 months, or none that is conclusive."""
        return self.impairment is Impairment.UNKNOWN

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not known about renal function, in words for a card."""
        if not self.unknown:
            return ()
        return (self.phrase() if self.creatinine_only else "renal function in the last 12 months",)

    def evidence(self, facts: Facts) -> tuple[Evidence, ...]:
        """The eGFR and diagnoses that were used."""
        lines = [Evidence(diagnosis) for diagnosis in self.diagnoses]
        if self.creatinine_only is not None:
            lines.append(
                Evidence(self.creatinine_only, note="no eGFR: under 18, or the age is unknown")
            )
        if self.egfr is not None:
            limit = facts.limits["egfr.severe" if self.severe else "egfr.moderate"]
            lines.append(Evidence(self.egfr, limit, note=self.note()))
        if self.injury is not None:
            lines += [Evidence(self.injury.newest), Evidence(self.injury.baseline, note="before")]
        if self.creatinine is not None:
            limit = facts.limits["creatinine.pregnancy"]
            lines.append(Evidence(self.creatinine, limit, note="in pregnancy"))
        return tuple(lines)

    def note(self) -> str:
        """Remarks on the eGFR: computed, preliminary, stale."""
        if self.egfr is None:
            return ""
        remarks = []
        if self.egfr.computed:
            remarks.append("computed from creatinine, CKD-EPI 2021")
        if self.egfr.preliminary:
            remarks.append("preliminary")
        remarks.extend(self.egfr.remarks)
        if self.stale:
            remarks.append("older than 90 days")
        return ", ".join(remarks)

    def phrase(self) -> str:
        """Renal function in a few words, for a summary or a sentence."""
        aki = [diagnosis for diagnosis in self.diagnoses if "aki" in diagnosis.concepts]
        dialysis = [diagnosis for diagnosis in self.diagnoses if "dialysis" in diagnosis.concepts]
        if aki:
            return "acute kidney injury"
        if dialysis:
            return "dialysis"
        if self.injury is not None:
            return self.injury.words
        if self.egfr is not None and self.shown_by_egfr:
            doubt = " (sample contaminated)" if "contaminated" in self.egfr.remarks else ""
            return f"eGFR {self.egfr.reported.split(' ')[0]}{doubt}"
        if self.creatinine is not None and self.moderate:
            return f"creatinine {self.creatinine.reported} in pregnancy"
        if self.severe:
            return "CKD stage 4-5"
        if self.moderate:
            return "CKD stage 3"
        if self.egfr is not None and not self.unknown:
            return f"eGFR {self.egfr.reported.split(' ')[0]}"
        if self.creatinine_only is not None:
            return f"creatinine {self.creatinine_only.reported} without an eGFR"
        if not self.results_obtained:
            return "renal function could not be checked"
        return "renal function unknown"


def renal_headline(renal: RenalFunction, text: str) -> str:
    """A summary that states renal function; if too long, the rise in creatinine is shortened."""
    injury = renal.injury
    if injury is not None and len(text) > READ_AT_ONCE:
        first, last = (result.reported.split(" ")[0] for result in (injury.baseline, injury.newest))
        same = injury.baseline.unit is injury.newest.unit
        short = f"possible AKI, creatinine {first} → {last}" if same else "possible AKI"
        text = text.replace(injury.words, short)
        if len(text) > READ_AT_ONCE:
            text = text.replace(short, "possible AKI")
    return headline(text)


def only_preliminary(facts: Facts, renal: RenalFunction) -> bool:
    """Whether the impairment rests on a preliminary value alone."""
    supported = renal.diagnoses if renal.moderate else facts.hazards(*ADVANCED)
    if renal.egfr is None or not renal.egfr.preliminary or supported:
        return False
    final = facts.newest("egfr", Worse.LOW).result
    limit = facts.limits.value("egfr.severe" if renal.severe else "egfr.moderate")
    return not (final and facts.within(final, YEAR) and final.below(limit))


def renal_function(facts: Facts) -> RenalFunction:
    """Renal function now, derived once per call."""
    return facts.derived(_derive_renal_function)


def _derive_renal_function(facts: Facts) -> RenalFunction:
    newest = facts.newest("egfr", Worse.LOW)
    severe_limit = facts.limits.value("egfr.severe")
    moderate_limit = facts.limits.value("egfr.moderate")
    tentative = newest.tentative
    if tentative is not None and (
        not facts.within(tentative, YEAR) or tentative.below(moderate_limit) is not True
    ):
        tentative = None  # a tentative value may show a hazard, but never excludes one
    final = newest.result if facts.within(newest.result, YEAR) else None
    if (
        tentative is not None
        and final is not None
        and tentative.canonical_middle() >= final.canonical_middle()
    ):
        tentative = None  # nor may it hide a worse final value
    egfr = tentative or final
    advanced = facts.hazards(*ADVANCED)
    stage_3 = facts.hazards("ckd_stage_3")
    pregnant = bool(facts.hazards(PREGNANCY))
    injury = acute_kidney_injury(facts)
    creatinine = _creatinine_in_pregnancy(facts) if pregnant else None
    if advanced or injury or (egfr is not None and egfr.below(severe_limit) is True):
        impairment = Impairment.SEVERE
    elif stage_3 or (egfr is not None and egfr.below(moderate_limit) is True):
        impairment = Impairment.MODERATE
    elif pregnant:
        impairment = _impairment_by_creatinine(facts, creatinine)
    elif egfr is not None and egfr.below(moderate_limit) is False:
        impairment = Impairment.NONE
    else:
        impairment = Impairment.UNKNOWN
    doubtful = (
        impairment is Impairment.SEVERE
        and not advanced
        and injury is None
        and egfr is not None
        and "contaminated" in egfr.remarks
    )
    if doubtful:  # a warning at most; `phrase` says why
        impairment = Impairment.MODERATE
    limit = {Impairment.SEVERE: severe_limit, Impairment.MODERATE: moderate_limit}.get(impairment)
    fresh = egfr is not None and facts.within(egfr, FRESH_RENAL)
    uncomputable = impairment is Impairment.UNKNOWN and (facts.age is None or facts.minor)
    return RenalFunction(
        impairment=impairment,
        egfr=egfr,
        shown_by_egfr=(egfr is not None and limit is not None and egfr.below(limit) is True),
        stale=egfr is not None and not fresh,
        diagnoses=(*advanced, *(() if advanced else stage_3)),
        fresh_normal=(
            impairment is Impairment.NONE
            and fresh
            and not pregnant
            and not newest.unusable  # among them a result with a remark on its sample
            and facts.could_be_read(Kind.CONDITIONS)
        ),
        unusable=newest.unusable_except(egfr),
        results_obtained=facts.obtained(Kind.RESULTS),
        injury=injury,
        creatinine=creatinine,
        creatinine_only=_recent_creatinine(facts) if uncomputable and egfr is None else None,
        doubtful=doubtful,
    )


def _recent_creatinine(facts: Facts) -> Result | None:
    newest = facts.newest("creatinine", Worse.HIGH)
    return next(
        (result for result in (newest.result, newest.tentative) if facts.within(result, YEAR)), None
    )


def _creatinine_in_pregnancy(facts: Facts) -> Result | None:
    """The creatinine of the last 90 days, which decides in pregnancy."""
    newest = facts.newest("creatinine", Worse.HIGH)
    limit = facts.limits.value("creatinine.pregnancy")
    for result in (newest.tentative, newest.result):
        tentative_high = result is not None and bool(result.remarks) and result.above(limit) is True
        if (
            result is not None
            and facts.within(result, FRESH_RENAL)
            and (tentative_high or result is newest.result)
        ):
            return result
    return None


def _impairment_by_creatinine(facts: Facts, creatinine: Result | None) -> Impairment:
    if creatinine is None:
        return Impairment.UNKNOWN
    above = creatinine.above(facts.limits.value("creatinine.pregnancy"))
    if above is None:
        return Impairment.UNKNOWN
    return Impairment.MODERATE if above else Impairment.NONE
