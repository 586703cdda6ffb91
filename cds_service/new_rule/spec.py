"""What a new rule should do, and whether that is possible."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from types import MappingProxyType

from cds_service.engine.hook import HOOKS, Hook
from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest
from cds_service.new_rule.request import draft_of

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 64  # also the id of the patient in the scenario
_TEMPLATE_WORDS = frozenset({"days", "orders", "quoted", "results", "rule"})


@dataclass(frozen=True, slots=True)
class RuleSpec:
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
    """The orders that a first draft may offer (no drugs), or, for a hook with drafts, may judge."""
    knowledge = topic.knowledge
    if not hook.drafts:
        return tuple(key for key, order in knowledge.orderables.items() if not order.medication)
    drafts = (
        knowledge.vocabularies.medications.all_concepts | knowledge.vocabularies.orders.all_concepts
    )
    return tuple(sorted(name for name in drafts if draft_of(topic, name) is not None))


def has_limit(topic: Topic, spec: RuleSpec) -> bool:
    """Whether the limit that the rule would use exists already."""
    return limit_key(spec) in topic.knowledge.limits(None, "")


def check_name(name: str, used_names: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise BadRequest where ``name`` is not a valid rule id, or belongs to another rule.

    ``used_names`` are the ids of all rules, each with its topic. The module and the function of the
    rule are named after the rule.
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
            f"{name} already has a meaning in Python or in the file of a rule.",
            f"Choose another name, like low-{name}.",
            "NAME",
        )
    if name in used_names:
        raise BadRequest(
            f"the topic {used_names[name]} already has a rule {name}.",
            "Choose another name.",
            "NAME",
        )


def check_spec(topic: Topic, spec: RuleSpec) -> None:
    """Raise BadRequest naming the option that is wrong and its valid values."""
    check_name(spec.name)
    check_hook(spec.hook)
    check_analyte(topic, spec.analyte)
    check_orders(topic, HOOKS[spec.hook], spec.orders)


def check_hook(name: str) -> None:
    """Raise BadRequest where no hook has this name."""
    _one_of(name, tuple(HOOKS), "--hook", f"no hook is called {name}.")


def check_analyte(topic: Topic, key: str) -> None:
    """Raise BadRequest where a rule cannot be about this analyte."""
    lacks = f"{topic.key} has no analyte {key} with a code to search for."
    _one_of(key, analytes_of(topic), "--analyte", lacks)


def check_orders(topic: Topic, hook: Hook, orders: Sequence[str]) -> None:
    """Raise BadRequest where a rule for ``hook`` cannot offer, or judge, these orders."""
    allowed = orders_of(topic, hook)
    for order in orders:
        if not hook.drafts and order in topic.knowledge.orderables and order not in allowed:
            raise BadRequest(
                f"{order} is a drug, and a first draft offers tests and referrals only.",
                f"Use one of {', '.join(allowed) or '(there are none)'}, and offer the drug in the "
                "finished rule: by DraftMedication, with what forbids it among the needs.",
                "--orders",
            )
        what = "code list of drafts" if hook.drafts else "order"
        _one_of(order, allowed, "--orders", f"{topic.key} has no {what} {order}.")
    if hook.drafts and not orders:
        raise BadRequest(
            f"a rule for {hook} judges draft orders, but none are named.",
            f"Name one or more of {', '.join(allowed)}.",
            "--orders",
        )


def _one_of(value: str, allowed: Sequence[str], where: str, lacks: str) -> None:
    if value not in allowed:
        raise BadRequest(lacks, f"Use one of {', '.join(allowed) or '(there are none)'}.", where)


def limit_key(spec: RuleSpec) -> str:
    """The key of the existing limit that the rule would use."""
    return f"{spec.analyte}.{'low' if spec.below else 'high'}"
