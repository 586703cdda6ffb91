"""``cds-service keys`` and ``check-client``: connecting a client."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command(short_help="Make a key pair and sign a test token.")
@click.option("--alg", default="ES384", show_default=True, help="ES384 or RS384, for example.")
@click.option("--iss", help="Also sign a test token: the client's issuer.")
@click.option("--aud", help="For the test token: full URL of the endpoint.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("keys"))
def keys(alg: str, iss: str | None, aud: str | None, out: Path) -> None:
    """Make a key pair for tests, and with --iss and --aud sign a test token.

    Example: cds-service keys --iss https://ehr.example --aud http://127.0.0.1:8000/cds-services/SERVICE
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


@click.command("check-client", short_help="Explain why a token is accepted or refused.")
@click.argument("token")
@click.option("--path", help="Path that is called. Default: that of the first service.")
def check_client(token: str, path: str | None) -> None:
    """Explain step by step why TOKEN would be accepted or refused ("-" reads standard input).

    Example: cds-service check-client "$TOKEN" --path /cds-services/SERVICE
    """
    import time

    from cds_service.catalogue.topics import chosen_topics
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
    if path is None:
        path = f"/cds-services/{chosen_topics(settings)[0].services[0]}"
    steps = explain_token(text, clients, settings.public_url, path, time.time())
    from cds_service.commands import terminal

    terminal.print_steps((step.ok, f"{step.name}: {step.detail}") for step in steps)
    if not all(step.ok for step in steps):
        sys.exit(1)
