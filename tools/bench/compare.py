"""What one call costs here and in another checkout: processor time, side by side in one run.

    python -m tools.bench.compare CHECKOUT [CHECKOUT …] [--rounds 11]

Each checkout answers in a process of its own, without a network, with the packages of this
environment. They take turns, so that what else the machine does hits all of them alike. Printed
are medians in microseconds and the ratio of each checkout to the first; this one is the last.
A checkout of another commit: ``git worktree add ../before b980901``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
CALLS = (
    (10, "none"), (10, "cards"), (100, "none"), (100, "cards"), (1000, "none"), (1000, "cards"),
    (100, "orders"),
)  # fmt: skip
# Runs in the checkout that is measured, whose modules may be older than this one.
_ANSWER = r"""
import gc, io, os, statistics, sys, tempfile, time
from pathlib import Path
checkout, folder = sys.argv[1], tempfile.mkdtemp()
sys.path.insert(0, checkout)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
try:
    from tools.bench import bodies
except ImportError:
    from bench import bodies
import cds_service
assert cds_service.__file__.startswith(checkout), cds_service.__file__
from cds_service.ops import logs
from cds_service.app import build, make_parts
from cds_service.serving.server import warm_up
from cds_service.settings import read_settings
logs.configure("info", Path(os.devnull).open("w"))
parts = make_parts(read_settings(database_url=f"sqlite:///{folder}/bench.db"))
parts.records.start()
app = build(parts)
warm_up(parts)

def seconds(path, body):
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000", "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)), "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False,
    }
    statuses = []
    started = time.thread_time()
    b"".join(app(environ, lambda status, headers, info=None: statuses.append(status)))
    taken = time.thread_time() - started
    assert statuses[0].startswith("200"), statuses
    return taken

print("ready", flush=True)
bodies_made = {}
for line in sys.stdin:
    results, kind, calls = line.split()
    if (results, kind) not in bodies_made:
        orders = kind == "orders"
        body = (
            bodies.order_select(int(results)) if orders
            else bodies.patient_view(int(results), cards=kind == "cards")
        )
        hook = "order-select" if orders else "patient-view"
        bodies_made[results, kind] = f"/cds-services/leg-cramps-{hook}", body
        for _ in range(10):
            seconds(f"/cds-services/leg-cramps-{hook}", body)
        gc.collect()
        gc.freeze()
    path, body = bodies_made[results, kind]
    print(statistics.median([seconds(path, body) for _ in range(int(calls))]), flush=True)
"""


class Answerer:
    """A process that answers calls in one checkout."""

    def __init__(self, checkout: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ANSWER, str(checkout)],
            cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self._said() != "ready":
            raise RuntimeError(f"{checkout} does not answer")

    def median(self, results: int, kind: str, calls: int) -> float:
        """Microseconds of processor time of one call, the median of so many."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{results} {kind} {calls}\n")
        self._process.stdin.flush()
        return float(self._said()) * 1e6

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def compared(answerers: list[Answerer], results: int, kind: str, rounds: int) -> list[list[float]]:
    """For each checkout its microseconds in each round."""
    calls = max(4, min(30, 3000 // results))
    seen: list[list[float]] = [[] for _ in answerers]
    for turn in range(rounds + 1):
        for at in range(len(answerers))[:: -1 if turn % 2 else 1]:
            taken = answerers[at].median(results, kind, calls)
            if turn:  # the first is for warming up
                seen[at].append(taken)
    return seen


def main() -> None:
    """Print one line of JSON for each kind of call."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("checkouts", nargs="+", type=Path)
    reader.add_argument("--rounds", type=int, default=11)
    asked = reader.parse_args()
    answerers = [Answerer(one.resolve()) for one in (*asked.checkouts, HERE)]
    for results, kind in CALLS:
        seen = compared(answerers, results, kind, asked.rounds)
        ratios = [
            statistics.median([one / first for one, first in zip(each, seen[0], strict=True)])
            for each in seen
        ]
        print(
            json.dumps(
                {
                    "call": f"{results} results, {kind}",
                    "microseconds": [round(statistics.median(each)) for each in seen],
                    "ratios": [round(one, 3) for one in ratios],
                }
            ),
            flush=True,
        )
    for one in answerers:
        one.close()


if __name__ == "__main__":
    main()
