"""The options of a run, and the plan that they make once they are checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cds_service.errors import BadRequest
from cds_service.population.evaluating import Plan

if TYPE_CHECKING:
    from cds_service.settings import Settings


@dataclass(frozen=True)
class RunOptions:
    """The options of a run; days are in local time."""

    source: str
    out: Path
    hook: str = ""
    at: str = "encounters"
    start: str = ""
    end: str = ""
    site: str = "default"
    compare: str = ""
    engine: Literal["local", "spark"] = "local"
    workers: int = 0
    partitions: int = 0
    memory: int = 0
    sample: int = 0
    resume: bool = False
    identified: bool = False


def plan_of(options: RunOptions, settings: Settings, key: bytes) -> Plan:
    """The plan for the options of a run. Raises BadRequest naming an option that is wrong."""
    from cds_service.catalogue.sites import population_subgroups
    from cds_service.engine.hook import HOOKS, ORDER_SELECT, PATIENT_VIEW
    from cds_service.population.live import live_site
    from cds_service.sources.one_patient import moment

    if options.compare == options.site:
        raise BadRequest(
            f"{options.compare} is the site itself.",
            "Name another site to compare with.",
            "--compare",
        )
    at, when = options.at, None
    if at not in ("encounters", "orders"):
        try:
            when = moment(at)
        except BadRequest:
            raise BadRequest(
                f"{at} is not encounters, orders or a date.",
                "Write --at 2026-11-23, for example.",
                "--at",
            ) from None
        at = "date"
    start, end = _day(options.start, "--from"), _day(options.end, "--to", after=True)
    if when is not None and (start or end):
        raise BadRequest(
            f"every patient is evaluated once, on {options.at}.",
            "Leave out --from and --to, or use --at encounters or --at orders.",
            "--from" if start else "--to",
        )
    if start and end and start >= end:
        raise BadRequest(
            f"{options.end} is before {options.start}, the day of --from.",
            "Write a later day.",
            "--to",
        )
    hook = options.hook or (ORDER_SELECT if at == "orders" else PATIENT_VIEW).name
    if HOOKS[hook].drafts != (at == "orders"):
        with_drafts, others = (
            " or ".join(name for name, known in HOOKS.items() if known.drafts is drafts)
            for drafts in (True, False)
        )
        raise BadRequest(
            f"{hook} cannot be used with --at {options.at}.",
            f"Use {with_drafts} with --at orders, and {others} otherwise.",
            "--hook",
        )
    sites = tuple(
        dict.fromkeys((options.site, options.compare) if options.compare else (options.site,))
    )
    for site in sites:
        option = "--site" if site == options.site else "--compare"
        if not live_site(settings, site, option).services(hook):
            raise BadRequest(f"site {site} has no service for {hook}.", "See CDS_SITES.", "--hook")
    return Plan(
        settings=settings,
        sites=sites,
        at=at,
        moment=when,
        hook=hook,
        start=start,
        end=end,
        key=key,
        subgroups=tuple(population_subgroups(settings.sites).items()),
        identified=options.identified,
    )


def _day(value: str, option: str, *, after: bool = False) -> datetime | None:
    """The start of a local day, or of the day after it."""
    if not value:
        return None
    try:
        read = datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007  # local time, as documented
    except ValueError:
        raise BadRequest(f"{value} is not a date.", "Write 2026-11-23.", option) from None
    return (read + timedelta(days=1) if after else read).astimezone()
