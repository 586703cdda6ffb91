"""``cds-service evaluate`` and ``explain``: a request or Bundle from a file or standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import options
from cds_service.core.identity import DEFAULT_SITE
from cds_service.engine.hook import HOOKS
from cds_service.errors import ServiceError

if TYPE_CHECKING:
    from cds_service.answer.answering import AnsweredCall
    from cds_service.api.parts import Parts

_REQUEST = click.argument(
    "request", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)
_HOOK = click.option(
    "--hook",
    type=click.Choice(list(HOOKS)),
    help="Which hook a Bundle is evaluated for. Default: patient-view.",
)
_AS_OF = click.option("--as-of", metavar="DATE", help="The moment of the call. Default: now.")
_SITE = click.option(
    "--site",
    metavar="NAME",
    default=DEFAULT_SITE,
    help="Use the settings of this site of CDS_SITES. Default: default.",
)


@click.command(short_help="Print the cards for a request or a Bundle.")
@_REQUEST
@_HOOK
@_AS_OF
@_SITE
@options.as_json
@click.option("--check", is_flag=True, help="Also check every card against the specification.")
def evaluate(
    request: Path,
    hook: str | None,
    as_of: str | None,
    site: str,
    as_json: bool,
    check: bool,
) -> None:
    """Print the cards for REQUEST: a hook request, or a FHIR Bundle of one patient.

    REQUEST "-" reads standard input.

    Example: cds-service evaluate patient.json --as-of 2026-11-23
    """
    answers = _answers(request, hook, as_of, site)
    bodies = [dict(card.body) for answered in answers for card in answered.cards]
    if check:
        from cds_service.answer.checking import flaws

        faults = flaws({"cards": bodies})
        for flaw in faults:
            click.echo(f"cds-service: {flaw}", err=True)
        if faults:
            sys.exit(1)
    if as_json:
        click.echo(json.dumps({"cards": bodies}, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    if not bodies:
        for answered in answers:
            service = f"{answered.call.service}: " if len(answers) > 1 else ""
            click.echo(f"{service}{answered.silence} `cds-service explain` says why.")
        return
    terminal.print_cards(bodies)


@click.command(short_help="Print every rule's outcome and the reasons.")
@_REQUEST
@_HOOK
@_AS_OF
@_SITE
@options.as_json
def explain(request: Path, hook: str | None, as_of: str | None, site: str, as_json: bool) -> None:
    """Print every rule's outcome for REQUEST and the reasons. REQUEST "-" reads standard input.

    Example: cds-service explain patient.json --hook order-select
    """
    from cds_service.answer.trace import as_json as trace_json
    from cds_service.answer.trace import joined

    trace = joined([trace_json(answered) for answered in _answers(request, hook, as_of, site)])
    if as_json:
        click.echo(json.dumps(trace, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    terminal.print_trace(trace)


def _answers(path: Path, hook: str | None, as_of: str | None, site: str) -> list[AnsweredCall]:
    from datetime import datetime

    from cds_service.api.asking import ask_each
    from cds_service.app import make_parts
    from cds_service.commands.terminal import progress_indicator
    from cds_service.ops import logs
    from cds_service.settings import read_settings
    from cds_service.sources.one_patient import moment

    settings = read_settings()
    logs.configure_once(settings.log_level, settings.log_format)
    body = _read(path)
    when = moment(as_of) if as_of else datetime.now().astimezone()
    with progress_indicator(f"Reading {_named(path)}"):
        parts = _as_site(make_parts(settings), site)
        try:
            return ask_each(parts, body, when, hook)
        except ServiceError as error:
            raise _of_file(error, _named(path)) from None


def _as_site(parts: Parts, site: str) -> Parts:
    from dataclasses import replace

    from cds_service.errors import BadRequest

    if site not in parts.sites:
        raise BadRequest(
            f"no site is called {site}.", f"The sites are {', '.join(parts.sites)}.", "--site"
        )
    return replace(parts, answering=parts.sites[site])


def _named(path: Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _of_file(error: ServiceError, name: str) -> ServiceError:
    """The error with the name of the file in place of the words for an HTTP body."""
    subject, _, rest = error.what.partition(" ")
    if subject == "The" and rest.startswith("body "):
        error.what = f"{name}{rest.removeprefix('body')}"
    elif not error.where.startswith("--"):
        error.where = f"{name}: {error.where}" if error.where else name
    return error


def _read(path: Path) -> bytes:
    from cds_service.errors import BadRequest

    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}.", "Name a JSON file.") from None
