"""Writes a new rule with its table of cases and its scenario, and registers it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from cds_service.engine.hook import HOOKS
from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest
from cds_service.new_rule.files import format_python, restore, text_of, write_texts
from cds_service.new_rule.registering import registered, traceability_with
from cds_service.new_rule.request import scenario_request
from cds_service.new_rule.spec import RuleSpec, check_spec
from cds_service.new_rule.templates import filled, words_for
from cds_service.new_rule.trying import expected_answer


def write(topic: Topic, package: str, root: Path, spec: RuleSpec, today: date) -> list[Path]:
    """Write and register a rule of ``topic``, whose ``package`` is a folder in ``root``.

    Returns the files written or changed. Raises BadRequest where that is impossible; then no
    file has changed.
    """
    check_spec(topic, spec)
    module, hook = spec.name.replace("-", "_"), HOOKS[spec.hook]
    service = root / package / f"{hook.module}.py"
    if not service.is_file():
        raise BadRequest(
            f"{topic.key} has no rules for {hook}: {service.relative_to(root)} is missing.",
            "Write RULES: tuple[Rule, ...] = () into that file, and add a Service with this hook "
            "and these rules to the TOPIC of the package.",
            "--hook",
        )
    if spec.name in {rule.id for rule in topic.rules}:
        raise BadRequest(
            f"{topic.key} already has a rule {spec.name}.", "Choose another name.", "NAME"
        )
    scenario = root / "fixtures" / "scenarios" / spec.name
    rule, cases = (
        root / package / "rules" / f"{module}.py",
        root / "tests" / "rules" / f"test_{module}.py",
    )
    for path in (rule, cases, scenario):
        if path.exists():
            raise BadRequest(
                f"{path.relative_to(root)} already exists.", "Choose another name.", "NAME"
            )
    words, limit = words_for(topic, spec, today)
    request = scenario_request(
        topic, spec.name, hook, spec.analyte, spec.orders, words["value_fires"]
    )
    template = "order.py.txt" if hook.drafts else "chart.py.txt"
    traceability = root / "docs" / "traceability.toml"
    texts = {
        rule: filled(template, words),
        cases: filled("test.py.txt", words),
        scenario / "request.json": json.dumps(request, indent=2, ensure_ascii=False) + "\n",
        scenario / "expected.json": "{}\n",
        scenario / "why.md": filled("why.md.txt", words),
        service: registered(text_of(service), package, module),
        traceability: traceability_with(text_of(traceability), spec.name),
    }
    if limit:
        limits_file = root / package / "knowledge" / "limits.toml"
        texts[limits_file] = f"{text_of(limits_file).rstrip()}\n\n{limit}".lstrip()
    before = {path: path.read_bytes() if path.exists() else None for path in texts}
    try:
        write_texts(texts)
        format_python(path for path in texts if path.suffix == ".py")
        expected = expected_answer(root, topic.key, spec.name, scenario / "request.json")
        write_texts({scenario / "expected.json": expected})
    except BaseException:
        restore(before)
        raise
    return list(texts)
