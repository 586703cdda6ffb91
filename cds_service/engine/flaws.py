"""What is wrong or missing in one topic: in its services, its rules and the knowledge behind them.

A start refuses the first flaw; ``cds-service check`` lists them all with their files and lines.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar

from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.core.knowledge import KnowledgeError, Limit
from cds_service.engine.flaw import (
    IN_PYTHON,
    Flaw,
    Found,
    is_day,
    order_fix,
    reference_fix,
    unknown,
)
from cds_service.engine.knowledge_flaws import knowledge_flaws
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import Need, Rule
from cds_service.engine.topic import Knowledge, Topic
from cds_service.terminology.codes import CodeError

_T = TypeVar("_T", bound=Hashable)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ID_FIX = "Use lower-case words with hyphens, like low-sodium."


def flaws(topic: Topic, folder: str = "knowledge", today: date | None = None) -> Iterator[Flaw]:
    """Everything that is wrong in a topic whose knowledge files are in ``folder``.

    Where ``today`` is given, later days are flaws. A start does not give it, because its clock may
    be wrong and its time zone may not be the author's.
    Raises KnowledgeError or CodeError for a file that cannot be read, and KnowledgeError naming
    file and line where the topic's own code fails.
    """
    try:
        yield from _flaws(topic, folder, today)
    except (KnowledgeError, CodeError):
        raise
    except Exception as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        place = f" ({at.tb_frame.f_code.co_filename}:{at.tb_lineno})" if at is not None else ""
        raise KnowledgeError(
            f"it cannot be checked: {type(error).__name__}: {error}{place}"
        ) from error


def _flaws(topic: Topic, folder: str, today: date | None) -> Iterator[Flaw]:
    if not _ID.fullmatch(topic.key):
        yield Flaw("", f"{topic.key!r} is not a valid key of a topic", _ID_FIX)
    if not topic.services:
        yield Flaw("", "it has no services", "cds-service new-rule writes its first rule.")
    yield from _of_options(topic)
    yield from _of_services(topic)
    known = topic.knowledge
    limits = known.limits(None, "")
    for rule in topic.rules:
        for what, fix in _of_rule(rule, known, limits, folder):
            yield Flaw(f"rule {rule.id}", what, fix, rule=rule)
    yield from knowledge_flaws(topic, folder, today)


# --- services and options ------------------------------------------------------------------------


def _of_options(topic: Topic) -> Iterator[Flaw]:
    for name in _repeated(option.name for option in topic.options):
        what = "two of its options have the same name"
        yield Flaw("", what, f"Rename one option {name}.", key=name, files=IN_PYTHON)
    for option in topic.options:
        plain = option.name.isidentifier() and option.name == option.name.lower()
        if not plain or not option.choices:
            what = "it needs a lower-case name like a_name, and choices"
            fix = "Correct its name and choices."
            yield Flaw(f"option {option.name}", what, fix, key=option.name, files=IN_PYTHON)


def _of_services(topic: Topic) -> Iterator[Flaw]:
    for service_id in _repeated(service.id for service in topic.services):
        what, fix = "two services have this id", "Give one of them another id."
        yield Flaw(f"service {service_id}", what, fix, key=service_id, files=IN_PYTHON)
    first: dict[str, Rule] = {}
    for rule in topic.rules:  # a rule with two functions, one for each service, is one rule
        known = first.setdefault(rule.id, rule)
        if (rule.title, rule.version) != (known.title, known.version):
            what = "another rule with this id has another title or version"
            fix = "Give both the same title and version, or another id."
            yield Flaw(f"rule {rule.id}", what, fix, rule=rule)
    for service in topic.services:
        where = f"service {service.id}"
        for attribute in ("id", "title", "description", "rules"):
            if not getattr(service, attribute):
                what, fix = f"it has no {attribute}", f"Add {attribute} to its Service."
                yield Flaw(where, what, fix, key=service.id, files=IN_PYTHON)
        if service.id and not _ID.fullmatch(service.id):
            yield Flaw(where, "its id is not valid", _ID_FIX, key=service.id, files=IN_PYTHON)
        for rule_id in _repeated(rule.id for rule in service.rules):
            what = f"two rules of {service.id} have this id"
            fix = "Give one of them another id, or list the rule once."
            yield Flaw(f"rule {rule_id}", what, fix, key=rule_id, files=IN_PYTHON)
        for rule in service.rules:
            if service.hook.drafts and not rule.judges and rule.review is None:
                what = f"it must say which drafts it judges, because {service.id} is for drafts"
                yield Flaw(f"rule {rule.id}", what, "Add judges to its @rule.", rule=rule)
            if rule.judges and not service.hook.drafts:
                what = f"it never answers in {service.id}: it judges drafts, and there are none"
                fix = f"Remove judges from its @rule, or the rule from {service.id}."
                yield Flaw(f"rule {rule.id}", what, fix, rule=rule)


# --- rules ---------------------------------------------------------------------------------------


def _of_rule(rule: Rule, known: Knowledge, limits: Mapping[str, Limit], folder: str) -> Found:
    for attribute in ("id", "title", "version", "owner", "changed", "references", "needs"):
        if not getattr(rule, attribute):
            yield f"it has no {attribute}", f"Add {attribute} to its @rule."
    if rule.id and not _ID.fullmatch(rule.id):
        yield "its id is not valid", _ID_FIX
    if not rule.document.strip():
        yield "its function has no docstring, from which its page is made", "Write one."
    if rule.check is None and rule.review is None:
        yield "it has no function, so it never answers", "Write @rule above the function."
    if rule.version and not _is_version(rule.version):
        yield f"version {rule.version} is not like 1.0.0", "Write three numbers with dots."
    if rule.changed and not is_day(rule.changed):
        yield f"changed: {rule.changed} is not a day like 2026-11-27", "Write year, month and day."
    for key in rule.references:
        if key not in known.references:
            yield unknown("reference", key), reference_fix(key, folder)
    for key in rule.limits:
        if key not in limits:
            yield (
                unknown("limit", key),
                f'Add to {folder}/limits.toml: ["{key}"] with value, unit, reference, checked and '
                "meaning.",
            )
    for key in rule.offers:
        if key not in known.orderables:
            yield unknown("order", key), order_fix(key, known, folder)
    yield from _of_offers(rule, known)
    for code in rule.overrides:
        if code not in OVERRIDES:
            yield f"{code} is not a known override reason", f"Use one of {', '.join(OVERRIDES)}."
    for need in rule.needs:
        yield from _of_need(need, known, folder)
    drafts = known.vocabularies.medications.all_concepts | known.vocabularies.orders.all_concepts
    for judged in sorted(rule.judges - drafts):
        yield (
            f"no code list or name list of medications or orders has {judged}",
            f"Add {judged}.csv to {folder}/codelists/medications or {folder}/codelists/orders.",
        )


def _of_offers(rule: Rule, known: Knowledge) -> Found:
    """Offers that the rule makes without reading what is ordered or taken already."""
    offered = [known.orderables[key] for key in rule.offers if key in known.orderables]
    read = {need.kind for need in rule.needs}
    for drug, kind, word in (
        (False, Kind.ORDERS, "orders"),
        (True, Kind.MEDICATIONS, "medications"),
    ):
        unread = [order for order in offered if order.medication is drug and kind not in read]
        if unread:
            keys = ", ".join(order.key for order in unread)
            covered = sorted({f'"{name}"' for order in unread for name in order.covers})
            yield (
                f"it offers {keys} and reads no {word}, so it offers what is there already",
                f"Add {word}({', '.join(covered)}) to its needs.",
            )


def _of_need(need: Need, known: Knowledge, folder: str) -> Found:
    if need.kind is Kind.RESULTS:
        name = need.analyte or ", ".join(need.concepts)
        if not name:
            yield "it needs results without saying which", 'Write results("KEY", days(90)).'
        elif need.within is None:
            yield (
                f"it needs results of {name} without saying how far back",
                f'Write results("{name}", days(90)), or years.',
            )
    elif need.analyte:
        yield (
            f"it needs the analyte {need.analyte} from {need.kind.value}, which has none",
            f'Write results("{need.analyte}", days(90)).',
        )
    if need.kind is Kind.RESULTS and need.analyte and need.analyte not in known.analytes:
        yield (
            unknown("analyte", need.analyte),
            f"Add to {folder}/analytes.toml: [{need.analyte}] with name, canonical, decimals, "
            "plausible and unit.",
        )
    lists = KINDS[need.kind].lists
    for concept in need.concepts:
        if not lists:
            yield f"it looks for {concept} in {need.kind.value}, which has no lists", "Remove it."
        elif concept not in getattr(known.vocabularies, lists).all_concepts:
            yield (
                f"no code list or name list of {lists} has {concept}",
                f"Add {folder}/codelists/{lists}/{concept}.csv.",
            )


def _is_version(text: str) -> bool:
    """Whether a text is a version like 1.0.0."""
    parts = text.split(".")
    return len(parts) == 3 and all(part.isascii() and part.isdecimal() for part in parts)


def _repeated(values: Iterable[_T]) -> Iterator[_T]:
    """Each value that occurred before."""
    seen: set[_T] = set()
    for value in values:
        if value in seen:
            yield value
        seen.add(value)
