"""The floors, and a FHIR server: what never changes, on the server that serves the service.

    python -m tools.bench.fixed PORT WORKERS THREADS

``/parsed`` is Flask and orjson, ``/flask`` is Flask that only receives the body, and ``/wsgi``
does so without a framework; all answer a fixed card. ``/fhir/TYPE`` answers after 20 ms what a
FHIR server holds of the patient with a hundred results.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import orjson
from flask import Flask, Response, request
from granian.constants import HTTPModes, Interfaces
from granian.server import MPServer

from tools.bench import bodies

CARD = {
    "summary": "A fixed card",
    "detail": "Nobody looked at the body.",
    "indicator": "info",
    "source": {"label": "bench"},
}
_ANSWER = orjson.dumps({"cards": [CARD]})
_HEADERS = [("Content-Type", "application/json")]
_FHIR_S = 0.02
_EMPTY = b'{"resourceType":"Bundle","type":"searchset","total":0}'


@cache
def _record() -> dict[str, bytes]:
    data = bodies.prefetch(100)
    kinds = {
        one["entry"][0]["resource"]["resourceType"]: one for one in data.values() if "entry" in one
    }
    return {kind: orjson.dumps(one) for kind, one in (kinds | {"Patient": data["patient"]}).items()}


def make_app() -> Callable[..., Iterable[bytes]]:
    """The WSGI application."""
    app = Flask(__name__, static_folder=None)

    @app.post("/parsed")
    def parsed() -> Response:
        orjson.loads(request.get_data())
        return Response(_ANSWER, content_type="application/json")

    @app.post("/flask")
    def received() -> Response:
        request.get_data()
        return Response(_ANSWER, content_type="application/json")

    @app.get("/fhir/<kind>")
    @app.get("/fhir/<kind>/<_id>")
    def held(kind: str, _id: str = "") -> Response:
        time.sleep(_FHIR_S)
        return Response(_record().get(kind, _EMPTY), content_type="application/fhir+json")

    def entry(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/wsgi":
            return app.wsgi_app(environ, start)
        environ["wsgi.input"].read()
        start("200 OK", [*_HEADERS, ("Content-Length", str(len(_ANSWER)))])
        return [_ANSWER]

    return entry


def load() -> Callable[..., Iterable[bytes]]:
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
        blocking_threads=int(sys.argv[3]),
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    ).serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
