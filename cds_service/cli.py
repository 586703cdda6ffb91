"""The command line: ``cds-service``.

Exit status 0, 1 for bad input with one line on standard error, 2 for wrong usage. Imports
that cost time are made by the command that needs them.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from cds_service.commands.kept import audit, data
from cds_service.engine.hook import HOOKS
from cds_service.errors import ServiceError
from cds_service.population.command import population

if TYPE_CHECKING:
    from cds_service.answer.answering import Answered
    from cds_service.api.parts import Parts
    from cds_service.settings import Settings


class _Commands(click.Group):
    """The commands; a `ServiceError` ends them with one line and status 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ServiceError as error:
            click.echo(f"cds-service: {error}", err=True)
            context.exit(1)
        except BrokenPipeError:
            context.exit(0)


class _WholeNumber(click.IntRange):
    """A range whose errors say "whole number" instead of "integer range"."""

    name = "whole number"


def _print_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from cds_service.ops.version import version_text

        click.echo(f"cds-service {version_text()}")
        context.exit()


@click.group(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": min(120, get_terminal_size().columns),
    },
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the commit, and exit.",
)
def main() -> None:
    """Decision support for leg cramps, as a CDS Hooks service.

    Example: cds-service evaluate fixtures/patients/low-magnesium.json
    """


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=_WholeNumber(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--workers", type=_WholeNumber(1, 64), help="Number of processes. Default: one per processor."
)
@click.option("--demo", is_flag=True, help="Serve the demo page at /.")
def serve(host: str, port: int, workers: int | None, demo: bool) -> None:
    """Run the service.

    Example: cds-service serve --port 8000 --demo
    """
    import os

    from cds_service.commands.terminal import patience
    from cds_service.serving import server

    if demo:
        os.environ["CDS_DEMO"] = "1"

    with ExitStack() as starting:
        starting.enter_context(patience("Starting"))

        def say(found: Settings) -> None:
            starting.close()
            click.echo(_what_next(host, port, found))

        server.serve(host, port, workers, said=say)


def _what_next(host: str, port: int, settings: Settings) -> str:
    base = f"http://{host}:{port}"
    lines = [f"cds-service listens on {base}", f"  discovery  {base}/cds-services"]
    if settings.demo:
        lines.append(f"  demo page  {base}/")
    if settings.trusted_clients is not None:
        lines.append(
            f"  the audience of tokens is {settings.public_url}/cds-services/… (CDS_PUBLIC_URL)"
        )
    example = _example()
    if settings.trusted_clients is not None and settings.discovery_auth:
        lines += [
            "Try, from another terminal:",
            f"  curl -s {base}/healthz",
            'Every other call needs a token: cds-service check-client "$TOKEN" explains one.',
        ]
    elif settings.trusted_clients is not None:
        # Discovery needs no token, so that this call works unchanged.
        lines += [
            "Try, from another terminal:",
            f"  curl -s {base}/cds-services",
            'Calls need a token: cds-service check-client "$TOKEN" explains one.',
        ]
    elif example is None:
        lines.append("  (sample requests are in the source checkout, not in the installed package)")
    else:
        lines += [
            "Try, from another terminal:",
            f"  curl -s {base}/cds-services/leg-cramps-patient-view \\",
            f"    -H 'Content-Type: application/json' -d @{example}",
        ]
    return "\n".join(lines)


def _example() -> Path | None:
    request = Path("fixtures/scenarios/quinine-active/request.json")
    for base in (Path(), Path(__file__).parent.parent):
        if (base / request).is_file():
            return base / request
    return None


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
    "--site", metavar="NAME", help="Use the settings of this site of CDS_SITES. Default: default."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@main.command(short_help="Print the cards for a request or a Bundle.")
@_REQUEST
@_HOOK
@_AS_OF
@_SITE
@_JSON
@click.option("--check", is_flag=True, help="Also check every card against the specification.")
def evaluate(
    request: Path,
    hook: str | None,
    as_of: str | None,
    site: str | None,
    as_json: bool,
    check: bool,
) -> None:
    """Print the cards for REQUEST: a hook request, or a FHIR Bundle of one patient.

    REQUEST "-" reads standard input.

    Example: cds-service evaluate patient.json --as-of 2026-11-23
    """
    answered = _answer(request, hook, as_of, site)
    bodies = [dict(card.body) for card in answered.cards]
    if check:
        from cds_service.answer.checking import flaws

        found = flaws({"cards": bodies})
        for flaw in found:
            click.echo(f"cds-service: {flaw}", err=True)
        if found:
            sys.exit(1)
    if as_json:
        click.echo(json.dumps({"cards": bodies}, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    if not bodies:
        click.echo(f"{answered.silence} `cds-service explain` says why.")
        return
    terminal.print_cards(bodies)


@main.command(short_help="Print every rule's outcome and the reasons.")
@_REQUEST
@_HOOK
@_AS_OF
@_SITE
@_JSON
def explain(
    request: Path, hook: str | None, as_of: str | None, site: str | None, as_json: bool
) -> None:
    """Print every rule's outcome for REQUEST and the reasons. REQUEST "-" reads standard input.

    Example: cds-service explain patient.json --hook order-select
    """
    from cds_service.answer.trace import as_json as trace_json

    answered = _answer(request, hook, as_of, site)
    trace = trace_json(answered)
    if as_json:
        click.echo(json.dumps(trace, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    terminal.print_trace(trace)


def _answer(path: Path, hook: str | None, as_of: str | None, site: str | None) -> Answered:
    from datetime import datetime

    from cds_service.api.asking import ask
    from cds_service.app import make_parts
    from cds_service.commands.terminal import patience
    from cds_service.ops import logs
    from cds_service.settings import read_settings
    from cds_service.sources.one_patient import moment

    settings = read_settings()
    logs.configure_once(settings.log_level, settings.log_format)
    body = _read(path)
    when = moment(as_of) if as_of else datetime.now().astimezone()
    with patience(f"Reading {_named(path)}"):
        parts = _as_site(make_parts(settings), site)
        try:
            return ask(parts, body, when, hook)
        except ServiceError as error:
            raise _of_file(error, _named(path)) from None


def _as_site(parts: Parts, site: str | None) -> Parts:
    from dataclasses import replace

    from cds_service.errors import BadRequest

    if site is None:
        return parts
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


@main.command(short_help="List the rules.")
@_JSON
def rules(as_json: bool) -> None:
    """List the rules: id, version, service, title.

    Example: cds-service rules --json
    """
    from cds_service.catalogue.topics import chosen_topics
    from cds_service.settings import read_settings

    settings = read_settings()
    listed = [
        {
            "id": one.id,
            "version": one.version,
            "service": service.id,
            "tier": str(one.tier),
            "title": one.title,
            "references": list(one.references),
            "limits": list(one.limits),
            "changed": one.changed,
            "off": one.id in settings.rules_off,
            "state": _state(one.id, settings),
        }
        for topic in chosen_topics(settings)
        for service in topic.services
        for one in service.rules
    ]
    if as_json:
        click.echo(json.dumps({"rules": listed}, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    terminal.print_rules(listed)


def _state(rule: str, settings: Settings) -> str:
    if rule in settings.rules_off:
        return "off"
    return "silent" if {rule, "*"} & {*settings.rules_silent} else "on"


@main.command(short_help="List the settings, their values and defaults.")
@_JSON
def settings(as_json: bool) -> None:
    """List the settings: variable, current value, default and meaning. Secrets are not shown.

    Example: CDS_JURISDICTION=uk cds-service settings
    """
    from cds_service.settings import listed, read_settings

    entries = listed(read_settings())
    if as_json:
        click.echo(json.dumps({"settings": entries}, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    if not terminal.console().is_terminal:
        for entry in entries:
            click.echo(f"{entry['variable']}={entry['value']}")
            click.echo(f"    {entry['description']} Default: {entry['default'] or 'unset'}.")
        return
    rows = [
        [
            entry["variable"],
            entry["value"],
            f"{entry['description']} Default: {entry['default'] or 'unset'}.",
        ]
        for entry in entries
    ]
    terminal.print_table("Settings", ["variable", "value", "meaning"], rows)


@main.command(short_help="Report how often cards were shown, accepted and overridden.")
@_JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@click.option("--site", metavar="NAME", help="Count one site only. Default: all.")
def report(as_json: bool, as_csv: bool, site: str | None) -> None:
    """How often cards were shown, silent, accepted and overridden, and why, by rule and version.

    Example: cds-service report --csv > feedback.csv
    """
    from cds_service.catalogue.topics import chosen_topics, services_of
    from cds_service.commands.feedback import print_report
    from cds_service.commands.terminal import patience
    from cds_service.feedback.card_ids import RuleVersion
    from cds_service.feedback.report import Report
    from cds_service.feedback.report import report as read_report
    from cds_service.settings import read_settings
    from cds_service.storage.database import open_database

    settings = read_settings()
    topics = chosen_topics(settings)
    known = [RuleVersion(one.id, one.version) for topic in topics for one in topic.rules]
    database = open_database(settings.database_url)
    if database.exists:
        with patience("Counting the feedback"):
            found = read_report(database, known, site, services_of(topics))
    else:
        click.echo(f"cds-service: {database.url} does not exist yet: nothing is stored.", err=True)
        found = Report((), 0, 0)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    elif as_csv:
        click.echo(found.as_csv(), nl=False)
    elif database.exists:
        titles = {one.id: one.title for topic in topics for one in topic.rules}
        print_report(found, titles)
        click.echo(f"\nStored feedback: {found.total}, of unknown cards: {found.unknown}.")
        click.echo(f"Database: {database.url}")


@main.command(short_help="Make a key pair and sign a test token.")
@click.option("--alg", default="ES384", show_default=True, help="ES384 or RS384, for example.")
@click.option("--iss", help="Also sign a test token: the client's issuer.")
@click.option("--aud", help="For the test token: full URL of the endpoint.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("keys"))
def keys(alg: str, iss: str | None, aud: str | None, out: Path) -> None:
    """Make a key pair for tests, and with --iss and --aud sign a test token.

    Example: cds-service keys --iss https://ehr.example --aud http://127.0.0.1:8000/cds-services/leg-cramps-patient-view
    """
    import time

    from cds_service.commands.private_files import new_private_file
    from cds_service.errors import BadRequest
    from cds_service.trust.inspect import make_key_pair, sign_token

    if bool(iss) != bool(aud):
        raise click.UsageError("Give both --iss and --aud, or neither.")
    try:
        pem, public = make_key_pair(alg)
    except ValueError as error:
        raise BadRequest(str(error), "Use ES384 or RS384.", "--alg") from None
    private, clients = out / "private.pem", out / "clients.json"
    out.mkdir(parents=True, exist_ok=True)
    with new_private_file(private) as file:
        file.write(pem)
    entry: dict[str, Any] = {"iss": iss or "https://ehr.example", "jwks": {"keys": [public]}}
    clients.write_text(json.dumps([entry], indent=2) + "\n", encoding="utf-8")
    click.echo(f"{private}: the private key, for tests only", err=True)
    click.echo(f"{clients}: for CDS_TRUSTED_CLIENTS", err=True)
    if iss and aud:
        click.echo(sign_token(pem, str(public["kid"]), iss, aud, now=time.time(), alg=alg))


@main.command("check-client", short_help="Explain why a token is accepted or refused.")
@click.argument("token")
@click.option("--path", default="/cds-services/leg-cramps-patient-view", show_default=True)
def check_client(token: str, path: str) -> None:
    """Explain step by step why TOKEN would be accepted or refused ("-" reads standard input).

    Example: cds-service check-client "$TOKEN" --path /cds-services/leg-cramps-order-select
    """
    import time

    from cds_service.errors import BadRequest
    from cds_service.settings import read_settings
    from cds_service.trust.clients import load_clients
    from cds_service.trust.inspect import explain_token

    settings = read_settings()
    if settings.trusted_clients is None:
        raise BadRequest(
            "CDS_TRUSTED_CLIENTS is not set: anybody may call.", "Set it to the client list."
        )
    text = sys.stdin.read() if token == "-" else token  # noqa: S105  # a dash is not a secret
    clients = load_clients(settings.trusted_clients)
    steps = explain_token(text, clients, settings.public_url, path, time.time())
    from cds_service.commands import terminal

    terminal.print_steps((step.ok, f"{step.name}: {step.detail}") for step in steps)
    if not all(step.ok for step in steps):
        sys.exit(1)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


@main.command(short_help="Check the settings, rules and sites.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address that the service would listen on.",
)
def check(host: str) -> None:
    """Check everything that a start checks, and what rules, limits, lists and sites lack.

    Each fault is one line, and the status is 1. Nothing is written, and no server is called.

    Example: CDS_SITES=deploy/sites/sites.toml cds-service check
    """
    from datetime import UTC, datetime

    from cds_service.commands.inspection import inspect
    from cds_service.commands.terminal import patience
    from cds_service.ops import logs

    logs.configure_once("error")
    with patience("Checking"):
        found = inspect(host, datetime.now(UTC).date())
    for fault in found.faults:
        click.echo(f"cds-service: {fault}", err=True)
    if found.faults:
        sys.exit(1)
    click.echo(
        f"Nothing is wrong or missing: {found.rules} rules, {_counted(found.sites, 'site')}, "
        f"{_counted(found.clients, 'client')}."
    )


main.add_command(audit)
main.add_command(population)
main.add_command(data)


@main.command("new-rule", short_help="Write a rule, its cases and its scenario.")
@click.argument("name")
@click.option("--hook", metavar="HOOK", help="The rule's hook: patient-view, order-select, …")
@click.option("--analyte", metavar="KEY", help="The analyte whose newest result the rule reads.")
@click.option(
    "--orders",
    metavar="KEYS",
    help="Orders that it offers (patient-view) or drafts that it judges, comma-separated, or none.",
)
@click.option("--below", metavar="NUMBER", help="Fires below this. Default: the limit ANALYTE.low.")
@click.option("--above", metavar="NUMBER", help="Fires above this; high: the limit ANALYTE.high.")
@click.option("--topic", metavar="KEY", help="Default: the topic of this folder.")
def new_rule(
    name: str,
    hook: str | None,
    analyte: str | None,
    orders: str | None,
    below: str | None,
    above: str | None,
    topic: str | None,
) -> None:
    """Write and register the rule NAME with its cases and its scenario (in a source checkout).

    The cases pass at once; change them into what the rule should do. Options that are not given
    are asked for on a terminal.

    Example: cds-service new-rule low-sodium --hook patient-view --analyte sodium --orders sodium
    """
    from cds_service.commands.new_rule import run

    for line in run(name, hook, analyte, orders, below, above, topic):
        click.echo(line)


@main.command("new-topic", short_help="Write a package for a new topic.")
@click.argument("key")
def new_topic(key: str) -> None:
    """Write a package for the topic KEY into a new folder with that name.

    Example: cds-service new-topic hypocalcaemia
    """
    from datetime import UTC, datetime

    from cds_service.new_rule.topic import write_topic

    root = Path.cwd()
    for path in write_topic(key, root, datetime.now(UTC).date()):
        click.echo(f"wrote {path.relative_to(root)}")
    package = key.replace("-", "_")
    click.echo(
        f"Next: pip install -e ./{key}; describe an analyte in "
        f"{key}/{package}/knowledge/analytes.toml; in the folder {key}, cds-service new-rule."
    )
