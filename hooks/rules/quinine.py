"""Quinine, on the medication list or being ordered.

Recommendation: quinine is avoided for leg cramps; its benefit is modest and its harm serious
(article, "Medications to avoid", which only implies it; the boxed warning, the FDA, the AAN
and the MHRA say it plainly). In the UK it is licensed for cramps, as a last resort.

When: quinine is active (quinine-active) or a selected draft orders it (quinine-ordered), and
neither its reason nor an active problem is malaria or babesiosis. Malaria that is suspected, past
or without a status does not justify it. A contraindication (long QT, myasthenia gravis, optic
neuritis, current or previous thrombocytopenia, TTP or HUS, platelets below 100 within 90 days,
QTc of 500 ms or more, hypersensitivity) fires for any indication. With malaria: a warning with a
QT-prolonging drug, mefloquine or G6PD deficiency, info with cirrhosis, digoxin or warfarin.
Then: critical (US) or warning (UK; critical with a contraindication); the interactions found are
named. Active: offers a blood count with platelets. Ordered: offers removal of the draft (with
malaria only for a contraindication), and potassium and magnesium if they are not recent.
Does not cover: tonic water, homeopathic potencies, quinidine.
"""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.core.facts import Kind
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
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
    allergies,
    conditions,
    medications,
    orders,
    results,
    rule,
)
from hooks.quinine_hazards import (
    AVOID_TOGETHER,
    CONTRAINDICATIONS,
    HYPERSENSITIVITY,
    INTERACTIONS,
    Contraindications,
    Interaction,
    contraindications,
    interactions,
)
from hooks.reading import medications_unread
from hooks.windows import PLATELETS, RECENT
from hooks.wording import FOR_HAZARDS, PREFERENCE, drugs, headline, named

JUSTIFYING = ("malaria", "babesiosis")
_REFERENCES = [
    "fda-quinine",
    "quinine-label",
    "mhra-quinine",
    "aan-2010",
    "cochrane-quinine-2015",
    "article",
]
_NEEDS = [
    conditions(*JUSTIFYING, *CONTRAINDICATIONS, "g6pd_deficiency", "cirrhosis").optional(),
    medications(*INTERACTIONS).optional(),
    results("platelets", PLATELETS).optional(),
    results("qtc_interval", RECENT).optional(),
    allergies(HYPERSENSITIVITY),
]


@rule(
    id="quinine-active",
    title="Quinine on the medication list",
    version="2.1.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=["platelets.low", "qtc_interval.long"],
    minors=True,
    offers=["cbc"],
    overrides=(*FOR_HAZARDS, PREFERENCE),
    needs=[medications("quinine").optional(), *_NEEDS, orders("hemoglobin", "platelets")],
)
def quinine_active(facts: Facts) -> Answer:
    """Active quinine, without malaria or with a contraindication, is reviewed now."""
    taken = facts.taking("quinine", hazard=True)
    if not taken:
        unread = medications_unread(facts)
        return CannotTell(unread) if unread else NotFired("no active quinine")
    current = facts.taking("quinine")
    evidence = tuple(
        Evidence(
            drug, note="" if drug in current else "a newer statement says it was stopped; confirm"
        )
        for drug in taken
    )
    offers = (_BLOOD_COUNT,)
    return _answer(facts, taken, evidence, "Active quinine", offers, offers)


@rule(
    id="quinine-ordered",
    title="Quinine ordered",
    version="2.1.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=["platelets.low", "qtc_interval.long"],
    judges=["quinine"],
    minors=True,
    offers=["cbc", "magnesium", "potassium"],
    overrides=(*FOR_HAZARDS, PREFERENCE),
    needs=[
        *_NEEDS,
        results("potassium", RECENT).optional(),
        results("magnesium", RECENT).optional(),
        orders("potassium", "magnesium", "hemoglobin", "platelets"),
    ],
)
def quinine_ordered(facts: Facts) -> Answer:
    """Quinine ordered without malaria, or despite a contraindication, is advised against."""
    drafts = _drafts(facts)
    electrolytes_first = tuple(
        OrderTest(analyte, "low potassium or magnesium adds to QT prolongation")
        for analyte in ("potassium", "magnesium")
        if not _fresh(facts, analyte)
    )
    evidence = tuple(Evidence(draft) for draft in drafts)
    malaria_offers = (_BLOOD_COUNT, *electrolytes_first)
    return _answer(facts, drafts, evidence, "Quinine ordered", electrolytes_first, malaria_offers)


def _answer(
    facts: Facts,
    quinine: tuple[Medication, ...],
    evidence: tuple[Evidence, ...],
    subject: str,
    offers: tuple[Suggestion, ...],
    malaria_offers: tuple[Suggestion, ...],
) -> Answer:
    justifying = facts.certain(*JUSTIFYING)
    unjustified = () if justifying else tuple(drug for drug in quinine if not _for_malaria(drug))
    hazards = contraindications(facts)
    g6pd = facts.ever("g6pd_deficiency")
    interacting = interactions(facts)
    evidence = (
        *evidence,
        *(Evidence(condition) for condition in (*justifying, *g6pd)),
        *(Evidence(drug) for interaction in interacting for drug in interaction.medications),
        *hazards.evidence,
    )
    if not unjustified and not hazards.names:
        caution = _caution(facts, subject, evidence, hazards, malaria_offers)
        if caution is not None:
            return caution
        if hazards.unresolved:
            return CannotTell(hazards.unresolved, hazards.problems, trigger=True, evidence=evidence)
        unmeasured = "; no platelet count in 90 days" if hazards.unmeasured else ""
        return NotFired(
            "quinine is for malaria or babesiosis and no contraindication is on "
            f"record{unmeasured}",
            evidence,
        )
    contraindicated = bool(hazards.names)
    uk = facts.site.options.get("jurisdiction") == "uk"
    to_remove = quinine if contraindicated else unjustified
    removals: tuple[Suggestion, ...] = tuple(
        RemoveDraft(drug.source.reference, drug.name) for drug in to_remove if drug.selected
    )
    if hazards.doubt and not unjustified:
        removals, offers = (), (_REPEAT_COUNT,)
    # A low count that clotting or a wrong tube explains is, by itself, a warning at most.
    falsely_low = not unjustified and hazards.doubt not in ("", "preliminary")
    repeat_first = (f"The platelet count was {_doubt(hazards)}: repeat it before acting.",) * bool(
        hazards.doubt
    )
    return Finding(
        indicator=(
            Indicator.WARNING if falsely_low or (uk and not contraindicated) else Indicator.CRITICAL
        ),
        summary=_summary(subject, hazards, uk),
        advice=(
            *repeat_first,
            *_advice(facts, hazards, bool(unjustified), bool(g6pd), uk),
            *_interactions(interacting),
        ),
        evidence=evidence,
        missing=(*hazards.unresolved, *_unmeasured(hazards), *_malaria_unread(facts, unjustified)),
        strength=_STRENGTH,
        suggestions=(*removals, *offers),
        overrides=(*FOR_HAZARDS, PREFERENCE),
        reference=_reference(uk, bool(unjustified)),
        about=_about(quinine),
    )


_BLOOD_COUNT = OrderTest("cbc", "platelets and signs of haemolysis", ("hemoglobin", "platelets"))
_REPEAT_COUNT = OrderTest("cbc", "repeat the preliminary platelet count", ("platelets",))
_STRENGTH = (
    "Harm: regulators' warnings (FDA 2006: 665 reports of serious reactions, 93 deaths; boxed "
    "warning; MHRA). Benefit: modest, outweighed by harm (Cochrane review 2015; AAN 2010)."
)


def _doubt(hazards: Contraindications) -> str:
    return hazards.doubt if hazards.doubt == "preliminary" else f"reported {hazards.doubt}"


def _for_malaria(drug: Medication) -> bool:
    return not drug.reason.concepts.isdisjoint(JUSTIFYING)


def _reference(uk: bool, unjustified: bool) -> str:
    if not unjustified:
        return "quinine-label"
    return "mhra-quinine" if uk else "fda-quinine"


def _summary(subject: str, hazards: Contraindications, uk: bool) -> str:
    listed = ", ".join(hazards.names)
    if listed:
        listed += f" ({hazards.doubt})" if hazards.doubt else ""
        return headline(f"{subject}, contraindicated for any use: {listed}")
    if uk:
        return headline(f"{subject}: only a last resort for cramps; blood reactions, arrhythmia")
    return headline(f"{subject}: avoid for leg cramps (boxed warning: blood reactions, arrhythmia)")


def _advice(
    facts: Facts, hazards: Contraindications, unjustified: bool, g6pd: bool, uk: bool
) -> Iterable[str]:
    names = hazards.names
    if names:
        yield f"**Contraindicated for any indication:** {'; '.join(names)}."
    if names and not unjustified:
        if hazards.platelets_only:
            # Below 100 it is contraindicated; the record cannot tell what lowered the platelets.
            yield (
                "Malaria itself lowers platelets; if quinine lowered them, it is contraindicated. "
                "Decide on another drug today."
            )
        else:
            yield "Malaria or babesiosis does not justify quinine here: choose another drug."
        yield "Do not leave the infection untreated."
    elif uk:
        yield (
            "Quinine can cause serious, sometimes fatal thrombocytopenia, haemolysis and "
            "arrhythmia. In the UK it is licensed for nocturnal leg cramps as a last resort "
            "only: the MHRA advises against routine use."
        )
        if not names:
            yield (
                "Consider it only when cramps are very painful or frequent, treatable causes are "
                "excluded and stretching has not helped; stop it if it has not helped after "
                "4 weeks."
            )
    else:
        yield (
            "Avoid quinine for leg cramps: it is not approved for them, and its boxed warning "
            "names serious, sometimes fatal haematological reactions (thrombocytopenia, HUS, "
            "TTP); it also prolongs QT and causes arrhythmia."
        )
    if unjustified and facts.ever(*JUSTIFYING):
        yield (
            "Malaria or babesiosis is on record only as suspected, past or without a status: that "
            "does not justify quinine. If it is the indication, give it as the reason."
        )
    if g6pd:
        yield _G6PD


_G6PD = (
    "G6PD deficiency: caution, watch for haemolysis (no longer a contraindication in the US "
    "label since June 2019)."
)


def _caution(
    facts: Facts,
    subject: str,
    evidence: tuple[Evidence, ...],
    hazards: Contraindications,
    offers: tuple[Suggestion, ...],
) -> Finding | None:
    """The card on quinine for malaria without a contraindication; None if nothing calls for it."""
    interacting = interactions(facts)
    avoided = [interaction for interaction in interacting if interaction.concept in AVOID_TOGETHER]
    g6pd = facts.ever("g6pd_deficiency")
    cirrhosis = facts.hazards("cirrhosis")
    lines: list[str] = [*_interactions(interacting), *([_G6PD] if g6pd else [])]
    if cirrhosis:
        lines.append(f"{named(cirrhosis)}: hepatic impairment raises exposure to quinine; monitor.")
    if not lines:
        return None
    if avoided:
        names = drugs(drug for interaction in avoided for drug in interaction.medications)
        summary = f"{subject} for malaria with {names}: avoid together (QT)"
    elif g6pd:
        summary = f"{subject} with G6PD deficiency: caution, watch for haemolysis"
    elif cirrhosis:
        summary = f"{subject} for malaria in cirrhosis: exposure is raised; monitor"
    else:
        names = drugs(drug for interaction in interacting for drug in interaction.medications)
        summary = f"{subject} for malaria with {names}: monitor the interaction"
    return Finding(
        indicator=Indicator.WARNING if avoided or g6pd else Indicator.INFO,
        summary=headline(summary),
        advice=tuple(lines),
        evidence=(*evidence, *(Evidence(condition) for condition in cirrhosis)),
        missing=(*hazards.unresolved, *_unmeasured(hazards)),
        strength="Product information. Quinine is not advised against, because malaria or "
        "babesiosis is the reason.",
        suggestions=offers,
        overrides=FOR_HAZARDS,
        reference="quinine-label",
        about=_about(_drafts(facts)),
    )


def _interactions(interacting: tuple[Interaction, ...]) -> tuple[str, ...]:
    if not interacting:
        return ()
    return (f"**Interactions:** {'; '.join(interaction.words for interaction in interacting)}.",)


def _drafts(facts: Facts) -> tuple[Medication, ...]:
    return tuple(drug for drug in facts.drafts.selected_medications if "quinine" in drug.classes)


def _about(quinine: tuple[Medication, ...]) -> tuple[str, ...]:
    return tuple(drug.source.reference for drug in quinine if drug.selected)


def _unmeasured(hazards: Contraindications) -> tuple[str, ...]:
    return ("no platelet count in the last 90 days",) if hazards.unmeasured else ()


def _malaria_unread(facts: Facts, unjustified: tuple[Medication, ...]) -> tuple[str, ...]:
    if unjustified and not facts.could_be_read(Kind.CONDITIONS):
        return ("whether malaria or babesiosis is an active problem, which would justify quinine",)
    return ()


def _fresh(facts: Facts, analyte: str) -> bool:
    newest = facts.newest(analyte, Worse.LOW)
    return facts.within(newest.result, RECENT) and not newest.unusable
