"""``cds-service new-rule`` and ``new-topic``: first drafts from templates.

A new rule is registered and comes with a table of cases and a scenario that pass at once: nothing
has to be edited before its tests run. Its author then changes all of this into the rule they want.
"""

from __future__ import annotations

import builtins
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib import resources
from keyword import iskeyword
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

from cds_service.core.quantities import decimals_of
from cds_service.engine.hook import HOOKS, Hook
from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest
from cds_service.new_rule.request import draft_of, scenario_request

AS_OF = "2026-11-23T12:00:00+00:00"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 64  # also the id of the patient in the scenario
_TEMPLATE_WORDS = frozenset({"days", "orders", "quoted", "results", "rule"})
_ADD_HERE = "# cds-service new-rule adds above this line"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new rule should do.

    ``orders`` are offered where the hook has no drafts, and judged where it has. The rule fires
    where the newest result is below (or, unless ``below``, above) ``number`` in the canonical
    unit; where that is None, the existing limit ``ANALYTE.low`` (or ``ANALYTE.high``).
    """

    name: str
    hook: str
    analyte: str
    orders: tuple[str, ...]
    number: str | None = None
    below: bool = True


def analytes_of(topic: Topic) -> tuple[str, ...]:
    """The analytes that a rule can be about: those with a code to search for."""
    knowledge = topic.knowledge
    return tuple(key for key in knowledge.analytes if list(knowledge.codes(key)))


def orders_of(topic: Topic, hook: Hook) -> tuple[str, ...]:
    """The orders that a rule may offer, or, for a hook with drafts, may judge."""
    knowledge = topic.knowledge
    if not hook.drafts:
        return tuple(knowledge.orderables)
    drafts = knowledge.vocabularies.medications.known | knowledge.vocabularies.orders.known
    return tuple(sorted(name for name in drafts if draft_of(topic, name) is not None))


def has_limit(topic: Topic, wanted: Wanted) -> bool:
    """Whether the limit that the rule would use exists already."""
    return _own_limit(wanted) in topic.knowledge.limits(None, "")


def check_name(name: str, taken: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise BadRequest where ``name`` is not a valid rule id, or is that of a rule.

    ``taken`` are the topics of the ids of all rules. The module and the function of the rule get
    the name, too.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name} is not a valid rule id.",
            "Use lower-case words with hyphens, like low-sodium.",
            "NAME",
        )
    if len(name) > _LONGEST_NAME:
        raise BadRequest(
            f"{name} is longer than {_LONGEST_NAME} characters.", "Choose a shorter name.", "NAME"
        )
    if iskeyword(name) or name in _TEMPLATE_WORDS or hasattr(builtins, name):
        raise BadRequest(
            f"{name} has a meaning in Python or in the file of a rule.",
            f"Choose another name, like low-{name}.",
            "NAME",
        )
    if name in taken:
        raise BadRequest(
            f"rule {name} exists in the topic {taken[name]}.", "Choose another name.", "NAME"
        )


def check_wanted(topic: Topic, wanted: Wanted) -> None:
    """Raise BadRequest naming the option that is wrong and its valid values."""
    check_name(wanted.name)
    _one_of(wanted.hook, tuple(HOOKS), "--hook", f"no hook is called {wanted.hook}.")
    lacks = f"{topic.key} has no analyte {wanted.analyte} with a code to search for."
    _one_of(wanted.analyte, analytes_of(topic), "--analyte", lacks)
    hook = HOOKS[wanted.hook]
    allowed = orders_of(topic, hook)
    for order in wanted.orders:
        what = "code list of drafts" if hook.drafts else "order"
        _one_of(order, allowed, "--orders", f"{topic.key} has no {what} {order}.")
    if hook.drafts and not wanted.orders:
        raise BadRequest(
            f"a rule for {hook} judges drafts, and none are named.",
            f"Name one or more of {', '.join(allowed)}.",
            "--orders",
        )


def _one_of(given: str, allowed: Sequence[str], where: str, lacks: str) -> None:
    if given not in allowed:
        raise BadRequest(lacks, f"Use one of {', '.join(allowed) or '(there are none)'}.", where)


def write(topic: Topic, package: str, root: Path, wanted: Wanted, today: date) -> list[Path]:
    """Write and register a rule of ``topic``, whose ``package`` is a folder in ``root``.

    Returns the files written or changed. Raises BadRequest where that is impossible; then no
    file has changed.
    """
    check_wanted(topic, wanted)
    module, hook = wanted.name.replace("-", "_"), HOOKS[wanted.hook]
    service = root / package / f"{wanted.hook.replace('-', '_')}.py"
    if not service.is_file():
        raise BadRequest(
            f"{root} is not a source checkout of {topic.key}: it has no "
            f"{service.relative_to(root)}.",
            "Run this in the folder of its pyproject.toml.",
        )
    if wanted.name in {rule.id for rule in topic.rules}:
        raise BadRequest(f"rule {wanted.name} exists.", "Choose another name.", "NAME")
    scenario = root / "fixtures" / "scenarios" / wanted.name
    rule, cases = (
        root / package / "rules" / f"{module}.py",
        root / "tests" / "rules" / f"test_{module}.py",
    )
    for path in (rule, cases, scenario):
        if path.exists():
            raise BadRequest(f"{path.relative_to(root)} exists.", "Choose another name.", "NAME")
    words, limit = _words(topic, wanted, today)
    request = scenario_request(
        topic, wanted.name, hook, wanted.analyte, wanted.orders, words["value_fires"]
    )
    template = "order.py.txt" if hook.drafts else "chart.py.txt"
    traced = root / "docs" / "traceability.toml"
    texts = {
        rule: _filled(template, words),
        cases: _filled("test.py.txt", words),
        scenario / "request.json": json.dumps(request, indent=2, ensure_ascii=False) + "\n",
        scenario / "expected.json": "{}\n",
        scenario / "why.md": _filled("why.md.txt", words),
        service: registered(_read(service), package, module),
        traced: _traced(_read(traced), wanted.name),
    }
    if limit:
        numbers = root / package / "knowledge" / "limits.toml"
        texts[numbers] = f"{_read(numbers).rstrip()}\n\n{limit}".lstrip()
    before = {path: path.read_bytes() if path.exists() else None for path in texts}
    try:
        _put(texts)
        _format(path for path in texts if path.suffix == ".py")
        expected = _asked(root, topic.key, wanted.name, scenario / "request.json")
        _put({scenario / "expected.json": expected})
    except BaseException:
        _restore(before)
        raise
    return list(texts)


def _own_limit(wanted: Wanted) -> str:
    return f"{wanted.analyte}.{'low' if wanted.below else 'high'}"


def _words(topic: Topic, wanted: Wanted, today: date) -> tuple[dict[str, str], str]:
    """The words for the templates, and the limit to add ("" where an existing one is used)."""
    known = topic.knowledge
    analyte, limits = known.analytes[wanted.analyte], known.limits(None, "")
    option = "--below" if wanted.below else "--above"
    key, reference, added = _own_limit(wanted), _reference(topic), ""
    if wanted.number is None:
        if key not in limits:
            raise BadRequest(
                f"{topic.key} has no limit {key}, and none was given.",
                f"Give the number in {analyte.canonical}, like {option} {analyte.plausible[0]}.",
                option,
            )
        limit = limits[key].value
    else:
        limit = _number(wanted.number, option)
        if key not in limits or limits[key].value != limit:
            key = f"{wanted.analyte}.{wanted.name.replace('-', '_')}" if key in limits else key
            added = _filled(
                "limit.toml.txt",
                {
                    "key": key,
                    "value": str(limit),
                    "unit": analyte.canonical,
                    "reference": reference,
                    "today": today.isoformat(),
                    "side": "below" if wanted.below else "above",
                    "name": wanted.name,
                },
            )
    places = max(analyte.decimals, decimals_of(limit))
    step = Decimal(1).scaleb(-places) * (1 if wanted.below else -1)
    low, high = analyte.plausible
    if not low <= limit - 2 * abs(step) < limit + 2 * abs(step) <= high:
        raise BadRequest(
            f"{limit} {analyte.canonical} is not between {low} and {high}, the plausible range of "
            f"{wanted.analyte}.",
            "Give a number well inside it.",
            option,
        )
    name = analyte.name
    what = name if name[1:2].isupper() else name[:1].lower() + name[1:]
    words = {
        "name": wanted.name,
        "module": wanted.name.replace("-", "_"),
        "title": wanted.name.replace("-", " ").capitalize(),
        "topic": topic.key,
        "today": today.isoformat(),
        "analyte": wanted.analyte,
        "label": name,
        "what": what,
        "limit": key,
        "reference": reference,
        "orders": _tuple(wanted.orders),
        "side": "below" if wanted.below else "above",
        "adjective": "low" if wanted.below else "high",
        "compare": "below" if wanted.below else "above",
        "worse": "LOW" if wanted.below else "HIGH",
        "comparator": "<" if wanted.below else ">",
        "unit": analyte.canonical,
        "value_fires": f"{limit - step:f}",
        "value_limit": f"{limit:f}",
        "value_silent": f"{limit + step:f}",
    }
    return words | {"other_unit": _other_unit(topic, wanted, limit)}, added


def _other_unit(topic: Topic, wanted: Wanted, limit: Decimal) -> str:
    """A case in another unit, where the analyte has one."""
    analyte = topic.knowledge.analytes[wanted.analyte]
    value = limit * (Decimal("0.9") if wanted.below else Decimal("1.1"))
    for spelling, unit in analyte.units.items():
        if unit.same or unit.name in (analyte.least or {}):
            continue
        if analyte.plausible[0] <= value <= analyte.plausible[1]:
            converted = unit.from_canonical(value, analyte.decimals + 3)
            return f'        pytest.param("{converted:f}", "{spelling}", id="in another unit"),\n'
    return ""


def _number(text: str, option: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise BadRequest(f"{text} is not a number.", "Write it like 2.1.", option)
    return value


def _reference(topic: Topic) -> str:
    """The reference of a first draft: a judgement, else general knowledge.

    Raises BadRequest where the topic has neither.
    """
    references = topic.knowledge.references
    for kind in ("judgement", "general knowledge"):
        for key, reference in references.items():
            if reference.kind == kind:
                return key
    raise BadRequest(
        f"{topic.key} has no reference of the kind judgement.",
        "Add one to knowledge/references.toml: [judgement], with label, citation and kind.",
    )


def _tuple(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def registered(text: str, package: str, module: str) -> str:
    """The text of a service's module with one more rule: its import, sorted, and its RULES entry.

    Raises BadRequest where the module has no RULES.
    """
    line = f"from {package}.rules.{module} import {module}"
    lines = text.splitlines()
    imports = [
        number
        for number, text_line in enumerate(lines)
        if text_line.startswith(("from ", "import "))
    ]
    own = [number for number in imports if lines[number].startswith(f"from {package}.")]
    after = [number for number in own if lines[number].split()[1] > line.split()[1]]
    lines.insert(
        after[0] if after else (own or imports)[-1] + _length(lines, (own or imports)[-1]), line
    )
    start = next((n for n, text_line in enumerate(lines) if text_line.startswith("RULES")), None)
    if start is None:
        raise BadRequest(
            f"{package} has a module without RULES.", "Write RULES: tuple[Rule, ...] = ()."
        )
    if lines[start].endswith("()"):
        lines[start : start + 1] = [lines[start][:-1], f"    {_ADD_HERE}", ")"]
    end = next(
        n for n in range(start, len(lines)) if _ADD_HERE in lines[n] or lines[n].startswith(")")
    )
    lines.insert(end, f"    {module},")
    return "\n".join(lines) + "\n"


def _length(lines: Sequence[str], start: int) -> int:
    """The number of lines of an import."""
    if not lines[start].endswith("("):
        return 1
    return next(n for n in range(start, len(lines)) if lines[n] == ")") - start + 1


def _traced(text: str, name: str) -> str:
    line = f'"{name}" = "A first draft: say why the rule exists."'
    head, found, rest = text.partition("[complement]\n")
    return f"{head}{found}{line}\n{rest}" if found else f"{text}[complement]\n{line}\n"


def _asked(root: Path, topic: str, name: str, request: Path) -> str:
    """The response of a fresh process to the scenario, as its expected.json."""
    cards = _answer_of(root, topic, "evaluate", request)["cards"]
    if name not in [card["source"]["topic"]["code"] for card in cards]:
        rules = _answer_of(root, topic, "explain", request)["rules"]
        (own,) = [rule for rule in rules if rule["rule"] == name]
        raise BadRequest(
            f"the scenario does not show the card of the rule: it {own['answer']}. "
            f"{own['notShown'] or '; '.join(own['because'])}".rstrip(". ")
            + ".",
            "Choose another analyte, hook or orders. Nothing was written.",
        )
    expected = [_expected(card, name) for card in cards]
    return json.dumps({"as_of": AS_OF, "cards": expected}, indent=2) + "\n"


def _answer_of(root: Path, topic: str, command: str, request: Path) -> Any:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    with tempfile.TemporaryDirectory() as folder:
        environ |= {"CDS_TOPICS": topic, "CDS_DATABASE_URL": f"sqlite:///{folder}/records.db"}
        done = subprocess.run(
            [sys.executable, "-m", "cds_service", command, request, "--as-of", AS_OF, "--json"],
            cwd=root,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise BadRequest(
            f"the service does not start with the rule: {done.stderr.strip()[-600:]}",
            "Correct what the message names. Nothing was written.",
        )
    return json.loads(done.stdout)


def _expected(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    rule = card["source"]["topic"]["code"]
    said = {"rule": rule, "indicator": card["indicator"]}
    if rule != name:
        return said
    offers = [suggestion["label"] for suggestion in card.get("suggestions", ())]
    return {**said, "summary": card["summary"], "offers": offers}


# --- files ---------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _put(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _restore(before: Mapping[Path, bytes | None]) -> None:
    for path, content in before.items():
        if content is not None:
            path.write_bytes(content)
            continue
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def _format(paths: Any) -> None:
    """Format the files, in an environment that has the formatter."""
    if importlib.util.find_spec("ruff") is not None:
        subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", *map(str, paths)],
            check=False, capture_output=True,
        )  # fmt: skip


def _filled(source: str, words: Mapping[str, str]) -> str:
    text = resources.files("cds_service.new_rule").joinpath(source).read_text(encoding="utf-8")
    return Template(text).substitute(words)
