"""The floors: what never changes, on the server that serves the service.

``/parsed`` is Flask and orjson, ``/flask`` is Flask that only receives the body, and ``/wsgi``
does so without a framework; all answer a fixed card.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from flask import Flask, Response, request

_JSON = "application/json"
CARD = {"summary": "A fixed card", "detail": "Nobody looked at the body.", "indicator": "info",
        "source": {"label": "bench"}}  # fmt: skip
_ANSWER = orjson.dumps({"cards": [CARD]})
flask = Flask(__name__, static_folder=None)


@flask.post("/parsed")
def parsed() -> Response:
    """Receives and parses."""
    orjson.loads(request.get_data())
    return Response(_ANSWER, content_type=_JSON)


@flask.post("/flask")
def received() -> Response:
    """Receives."""
    request.get_data()
    return Response(_ANSWER, content_type=_JSON)


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The application: all three."""
    if environ["PATH_INFO"] != "/wsgi":
        return flask.wsgi_app(environ, start)
    environ["wsgi.input"].read()
    start("200 OK", [("Content-Type", _JSON), ("Content-Length", str(len(_ANSWER)))])
    return [_ANSWER]


# The collector is set as the service's workers set it.
gc.collect()
gc.freeze()
