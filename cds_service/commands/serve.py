"""``cds-service serve``, and what it prints when it starts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cds_service.settings import Settings


class _WholeNumber(click.IntRange):
    """A range whose errors say "whole number" instead of "integer range"."""

    name = "whole number"


@click.command()
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

    from cds_service.commands.terminal import progress_indicator
    from cds_service.serving import server

    if demo:
        os.environ["CDS_DEMO"] = "1"

    with ExitStack() as starting:
        starting.enter_context(progress_indicator("Starting"))

        def print_addresses(settings: Settings) -> None:
            starting.close()
            click.echo(_what_next(host, port, settings))

        server.serve(host, port, workers, announce=print_addresses)


def _what_next(host: str, port: int, settings: Settings) -> str:
    from cds_service.catalogue.topics import chosen_topics, example_request

    base = f"http://{host}:{port}"
    lines = [f"cds-service listens on {base}", f"  discovery  {base}/cds-services"]
    if settings.demo:
        lines.append(f"  demo page  {base}/")
    if settings.trusted_clients is not None:
        lines.append(
            f"  the audience of tokens is {settings.public_url}/cds-services/… (CDS_PUBLIC_URL)"
        )
    example = example_request(chosen_topics(settings))
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
        service, file = example
        if file.is_relative_to(Path.cwd()):
            file = file.relative_to(Path.cwd())
        lines += [
            "Try, from another terminal:",
            f"  curl -s {base}/cds-services/{service} \\",
            f"    -H 'Content-Type: application/json' -d @{file}",
        ]
    return "\n".join(lines)
