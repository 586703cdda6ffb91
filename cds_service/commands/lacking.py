"""What a topic lacks: each piece that a rule names and that is missing, with the file to add it to.

The knowledge is checked wherever the topic is installed. In a source checkout (a pyproject.toml
beside the package) the check also covers rules that no service uses, rows of
docs/traceability.toml, tables of cases and scenarios.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator, Set
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.catalogue.unfinished import placeholders
from cds_service.commands.scenarios import read_expected
from cds_service.commands.undeclared import undeclared_in
from cds_service.engine.flaws import flaws
from cds_service.engine.hook import HOOKS
from cds_service.engine.not_checked import review
from cds_service.engine.rule import Rule
from cds_service.errors import BadRequest

if TYPE_CHECKING:
    from cds_service.engine.flaw import Flaw
    from cds_service.engine.topic import Topic


def lacking(topic: Topic, today: date, folder: Path | None = None) -> Iterator[str]:
    """What is wrong or missing in a topic, one sentence each.

    ``folder`` is the package of the topic; the sentences name files in it. Rules are asked in the
    scenarios only if nothing is wrong in the declarations: else they would fail because of that.
    """
    knowledge = f"{_named(folder)}/knowledge" if folder is not None else "knowledge"
    wrong = tuple(flaws(topic, knowledge, today))
    for flaw in wrong:
        yield f"{_place_of(flaw, folder)}{flaw}.{f' {flaw.fix}' if flaw.fix else ''}"
    if folder is not None:
        yield from _unfinished(folder)
        written, faults = _written(folder)
        yield from faults
        rule_ids = {rule.id for rule in topic.rules}
        modules = [f"{hook.module}.py" for hook in HOOKS.values()]
        lists = [name for name in modules if (folder / name).is_file()] or modules
        for name, rule in (found for key, found in written.items() if key not in rule_ids):
            yield (
                f"{_place(rule, folder)}rule {rule.id}: no service uses it. Add to RULES in "
                f"{' or '.join(_named(folder / file) for file in lists)}: {name}."
            )
        if (folder.parent / "pyproject.toml").is_file():
            yield from _of_checkout(topic, folder.parent, rule_ids | written.keys())
            yield from _of_scenarios(topic, folder, bool(wrong))


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


def _place_of(flaw: Flaw, folder: Path | None) -> str:
    """File and line of what is wrong, where they can be found in the package of the topic.

    An entry begins with ``[key]`` in a TOML file; in a Python file it is the first ``"key"``.
    """
    if flaw.rule is not None:
        return _place(flaw.rule, folder)
    key = flaw.key
    if folder is None or not key:
        return ""
    headers, quoted = {f"[{key}]", f'["{key}"]', f"['{key}']"}, (f'"{key}"', f"'{key}'")
    for file in (file for pattern in flaw.files for file in sorted(folder.glob(pattern))):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            found = (
                line.partition("#")[0].strip() in headers
                if file.suffix == ".toml"
                else any(text in line for text in quoted)
            )
            if found:
                return f"{_named(file)}:{number}: "
    return ""


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
    # What cds_service itself answers has its reason and its tests there.
    for rule in (rule for rule in topic.rules if rule.review is not review):
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
    for name in sorted(explained - known_rules):
        yield f"{_named(traced)}: no rule is called {name}. Remove it."


def _of_scenarios(topic: Topic, folder: Path, wrong: bool) -> Iterator[str]:
    """What the rules do in the scenarios without declaring it."""
    scenarios = folder.parent / "fixtures" / "scenarios"
    if wrong:
        if any(scenarios.glob("*/request.json")):
            yield f"{_named(scenarios)}: not answered because of what is wrong above."
        return
    places = {rule.id: _place(rule, folder) for rule in topic.rules}
    for rule_id, fault in undeclared_in(topic, scenarios):
        yield f"{places.get(rule_id, '')}{fault}"
