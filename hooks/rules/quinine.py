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
    AGAINST,
    AVOIDED,
    INTERACTING,
    SENSITIVE,
    Contraindications,
    Interaction,
    contraindications,
    interactions,
)
from hooks.reading import medications_unread
from hooks.windows import ACT, PLATELETS
from hooks.wording import FOR_HAZARDS, PREFERENCE, drugs, headline, named

EXCUSES = ("malaria", "babesiosis")
_REFERENCES = [
    "fda-quinine",
    "quinine-label",
    "mhra-quinine",
    "aan-2010",
    "cochrane-quinine-2015",
    "article",
]
_NEEDS = [
    conditions(*EXCUSES, *AGAINST, "g6pd_deficiency", "cirrhosis").optional(),
    medications(*INTERACTING).optional(),
    results("platelets", PLATELETS).optional(),
    results("qtc_interval", ACT).optional(),
    allergies(SENSITIVE),
]


@rule(
    id="quinine-active",
    title="Quinine on the medication list",
    version="2.1.1",
    changed="2026-11-27",
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
        lacking = medications_unread(facts)
        return CannotTell(lacking) if lacking else NotFired("no active quinine")
    current = facts.taking("quinine")
    evidence = tuple(
        Evidence(one, note="" if one in current else "a newer statement says stopped; confirm")
        for one in taken
    )
    offers = (_COUNT,)
    return _judged(facts, taken, evidence, "Active quinine", offers, offers)


@rule(
    id="quinine-ordered",
    title="Quinine ordered",
    version="2.1.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=_REFERENCES,
    limits=["platelets.low", "qtc_interval.long"],
    judges=["quinine"],
    minors=True,
    offers=["cbc", "magnesium", "potassium"],
    overrides=(*FOR_HAZARDS, PREFERENCE),
    needs=[
        *_NEEDS,
        results("potassium", ACT).optional(),
        results("magnesium", ACT).optional(),
        orders("potassium", "magnesium", "hemoglobin", "platelets"),
    ],
)
def quinine_ordered(facts: Facts) -> Answer:
    """An order of quinine, without malaria or despite a contraindication, is advised against."""
    drafts = tuple(one for one in facts.drafts.selected_medications if "quinine" in one.classes)
    levels_first = tuple(
        OrderTest(analyte, "low potassium or magnesium adds to QT prolongation")
        for analyte in ("potassium", "magnesium")
        if not _fresh(facts, analyte)
    )
    evidence = tuple(Evidence(one) for one in drafts)
    cautious = (_COUNT, *levels_first)
    return _judged(facts, drafts, evidence, "Quinine ordered", levels_first, cautious)


def _judged(
    facts: Facts,
    quinine: tuple[Medication, ...],
    evidence: tuple[Evidence, ...],
    subject: str,
    offers: tuple[Suggestion, ...],
    cautious: tuple[Suggestion, ...],
) -> Answer:
    excusing = facts.certain(*EXCUSES)
    unexcused = () if excusing else tuple(one for one in quinine if not _for_malaria(one))
    against = contraindications(facts)
    g6pd = facts.ever("g6pd_deficiency")
    interacting = interactions(facts)
    evidence = (
        *evidence,
        *(Evidence(one) for one in (*excusing, *g6pd)),
        *(Evidence(one) for each in interacting for one in each.found),
        *against.evidence,
    )
    if not unexcused and not against.names:
        caution = _caution(facts, subject, evidence, against, cautious)
        if caution is not None:
            return caution
        if against.open:
            return CannotTell(against.open, against.problems, trigger=True, evidence=evidence)
        unmeasured = "; no platelet count in 90 days" if against.unmeasured else ""
        return NotFired(
            "quinine is for malaria or babesiosis and no contraindication is on "
            f"record{unmeasured}",
            evidence,
        )
    contraindicated = bool(against.names)
    uk = facts.site.options.get("jurisdiction") == "uk"
    avoided = quinine if contraindicated else unexcused
    removals: tuple[Suggestion, ...] = tuple(
        RemoveDraft(one.source.reference, one.name) for one in avoided if one.selected
    )
    if against.doubt and not unexcused:
        removals, offers = (), (_REPEAT,)
    # A low count that clotting or a wrong tube explains is, by itself, a warning at most.
    spoilt = not unexcused and against.doubt not in ("", "preliminary")
    early = (f"The platelet count was {_doubt(against)}: repeat it before acting.",) * bool(
        against.doubt
    )
    return Finding(
        indicator=(
            Indicator.WARNING if spoilt or (uk and not contraindicated) else Indicator.CRITICAL
        ),
        summary=_summary(subject, against, uk),
        advice=(
            *early,
            *_advice(facts, against, bool(unexcused), bool(g6pd), uk),
            *_interactions(interacting),
        ),
        evidence=evidence,
        missing=(*against.open, *_unmeasured(against), *_unread_malaria(facts, bool(unexcused))),
        strength=_STRENGTH,
        suggestions=(*removals, *offers),
        overrides=(*FOR_HAZARDS, PREFERENCE),
        reference=_reference(uk, bool(unexcused)),
        about=_about(quinine),
    )


_COUNT = OrderTest("cbc", "platelets and signs of haemolysis", ("hemoglobin", "platelets"))
_REPEAT = OrderTest("cbc", "repeat the preliminary platelet count", ("platelets",))
_STRENGTH = (
    "Harm: regulators' warnings (FDA 2006: 665 reports of serious reactions, 93 deaths; boxed "
    "warning; MHRA). Benefit: modest, outweighed by harm (Cochrane review 2015; AAN 2010)."
)


def _doubt(against: Contraindications) -> str:
    return against.doubt if against.doubt == "preliminary" else f"reported {against.doubt}"


def _for_malaria(medication: Medication) -> bool:
    return not medication.reason.concepts.isdisjoint(EXCUSES)


def _reference(uk: bool, unexcused: bool) -> str:
    if not unexcused:
        return "quinine-label"
    return "mhra-quinine" if uk else "fda-quinine"


def _summary(subject: str, against: Contraindications, uk: bool) -> str:
    listed = ", ".join(against.names)
    if listed:
        listed += f" ({against.doubt})" if against.doubt else ""
        return headline(f"{subject}, contraindicated for any use: {listed}")
    if uk:
        return headline(f"{subject}: only a last resort for cramps; blood reactions, arrhythmia")
    return headline(f"{subject}: avoid for leg cramps (boxed warning: blood reactions, arrhythmia)")


def _advice(
    facts: Facts, against: Contraindications, unexcused: bool, g6pd: bool, uk: bool
) -> Iterable[str]:
    names = against.names
    if names:
        yield f"**Contraindicated for any indication:** {'; '.join(names)}."
    if names and not unexcused:
        if against.platelets_only:
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
                "excluded and stretching has not helped; stop it when it has not helped after "
                "4 weeks."
            )
    else:
        yield (
            "Avoid quinine for leg cramps: it is not approved for them, and its boxed warning "
            "names serious, sometimes fatal haematological reactions (thrombocytopenia, HUS, "
            "TTP); it also prolongs QT and causes arrhythmia."
        )
    if unexcused and facts.ever(*EXCUSES):
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
    against: Contraindications,
    offers: tuple[Suggestion, ...],
) -> Finding | None:
    """The card on quinine that is for malaria and not contraindicated; None if there is none."""
    interacting = interactions(facts)
    avoided = [one for one in interacting if one.concept in AVOIDED]
    g6pd = facts.ever("g6pd_deficiency")
    cirrhosis = facts.hazards("cirrhosis")
    lines: list[str] = [*_interactions(interacting), *([_G6PD] if g6pd else [])]
    if cirrhosis:
        lines.append(f"{named(cirrhosis)}: hepatic impairment raises exposure to quinine; monitor.")
    if not lines:
        return None
    if avoided:
        names = drugs(medicine for one in avoided for medicine in one.found)
        summary = f"{subject} for malaria with {names}: avoid together (QT)"
    elif g6pd:
        summary = f"{subject} with G6PD deficiency: caution, watch for haemolysis"
    elif cirrhosis:
        summary = f"{subject} for malaria in cirrhosis: exposure is raised; monitor"
    else:
        names = drugs(medicine for one in interacting for medicine in one.found)
        summary = f"{subject} for malaria with {names}: monitor the interaction"
    medicines = facts.drafts.selected_medications
    return Finding(
        indicator=Indicator.WARNING if avoided or g6pd else Indicator.INFO,
        summary=headline(summary),
        advice=tuple(lines),
        evidence=(*evidence, *(Evidence(one) for one in cirrhosis)),
        missing=(*against.open, *_unmeasured(against)),
        strength="Product information. Quinine is not advised against, because malaria or "
        "babesiosis is the reason.",
        suggestions=offers,
        overrides=FOR_HAZARDS,
        reference="quinine-label",
        about=_about(tuple(one for one in medicines if "quinine" in one.classes)),
    )


def _interactions(found: tuple[Interaction, ...]) -> tuple[str, ...]:
    if not found:
        return ()
    return (f"**Interactions:** {'; '.join(one.words for one in found)}.",)


def _about(quinine: tuple[Medication, ...]) -> tuple[str, ...]:
    return tuple(one.source.reference for one in quinine if one.selected)


def _unmeasured(against: Contraindications) -> tuple[str, ...]:
    return ("no platelet count in the last 90 days",) if against.unmeasured else ()


def _unread_malaria(facts: Facts, unexcused: bool) -> tuple[str, ...]:
    if unexcused and not facts.could_be_read(Kind.CONDITIONS):
        return ("whether malaria or babesiosis is an active problem, which would justify quinine",)
    return ()


def _fresh(facts: Facts, analyte: str) -> bool:
    newest = facts.newest(analyte, Worse.LOW)
    return facts.within(newest.result, ACT) and not newest.unusable
