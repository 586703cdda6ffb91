"""A run as ``docs/benchmarks.md``: the template ``about.md`` of this folder, and its words."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
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


def _times(run: Run, key: str, name: str, figure: str) -> float | None:
    """How many calls the service answers for one of theirs: in a second, or by processor time."""
    if who.SERVICE not in run["rows"][key]:
        return None
    one, two = (who.SERVICE, name) if figure == "rate" else (name, who.SERVICE)
    return ratio(run, key, one, two, figure)


def rows(run: Run) -> Iterator[dict[str, Any]]:
    """Every scenario and contestant, with medians of the turns."""
    for key, names in run["rows"].items():
        what, results, connections, workers = key.split("/")
        for name, turns in names.items():
            yield {
                **{one: median(run, key, name, one) for one in turns[0] if one != "failed"},
                "what": what,
                "results": int(results),
                "connections": int(connections),
                "workers": int(workers),
                "name": name,
                "times": _times(run, key, name, "rate"),
                "per_core": _times(run, key, name, "cpu_ms"),
                "failed": sum(one["failed"] for one in turns),
            }


def document(run: Run) -> str:
    """The page. Raises what Jinja does where the run lacks something."""
    language = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701
    template = language.from_string(TEMPLATE.read_text())
    return template.render(run | {"table": list(rows(run)), "goals": goals(run), "who": who}) + "\n"
