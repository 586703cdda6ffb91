"""What a run reached of the goals (``goals.csv``), and its tables in ``docs/benchmarks.md``, each
between ``<!-- NAME -->`` and ``<!-- end -->``."""

from __future__ import annotations

import csv
import math
import os
import platform
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.bench.contestants import SERVICE

Run = dict[str, Any]
GOALS = Path(__file__).with_name("goals.csv")
_HOW: dict[str, Callable[[float, float], float]] = {
    "ratio": lambda value, other: value / other if other else math.inf,
    "added": lambda value, other: 100 * (value / other - 1),
    "difference": lambda value, other: value - other,
}


@dataclass(frozen=True)
class Goal:
    """One line of the table: it ``held`` in so many of the ``turns``, and is to hold in all."""

    what: str
    wanted: str
    found: str
    held: int
    turns: int

    @property
    def reached(self) -> bool:
        """Whether it held in every turn."""
        return self.held == self.turns


def goals(run: Run) -> list[Goal]:
    """Every goal that this run can speak about: what was not measured is left out."""
    reached = []
    for row in csv.DictReader(GOALS.read_text(encoding="utf-8").splitlines()):
        at_least, wanted = row["wanted"][0] == ">", float(row["wanted"][2:])
        try:
            values = values_of(run, row["figure"], row["of"])
            if row["how"] != "each":
                others = values_of(run, row["figure"], row["against"])
                values = list(map(_HOW[row["how"]], values, others))
        except KeyError:
            continue
        held = sum(value >= wanted if at_least else value <= wanted for value in values)
        found = f"{statistics.median(values):.2f}{row['unit']}"
        target = f"{'≥' if at_least else '≤'} {wanted:g}{row['unit']}"
        reached.append(Goal(row["what"], target, found, held, len(values)))
    return reached


def values_of(run: Run, figure: str, of: str) -> list[float]:
    """One figure by turn, of ``scenario:contestant`` or a part of the run. Raises KeyError."""
    if figure == "release":
        now = run["release"][of]["now"]
        return list(now.get("thirds", [now["ratio"]]))
    if figure == "starts":
        return [run["starts"][of]]
    if figure == "spread":
        return [min(counts) for counts in run["spread"][of]]
    if ":" not in of:
        figures = [kind[figure] for kind in run["memory"]]
        return [max(figures) if of == "largest" else figures[int(of)]]
    key, name = of.split(":")
    return [turn[figure] for turn in run["rows"][key][name]]


def ratio(run: Run, key: str, name: str, other: str, figure: str) -> float:
    """The median of the ratios of adjacent turns."""
    sides = (values_of(run, figure, f"{key}:{each}") for each in (name, other))
    return statistics.median(map(_HOW["ratio"], *sides))


def hardware() -> str:
    """The machine in generic words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = f"{len(os.sched_getaffinity(0))} processor cores ({platform.machine()})"
    packages = ", ".join(f"{name} {version(name)}" for name in ("granian", "flask", "msgspec"))
    python = f"CPython {platform.python_version()}"
    return f"{cores}, {memory:.0f} GB of memory, Linux, {python}, {packages}"


def document(page: str, run: Run) -> str:
    """The page with the figures of this run. Raises KeyError where the run lacks something."""
    for name, text in _parts(run):
        mark = f"<!-- {name} -->\n"
        page = re.sub(f"{mark}.*?<!-- end -->", lambda _, new=f"{mark}{text}\n<!-- end -->": new,
                      page, flags=re.DOTALL)  # fmt: skip
    return page


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    columns = head.split("|")
    lines = [columns, ["---", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def _parts(run: Run) -> Iterator[tuple[str, str]]:
    """Name and Markdown of each table."""
    how = f"Written by `make bench` on {run['when']}: {run['rounds']} turns for each contestant, "
    how += f"{run['minutes']} minutes,\non a machine with a load of {run['load']} at the start."
    yield "run", f"{how}\n\n**Machine:** {run['machine']}."
    reached, results = {True: "holds", False: "**missed**"}, goals(run)
    rows = ((goal.what, goal.wanted, goal.found, f"{goal.held} of {goal.turns}",
             reached[goal.reached]) for goal in results)  # fmt: skip
    missed = f"{sum(not goal.reached for goal in results)} of {len(results)} are missed."
    parts = [_table("what|wanted|found|held in|", rows), *filter(None, [run.get("note")]), missed]
    yield "goals", "\n\n".join(parts)
    head = "call|results|connections|workers|who|calls/s|p50 ms|p99 ms|processor ms|"
    yield "figures", _table(head + "times a second|times a core|not 200", _figures(run))
    for name in ("release", "pythons"):
        sides = next(iter(run[name].values()), {})
        rows = ((call, *(f"{each['us']:.0f} ({each['ratio']:.2f})" for each in by_process.values()))
                for call, by_process in run[name].items())  # fmt: skip
        yield name, _table("|".join(["call", *(f"{side}, µs" for side in sides)]), rows)
    rows = ((part, f"{us:.0f}") for part, us in run["stages"].items())
    yield "stages", _table("part of the program|µs of a call", rows)
    rows = ((workers, "; ".join("+".join(map(str, counts)) for counts in times))
            for workers, times in run["spread"].items())  # fmt: skip
    yield "spread", _table("workers|connections of each worker, five times", rows)
    sizes = ("after", "share", "peak")
    rows = ((kind["what"], *(f"{kind[size]:.0f}" for size in sizes), kind["status"])
            for kind in run["memory"])  # fmt: skip
    yield "memory", _table("after|MB|its share, MB|peak, MB|answered", rows)
    results = run["agreement"]
    rows = ((f"`{name}`", ", ".join(ours) or "–", ", ".join(theirs) or "–")
            for name, ours, theirs in results["differ"])  # fmt: skip
    counted = f"{results['cases']} cases, {results['cards']} cards of these three rules "
    counted += "by the service."
    yield "agreement", f"{counted}\n\n{_table('case|only the service|only CQL', rows)}"


def _figures(run: Run) -> Iterator[list[Any]]:
    """Every scenario and contestant, with medians of the turns."""
    for key, names in run["rows"].items():
        for name, turns in names.items():
            rate, *rest = (statistics.median(turn[each] for turn in turns)
                           for each in ("rate", "p50_ms", "p99_ms", "cpu_ms"))  # fmt: skip
            row = [*key.split("/"), name, f"{rate:.4g}", *(f"{ms:.2f}" for ms in rest), "", ""]
            if SERVICE in names:  # how many calls it answers for one of theirs
                row[-2] = f"{ratio(run, key, SERVICE, name, 'rate'):.3g}"
                row[-1] = f"{ratio(run, key, name, SERVICE, 'cpu_ms'):.3g}"
            yield [*row, sum(turn["failed"] for turn in turns)]
