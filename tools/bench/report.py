"""A run as ``docs/benchmarks.md``: the template ``about.md`` of this folder, and its words."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from tools.bench import contestants as who
from tools.bench.goals import Run, goals, median, ratio

TEMPLATE = Path(__file__).with_name("about.md")


def hardware() -> str:
    """The machine in generic words."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("granian", "flask", "msgspec"))
    return (
        f"{cores} processor cores ({platform.machine()}), {memory:.0f} GB of memory, Linux, "
        f"CPython {platform.python_version()}, {packages}"
    )


def rows(run: Run) -> list[dict[str, Any]]:
    """Every scenario and contestant, with medians of the turns."""
    found = []
    for key, names in run["rows"].items():
        what, *numbers = key.split("/")
        results, connections, workers = map(int, numbers)
        place = {"what": what, "results": results, "connections": connections, "workers": workers}
        for name, turns in names.items():
            row = {one: median(run, key, name, one) for one in turns[0]} | place | {"name": name}
            row["failed"] = sum(one["failed"] for one in turns)
            # How many calls the service answers for one of theirs: in a second, on a core.
            compared = who.SERVICE in names
            row["times"] = ratio(run, key, who.SERVICE, name) if compared else None
            row["per_core"] = ratio(run, key, name, who.SERVICE, "cpu_ms") if compared else None
            found.append(row)
    return found


def document(run: Run) -> str:
    """The page. Raises what Jinja does where the run lacks something."""
    language = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701
    template = language.from_string(TEMPLATE.read_text())
    return template.render(run | {"table": rows(run), "goals": goals(run), "who": who}) + "\n"
