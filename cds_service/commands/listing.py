"""``cds-service rules``, ``settings`` and ``report``: what is configured, and the feedback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cds_service.commands import options

if TYPE_CHECKING:
    from cds_service.settings import Settings


@click.command(short_help="List the rules.")
@options.as_json
def rules(as_json: bool) -> None:
    """List the rules: id, version, service, title.

    Example: cds-service rules --json
    """
    from cds_service.catalogue.topics import chosen_topics
    from cds_service.engine.rule import Tier
    from cds_service.settings import read_settings

    settings = read_settings()
    topics = chosen_topics(settings)
    listed = [
        {
            "id": rule.id,
            "version": rule.version,
            "service": service.id,
            "tier": str(rule.tier),
            "title": rule.title,
            "references": list(rule.references),
            "limits": list(rule.limits),
            "changed": rule.changed,
            "off": rule.id in settings.rules_off,
            "state": _state(rule.id, settings),
        }
        for topic in topics
        for service in topic.services
        for rule in service.rules
    ]
    if as_json:
        click.echo(json.dumps({"rules": listed}, indent=2, ensure_ascii=False))
        return
    from cds_service.commands import terminal

    # "leg cramps are" without its verb
    complaints = [
        topic.knowledge.complaint_is.rpartition(" ")[0]
        for topic in topics
        if any(rule.tier is Tier.COMPLAINT for rule in topic.rules)
    ]
    terminal.print_rules(listed, complaints)


def _state(rule: str, settings: Settings) -> str:
    if rule in settings.rules_off:
        return "off"
    return "silent" if {rule, "*"} & {*settings.rules_silent} else "on"


@click.command(short_help="List the settings, their values and defaults.")
@options.as_json
def settings(as_json: bool) -> None:
    """List the settings: variable, current value, default and meaning. Secrets are not shown.

    Example: CDS_JURISDICTION=uk cds-service settings
    """
    from cds_service.catalogue.topics import installed_topics, option_values, options_of
    from cds_service.settings import list_settings, read_settings

    chosen = read_settings()
    topics = [package.topic for package in installed_topics(chosen.topics).values()]
    values = option_values(chosen, topics)
    entries = list_settings(
        chosen,
        {
            name: (values[name], option.default, option.description)
            for name, option in options_of(topics).items()
        },
    )
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


@click.command(short_help="Report how often cards were shown, accepted and overridden.")
@options.as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@click.option("--site", metavar="NAME", help="Count one site only. Default: all.")
def report(as_json: bool, as_csv: bool, site: str | None) -> None:
    """How often cards were shown, silent, accepted and overridden, and why, by rule and version.

    Example: cds-service report --csv > feedback.csv
    """
    from cds_service.catalogue.topics import chosen_topics, services_of, topic_of
    from cds_service.commands.feedback import print_report
    from cds_service.commands.terminal import progress_indicator
    from cds_service.feedback.card_ids import RuleVersion
    from cds_service.feedback.report import Report
    from cds_service.feedback.report import report as read_report
    from cds_service.settings import read_settings
    from cds_service.storage.database import open_database

    settings = read_settings()
    topics = chosen_topics(settings)
    rule_versions = [RuleVersion(rule.id, rule.version) for topic in topics for rule in topic.rules]
    database = open_database(settings.database_url)
    if database.exists:
        with progress_indicator("Counting the feedback"):
            counts = read_report(
                database, rule_versions, site, services_of(topics), topic_of(topics)
            )
    else:
        click.echo(f"cds-service: {database.url} does not exist yet: nothing is stored.", err=True)
        counts = Report((), 0, 0)
    if as_json:
        click.echo(json.dumps(counts.as_json(), indent=2, ensure_ascii=False))
    elif as_csv:
        click.echo(counts.as_csv(), nl=False)
    elif database.exists:
        titles = {rule.id: rule.title for topic in topics for rule in topic.rules}
        print_report(counts, titles)
        click.echo(
            f"\nStored feedback: {counts.total}, including {counts.unknown} on unknown cards."
        )
        click.echo(f"Database: {database.url}")
