"""Analgesics taken or ordered for cramps by a patient whom they are likely to harm.

Recommendation: over-the-counter analgesics are common, are not shown to prevent cramps and
carry risk, above all in older patients (article, "Medications to avoid or use cautiously").
Patients in the survey the article cites found them helpful: no card calls them ineffective.

When: an oral or systemic NSAID is active and cramps are documented (analgesic-use), or a
selected draft orders one for cramps (analgesic-ordered-for-cramps), and the patient has a risk
factor: 65 years or older, eGFR below 60, cirrhosis, an anticoagulant, or a diuretic with a RAAS
inhibitor. An active NSAID with eGFR below 30, CKD 4-5, AKI, an anticoagulant, cirrhosis, or a
diuretic and a RAAS inhibitor is a warning, cramps or not. Acetaminophen counts only in cirrhosis.
Then: the risk factors by name; acetaminophen in cirrhosis: usually at most 2 g/day, and safer
there than an NSAID. For an NSAID being ordered a warning that offers removal of the draft.
Does not cover: topical forms, aspirin up to 100 mg, analgesics ordered for another reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from cds_service.core.facts import Problem
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    RemoveDraft,
    Tier,
    conditions,
    demographics,
    medications,
    results,
    rule,
)
from hooks import cramps, levels
from hooks.cirrhosis import DIURETICS
from hooks.dose import daily_amount
from hooks.reading import conditions_unread, medications_unread, results_unread
from hooks.renal import RENAL_LIMITS, only_preliminary, renal_function, renal_headline
from hooks.windows import YEAR
from hooks.wording import (
    EVIDENCE_DOUBTED,
    FOR_ADVICE,
    FOR_DRUGS,
    FOR_HAZARDS,
    PREFERENCE,
    drugs,
    named,
)

NSAID, ACETAMINOPHEN = "nsaid", "acetaminophen"
_ASPIRIN = ("aspirin|asa|ecotrin", "acetylsalicylic acid")
_LOCAL_ROUTE = re.compile(r"\b(topical|cutaneous|transdermal|ophthalmic|eye|otic|ear)\b")
_NEEDS = [
    conditions(
        cramps.LEG_CRAMPS,
        "cirrhosis",
        "aki",
        "dialysis",
        "ckd_stage_4_5",
        "ckd_stage_3",
        "pregnancy",
    ).optional(),
    medications(NSAID, ACETAMINOPHEN, "anticoagulant", *DIURETICS, "raas_inhibitor").optional(),
    results("egfr", YEAR).optional(),
    results("creatinine", YEAR).optional(),
    demographics(),
]
_LIMITS = [
    *RENAL_LIMITS,
    "age.older",
    "aspirin.analgesic",
]
_REFERENCES = ["article", "patient-survey-2024", "general-knowledge"]
_STRENGTH = (
    "There is no evidence that analgesics prevent cramps; patients in a survey (2024) found "
    "them helpful. The harm with these factors and the limit of 2 g/day are general knowledge."
)


@rule(
    id="analgesic-use",
    title="Analgesics taken by a patient with cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=_LIMITS,
    overrides=(*FOR_HAZARDS, PREFERENCE),
    needs=_NEEDS,
)
def analgesic_use(facts: Facts) -> Answer:
    """An analgesic does not prevent cramps, and may harm some patients."""
    taken = _Analgesics(_analgesics(facts, facts.taking(NSAID)), facts.taking(ACETAMINOPHEN))
    if not taken:
        unread = medications_unread(facts)
        return CannotTell(unread) if unread else NotFired("no analgesic is active")
    answer = _answer(facts, taken, ordered=False)
    if isinstance(answer, NotFired) or _warns(answer):
        return answer
    # Below a warning the card is only for patients with cramps.
    documented = cramps.documented(facts)
    if documented:
        return answer
    if documented is None:
        return CannotTell(("whether leg cramps are documented",))
    return NotFired("leg cramps are not documented, and no known risk factor makes it a warning")


@rule(
    id="analgesic-ordered-for-cramps",
    title="Analgesic ordered for cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=_LIMITS,
    judges=[NSAID, ACETAMINOPHEN],
    overrides=FOR_DRUGS,
    needs=_NEEDS,
)
def analgesic_ordered_for_cramps(facts: Facts) -> Answer:
    """An analgesic ordered for cramps is weighed against its risks for this patient."""
    selected = facts.drafts.selected_medications
    of_class = tuple(
        draft
        for draft in selected
        if ACETAMINOPHEN in draft.classes
        or (NSAID in draft.classes and _is_analgesic(facts, draft))
    )
    candidates = [(draft, cramps.is_indication(facts, draft.reason)) for draft in of_class]
    drafts = tuple(draft for draft, for_cramps in candidates if for_cramps)
    if not drafts:
        if any(for_cramps is None for _, for_cramps in candidates):
            return CannotTell(conditions_unread(facts), trigger=True)
        return NotFired("no analgesic is ordered for cramps")
    ordered = _Analgesics(
        _analgesics(facts, (draft for draft in drafts if NSAID in draft.classes)),
        tuple(draft for draft in drafts if ACETAMINOPHEN in draft.classes),
    )
    return _answer(facts, ordered, ordered=True)


def _warns(answer: Answer) -> bool:
    return isinstance(answer, Finding) and answer.indicator is not Indicator.INFO


class _Analgesics(Struct, frozen=True):
    nsaids: tuple[Medication, ...]
    acetaminophen: tuple[Medication, ...]

    def __bool__(self) -> bool:
        return bool(self.nsaids or self.acetaminophen)


class _Factors(Struct, frozen=True):
    """The risk factors for an NSAID; ``unresolved`` names what could hide another.

    ``serious``: one of them makes a warning even without cramps; ``older``: 65 years or more.
    """

    names: tuple[str, ...]
    serious: bool
    older: bool
    evidence: tuple[Evidence, ...]
    unresolved: tuple[str, ...]
    problems: tuple[Problem, ...]
    unread: bool  # data arrived, or should have, and could not be read

    @property
    def words(self) -> str:
        """The risk factors after the drug's name: "at age 74", "with cirrhosis, age 74"."""
        preposition = "at" if self.older and len(self.names) == 1 else "with"
        return f"{preposition} {', '.join(self.names)}"


def _answer(facts: Facts, analgesics: _Analgesics, *, ordered: bool) -> Answer:
    factors = _factors(facts, count_preliminary=ordered)
    cirrhosis = bool(facts.conditions("cirrhosis"))
    nsaids = analgesics.nsaids if factors.names else ()
    acetaminophen = analgesics.acetaminophen if cirrhosis else ()
    if not nsaids and not acetaminophen:
        # Only cirrhosis matters for acetaminophen; anything might for an NSAID.
        missing = factors.unresolved if analgesics.nsaids else conditions_unread(facts)
        if missing:
            return CannotTell(missing, factors.problems, trigger=ordered and factors.unread)
        return NotFired("no risk factor is known", factors.evidence)
    medications = tuple(dict.fromkeys((*nsaids, *acetaminophen)))
    return Finding(
        indicator=(
            Indicator.WARNING if nsaids and (ordered or factors.serious) else Indicator.INFO
        ),
        summary=renal_headline(renal_function(facts), _summary(factors, nsaids, acetaminophen)),
        advice=tuple(_advice(factors, nsaids, acetaminophen, cirrhosis)),
        evidence=(*(Evidence(medication) for medication in medications), *factors.evidence),
        missing=factors.unresolved if nsaids else (),
        strength=_STRENGTH,
        suggestions=tuple(
            RemoveDraft(nsaid.source.reference, nsaid.name) for nsaid in nsaids if nsaid.selected
        ),
        overrides=FOR_DRUGS if ordered else (*FOR_ADVICE, EVIDENCE_DOUBTED),
        about=tuple(
            medication.source.reference for medication in medications if medication.selected
        ),
    )


def _summary(
    factors: _Factors, nsaids: tuple[Medication, ...], acetaminophen: tuple[Medication, ...]
) -> str:
    if nsaids:
        action = "avoid" if factors.serious else "review the need"
        return f"NSAID ({drugs(nsaids, 2) or 'on the list'}) {factors.words}: {action}"
    name = drugs(acetaminophen, 1) or "acetaminophen"
    return f"{name.capitalize()} in cirrhosis: usually at most 2 g/day; safer than an NSAID"


def _advice(
    factors: _Factors,
    nsaids: tuple[Medication, ...],
    acetaminophen: tuple[Medication, ...],
    cirrhosis: bool,
) -> Iterable[str]:
    if nsaids:
        action = "Stop or replace it" if factors.serious else "Review whether it is needed"
        yield (
            f"{named(nsaids)}: bleeding, kidney injury and fluid retention are more likely "
            f"{factors.words}. {action}."
        )
    yield "There is no evidence that analgesics prevent cramps."
    if nsaids and factors.older:
        yield (
            "At 65 or older: multimodal pain management, each medicine chosen and watched with "
            "care."
        )
    if cirrhosis:
        subject = named(acetaminophen) if acetaminophen else "Acetaminophen (paracetamol)"
        yield (
            f"{subject}: in cirrhosis usually at most 2 g/day; where an analgesic is needed, it "
            "is safer there than an NSAID."
        )


def _factors(facts: Facts, *, count_preliminary: bool) -> _Factors:
    # A preliminary value may cause a card on an order, or a warning, but no card that needs cramps.
    names: list[str] = []
    evidence: list[Evidence] = []
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    renal = renal_function(facts)
    preliminary = only_preliminary(facts, renal)
    if renal.severe or (renal.moderate and (count_preliminary or not preliminary)):
        names.append(renal.phrase() + (" (preliminary)" if preliminary else ""))
        evidence.extend(renal.evidence(facts))
    if cirrhosis := facts.conditions("cirrhosis"):
        names.append("cirrhosis")
        evidence.extend(Evidence(condition) for condition in cirrhosis)
    if anticoagulants := _present(facts, "anticoagulant"):
        names.append(drugs(anticoagulants, 1) or "an anticoagulant")
        evidence.extend(Evidence(anticoagulant) for anticoagulant in anticoagulants)
    diuretics, inhibitors = _present(facts, *DIURETICS), _present(facts, "raas_inhibitor")
    if diuretics and inhibitors:
        names.append("a diuretic and a RAAS inhibitor")
        evidence.extend(
            Evidence(medication) for medication in dict.fromkeys((*diuretics, *inhibitors))
        )
    serious = bool(renal.severe or cirrhosis or anticoagulants or (diuretics and inhibitors))
    if older:
        names.append(f"age {facts.age}")
    unread = (
        *conditions_unread(facts),
        *medications_unread(facts),
        *results_unread(facts),
        *levels.newer_unusable(renal.unusable, "renal function"),
    )
    unmeasured = renal.unknown and not results_unread(facts)
    return _Factors(
        names=tuple(names),
        serious=serious,
        older=older,
        evidence=tuple(evidence),
        unresolved=(
            *unread,
            *(renal.missing if unmeasured else ()),
            *(("the newest eGFR is preliminary",) if preliminary else ()),
        ),
        problems=renal.unusable,
        unread=bool(unread),
    )


def _present(facts: Facts, *classes: str) -> tuple[Medication, ...]:
    return (*facts.taking(*classes, hazard=True), *facts.drafted(*classes))


def _analgesics(facts: Facts, nsaids: Iterable[Medication]) -> tuple[Medication, ...]:
    return tuple(nsaid for nsaid in nsaids if _is_analgesic(facts, nsaid))


def _is_analgesic(facts: Facts, nsaid: Medication) -> bool:
    """Whether it is neither given locally nor aspirin in an antiplatelet dose."""
    if nsaid.dosages and all(_LOCAL_ROUTE.search(dosage.route) for dosage in nsaid.dosages):
        return False
    if len(nsaid.ingredients) > 1 or "/" in nsaid.name:
        return True
    aspirin = daily_amount(nsaid, _ASPIRIN).most if _names_aspirin(nsaid) else None
    return aspirin is None or aspirin > facts.limits.value("aspirin.analgesic")


def _names_aspirin(nsaid: Medication) -> bool:
    words = f"{nsaid.name} {nsaid.words}".lower()
    return any(name in words for name in ("aspirin", "acetylsalicylic", "ecotrin"))
