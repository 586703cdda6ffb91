"""What one call costs here and in other checkouts: processor time, measured in turn.

    python -m tools.bench.compare CHECKOUT [CHECKOUT …] [--rounds 11]

Each checkout answers in processes of its own, without a network, with the packages of this
environment. Printed are medians in microseconds and the ratio of each to the first; this
checkout is the last. One of another commit: ``git worktree add ../before b980901``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.testing.serving import environment
from tools.bench import CHECKOUT, bodies
from tools.bench.bodies import CARDS, NONE, ORDERS

_CALLS = {
    f"{kind}, {size:,} results": (kind, size)
    for kind, sizes in ((CARDS, (10, 100, 1_000)), (NONE, (10, 100, 1_000)), (ORDERS, (100,)))
    for size in sizes
}
_EACH = 30
Compared = dict[str, dict[str, dict[str, Any]]]


def compared(processes: Mapping[str, tuple[Sequence[str], str]], rounds: int) -> Compared:
    """``{call: {process: {"us": microseconds, "ratio": to the first, "thirds": [three of it]}}}``.

    Medians; ``thirds`` are those of the first, second and last third of the turns. A process is
    its Python and its checkout. They take turns, each time started anew.
    """
    turns: list[dict[str, dict[str, float]]] = []
    named_bodies = ((name, *bodies.of(*what)) for name, what in _CALLS.items())
    requests = json.dumps({name: (path, body.decode()) for name, path, body in named_bodies})
    for _ in range(rounds):
        turns.append({})
        # The first to run has the cooler machine: they take turns at that, too.
        for name in list(processes)[:: -1 if len(turns) % 2 else 1]:
            python, checkout = processes[name]
            command = [*python, "-P", str(Path(__file__).with_name("calls.py")), str(_EACH)]
            environ = environment() | {"PYTHONPATH": checkout}
            output = subprocess.check_output(command, env=environ, input=requests, text=True)
            turns[-1][name] = json.loads(output)
    first = next(iter(processes))
    thirds = [slice(rounds * n // 3, rounds * (n + 1) // 3) for n in range(3)]
    comparison: Compared = {}
    for call in _CALLS:
        comparison[call] = {}
        for name in processes:
            ratios = [turn[name][call] / turn[first][call] for turn in turns]
            comparison[call][name] = {
                "us": median(turn[name][call] for turn in turns),
                "ratio": median(ratios),
                "thirds": [median(ratios[third]) for third in thirds if ratios[third]],
            }
    return comparison


def main() -> None:
    """Print one line of JSON for each kind of call."""
    reader = argparse.ArgumentParser(prog="python -m tools.bench.compare", description=__doc__)
    reader.add_argument("checkouts", nargs="+", type=Path)
    reader.add_argument("--rounds", type=int, default=11)
    options = reader.parse_args()
    checkouts = [str(checkout.resolve()) for checkout in (*options.checkouts, CHECKOUT)]
    processes = {checkout: ([sys.executable], checkout) for checkout in checkouts}
    for name, figures in compared(processes, options.rounds).items():
        micro = [round(each["us"]) for each in figures.values()]
        ratios = [round(each["ratio"], 3) for each in figures.values()]
        print(json.dumps({"call": name, "microseconds": micro, "ratios": ratios}), flush=True)


if __name__ == "__main__":
    main()
