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
_JSON = "application/json"
_FHIR_S = 0.02
_KINDS = {"Patient": "patient", "Observation": "results", "Condition": "conditions",
          "MedicationRequest": "medicationRequests"}  # fmt: skip


def load() -> Callable[..., Iterable[bytes]]:
    """The application of one worker, its collector frozen as the service's is."""
    app, record = Flask(__name__, static_folder=None), bodies.prefetch(100)

    @app.post("/parsed")
    def parsed() -> Response:
        orjson.loads(request.get_data())
        return Response(_ANSWER, content_type=_JSON)

    @app.post("/flask")
    def received() -> Response:
        request.get_data()
        return Response(_ANSWER, content_type=_JSON)

    @app.get("/fhir/<kind>")
    @app.get("/fhir/<kind>/<_id>")
    def held(kind: str, _id: str = "") -> Response:
        time.sleep(_FHIR_S)
        found = orjson.dumps(record[_KINDS.get(kind, "allergies")])
        return Response(found, content_type="application/fhir+json")

    def entry(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/wsgi":
            return app.wsgi_app(environ, start)
        environ["wsgi.input"].read()
        start("200 OK", [("Content-Type", _JSON), ("Content-Length", str(len(_ANSWER)))])
        return [_ANSWER]

    gc.collect()
    gc.freeze()
    return entry


def main() -> None:
    """Serve until SIGTERM."""
    port, workers, threads = map(int, sys.argv[1:])
    MPServer(
        target="tools.bench.fixed:load",
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    ).serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
