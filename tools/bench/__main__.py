"""``python -m tools.bench``: measure, print, and write ``docs/benchmarks.md``.

Loopback only, bounded in time and in requests; the servers end with it, whatever happens.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.bench import bodies, load, report, servers
from tools.bench.goals import MEMORY_REQUESTS, Process, goals
from tools.bench.plan import Measured, measured
from tools.bench.scenarios import VIEW_PATH, Ground, ground, scenarios

DOCUMENT = servers.CHECKOUT / "docs" / "benchmarks.md"
FULL_ROUNDS, QUICK_ROUNDS = 5, 1
_STARTS = 5


def main() -> int:
    """Exit status 0 when every goal was reached, else 3."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, one to two minutes")
    parser.add_argument("--rounds", type=int, help="turns of each contestant")
    parser.add_argument("--no-document", action="store_true", help="print only")
    options = parser.parse_args()
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    # An exception, so that the servers end with it, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not load.has_wrk():
        _say("wrk is missing (Debian: apt-get install wrk): the load comes from Python, which")
        _say("takes more of the machine, so that all figures are lower than with wrk.")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cds-bench-") as folder:
        try:
            with ground(Path(folder)) as on:
                runs, process = _measure(on, rounds, options.quick)
            stages = _breakdown()
        except RuntimeError as error:
            _say(f"bench: {error}")
            return 1
    reached = goals(runs, process)
    _say("")
    _say(report.goals_table(reached))
    _say("")
    _say(report.stages_table(stages))
    if not options.quick and not options.no_document:
        minutes = (time.monotonic() - began) / 60
        DOCUMENT.write_text(report.document(runs, reached, stages, rounds, minutes))
        _say(f"\nWritten: {DOCUMENT.relative_to(servers.CHECKOUT)}")
    return 0 if all(goal.reached for goal in reached) else 3


def _measure(on: Ground, rounds: int, quick: bool) -> tuple[list[Measured], Process]:
    if on.peer is None:
        _say("HealthChain could not be installed: it is left out.")
    runs = []
    for scenario in scenarios(on, quick):
        runs.append(measured(scenario, rounds))
        _say(report.run_lines(runs[-1]))
    return runs, _process(on)


def _process(on: Ground) -> Process:
    """Memory of the largest worker, after three quarters of the requests and after all."""
    body = on.body("cards-100", lambda: bodies.patient_view(100))
    before = servers.largest_worker(on.ours)
    done = 0
    while done < MEMORY_REQUESTS:
        done += load.run(load.Job(on.ours.port, VIEW_PATH, body, 16, 2.0)).requests
        if done < MEMORY_REQUESTS * 3 / 4:
            before = servers.largest_worker(on.ours)
    return Process(
        rules_s=servers.median_seconds([str(servers.SERVICE), "rules"], _STARTS),
        ready_s=on.ours.ready_s,
        before=before,
        after=servers.largest_worker(on.ours),
    )


def _breakdown() -> dict[str, dict[str, float]]:
    """In a process of its own, as a worker is."""
    ended = subprocess.run(
        [sys.executable, "-m", "tools.bench.breakdown"],
        check=False,
        cwd=servers.CHECKOUT,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise RuntimeError(f"the breakdown ended with {ended.stderr.strip()[-300:]}")
    found: dict[str, dict[str, float]] = json.loads(ended.stdout)
    return found


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
