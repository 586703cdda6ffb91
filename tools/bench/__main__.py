"""``make bench``: measure, print, and write ``docs/benchmarks.md``.

Loopback only, bounded in time and in requests; the servers end with it, whatever happens.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tools.bench import CHECKOUT, agreement, bodies, breakdown, measure, report
from tools.bench.contestants import Ground
from tools.bench.report import Run, goals

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
FIGURES = Path(__file__).with_name("figures.json")


def main() -> int:
    """Exit status 0 when every goal holds, 1 when something could not run, else 3."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, no page")
    parser.add_argument("--from-figures", action="store_true", help="only write the page again")
    options = parser.parse_args()
    # An exception, so that the servers end with it, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.from_figures:
        return _write(json.loads(FIGURES.read_text()))
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is missing (Debian: apt-get install wrk)")
    try:
        run = _measure(1 if options.quick else 3, 1.0 if options.quick else 2.0)
    except RuntimeError as error:
        sys.exit(f"bench: {error}")
    results = goals(run)
    for goal in results:
        word = "holds " if goal.reached else "MISSED"
        print(f"{word} {goal.held}/{goal.turns} {goal.found:>10} {goal.wanted:>10}  {goal.what}")
    if not options.quick:
        FIGURES.write_text(json.dumps(run, indent=1) + "\n")
        _write(run)
    return 0 if all(goal.reached for goal in results) else 3


def _write(run: Run) -> int:
    return DOCUMENT.write_text(report.document(DOCUMENT.read_text(), run)) and 0


def _measure(rounds: int, seconds: float) -> Run:
    began = time.monotonic()
    run: Run = {"when": datetime.now(UTC).date().isoformat(), "machine": report.hardware()}
    run |= {"rounds": rounds, "load": f"{os.getloadavg()[0]:.1f}", "rows": {}}
    with tempfile.TemporaryDirectory(prefix="cds-bench-") as home, ExitStack() as stack:
        ground = Ground(Path(home), stack)
        run["starts"] = measure.starts(ground, 5)
        for scenario in measure.SCENARIOS:
            row = run["rows"].setdefault(scenario.key, {})
            row |= measure.turns(ground, scenario, rounds, seconds)
            for name, turns in row.items():
                print(f"{scenario.key:30} {name:30} {turns[-1]['rate']:10,.1f}/s", flush=True)
        run["spread"] = measure.spreads(ground)
        run["memory"] = measure.memory(ground, 10_000)
        run["agreement"] = agreement.compared(ground)
        run["release"] = measure.against_release(Path(home), rounds * 7)
        run["stages"] = breakdown.stages(bodies.patient_view(100))
        run["pythons"] = measure.newer_pythons(rounds * 7)
    run["minutes"] = f"{(time.monotonic() - began) / 60:.0f}"
    return run


if __name__ == "__main__":
    sys.exit(main())
