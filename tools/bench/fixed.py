"""The yardstick: a Flask endpoint that only parses the body and answers a fixed card.

    python -m tools.bench.fixed PORT WORKERS

On the same server as the service, with one blocking thread: nothing here ever waits, and more
threads would only make it slower.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, Response, request
from granian.constants import HTTPModes, Interfaces
from granian.server import MPServer

from cds_service.serving.server import BACKLOG, CONNECTIONS

CARD = {
    "cards": [
        {
            "uuid": "0b6ddbf6-44c2-4a22-9c55-5d6f6a0c1a11",
            "summary": "A fixed card",
            "detail": "The body was parsed, and nobody looked at it.",
            "indicator": "info",
            "source": {"label": "bench"},
        }
    ]
}


def make_app() -> Flask:
    """One address, ``POST /fixed``, and ``GET /healthz``."""
    app = Flask(__name__, static_folder=None)

    @app.post("/fixed")
    def fixed() -> Response:
        orjson.loads(request.get_data())
        return Response(orjson.dumps(CARD), content_type="application/json; charset=utf-8")

    @app.get("/healthz")
    def healthz() -> Response:
        return Response(b"{}", content_type="application/json")

    return app


def load() -> Callable[..., Any]:
    """The application of one worker, its collector frozen as the service's is."""
    app = make_app()
    gc.collect()
    gc.freeze()
    return app


def main() -> None:
    """Serve until SIGTERM."""
    MPServer(
        target="tools.bench.fixed:load",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=int(sys.argv[2]),
        blocking_threads=1,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    ).serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
