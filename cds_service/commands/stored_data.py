"""``cds-service audit`` and ``cds-service data``: reading, exporting and erasing stored data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import options
from cds_service.commands.private_files import new_private_file

if TYPE_CHECKING:
    from cds_service.storage.database import Database

_SITE = click.option("--site", metavar="NAME", help="Rows of one site only. Default: all.")


@click.group(short_help="The audit trail: make keys, show a card.")
def audit() -> None:
    """The audit trail (CDS_AUDIT): the calls, the rules' outcomes and what the cards said."""


@audit.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("audit-private.pem"),
    show_default=True,
    help="File for the private key; it must not exist.",
)
def keygen(out: Path) -> None:
    """Make a key pair: the private key goes to a file, the public key is for CDS_AUDIT_KEY.

    Example: cds-service audit keygen --out audit-private.pem
    """
    from cds_service.audit.sealing import new_pair

    private, public = new_pair()
    with new_private_file(out) as file:
        file.write(private)
    click.echo(f"{out}: the private key. Keep it where the service cannot read it.", err=True)
    click.echo(f"CDS_AUDIT_KEY={public}")


@audit.command()
@click.argument("card")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The private key, to read what the card said (CDS_AUDIT=full).",
)
@options.as_json
def show(card: str, key: Path | None, as_json: bool) -> None:
    """Print what is known of the card with the id CARD: its time, its rule and what it said.

    Example: cds-service audit show 3c368a76-485b-88d3-941c-a0010a7ccd3a --key audit-private.pem
    """
    from cds_service.audit.sealing import read_private
    from cds_service.audit.showing import as_text, reconstructed
    from cds_service.audit.trail import find
    from cds_service.errors import BadRequest
    from cds_service.feedback.card_ids import canonical

    private = None if key is None else read_private(key)
    card_id = canonical(card)
    with _database() as database:
        rows = find(database, card_id)
    if not rows:
        raise BadRequest(
            "The audit trail has no card with this id.",
            "It has the cards that were sent while CDS_AUDIT was on, and keeps them for as many "
            "days as CDS_AUDIT_DAYS says.",
        )
    reconstructions = [reconstructed(row, card_id, private) for row in rows]
    if as_json:
        click.echo(json.dumps(reconstructions, indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(map(as_text, reconstructions)))


@click.group(short_help="Stored data: export, erase, rotate the card key.")
def data() -> None:
    """What the service stores: feedback, counts, the audit trail and the card key."""


@data.command(short_help="Write every stored row as JSON lines.")
@_SITE
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file that only its owner can read. Default: standard output.",
)
def export(site: str | None, out: Path | None) -> None:
    """Write every stored row as a line of JSON with the name of its table.

    Example: cds-service data export --site north --out north.ndjson
    """
    from cds_service.commands.terminal import progress_indicator
    from cds_service.storage import lifecycle

    rows = 0
    with (
        _database() as database,
        nullcontext(sys.stdout) if out is None else new_private_file(out) as file,
        nullcontext() if out is None else progress_indicator(f"Writing {out}"),
    ):
        for row in lifecycle.export(database, site):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows += 1
    click.echo(f"{rows} rows of {database.url}", err=True)


@data.command(short_help="Erase rows from before a date permanently.")
@click.option(
    "--before",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Erase rows that were received or counted before this day (UTC).",
)
@_SITE
def erase(before: datetime, site: str | None) -> None:
    """Erase feedback, counts and audit rows from before DATE permanently.

    Example: cds-service data erase --before 2026-01-01 --site north
    """
    from cds_service.commands.terminal import progress_indicator
    from cds_service.storage import lifecycle

    with _database() as database:
        with progress_indicator("Erasing"):
            erased = lifecycle.erase(database, before.date(), site)
        for table, rows in erased.items():
            click.echo(f"{table}: {rows} rows erased")


@data.command("rotate-key")
def rotate_key() -> None:
    """Make a new card key. Card ids made with the previous key are recognised for 90 days.

    Example: cds-service data rotate-key
    """
    from cds_service.feedback.card_keys import CardKeys
    from cds_service.settings import read_settings

    keys = CardKeys(read_settings().card_key)
    with _database() as database:
        last = keys.rotate(database)
    click.echo(
        "There is a new card key; running processes use it within a minute. "
        f"The previous key is valid until {last}."
    )


@contextmanager
def _database() -> Iterator[Database]:
    """The configured database, closed at the end. Raises BadRequest where it does not exist."""
    from cds_service.errors import BadRequest
    from cds_service.settings import read_settings
    from cds_service.storage.database import open_database

    database = open_database(read_settings().database_url)
    if not database.exists:
        raise BadRequest(
            f"{database.url} does not exist yet: nothing is stored.", "Set CDS_DATABASE_URL."
        )
    try:
        yield database
    finally:
        database.close()
