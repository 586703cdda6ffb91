"""A diuretic ordered for a patient with leg cramps.

Recommendation: in cirrhosis patients on diuretics, low potassium and magnesium are corrected
first, and diuretics are discontinued when incapacitating cramps develop (article, "Cirrhosis
patients on diuretics"); certain drugs worsen cramps (article, "Common pitfalls").

When: a selected draft orders a diuretic and cramps are documented. A warning in cirrhosis, or if
potassium or magnesium is low, or sodium is below 130 mmol/L (a thiazide) or 125 (any diuretic);
info if potassium or magnesium has not been checked for 30 days. For a potassium-sparing diuretic
a low potassium does not count, because it may correct it; an unchecked one does.
Then: correct first; the tests that are missing; in cirrhosis with incapacitating cramps, stop a
diuretic rather than add one. A warning offers removal of the draft, except if the diuretic is
ordered for ascites, or with heart failure, pulmonary oedema or a potassium of 5.5 mmol/L or more.
A diuretic may treat these last three: the deficiency is then corrected alongside, and nothing is
delayed.
Does not cover: high potassium and potassium-sparing diuretics (see potassium-ordered-hazard).
"""

from __future__ import annotations

from msgspec import Struct

from cds_service.core.facts import Kind, Result
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
    conditions,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps, levels
from hooks.cirrhosis import DIURETICS
from hooks.reading import conditions_unread, results_unread
from hooks.windows import RECENT, YEAR
from hooks.wording import FOR_TESTS, day, drugs, headline, named


@rule(
    id="diuretic-ordered-with-cramps",
    title="Diuretic ordered for a patient with cramps",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["article", "easl-2018", "sequence-symmetry-2012"],
    limits=["potassium.low", "potassium.high", "magnesium.low", "sodium.low", "sodium.diuretic"],
    judges=DIURETICS,
    offers=["magnesium", "potassium", "sodium"],
    overrides=FOR_TESTS,
    needs=[
        conditions(cramps.LEG_CRAMPS, "cirrhosis", "heart_failure").optional(),
        results("potassium", YEAR).optional(),
        results("magnesium", YEAR).optional(),
        results("sodium", RECENT).optional(),
        medications(*DIURETICS).optional(),
        orders("potassium", "magnesium", "sodium"),
    ],
)
def diuretic_ordered_with_cramps(facts: Facts) -> Answer:
    """Potassium and magnesium are corrected before a diuretic is added."""
    documented = cramps.documented(facts)
    if documented is None:
        return CannotTell(conditions_unread(facts), trigger=True)
    if not documented:
        return NotFired("leg cramps are not documented")
    cirrhosis = facts.conditions("cirrhosis")
    drafts = tuple(
        draft
        for draft in facts.drafts.selected_medications
        if not draft.classes.isdisjoint(DIURETICS)
    )
    potassium_sparing = all(draft.classes.isdisjoint(_POTASSIUM_LOSING) for draft in drafts)
    sodium = _sodium(facts, drafts)
    electrolytes = tuple(_electrolyte(facts, analyte) for analyte in ("potassium", "magnesium"))
    all_low = tuple(electrolyte for electrolyte in electrolytes if electrolyte.low)
    low_relevant = tuple(
        electrolyte
        for electrolyte in all_low
        if not (potassium_sparing and electrolyte.name == "potassium")
    )
    unchecked = tuple(
        electrolyte
        for electrolyte in electrolytes
        if not electrolyte.low and not electrolyte.checked
    )
    unread = (*conditions_unread(facts), *results_unread(facts))
    evidence = tuple(line for electrolyte in electrolytes for line in electrolyte.evidence)
    evidence += (sodium,) if sodium else ()
    if not cirrhosis and not low_relevant and not sodium:
        if unchecked and results_unread(facts):
            problems = tuple(
                problem for electrolyte in unchecked for problem in electrolyte.level.unusable
            )
            return CannotTell(unread, problems, trigger=True, evidence=evidence)
        if not unchecked:
            if unread:
                return CannotTell(unread, trigger=True, evidence=evidence)
            if all_low:
                return NotFired(
                    "potassium is low, which a potassium-sparing diuretic may correct", evidence
                )
            return NotFired("potassium and magnesium are checked and not low", evidence)
    warning = bool(cirrhosis or low_relevant or sodium)
    corrected_by_draft = (
        all_low
        if potassium_sparing and any(electrolyte.name == "potassium" for electrolyte in all_low)
        else ()
    )
    not_to_delay = (
        any(_NOT_TO_DELAY in draft.reason.concepts for draft in drafts)
        or bool(facts.hazards(_NOT_TO_DELAY))
        or (not potassium_sparing and _potassium_high(facts))
    )
    removal_unsuitable = (corrected_by_draft and not low_relevant and not sodium) or any(
        "ascites" in draft.reason.concepts for draft in drafts
    )
    only_preliminary = (
        bool(low_relevant)
        and all(electrolyte.level.preliminary for electrolyte in low_relevant)
        and not cirrhosis
        and not sodium
    )
    return Finding(
        indicator=Indicator.WARNING if warning else Indicator.INFO,
        summary=_summary(drafts, low_relevant, unchecked, bool(cirrhosis), sodium, not_to_delay),
        advice=(
            *_sodium_advice(sodium),
            *_advice(facts, low_relevant, unchecked, bool(cirrhosis), not_to_delay),
            *(
                _MAY_CORRECT
                for electrolyte in corrected_by_draft
                if electrolyte.name == "potassium"
            ),
        ),
        evidence=(
            *(Evidence(draft) for draft in drafts),
            *cramps.evidence(facts),
            *(Evidence(condition) for condition in cirrhosis),
            *evidence,
        ),
        missing=(*unread, *(line for electrolyte in unchecked for line in electrolyte.missing)),
        strength="Correcting a documented deficiency is established practice. That diuretics "
        "worsen cramps rests on associations and, in cirrhosis, on clinical experience.",
        suggestions=(
            *(
                RemoveDraft(draft.source.reference, draft.name)
                for draft in drafts
                if warning and not only_preliminary and not not_to_delay and not removal_unsuitable
            ),
            *_test_offers(low_relevant, unchecked, bool(cirrhosis)),
            *((OrderTest("sodium", "repeat the low result"),) if sodium else ()),
        ),
        overrides=FOR_TESTS,
        about=tuple(draft.source.reference for draft in drafts),
    )


_NOT_TO_DELAY = "heart_failure"
"""A condition in which no card delays a diuretic."""
_POTASSIUM_LOSING = frozenset({"diuretic_loop", "diuretic_thiazide"})
_MAY_CORRECT = "The potassium is low: a potassium-sparing diuretic may correct it."


def _potassium_high(facts: Facts) -> bool:
    level = levels.at_least(facts, "potassium", "potassium.high")
    return level.beyond is True and not level.stale


def _sodium(facts: Facts, drafts: tuple[Medication, ...]) -> Evidence | None:
    """The sodium of the last 30 days that is too low for the diuretic, with its limit."""
    thiazide = any("diuretic_thiazide" in draft.classes for draft in drafts)
    limit = facts.limits["sodium.low" if thiazide else "sodium.diuretic"]
    newest = facts.newest("sodium", Worse.LOW)
    for result in (newest.result, newest.tentative):
        if (
            result is not None
            and facts.within(result, RECENT)
            and result.below(limit.value) is True
        ):
            return Evidence(result, limit, note="preliminary" if result.preliminary else "")
    return None


def _sodium_advice(sodium: Evidence | None) -> tuple[str, ...]:
    if sodium is None:
        return ()
    assert isinstance(sodium.fact, Result)  # see _sodium
    status = ", preliminary: repeat it" if sodium.fact.preliminary else ""
    return (
        f"Sodium {sodium.fact.reported} ({day(sodium.fact)}{status}): a diuretic may lower it "
        "further; find its cause first.",
    )


class _Electrolyte(Struct, frozen=True):
    """Potassium or magnesium: low now, or checked within 30 days, or neither."""

    name: str
    level: levels.Level
    low: bool
    checked: bool
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]


def _electrolyte(facts: Facts, analyte: str) -> _Electrolyte:
    level = levels.low(facts, analyte)
    final = facts.newest(analyte, Worse.LOW).result
    recent = facts.within(final, RECENT)
    missing = list(levels.newer_unusable(level.unusable, analyte))
    if level.result is not None and level.beyond is None:
        missing.extend(levels.undecided(level))
    if not recent and facts.obtained(Kind.RESULTS):
        missing.append(f"{analyte} in the last 30 days{_last_result(level)}")
    return _Electrolyte(
        name=analyte,
        level=level,
        low=level.beyond is True and not level.stale,
        checked=recent and level.beyond is False and not level.unusable,
        evidence=() if level.result is None else (level.evidence(),),
        missing=tuple(missing),
    )


def _last_result(level: levels.Level) -> str:
    if level.result is None:
        return ""
    low = ", low then" if level.beyond else ""
    return f" (last {level.result.reported} on {day(level.result)}{low})"


def _summary(
    drafts: tuple[Medication, ...],
    low: tuple[_Electrolyte, ...],
    unchecked: tuple[_Electrolyte, ...],
    cirrhosis: bool,
    sodium: Evidence | None,
    not_to_delay: bool,
) -> str:
    subject = (drugs(drafts, 1) or "diuretic").capitalize()
    where = "cramps in cirrhosis" if cirrhosis else "cramps"
    values = [
        f"low {electrolyte.name} {electrolyte.level.result.reported}"
        + (" (preliminary)" if electrolyte.level.preliminary else "")
        for electrolyte in low
        if electrolyte.level.result is not None
    ]
    if sodium is not None and isinstance(sodium.fact, Result):
        values.insert(0, f"sodium {sodium.fact.reported}")
    if values:
        action = "Correct alongside" if not_to_delay else "Correct first"
        return headline(f"{subject}, {where}: {' and '.join(values)}. {action}")
    if unchecked:
        names = " and ".join(electrolyte.name for electrolyte in unchecked)
        return headline(f"{subject}, {where}: check {names}{' first' * (not not_to_delay)}")
    if not_to_delay:
        return headline(f"{subject}, {where}: monitor potassium and magnesium")
    return headline(f"{subject}, {where}: weigh stopping a diuretic against adding one")


def _advice(
    facts: Facts,
    low: tuple[_Electrolyte, ...],
    unchecked: tuple[_Electrolyte, ...],
    cirrhosis: bool,
    not_to_delay: bool,
) -> tuple[str, ...]:
    when = "while the diuretic is given" if not_to_delay else "before the diuretic is added"
    lines = []
    if any(electrolyte.level.preliminary for electrolyte in low):
        lines.append("A low result is preliminary: repeat it before acting on it.")
    if low:
        names = " and ".join(electrolyte.name for electrolyte in low)
        lines.append(f"Correct the deficiency of {names} {when}.")
    if unchecked:
        names = " and ".join(electrolyte.name for electrolyte in unchecked)
        lines.append(f"Check {names} {when}: no reliable result in the last 30 days.")
    if cirrhosis:
        severity = cramps.persistent(facts)
        lines.append(
            "In cirrhosis, incapacitating cramps are a reason to reduce or stop a diuretic rather "
            "than to add one" + (f"; the cramps are {severity}." if severity else ".")
        )
        if taken := facts.taking(*DIURETICS):
            lines.append(f"Already active: {named(taken)}.")
    return tuple(lines)


def _test_offers(
    low: tuple[_Electrolyte, ...], unchecked: tuple[_Electrolyte, ...], cirrhosis: bool
) -> tuple[Suggestion, ...]:
    preliminary = [electrolyte for electrolyte in low if electrolyte.level.preliminary]
    if preliminary and len(preliminary) == len(low) and not cirrhosis:
        return tuple(
            OrderTest(electrolyte.name, "repeat the preliminary result")
            for electrolyte in preliminary
        )
    return (
        *(OrderTest(electrolyte.name, "repeat the low result") for electrolyte in low),
        *(
            OrderTest(electrolyte.name, "not checked in the last 30 days")
            for electrolyte in unchecked
        ),
    )
