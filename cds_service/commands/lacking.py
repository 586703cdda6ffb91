"""What a topic lacks: each piece that a rule names and that is missing, with the file to add it to.

The knowledge is checked wherever the topic is installed. In a source checkout (a pyproject.toml
beside the package) the check also covers rules that no service uses, rows of
docs/traceability.toml, tables of cases and scenarios.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator, Set
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.catalogue.unfinished import placeholders
from cds_service.commands.scenarios import read_expected
from cds_service.commands.undeclared import undeclared_in
from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.engine.rule import Rule, flaws
from cds_service.errors import BadRequest

if TYPE_CHECKING:
    from cds_service.engine.topic import Knowledge, Topic
    from cds_service.terminology.vocabulary import Vocabulary

_ADD = {
    "reference": ("references.toml", "[{key}] with label, citation and kind"),
    "limit": ("limits.toml", '["{key}"] with value, unit, reference, checked and meaning'),
    "order": ("orders.toml", "[{key}] with label, covers and codes"),
    "analyte": ("analytes.toml", "[{key}] with name, canonical, decimals, plausible and unit"),
}
"""The file in the folder ``knowledge`` that holds each piece, and what an entry consists of."""


def lacking(topic: Topic, today: date, folder: Path | None = None) -> Iterator[str]:
    """What the rules, limits, references, orders and lists of a topic lack, one sentence each.

    ``folder`` is the package of the topic; the sentences name files in it.
    """
    knowledge = f"{_named(folder)}/knowledge" if folder is not None else "knowledge"
    if not topic.services:
        yield "it has no services: cds-service new-rule writes its first rule."
    for rule in topic.rules:
        for lack in _of_rule(rule, topic.knowledge, knowledge, today):
            yield f"{_place(rule, folder)}rule {rule.id}: {lack}"
    yield from _of_knowledge(topic, knowledge, today)
    if folder is not None:
        yield from _unfinished(folder)
        written, faults = _written(folder)
        yield from faults
        rule_ids = {rule.id for rule in topic.rules}
        for name, rule in (found for key, found in written.items() if key not in rule_ids):
            yield (
                f"{_place(rule, folder)}rule {rule.id}: no service uses it. Add to RULES in "
                f"{_named(folder)}/patient_view.py, order_select.py or order_sign.py: {name}."
            )
        if (folder.parent / "pyproject.toml").is_file():
            yield from _of_checkout(topic, folder.parent, rule_ids | written.keys())


def _unfinished(folder: Path) -> Iterator[str]:
    """The placeholders that are left in a topic, and in the reasons of its rules."""
    knowledge = sorted((folder / "knowledge").glob("*.toml"))
    reasons = folder.parent / "docs" / "traceability.toml"
    for file, line, text in placeholders([*sorted(folder.rglob("*.py")), *knowledge, reasons]):
        yield f"{_named(file)}:{line}: a placeholder is left: {text}."


def _named(path: Path) -> str:
    """A path relative to the current folder, where it is inside it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _place(rule: Rule, folder: Path | None) -> str:
    """File and line of a rule, where the folder of its topic is known."""
    check = rule.check or rule.review
    code = getattr(check, "__code__", None)
    if folder is None or code is None:
        return ""
    return f"{_named(Path(code.co_filename))}:{code.co_firstlineno}: "


def _of_rule(rule: Rule, knowledge: Knowledge, folder: str, today: date) -> Iterator[str]:
    if not rule.document.strip():
        yield "its function has no docstring, from which its page is made."
    for flaw in flaws(
        rule,
        knowledge.references,
        knowledge.limits(None, ""),
        knowledge.analytes,
        knowledge.orderables,
    ):
        yield f"{flaw}.{_to_add(flaw, folder)}"
    yield from _dated("changed", rule.changed, today)
    for need in rule.needs:
        vocabulary = _read_with(knowledge, need.kind)
        for concept in need.concepts:
            if vocabulary is not None and concept not in vocabulary.all_concepts:
                yield (
                    f"no code list or name list of {need.kind.value} has {concept}. Add "
                    f"{folder}/codelists/{KINDS[need.kind].lists}/{concept}.csv."
                )
        if need.analyte in knowledge.analytes:
            yield from _of_analyte(need.analyte, knowledge, folder)
    drafts = (
        knowledge.vocabularies.medications.all_concepts | knowledge.vocabularies.orders.all_concepts
    )
    for judged in sorted(rule.judges - drafts):
        yield (
            f"no code list or name list of medications or orders has {judged}. Add {judged}.csv to "
            f"{folder}/codelists/medications or {folder}/codelists/orders."
        )


_UNKNOWN = re.compile(r"(reference|limit|order) (\S+) is not in the|unknown (analyte) (\S+)")


def _to_add(flaw: str, folder: str) -> str:
    """A sentence with the missing entry and its file, or "" where the flaw is another one."""
    match = _UNKNOWN.search(flaw)
    if match is None:
        return ""
    kind, key = match[1] or match[3], match[2] or match[4]
    file, entry = _ADD[kind]
    return f" Add to {folder}/{file}: {entry.format(key=key)}."


def _of_analyte(key: str, knowledge: Knowledge, folder: str) -> Iterator[str]:
    """What keeps results of an analyte from being found, recognised or read."""
    block = f"Add to [{key}] in {folder}/analytes.toml:"
    if not list(knowledge.codes(key)):
        yield (
            f"the analyte {key} has no code to search for. {block} "
            'codes = [{ code = "…", display = "…", source = "…" }].'
        )
    if key not in knowledge.vocabularies.observations.concepts_with_names:
        yield (
            f"the analyte {key} has no name, so that a result without a code is not read. {block} "
            f'names = ["{key.replace("_", " ")}"].'
        )
    if not knowledge.analytes[key].units:
        yield f"the analyte {key} has no unit, so that no result is read. {block} [[{key}.unit]]."


def _of_knowledge(topic: Topic, folder: str, today: date) -> Iterator[str]:
    knowledge = topic.knowledge
    for limit in knowledge.limits(None, "").values():
        where = f"limit {limit.key}:"
        if not limit.meaning:
            yield f"{where} it has no meaning."
        if not limit.unit:
            yield f"{where} it has no unit."
        if limit.reference not in knowledge.references:
            flaw = f"reference {limit.reference} is not in the references"
            yield f"{where} its {flaw}.{_to_add(flaw, folder)}"
        yield from _dated(f"{where} checked", limit.checked.isoformat(), today)
    for reference in knowledge.references.values():
        for attribute in ("label", "citation"):
            if not getattr(reference, attribute):
                yield f"reference {reference.key}: it has no {attribute}."
        if reference.primary and not reference.url:
            yield f"reference {reference.key}: it has no url, although it is a primary source."
    orders = (*knowledge.analytes, *knowledge.vocabularies.orders.all_concepts)
    can_be_covered = {*orders, *knowledge.vocabularies.medications.all_concepts}
    for order in knowledge.orderables.values():
        if not order.label:
            yield f"order {order.key}: it has no label."
        for covered in sorted(order.covers - can_be_covered):
            yield f"order {order.key}: it covers {covered}, which is in no list."
    ids = {rule.id for rule in topic.rules}
    for rule_id in sorted(knowledge.priorities.kinds.keys() - ids):
        yield f"priorities: no rule is called {rule_id}."


# --- a source checkout ---------------------------------------------------------------------------


def _written(folder: Path) -> tuple[dict[str, tuple[str, Rule]], list[str]]:
    """The rules in the folder ``rules`` by id, with their variable names, and what failed."""
    rules_by_id: dict[str, tuple[str, Rule]] = {}
    faults = []
    for file in sorted((folder / "rules").glob("*.py")):
        try:
            module = importlib.import_module(f"{folder.name}.rules.{file.stem}")
        except Exception as error:
            faults.append(f"{_named(file)}: cannot be imported: {type(error).__name__}: {error}.")
            continue
        for name, rule in vars(module).items():
            if isinstance(rule, Rule):
                rules_by_id.setdefault(rule.id, (name, rule))
    return rules_by_id, faults


def _of_checkout(topic: Topic, root: Path, known_rules: Set[str]) -> Iterator[str]:
    """What the documents and tests of a source checkout lack; ``known`` are the ids of rules."""
    traced = root / "docs" / "traceability.toml"
    content = tomllib.loads(traced.read_text(encoding="utf-8")) if traced.is_file() else {}
    statements = content.get("statement", [])
    traced_rules = {rule for statement in statements for rule in statement.get("rules", ())}
    explained = traced_rules | set(content.get("complement", {}))
    cases = "\n".join(
        file.read_text(encoding="utf-8") for file in (root / "tests" / "rules").glob("*.py")
    )
    shown: set[str] = set()
    scenarios = root / "fixtures" / "scenarios"
    for file in sorted(scenarios.glob("*/expected.json")):
        for companion in ("request.json", "why.md"):
            if not file.with_name(companion).is_file():
                yield f"{_named(file)}: {companion} is missing beside it."
        try:
            shown.update(read_expected(file).rules)
        except BadRequest as error:
            yield f"{_named(file)}: {error}"
    for rule in topic.rules:
        where = f"{_place(rule, root)}rule {rule.id}:"
        module = rule.id.replace("-", "_")
        if rule.id not in explained:
            yield (
                f"{where} nothing says why it exists. Add to [complement] in {_named(traced)}: "
                f'"{rule.id}" = "…", or name it in rules of the statement that asks for it.'
            )
        if f'"{rule.id}"' not in cases:
            yield (
                f"{where} no file of {_named(root / 'tests' / 'rules')} has a table of its cases. "
                f'Add test_{module}.py with RULE = "{rule.id}".'
            )
        if rule.id not in shown:
            yield (
                f"{where} no scenario shows its card. Add "
                f"{_named(scenarios / rule.id)}/ with request.json, "
                "expected.json and why.md."
            )
    where_of = {rule.id: _place(rule, root) for rule in topic.rules}
    for rule_id, fault in undeclared_in(topic, scenarios):
        yield f"{where_of[rule_id]}{fault}"
    for name in sorted(explained - known_rules):
        yield f"{_named(traced)}: no rule is called {name}. Remove it."


def _dated(where: str, day: str, today: date) -> Iterator[str]:
    try:
        if date.fromisoformat(day) > today:
            yield f"{where}: {day} is in the future."
    except ValueError:
        yield f"{where}: {day} is not a date like 2026-11-27."


def _read_with(knowledge: Knowledge, kind: Kind) -> Vocabulary | None:
    """The vocabulary that reads entries of a kind; None for a kind without one."""
    lists = KINDS[kind].lists
    return getattr(knowledge.vocabularies, lists) if lists else None
