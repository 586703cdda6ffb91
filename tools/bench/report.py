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
    "ratio": lambda one, two: one / two if two else math.inf,
    "added": lambda one, two: 100 * (one / two - 1),
    "difference": lambda one, two: one - two,
}


@dataclass(frozen=True)
class Goal:
    """One line of the table; it ``held`` in so many of the ``turns``, and must in all of them."""

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
    made = []
    for row in csv.DictReader(GOALS.read_text(encoding="utf-8").splitlines()):
        at_least, wanted = row["wanted"][0] == ">", float(row["wanted"][2:])
        try:
            values = values_of(run, row["figure"], row["of"])
            if row["how"] != "each":
                against = values_of(run, row["figure"], row["against"])
                values = list(map(_HOW[row["how"]], values, against))
        except KeyError:
            continue
        held = sum(one >= wanted if at_least else one <= wanted for one in values)
        found = f"{statistics.median(values):.2f}{row['unit']}"
        said = f"{'≥' if at_least else '≤'} {wanted:g}{row['unit']}"
        made.append(Goal(row["what"], said, found, held, len(values)))
    return made


def values_of(run: Run, figure: str, of: str) -> list[float]:
    """One figure by turn, of ``scenario:contestant`` or a part of the run. Raises KeyError."""
    if figure == "release":
        now = run["release"][of]["now"]
        return list(now.get("thirds", [now["ratio"]]))
    if figure == "starts":
        return [run["starts"][of]]
    if figure == "spread":
        return [min(one) for one in run["spread"][of]]
    if ":" not in of:
        found = [one[figure] for one in run["memory"]]
        return [max(found) if of == "largest" else found[int(of)]]
    key, name = of.split(":")
    return [one[figure] for one in run["rows"][key][name]]


def ratio(run: Run, key: str, name: str, other: str, figure: str) -> float:
    """The median of the ratios of turns side by side."""
    both = (values_of(run, figure, f"{key}:{one}") for one in (name, other))
    return statistics.median(map(_HOW["ratio"], *both))


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
    return "\n".join(f"| {' | '.join(map(str, one))} |" for one in lines)


def _parts(run: Run) -> Iterator[tuple[str, str]]:
    """Name and Markdown of each."""
    told = f"Written by `make bench` on {run['when']}: {run['rounds']} turns for each contestant, "
    told += f"{run['minutes']} minutes,\non a machine whose load was {run['load']} when it began."
    yield "run", f"{told}\n\n**Machine:** {run['machine']}."
    reached, found = {True: "holds", False: "**missed**"}, goals(run)
    rows = ((one.what, one.wanted, one.found, f"{one.held} of {one.turns}", reached[one.reached])
            for one in found)  # fmt: skip
    missed = f"{sum(not one.reached for one in found)} of {len(found)} are missed."
    told = [_table("what|wanted|found|held in|", rows), *filter(None, [run.get("note")]), missed]
    yield "goals", "\n\n".join(told)
    head = "call|results|connections|workers|who|calls/s|p50 ms|p99 ms|processor ms|"
    yield "figures", _table(head + "times a second|times a core|not 200", _figures(run))
    for name in ("release", "pythons"):
        sides = next(iter(run[name].values()), {})
        rows = ((call, *(f"{one['us']:.0f} ({one['ratio']:.2f})" for one in each.values()))
                for call, each in run[name].items())  # fmt: skip
        yield name, _table("|".join(["call", *(f"{one}, µs" for one in sides)]), rows)
    rows = ((part, f"{us:.0f}") for part, us in run["stages"].items())
    yield "stages", _table("part of the program|µs of a call", rows)
    rows = ((workers, "; ".join("+".join(map(str, one)) for one in times))
            for workers, times in run["spread"].items())  # fmt: skip
    yield "spread", _table("workers|connections of each worker, five times", rows)
    sizes = ("after", "share", "peak")
    rows = ((one["what"], *(f"{one[size]:.0f}" for size in sizes), one["status"])
            for one in run["memory"])  # fmt: skip
    yield "memory", _table("after|MB|its share, MB|peak, MB|answered", rows)
    found = run["agreement"]
    rows = ((f"`{name}`", ", ".join(ours) or "–", ", ".join(theirs) or "–")
            for name, ours, theirs in found["differ"])  # fmt: skip
    told = f"{found['cases']} cases, {found['cards']} cards of these three rules by the service."
    yield "agreement", f"{told}\n\n{_table('case|only the service|only CQL', rows)}"


def _figures(run: Run) -> Iterator[list[Any]]:
    """Every scenario and contestant, with medians of the turns."""
    for key, names in run["rows"].items():
        for name, turns in names.items():
            rate, *rest = (statistics.median(turn[one] for turn in turns)
                           for one in ("rate", "p50_ms", "p99_ms", "cpu_ms"))  # fmt: skip
            row = [*key.split("/"), name, f"{rate:.4g}", *(f"{one:.2f}" for one in rest), "", ""]
            if SERVICE in names:  # how many calls it answers for one of theirs
                row[-2] = f"{ratio(run, key, SERVICE, name, 'rate'):.3g}"
                row[-1] = f"{ratio(run, key, name, SERVICE, 'cpu_ms'):.3g}"
            yield [*row, sum(one["failed"] for one in turns)]
