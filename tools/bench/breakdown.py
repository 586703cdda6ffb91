"""Where the time of one call goes, stage by stage, in one process without a network.

    python -m tools.bench.breakdown [OBSERVATIONS]

The whole application answers, as it is built for serving, with a stopwatch around each stage;
a stage's time does not hold that of the stages inside of it. The stopwatch runs on processor
time: what others do on the machine meanwhile does not count.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from tools.bench import bodies

CALLS = 300
# What is printed, the module, and the attribute that is timed.
STAGES = (
    ("read the body (aside of the gate)", "cds_service.api.parts", "Parts.body"),
    ("check UTF-8 and depth", "cds_service.calls.envelope", "checked_text"),
    ("envelope: decode, schemas", "cds_service.api.services", "read_envelope"),
    (
        "prefetch: which keys came, in which state",
        "cds_service.sources.obtaining",
        "Obtaining.deliveries",
    ),
    ("reading: peek at all, select, facts", "cds_service.fhir.read.reading", "Reader.read"),
    ("rules: all of them, decoding values at their turn", "cds_service.engine.run", "Engine.ask"),
    ("cards: arrange, write, ids", "cds_service.answer.cards", "Cards.write"),
    ("the rest of answering", "cds_service.answer.answering", "Answering.answer"),
    ("encode the answer", "cds_service.api.services", "_encode"),
    ("count: rules, problems, cards", "cds_service.api.services", "_count"),
    ("count: request", "cds_service.ops.metrics", "Metrics.request"),
    ("count: duration", "cds_service.ops.metrics", "Metrics.call"),
)
LOG = "log line"
REST = "Flask: routing, headers, CORS, response; freeing what was read"
WHOLE = "whole call"
FLOOR_FLASK = "floor: Flask answering GET /healthz in the same application"
FLOOR_PARSE = "floor: orjson.loads of the body"


class Stopwatch:
    """Adds up the own time of stages that may lie inside of each other."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self.taken: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._inner: list[float] = []

    def around(self, label: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, timed under ``label``."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = self._clock()
            self._inner.append(0.0)
            try:
                return work(*args, **kwargs)
            finally:
                whole = self._clock() - started
                self.taken[label] += whole - self._inner.pop()
                if self._inner:
                    self._inner[-1] += whole

        return timed


def owner_of(module: str, attribute: str) -> tuple[Any, str, Any]:
    """Where a stage is defined: the module or class, the last name, and what it is now."""
    owner: Any = importlib.import_module(module)
    *path, name = attribute.split(".")
    for part in path:
        owner = getattr(owner, part)
    return owner, name, getattr(owner, name)


@contextmanager
def _timed(watch: Stopwatch) -> Iterator[None]:
    """All stages but the log line, whose logger is made with the application."""
    with ExitStack() as patches:
        for label, module, attribute in STAGES:
            owner, name, work = owner_of(module, attribute)
            patches.enter_context(patch.object(owner, name, watch.around(label, work)))
        yield


def _environ(method: str, path: str, body: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _call(app: Any, method: str, path: str, body: bytes = b"") -> float:
    """Seconds of one call; raises RuntimeError unless it ends well."""
    environ = _environ(method, path, body)
    statuses: list[str] = []
    started = time.thread_time()
    answer = app(environ, lambda status, _headers, _info=None: statuses.append(status))
    b"".join(answer)
    taken = time.thread_time() - started
    if not statuses[0].startswith("200"):
        raise RuntimeError(f"{path} answered {statuses[0]}")
    return taken


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1e6


def _application(folder: str, watch: Stopwatch) -> Any:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from cds_service.app import build, make_parts
    from cds_service.ops import logs
    from cds_service.serving.server import warm_up
    from cds_service.settings import read_settings

    logs.configure("info", Path(os.devnull).open("w"))  # noqa: SIM115  # until the process ends
    real = logs.logger

    def timed_logger(name: str) -> Any:
        made = real(name)
        return type(
            "Timed",
            (),
            {
                "info": staticmethod(watch.around(LOG, made.info)),
                "warning": staticmethod(made.warning),
                "error": staticmethod(made.error),
            },
        )()

    with patch.object(logs, "logger", timed_logger):
        parts = make_parts(read_settings(database_url=f"sqlite:///{folder}/bench.db"))
        parts.records.start()
        app = build(parts)
    warm_up(parts)
    return app


def measure(body: bytes, path: str, calls: int = CALLS) -> dict[str, float]:
    """Microseconds of each stage of a call (medians), the rest, the whole and the floors."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        with _timed(watch):
            app = _application(folder, watch)
            for _ in range(20):
                _call(app, "POST", path, body)
            gc.collect()
            gc.freeze()
            wholes = []
            stages: dict[str, list[float]] = {
                label: [] for label in (*(stage[0] for stage in STAGES), LOG)
            }
            for _ in range(calls):
                watch.taken.clear()
                wholes.append(_call(app, "POST", path, body))
                for label, seen in stages.items():
                    seen.append(watch.taken.get(label, 0.0))
        found = {label: _median(seen) for label, seen in stages.items()}
        whole = _median(wholes)
        found[REST] = whole - sum(found.values())
        found[WHOLE] = whole
        found[FLOOR_FLASK] = _median([_call(app, "GET", "/healthz") for _ in range(calls)])
    parses = []
    for _ in range(calls):
        started = time.thread_time()
        orjson.loads(body)
        parses.append(time.thread_time() - started)
    found[FLOOR_PARSE] = _median(parses)
    return found


def main() -> None:
    """Print the stages as JSON: ``{"cards": {stage: microseconds}, "none": …, "orders": …}``."""
    observations = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    view = "/cds-services/leg-cramps-patient-view"
    orders = "/cds-services/leg-cramps-order-select"
    found = {
        "cards": measure(bodies.patient_view(observations), view),
        "none": measure(bodies.patient_view(observations, cards=False), view),
        "orders": measure(bodies.order_select(observations), orders),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
