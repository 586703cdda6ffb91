"""The chart as the service read it: results, conditions, medications, allergies and orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.trace import as_json
from cds_service.core.facts import Kind, Presence, Result, State
from cds_service.core.knowledge import Limit
from cds_service.core.medications import Medication, Taking
from cds_service.core.series import Newest, Worse
from cds_service.demo.timeline import Beyond, Timeline, timeline
from cds_service.engine.rule import Finding, Rule


@dataclass(frozen=True, slots=True)
class Lab:
    """One analyte: its newest result, its history, and what could not be used.

    ``canonical`` is the newest result in the canonical unit, where that differs from the
    reported one; ``used_by`` are the ids of the rules whose cards are based on it.
    """

    name: str
    newest: str
    canonical: str
    day: str
    remarks: tuple[str, ...]
    drawing: Timeline | None
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChartEntry:
    """One condition, medication, order or allergy; ``read_as`` are the concepts recognised.

    ``times`` is the number of entries that say the same; ``state`` is that of the newest.
    """

    name: str
    state: str
    read_as: tuple[str, ...]
    source: str
    used_by: tuple[str, ...]
    times: int = 1


MOST_SHOWN = 8
"""Lines of a list that are shown at first; the others are collapsed."""


def merge_equal(items: Iterable[ChartEntry]) -> tuple[ChartEntry, ...]:
    """Merges entries that say the same; those that a card is based on come first."""
    merged: dict[tuple[str, tuple[str, ...]], ChartEntry] = {}
    for item in items:
        key = (item.name, item.read_as)
        earlier = merged.get(key)
        if earlier is None:
            merged[key] = item
            continue
        merged[key] = replace(
            earlier,
            state=max(earlier.state, item.state),
            used_by=tuple(dict.fromkeys((*earlier.used_by, *item.used_by))),
            times=earlier.times + 1,
        )
    return tuple(sorted(merged.values(), key=lambda row: (not row.used_by, not row.read_as)))


@dataclass(frozen=True, slots=True)
class Chart:
    """The record as the service reads it."""

    patient: str
    labs: tuple[Lab, ...]
    lists: tuple[tuple[str, str, tuple[ChartEntry, ...]], ...]  # heading, note, items
    problems: tuple[tuple[str, str, tuple[str, ...]], ...]  # about, reason, references


def chart(answered: AnsweredCall, rules: Iterable[Rule]) -> Chart:
    """The chart behind a response; analytes that ``rules`` read are listed even without results."""
    uses = _uses(answered)
    facts = answered.facts
    record = facts.record
    read = [need.analyte for rule in rules for need in rule.needs if need.analyte]
    labs = [_lab(answered, key, uses) for key in dict.fromkeys([*read, *facts.series])]
    lists = {
        Kind.CONDITIONS: (
            "Conditions",
            [
                ChartEntry(
                    condition.name,
                    _presence(condition.presence)
                    + (f", {condition.day.isoformat()}" if condition.day else ""),
                    tuple(sorted(condition.concepts)),
                    condition.source.reference,
                    uses[condition.source.reference],
                )
                for condition in record.conditions
            ],
        ),
        Kind.MEDICATIONS: (
            "Medications",
            [_medication(medication, uses) for medication in record.medications],
        ),
        Kind.ALLERGIES: (
            "Allergies",
            [
                ChartEntry(
                    allergy.name,
                    "",
                    tuple(sorted(allergy.concepts)),
                    allergy.source.reference,
                    uses[allergy.source.reference],
                )
                for allergy in record.allergies
            ],
        ),
        Kind.ORDERS: (
            "Orders on file",
            [
                ChartEntry(
                    order.name,
                    order.when.date().isoformat() if order.when else "",
                    tuple(sorted(order.covers)),
                    order.source.reference,
                    uses[order.source.reference],
                )
                for order in record.orders
            ],
        ),
    }
    alike: dict[tuple[str, str], list[str]] = {}
    for problem in as_json(answered)["problems"]:
        alike.setdefault((problem["about"], problem["reason"]), []).append(problem["reference"])
    return Chart(
        patient=_patient_words(answered),
        labs=tuple(sorted(labs, key=lambda lab: (lab.drawing is None, not lab.used_by))),
        lists=tuple(
            (heading, _note(answered, kind, bool(items)), merge_equal(items))
            for kind, (heading, items) in lists.items()
        ),
        problems=tuple(
            (about, reason, tuple(references)) for (about, reason), references in alike.items()
        ),
    )


def _uses(answered: AnsweredCall) -> Mapping[str, tuple[str, ...]]:
    """The ids of the rules whose cards are based on a resource, by its reference."""
    shown = {card.rule.id for card in answered.cards}
    rules_by_reference: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for outcome in answered.outcomes:
        if isinstance(outcome.answer, Finding) and outcome.rule.id in shown:
            for evidence in outcome.answer.evidence:
                reference = evidence.fact.source.reference
                if outcome.rule.id not in rules_by_reference[reference]:
                    rules_by_reference[reference] += (outcome.rule.id,)
    return rules_by_reference


def _patient_words(answered: AnsweredCall) -> str:
    patient, age = answered.facts.patient, answered.facts.age
    description = [
        patient.sex.capitalize() or "Sex unknown",
        "age unknown" if age is None else f"{age} years",
    ]
    if patient.deceased:
        description.append("deceased")
    return ", ".join(description)


def _note(answered: AnsweredCall, kind: Kind, listed: bool = False) -> str:
    """A remark on a list that is empty or did not arrive complete."""
    availability = answered.facts.availability(kind)
    if availability.state is State.GIVEN:
        return ""
    if availability.state is State.NONE:  # what is listed came with another kind of data
        return "" if listed else "None on file."
    return (
        f"{availability.state.value.capitalize()}: {availability.reason}"
        if availability.reason
        else "Not obtained."
    )


def _lab(answered: AnsweredCall, key: str, uses: Mapping[str, tuple[str, ...]]) -> Lab:
    facts = answered.facts
    newest = facts.newest(key, Worse.LOW)
    series = facts.series.get(key)
    finals = list(series.finals()) if series else []
    results = finals + [result for result in _latest(newest) if result not in finals]
    remarks = [f"not usable: {problem.reason}" for problem in newest.unusable]
    early = newest.tentative
    if early is not None and early.preliminary:
        remarks.insert(0, f"preliminary: {early.reported}")
    shown = newest.result or early
    if shown is None:
        if not remarks:
            state = facts.availability(Kind.RESULTS).state
            remarks.append(
                "no result on file"
                if state in (State.GIVEN, State.NONE)
                else _note(answered, Kind.RESULTS)
            )
        return Lab(key.replace("_", " "), "", "", "", tuple(remarks), None, ())
    if shown.computed:
        remarks.insert(0, "computed" + (f", {shown.method}" if shown.method else ""))
    limits = _limits_of(answered, key, shown.analyte.canonical)
    used_by = [rule for result in _latest(newest) for rule in uses[result.source.reference]]
    return Lab(
        name=shown.analyte.name,
        newest=shown.reported,
        canonical=shown.canonical,
        day=shown.day.isoformat(),
        remarks=tuple(remarks),
        drawing=timeline(
            results, sorted(limits, key=lambda limit: limit.value), facts.today, limits
        ),
        used_by=tuple(dict.fromkeys(used_by)),
    )


def _limits_of(answered: AnsweredCall, key: str, unit: str) -> dict[Limit, Beyond]:
    """The limits that the rules compared this patient's results with, each with the side on which
    a result is out of bounds.

    Of limits for men, women and pregnancy, the rule has chosen the one that applies.
    """
    return {
        evidence.limit: _side(evidence.limit)
        for outcome in answered.outcomes
        for evidence in outcome.answer.evidence
        if evidence.limit is not None
        and evidence.limit.unit == unit
        and isinstance(evidence.fact, Result)
        and evidence.fact.analyte.key == key
    }


def _side(limit: Limit) -> Beyond:
    """On which side of a limit a result is out of bounds, from the text of its meaning."""
    if limit.meaning.startswith(("lower limit", "below")):
        return Beyond.BELOW
    return Beyond.ABOVE if limit.meaning.startswith(("upper limit", "at or above")) else Beyond.NONE


def _latest(newest: Newest) -> list[Result]:
    return [result for result in (newest.result, newest.tentative) if result is not None]


def _medication(medication: Medication, uses: Mapping[str, tuple[str, ...]]) -> ChartEntry:
    since = f", {medication.when.date().isoformat()}" if medication.when else ""
    state = "" if medication.taking is Taking.ACTIVE else medication.taking.value
    return ChartEntry(
        medication.name,
        (state + since).removeprefix(", "),
        tuple(sorted(medication.classes)),
        medication.source.reference,
        uses[medication.source.reference],
    )


def _presence(presence: Presence) -> str:
    return "no clinical status" if presence is Presence.ASSUMED else presence.value
