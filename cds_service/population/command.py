"""``cds-service population``."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from cds_service.engine.hook import HOOKS
from cds_service.errors import BadRequest


class _Run(click.Command):
    """``population SOURCE …``: the command that is run without its name."""

    def format_usage(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the command as it is typed."""
        formatter.write_usage("cds-service population", "[OPTIONS] SOURCE")


class _Population(click.Group):
    """``population SOURCE …`` is the usual command, ``population score …`` the only other one."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        elif args[0] in ("-h", "--help"):
            args = ["run", args[0]]
        return super().parse_args(context, args)


@click.group(cls=_Population)
def population() -> None:
    """Evaluate the rules over an export before they are switched on.

    Example: cds-service population EXPORT --out trial
    """


@population.command("run", cls=_Run)
@click.argument("source")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to. It must be empty or not exist yet.",
)
@click.option(
    "--at",
    "at",
    default="encounters",
    show_default=True,
    metavar="encounters|orders|DATE",
    help="When the rules are evaluated.",
)
@click.option(
    "--hook",
    type=click.Choice(list(HOOKS)),
    help="Default: patient-view, or order-select with --at orders.",
)
@click.option("--from", "start", default="", metavar="DATE", help="First day of the calls.")
@click.option("--to", "end", default="", metavar="DATE", help="Last day of the calls.")
@click.option("--site", default="default", show_default=True, help="The site whose settings apply.")
@click.option(
    "--compare", default="", metavar="SITE", help="Also evaluate with the settings of another site."
)
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Number of processes. Default: one per processor."
)
@click.option(
    "--partitions",
    type=click.IntRange(1, 4096),
    help="Number of parts into which the patients are split. Default: 64.",
)
@click.option(
    "--memory",
    default="",
    metavar="SIZE",
    help="Memory to use, such as 4GB. Default: half of the machine's.",
)
@click.option(
    "--sample",
    type=click.IntRange(0, 999),
    default=0,
    help="Number of chart-review sheets to draw.",
)
@click.option("--resume", is_flag=True, help="Continue a run that was stopped or killed.")
@click.option("--identified", is_flag=True, help="Keep ids instead of digests, for chart review.")
def run(
    source: str,
    out: Path,
    memory: str,
    workers: int | None,
    partitions: int | None,
    hook: str | None,
    **options: Any,
) -> None:
    """Evaluate the rules over SOURCE: a folder of NDJSON, one-patient Bundles, or Parquet.

    Writes evaluations.parquet, calls.parquet, summary.json and report.html to the folder given
    by --out. Exit status 3 when a limit in the sites file ([population.limits]) is not met.
    The chart-review sheets are scored by `cds-service population score`.

    Example: cds-service population EXPORT --out trial --at encounters --from 2026-01-01
    """
    from cds_service.ops import logs
    from cds_service.population.options import RunOptions
    from cds_service.population.running import run as run_it
    from cds_service.settings import read_settings

    settings = read_settings()
    logs.configure_once(settings.log_level, settings.log_format)
    chosen = RunOptions(
        source=source, out=out, memory=_bytes(memory), workers=workers or 0,
        partitions=partitions or 0, hook=hook or "", **options,
    )  # fmt: skip
    summary = run_it(chosen, settings, _Progress())
    counts = summary["counts"]
    click.echo(
        f"{counts['patients']:,} patients, {counts['calls']:,} calls, {counts['cards']:,} cards, "
        f"{counts['failed']:,} calls without an answer. See {out}."
    )

    limits = summary["limits"]["held"]
    for limit in limits:
        if limit["met"] is None:
            click.echo(f"cannot tell: {limit['limit']}: nothing to count", err=True)
    if limits and all(limit["met"] is None for limit in limits):
        sys.exit(3)
    if summary["limits"]["verdict"] == "no-go":
        for limit in summary["limits"]["held"]:
            if limit["met"] is False:
                comparison = f"{limit['found']} {limit['says']}, limit {limit['at_most']}"
                click.echo(f"no-go: {limit['limit']}: {comparison}", err=True)
        sys.exit(3)


@population.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("sheets", nargs=-1, required=True, type=click.Path(path_type=Path))
def score(folder: Path, sheets: tuple[Path, ...]) -> None:
    """Score the completed SHEETS (one sample.csv per reader) of the run in FOLDER; prints JSON.

    Example: cds-service population score trial reader-1.csv reader-2.csv
    """
    import json

    from cds_service.population.score import score as score_them

    click.echo(json.dumps(score_them(folder, sheets), indent=2))


_SIZE = re.compile(r"([0-9]{1,9})(?:\.([0-9]))? ?([KMGT]?)i?B?", re.IGNORECASE)


def _bytes(size: str) -> int:
    if not size:
        return 0
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise BadRequest(f"{size} is not a size.", "Write 4GB or 512MB.", "--memory")
    value = float(f"{match[1]}.{match[2] or 0}")
    number = int(value * 1024 ** " KMGT".index(match[3].upper() or " "))
    if number < 256 << 20:
        raise BadRequest(f"{size} is too small.", "Use at least 256MB.", "--memory")
    return number


class _Progress:
    """Progress on standard error: a bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, float]] = {}
        self._last = 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, step: str, done: float, of: float) -> None:
        now = time.monotonic()
        began, from_ = self._began.setdefault(step, (now, done))
        last = done >= of
        if not last and done == from_:
            return  # no rate is known yet
        if not last and now - self._last < (0.2 if self._terminal else 10):
            return
        self._last = now
        share = min(1.0, done / of) if of else 1.0
        took = now - began
        seconds_left = took * (of - done) / (done - from_) if done > from_ else 0.0
        rate = (done - from_) / took if took else 0.0
        speed = f"{rate / 1e6:.1f} MB/s" if step == "Reading" else f"{rate:.1f} partitions/s"
        line = f"{step} {share:4.0%}, {speed}, {seconds_left:.0f} s left"
        if self._terminal:
            bar = "#" * int(share * 30)
            click.echo(f"\r[{bar:<30}] {line:<50}", err=True, nl=last)
        else:
            click.echo(line, err=True)
