"""The command line: ``cds-service``.

Exit status 0, 1 for bad input with one line on standard error, 2 for wrong usage. Imports
that cost time are made by the command that needs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click

from cds_service.commands.clients import check_client, keys
from cds_service.commands.evaluation import evaluate, explain
from cds_service.commands.listing import report, rules, settings
from cds_service.commands.serve import serve
from cds_service.commands.stored_data import audit, data
from cds_service.errors import ServiceError
from cds_service.population.command import population


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


def _print_version(context: click.Context, _parameter: click.Parameter, requested: bool) -> None:
    if requested:
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
    """Decision support for clinicians, as a CDS Hooks service.

    Example: cds-service evaluate fixtures/patients/low-magnesium.json
    """


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


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
    from cds_service.commands.terminal import progress_indicator
    from cds_service.ops import logs

    logs.configure_once("error")
    with progress_indicator("Checking"):
        inspection = inspect(host, datetime.now(UTC).date())
    for fault in inspection.faults:
        click.echo(f"cds-service: {fault}", err=True)
    if inspection.faults:
        sys.exit(1)
    click.echo(
        f"Nothing is wrong or missing: {inspection.rules} rules, "
        f"{_counted(inspection.sites, 'site')}, {_counted(inspection.clients, 'client')}."
    )


for _command in (
    serve, evaluate, explain, rules, settings, report, keys, check_client, audit, population, data,
):  # fmt: skip
    main.add_command(_command)


@main.command("new-rule", short_help="Write a rule, its cases and its scenario.")
@click.argument("name")
@click.option("--hook", metavar="HOOK", help="The rule's hook: patient-view, order-select, …")
@click.option("--analyte", metavar="KEY", help="The analyte whose newest result the rule reads.")
@click.option(
    "--orders",
    metavar="KEYS",
    help="Orders that it offers (patient-view) or drafts that it judges, comma-separated, or none.",
)
@click.option("--below", metavar="NUMBER", help="Fires below this; low: the limit ANALYTE.low.")
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
    are asked for on a terminal, again where an answer cannot be used. Without --below and --above
    it fires on the side that NAME says (low, high, hypo…, hyper…), else that of the only limit.

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
        f"Next: run pip install -e ./{key}, describe an analyte in "
        f"{key}/{package}/knowledge/analytes.toml, and run cds-service new-rule in the folder "
        f"{key}."
    )
