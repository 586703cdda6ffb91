"""``cds-service new-rule``: asks for missing options and lists the files that it wrote."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from cds_service.catalogue.topics import installed_topics
from cds_service.engine.hook import HOOKS, PATIENT_VIEW
from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest
from cds_service.new_rule.direction import (
    SIDES,
    check_side,
    settled_side,
    side_in_name,
    side_of_limits,
)
from cds_service.new_rule.spec import (
    RuleSpec,
    analytes_of,
    check_analyte,
    check_hook,
    check_name,
    check_orders,
    check_spec,
    has_limit,
    limit_key,
    orders_of,
)
from cds_service.new_rule.templates import check_number
from cds_service.new_rule.writing import write

_MOST_TRIES = 5
"""How often an answer that cannot be used is asked for again."""


def run(
    name: str,
    hook: str | None,
    analyte: str | None,
    orders: str | None,
    below: str | None,
    above: str | None,
    key: str | None,
) -> Iterator[str]:
    """Write the rule; yields one line for each file, and what to do next.

    Raises BadRequest or UsageError for an option that is missing or wrong.
    """
    used_ids = {
        rule.id: known
        for known, package in installed_topics().items()
        for rule in package.topic.rules
    }
    check_name(name, used_ids)
    if below is not None and above is not None:
        raise click.UsageError("Use either --below or --above, not both.")
    topic, package, root = _place(key)
    if hook is None:
        hook = _ask("--hook", "Hook", tuple(HOOKS), PATIENT_VIEW.name, check_hook)
    check_hook(hook)
    if analyte is None:
        check = partial(check_analyte, topic)
        analyte = _ask("--analyte", "Analyte", analytes_of(topic), None, check)
    check_analyte(topic, analyte)
    if orders is None:
        allowed = orders_of(topic, HOOKS[hook])
        description = (
            "Drafts that it judges" if HOOKS[hook].drafts else "Orders that it offers, or none"
        )
        default = analyte if analyte in allowed else None
        chosen_hook = HOOKS[hook]
        orders = _ask(
            "--orders",
            description,
            allowed,
            default,
            lambda answer: check_orders(topic, chosen_hook, _keys(answer)),
        )
    if below is None and above is None:
        side, number = _side(topic, name, analyte), None
    else:
        side = "below" if above is None else "above"
        number = None if (below, above) in (("low", None), (None, "high")) else below or above
    spec = RuleSpec(name, hook, analyte, _keys(orders), number, side == "below")
    check_spec(topic, spec)
    today = datetime.now(UTC).date()
    if number is None and not has_limit(topic, spec) and sys.stdin.isatty():
        unit = topic.knowledge.analytes[analyte].canonical
        number = _answer(
            f"--{side}",
            f"It fires {side} ({unit})",
            None,
            lambda answer: check_number(topic, replace(spec, number=answer)),
        )
        spec = replace(spec, number=number)
    if number is None and has_limit(topic, spec):
        limit = topic.knowledge.limits(None, "")[limit_key(spec)]
        yield (
            f"The rule fires {side} the existing limit {limit.key}, {limit}. "
            f"For another limit, give --{side} NUMBER."
        )
    if side_in_name(name) not in (None, side):
        named = side_in_name(name)
        yield f"Its name says {named}, but it fires {side} its limit, as was asked for."
    home = Path.cwd()
    for path in write(topic, package, root, spec, today):
        yield f"wrote {path.relative_to(home) if path.is_relative_to(home) else path}"
    module = name.replace("-", "_")
    yield f"The rule is registered, and its cases pass: pytest tests/rules/test_{module}.py"
    yield "Next: change the rule, its cases and its scenario into what you want. cds-service check"
    yield "names each placeholder left; the service starts only with --demo until all are replaced."
    if (root / "docs/generate.py").is_file():
        yield "Then: run make docs, and add a line to CHANGELOG.md."


def _place(key: str | None) -> tuple[Topic, str, Path]:
    """The topic, its package, and the folder of its source checkout."""
    installed = installed_topics()
    if key is not None and key not in installed:
        raise BadRequest(
            f"no topic is called {key}.",
            f"The installed topics are {', '.join(installed)}; cds-service new-topic makes a new "
            "one.",
            "--topic",
        )
    here = Path.cwd()
    for name, topic_package in installed.items():
        if key not in (None, name):
            continue
        if (here / topic_package.package).is_dir():
            return topic_package.topic, topic_package.package, here
        if key is not None and (topic_package.folder.parent / "pyproject.toml").is_file():
            return topic_package.topic, topic_package.package, topic_package.folder.parent
    raise BadRequest(
        f"{here} is not a source checkout of an installed topic.",
        "Install the topic with pip install -e, and run this in the folder of its pyproject.toml.",
    )


def _side(topic: Topic, name: str, analyte: str) -> str:
    """The side of its limit on which the rule fires; asked for where the name does not say it."""
    if side_in_name(name) is None and sys.stdin.isatty():
        limits = topic.knowledge.limits(None, "")
        for key in (f"{analyte}.low", f"{analyte}.high"):
            if key in limits:
                click.echo(f"The limit {key} is {limits[key]}.")
        default = side_of_limits(topic, analyte)
        return _ask("--below", "It fires below or above its limit", SIDES, default, check_side)
    return settled_side(topic, name, analyte)


def _keys(orders: str) -> tuple[str, ...]:
    names = (order.strip() for order in orders.split(","))
    return tuple(dict.fromkeys(name for name in names if name not in ("", "none")))


def _ask(
    option: str,
    description: str,
    allowed: Sequence[str],
    default: str | None,
    check: Callable[[str], None],
) -> str:
    """What the user answers. Raises BadRequest naming the values where there is no terminal."""
    values = ", ".join(allowed) or "(there are none)"
    if not sys.stdin.isatty():
        raise BadRequest("this option is missing.", f"Use one of {values}.", option)
    click.echo(f"{description}: {values}")
    return _answer(option, description, default, check)


def _answer(
    option: str, description: str, default: str | None, check: Callable[[str], None]
) -> str:
    """The first answer that ``check`` accepts; it raises BadRequest for any other.

    Raises UsageError where the input ends, or no answer is accepted.
    """
    for _ in range(_MOST_TRIES):
        try:
            answer: str = click.prompt(description, default=default).strip()
        except click.Abort as stopped:
            if isinstance(stopped.__context__, EOFError):
                raise click.UsageError(
                    f"The input ended before {option} was answered: nothing was written."
                ) from None
            raise
        try:
            check(answer)
        except BadRequest as error:
            if error.where != option:
                raise
            click.echo(f"{error.what} {error.fix}", err=True)
        else:
            return answer
    raise click.UsageError(
        f"None of {_MOST_TRIES} answers to {option} can be used: nothing was written."
    )
