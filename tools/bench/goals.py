"""The goals (``goals.csv``), and whether a run reached them: in every turn, or it is missed."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    with GOALS.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
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


def median(run: Run, key: str, name: str, figure: str) -> float:
    """The median of a contestant's turns."""
    return statistics.median(values_of(run, figure, f"{key}:{name}"))


def ratio(run: Run, key: str, name: str, other: str, figure: str = "rate") -> float:
    """The median of the ratios of turns side by side."""
    both = (values_of(run, figure, f"{key}:{one}") for one in (name, other))
    return statistics.median(map(_HOW["ratio"], *both))
