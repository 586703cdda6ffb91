"""Processor time of calls through the WSGI application, in one process without a network.

    python -P tools/bench/calls.py ROUNDS < {NAME: [PATH, BODY]}

makes the application of whichever ``cds_service`` is imported first (``PYTHONPATH`` chooses the
release) and prints ``{NAME: microseconds}``: medians of so many calls of each, taken in turn.
Processor time is what others on the machine cannot change.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Timed = Callable[[], float]


def application() -> Any:
    """The WSGI application as a worker serves it, its log discarded and its data in memory."""
    os.environ.setdefault("CDS_DATABASE_URL", f"sqlite:///{tempfile.mkdtemp()}/calls.db")
    from cds_service.app import create_app

    try:
        from cds_service.ops import logs
    except ImportError:  # the first edition
        logs = importlib.import_module("cds_service.logs")
    logs.configure("info", Path(os.devnull).open("w"))  # noqa: SIM115  # until the process ends
    return create_app().wsgi_app


def call(app: Any, path: str, body: bytes) -> Timed:
    """A function that makes one call and returns its processor seconds. RuntimeError unless 200."""
    from werkzeug.test import create_environ, run_wsgi_app

    def timed() -> float:
        environ = create_environ(path, method="POST", data=body, content_type="application/json")
        started = time.process_time()
        answer, status, _ = run_wsgi_app(app, environ, buffered=True)
        seconds = time.process_time() - started
        if not status.startswith("200"):
            raise RuntimeError(f"{path} answered {status}: {b''.join(answer)[:200]!r}")
        return seconds

    return timed


def medians(calls: Mapping[str, Timed], rounds: int) -> dict[str, float]:
    """Median microseconds of each call; they take turns, so that all see the same machine.

    First what a worker does before it is measured: some calls made, the collector's work done,
    and the collector set as the workers of the release set it.
    """
    for _ in range(10):
        for call in calls.values():
            call()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ImportError, AttributeError):  # the first edition leaves it alone
        gc.set_threshold(*importlib.import_module("cds_service.serving.server").COLLECT_AT)
    turns = [[call() for call in calls.values()] for _ in range(rounds)]
    in_microseconds = (statistics.median(times) * 1e6 for times in zip(*turns, strict=True))
    return dict(zip(calls, in_microseconds, strict=True))


def main() -> None:
    """Print the medians of so many rounds."""
    app, requests = application(), json.load(sys.stdin)
    calls = {name: call(app, path, body.encode()) for name, (path, body) in requests.items()}
    print(json.dumps(medians(calls, int(sys.argv[1]))))


if __name__ == "__main__":
    main()
