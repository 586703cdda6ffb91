"""The templates of a new rule, and the words for their placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib import resources
from string import Template

from cds_service.core.quantities import decimals_of
from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest
from cds_service.new_rule.spec import RuleSpec, limit_key


def words_for(topic: Topic, spec: RuleSpec, today: date) -> tuple[dict[str, str], str]:
    """The words for the placeholders of the templates, and the block of a limit to add ("" where
    an existing limit is used)."""
    knowledge = topic.knowledge
    analyte, limits = knowledge.analytes[spec.analyte], knowledge.limits(None, "")
    option = "--below" if spec.below else "--above"
    key, reference, added = limit_key(spec), _reference(topic), ""
    if spec.number is None:
        if key not in limits:
            raise BadRequest(
                f"{topic.key} has no limit {key}, and no number was given.",
                f"Give the number in {analyte.canonical}: {option} NUMBER.",
                option,
            )
        limit = limits[key].value
    else:
        limit = _number(spec.number, option)
        if key not in limits or limits[key].value != limit:
            key = f"{spec.analyte}.{spec.name.replace('-', '_')}" if key in limits else key
            added = filled(
                "limit.toml.txt",
                {
                    "key": key,
                    "value": str(limit),
                    "unit": analyte.canonical,
                    "reference": reference,
                    "today": today.isoformat(),
                },
            )
    places = max(analyte.decimals, decimals_of(limit))
    step = Decimal(1).scaleb(-places) * (1 if spec.below else -1)
    low, high = analyte.plausible
    if not low <= limit - 2 * abs(step) < limit + 2 * abs(step) <= high:
        raise BadRequest(
            f"{limit} {analyte.canonical} is not between {low} and {high}, the plausible range of "
            f"{spec.analyte}.",
            "Give a number well within this range.",
            option,
        )
    name = analyte.name
    what = name if name[1:2].isupper() else name[:1].lower() + name[1:]
    words = {
        "name": spec.name,
        "module": spec.name.replace("-", "_"),
        "title": spec.name.replace("-", " ").capitalize(),
        "topic": topic.key,
        "today": today.isoformat(),
        "analyte": spec.analyte,
        "label": name,
        "what": what,
        "limit": key,
        "reference": reference,
        "orders": _tuple(spec.orders),
        "covered": _covered(topic, spec.orders),
        "side": "below" if spec.below else "above",
        "adjective": "low" if spec.below else "high",
        "compare": "below" if spec.below else "above",
        "worse": "LOW" if spec.below else "HIGH",
        "comparator": "<" if spec.below else ">",
        "unit": analyte.canonical,
        "value_fires": f"{limit - step:f}",
        "value_limit": f"{limit:f}",
        "value_silent": f"{limit + step:f}",
    }
    return words | {"other_unit": _other_unit(topic, spec, limit)}, added


def _other_unit(topic: Topic, spec: RuleSpec, limit: Decimal) -> str:
    """A test case in another unit; "" where the analyte has only one unit."""
    analyte = topic.knowledge.analytes[spec.analyte]
    value = limit * (Decimal("0.9") if spec.below else Decimal("1.1"))
    for spelling, unit in analyte.units.items():
        if unit.same or unit.name in (analyte.least or {}):
            continue
        if analyte.plausible[0] <= value <= analyte.plausible[1]:
            converted = unit.from_canonical(value, analyte.decimals + 3)
            return f'        pytest.param("{converted:f}", "{spelling}", id="in another unit"),\n'
    return ""


def check_number(topic: Topic, spec: RuleSpec) -> None:
    """Raise BadRequest where the number of a rule cannot be its limit."""
    words_for(topic, spec, date.min)


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
        f'{topic.key} has no reference whose kind is "judgement" or "general knowledge".',
        "Add one to knowledge/references.toml: [judgement], with label, citation and kind.",
    )


def _covered(topic: Topic, orders: Sequence[str]) -> str:
    """What the offered orders cover, as arguments of ``orders``: mostly it has their names."""
    orderables = topic.knowledge.orderables
    covered = {name for key in orders if key in orderables for name in orderables[key].covers}
    if covered <= set(orders):
        return "*OFFERED"
    return ", ".join(f'"{name}"' for name in sorted(covered))


def _tuple(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def filled(source: str, words: Mapping[str, str]) -> str:
    """The text of a template, with its placeholders filled in."""
    text = resources.files("cds_service.new_rule").joinpath(source).read_text(encoding="utf-8")
    return Template(text).substitute(words)
