"""What is wrong or missing in the knowledge of a topic, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import TypeVar

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import Limit, Reference
from cds_service.engine.flaw import (
    IN_ANALYTES,
    IN_LIMITS,
    IN_ORDERS,
    IN_PYTHON,
    IN_REFERENCES,
    Flaw,
    Found,
    is_day,
    reference_fix,
    unknown,
)
from cds_service.engine.orderables import Orderable
from cds_service.engine.topic import Knowledge, Topic

_E = TypeVar("_E", Analyte, Limit, Reference, Orderable)


def knowledge_flaws(topic: Topic, folder: str, today: date | None) -> Iterator[Flaw]:
    """The flaws of analytes, limits, references, orders, priorities and what is observed.

    Days after ``today`` are flaws, where it is given.
    """
    known = topic.knowledge
    limits = known.limits(None, "")
    for kind, files, found in (
        ("analyte", IN_ANALYTES, _of_each(known.analytes, _of_analyte, known, folder)),
        ("limit", IN_LIMITS, _of_each(limits, _of_limit, known, folder)),
        ("reference", IN_REFERENCES, _of_each(known.references, _of_reference, known, folder)),
        ("order", IN_ORDERS, _of_each(known.orderables, _of_order, known, folder)),
    ):
        for key, what, fix in found:
            yield Flaw(f"{kind} {key}", what, fix, key=key, files=files)
    if today is not None:
        yield from _of_days(topic, limits, today)
    yield from _of_priorities(topic)
    yield from _of_observing(known, folder)
    for key in known.computed.keys() - known.analytes.keys():
        fix = f"Add [{key}] to {folder}/analytes.toml, or remove it from computed."
        yield Flaw("computed", unknown("analyte", key), fix, key=key, files=IN_PYTHON)


def _of_each(
    entries: Mapping[str, _E],
    of_entry: Callable[[_E, Knowledge, str], Found],
    known: Knowledge,
    folder: str,
) -> Iterator[tuple[str, str, str]]:
    for key, entry in entries.items():
        if entry.key != key:
            yield key, f"its own key is {entry.key}", "Use the same key in both places."
        for what, fix in of_entry(entry, known, folder):
            yield key, what, fix


def _of_analyte(analyte: Analyte, known: Knowledge, folder: str) -> Found:
    """What prevents results of an analyte from being found, recognised or read."""
    block = f"Add to [{analyte.key}] in {folder}/analytes.toml:"
    if not any(known.codes(analyte.key)):
        yield (
            "it has no code to search for",
            f'{block} codes = [{{ code = "…", display = "…", source = "…" }}].',
        )
    if analyte.key not in known.vocabularies.observations.concepts_with_names:
        yield (
            "it has no name, so a result without a code is not read",
            f'{block} names = ["{analyte.key.replace("_", " ")}"].',
        )
    if not analyte.units:
        yield "it has no unit, so no result is read", f"{block} [[{analyte.key}.unit]]."


def _of_limit(limit: Limit, known: Knowledge, folder: str) -> Found:
    block = f'Add to ["{limit.key}"] in {folder}/limits.toml:'
    if not limit.meaning:
        yield "it has no meaning", f'{block} meaning = "…".'
    if not limit.unit:
        yield "it has no unit", f'{block} unit = "…" (the number 1 has the unit "1").'
    if limit.reference not in known.references:
        yield (
            f"its {unknown('reference', limit.reference)}",
            reference_fix(limit.reference, folder),
        )


def _of_reference(reference: Reference, _known: Knowledge, folder: str) -> Found:
    block = f"Add to [{reference.key}] in {folder}/references.toml:"
    for attribute in ("label", "citation"):
        if not getattr(reference, attribute):
            yield f"it has no {attribute}", f'{block} {attribute} = "…".'
    if reference.primary and not reference.url:
        yield "it has no url, although it is a primary source", f'{block} url = "https://…".'


def _of_order(order: Orderable, known: Knowledge, folder: str) -> Found:
    block = f"[{order.key}] in {folder}/orders.toml"
    lists = known.vocabularies
    if not order.label:
        yield "it has no label", f'Add to {block}: label = "…".'
    if not order.covers:
        yield (
            "it covers nothing, so it is offered even where it is already ordered",
            f'Add to {block}: covers = ["{order.key}"].',
        )
    if order.medication and not order.codes:
        yield "it is a medication without a code", f"Add to {block}: codes."
    for key in sorted(order.covers - lists.orders.all_concepts - lists.medications.all_concepts):
        if key not in known.analytes:
            yield (
                f"it covers {key}, which is not an analyte and is in no code list or name list of "
                "orders or medications",
                f"Add {folder}/codelists/orders/{key}.csv, or remove {key} from covers of {block}.",
            )


def _of_days(topic: Topic, limits: Mapping[str, Limit], today: date) -> Iterator[Flaw]:
    for rule in topic.rules:
        if is_day(rule.changed) and date.fromisoformat(rule.changed) > today:
            what = f"changed: {rule.changed} is in the future"
            fix = "Write the day on which it was last changed."
            yield Flaw(f"rule {rule.id}", what, fix, rule=rule)
    for kind, files, entries in (
        ("limit", IN_LIMITS, limits),
        ("reference", IN_REFERENCES, topic.knowledge.references),
    ):
        for key, entry in entries.items():
            if entry.checked is not None and entry.checked > today:
                what = f"checked: {entry.checked} is in the future"
                fix = "Write the day on which it was last checked."
                yield Flaw(f"{kind} {key}", what, fix, key=key, files=files)


def _of_priorities(topic: Topic) -> Iterator[Flaw]:
    ids = {rule.id for rule in topic.rules}
    for key in sorted(topic.knowledge.priorities.kinds.keys() - ids):
        yield Flaw(
            "priorities",
            f"no rule of the topic is called {key}",
            "Add the rule to a service, or remove the priority.",
            key=key,
            files=IN_PYTHON,
        )


def _of_observing(known: Knowledge, folder: str) -> Iterator[Flaw]:
    observing, lists = known.observing, known.vocabularies
    concepts = [("observations", key) for key in (*observing.methods, *observing.instead)]
    for condition in observing.conditions:
        concepts += [("observations", condition.key), ("conditions", condition.condition)]
    for vocabulary, concept in dict.fromkeys(concepts):
        if concept not in getattr(lists, vocabulary).all_concepts:
            yield Flaw(
                "observing",
                f"no code list or name list of {vocabulary} has {concept}",
                f"Add {folder}/codelists/{vocabulary}/{concept}.csv.",
                key=concept,
                files=IN_PYTHON,
            )
    for key, _ in observing.instead.values():
        if key not in known.analytes:
            fix = f"Add [{key}] to {folder}/analytes.toml, or remove it from observing."
            yield Flaw("observing", unknown("analyte", key), fix, key=key, files=IN_PYTHON)
