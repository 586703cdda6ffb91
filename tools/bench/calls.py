"""Processor time of calls through the WSGI application, in one process without a network.

    python -P tools/bench/calls.py ROUNDS NAME=PATH@BODY_FILE …

makes the application of whichever ``cds_service`` is imported first (``PYTHONPATH`` chooses a
release) and prints ``{"NAME": microseconds}``: medians of so many calls of each, in turns.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[[], float]


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


def call(app: Any, path: str, body: bytes) -> Call:
    """One call that gives its processor seconds. It raises RuntimeError unless answered 200."""
    from werkzeug.test import create_environ, run_wsgi_app

    def timed() -> float:
        environ = create_environ(path, method="POST", data=body, content_type="application/json")
        started = time.process_time()
        answer, status, _ = run_wsgi_app(app, environ, buffered=True)
        taken = time.process_time() - started
        if not status.startswith("200"):
            raise RuntimeError(f"{path} answered {status}: {b''.join(answer)[:200]!r}")
        return taken

    return timed


def medians(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median microseconds of each call; they take turns, so that all see the same machine."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, one in calls.items():
            taken[name].append(one())
    return {name: statistics.median(seen) * 1e6 for name, seen in taken.items()}


def settle(calls: dict[str, Call]) -> None:
    """What a worker does before it is measured: first calls made, the collector's work done.

    The collector is set as the workers of the release set it.
    """
    for one in calls.values():
        for _ in range(10):
            one()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ImportError, AttributeError):  # the first edition leaves it alone
        gc.set_threshold(*importlib.import_module("cds_service.serving.server").COLLECT_AT)


def main() -> None:
    """Print the medians of so many rounds."""
    app = application()
    calls = {}
    for argument in sys.argv[2:]:
        name, _, rest = argument.partition("=")
        path, _, file = rest.partition("@")
        calls[name] = call(app, path, Path(file).read_bytes())
    settle(calls)
    print(json.dumps(medians(calls, int(sys.argv[1]))))


if __name__ == "__main__":
    main()
