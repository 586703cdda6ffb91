"""The regression guard: ``make guard``, a stage of the gate, in about ten seconds.

Processor time of a few fixed calls through the WSGI application, each as a ratio to a tiny
reference workload in the same process, in turns: what slows the machine slows both. It fails
where a ratio is beyond 1.25 × the recorded one. ``make guard GUARD_ARGS=--record`` records
anew, for a change that is worth its cost; the commit says why.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tools.bench import bodies, calls
from tools.bench.bodies import CARDS, NONE, ORDERS

RECORD = Path(__file__).with_name("guard.json")
ALLOWED = 1.25
ROUNDS, TRIES = 150, 3
FIXED_CALLS = {
    "eight cards, 100 results": (CARDS, 100),
    "no card, 10 results": (NONE, 10),
    "no card, 1,000 results": (NONE, 1_000),
    "order-select, 100 results": (ORDERS, 100),
}


def reference() -> int:
    """Frozen: records decoded, sorted, grouped, written. A change makes recorded ratios void."""
    text = json.dumps([{"code": f"{n * 7919 % 997}-{n % 10}", "value": n / 8} for n in range(300)])
    groups: dict[str, list[float]] = {}
    for record in sorted(json.loads(text), key=lambda record: record["code"]):
        groups.setdefault(record["code"].partition("-")[2], []).append(record["value"])
    lines = [f"{code}: {max(values):.2f} of {len(values)}" for code, values in groups.items()]
    return len("\n".join(lines)) + round(sum(map(sum, groups.values())))


def ratios(app: Any, rounds: int = ROUNDS) -> dict[str, float]:
    """Each fixed call against the reference."""

    def timed_reference() -> float:
        started = time.process_time()
        reference()
        return time.process_time() - started

    timed = {name: calls.call(app, *bodies.of(*what)) for name, what in FIXED_CALLS.items()}
    times = calls.medians({"": timed_reference, **timed}, rounds)
    return {name: times[name] / times[""] for name in timed}


def slower(measured: dict[str, float], recorded: dict[str, float]) -> list[str]:
    """The calls beyond what is allowed, as lines; a call without a record is one of them."""
    return [
        f"{name}: {now:.2f} × the reference, recorded {recorded.get(name, 0):.2f}"
        for name, now in measured.items()
        if not now <= ALLOWED * recorded.get(name, 0)
    ]


def main() -> int:
    """Exit status 1 where a call is slower in every one of three tries."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.guard", description=__doc__)
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args()
    app = calls.application()
    version = ".".join(platform.python_version_tuple()[:2])
    if options.record:
        tries = [ratios(app) for _ in range(TRIES)]
        medians = {
            name: round(statistics.median(each[name] for each in tries), 3) for name in tries[0]
        }
        RECORD.write_text(json.dumps({"python": version, "ratios": medians}, indent=2) + "\n")
        print(f"guard: recorded {medians}")
        return 0
    record = json.loads(RECORD.read_text())
    if record["python"] != version:
        print(f"guard: recorded with Python {record['python']}, this is {version}: not judged.")
        return 77
    for _ in range(TRIES):
        medians = ratios(app)
        print("guard:", ", ".join(f"{name} {ratio:.2f}" for name, ratio in medians.items()))
        beyond = slower(medians, record["ratios"])
        if not beyond:
            return 0
    print(*(f"guard: SLOWER by more than {ALLOWED - 1:.0%}: {line}" for line in beyond), sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
