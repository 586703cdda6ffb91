"""What one call costs here and in other checkouts: processor time, in turns.

    python -m tools.bench.compare CHECKOUT [CHECKOUT …] [--rounds 11]

Each checkout answers in processes of its own, without a network, with the packages of this
environment. Printed are medians in microseconds and the ratio of each to the first; this
checkout is the last. One of another commit: ``git worktree add ../before b980901``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.bench import bodies, servers
from tools.bench.contestants import ORDERS_PATH, VIEW_PATH

CALLS = {
    **{
        f"{kind}, {size:,} results": (VIEW_PATH, size, kind == "eight cards")
        for kind in ("eight cards", "no card")
        for size in (10, 100, 1_000)
    },
    "order-select, 100 results": (ORDERS_PATH, 100, True),
}
_EACH = 30
Compared = dict[str, dict[str, dict[str, Any]]]


def arguments(folder: Path) -> list[str]:
    """What ``calls.py`` is started with: the calls, their bodies in files of ``folder``."""
    found = []
    for number, (name, (path, size, cards)) in enumerate(CALLS.items()):
        orders = path == ORDERS_PATH
        body = bodies.order_select(size) if orders else bodies.patient_view(size, cards=cards)
        file = folder / f"call-{number}.json"
        file.write_bytes(body)
        found.append(f"{name}={path}@{file}")
    return found


def compared(processes: Mapping[str, tuple[Sequence[str], str]], rounds: int) -> Compared:
    """``{call: {process: {"us": microseconds, "ratio": to the first, "thirds": [three of it]}}}``.

    Medians; ``thirds`` are those of the first, second and last third of the turns. A process is
    its command and its checkout. They take turns, each time started anew.
    """
    seen: dict[str, list[list[float]]] = {name: [] for name in CALLS}
    for turn in range(rounds):
        # Whoever begins has the cooler machine: they take turns at that, too.
        found: dict[str, dict[str, float]] = {}
        for name in list(processes)[:: -1 if turn % 2 else 1]:
            command, checkout = processes[name]
            environment = servers.user_environment() | {"PYTHONPATH": checkout}
            ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
            found[name] = json.loads(ended.stdout)
        for call, turns in seen.items():
            turns.append([found[name][call] for name in processes])
    return {
        call: {
            name: {
                "us": statistics.median(one[at] for one in turns),
                "ratio": statistics.median(one[at] / one[0] for one in turns),
                "thirds": [
                    statistics.median(one[at] / one[0] for one in part) for part in _thirds(turns)
                ],
            }
            for at, name in enumerate(processes)
        }
        for call, turns in seen.items()
    }


def _thirds(turns: list[list[float]]) -> list[list[list[float]]]:
    """The turns in three parts one after another; in one where they are too few."""
    size = len(turns) // 3
    return [turns[:size], turns[size : 2 * size], turns[2 * size :]] if size else [turns]


def here(python: Sequence[str], made: Sequence[str]) -> list[str]:
    """The command that times calls with this Python."""
    return [*python, "-P", str(Path(__file__).with_name("calls.py")), str(_EACH), *made]


def main() -> None:
    """Print one line of JSON for each kind of call."""
    reader = argparse.ArgumentParser(prog="python -m tools.bench.compare", description=__doc__)
    reader.add_argument("checkouts", nargs="+", type=Path)
    reader.add_argument("--rounds", type=int, default=11)
    asked = reader.parse_args()
    checkouts = [str(one.resolve()) for one in (*asked.checkouts, servers.CHECKOUT)]
    with tempfile.TemporaryDirectory() as folder:
        command = here([sys.executable], arguments(Path(folder)))
        for name, found in compared(
            {one: (command, one) for one in checkouts}, asked.rounds
        ).items():
            micro = [round(one["us"]) for one in found.values()]
            ratios = [round(one["ratio"], 3) for one in found.values()]
            print(json.dumps({"call": name, "microseconds": micro, "ratios": ratios}), flush=True)


if __name__ == "__main__":
    main()
