"""The headers of every response, and the count and log line of every request.

What is noted about a request is kept in the WSGI environ, so that it works with and without
Flask.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from cds_service.ops import logs
from cds_service.ops.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
"""Headers of an API whose responses no browser should ever render."""

_NOTED = "cds.noted"
_FIRST_ERROR = 400


def begin(environ: WSGIEnvironment) -> None:
    """Start the clock of a request; a second call for the same request changes nothing."""
    environ.setdefault(_NOTED, {"started": perf_counter()})


def note(environ: WSGIEnvironment, **fields: object) -> None:
    """Remember something about a request under the names that `AccessLog.done` logs."""
    environ[_NOTED].update(fields)


class AccessLog:
    """Counts and logs the requests that were answered."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def done(self, environ: WSGIEnvironment, endpoint: str, status: int) -> None:
        """Count a request that was answered, and log it if it was a call or failed."""
        noted: dict[str, Any] = environ[_NOTED]
        service = noted.get("service", "")
        self._metrics.request(endpoint, service, status)
        if service or status >= _FIRST_ERROR:
            logs.ready(__name__).info(
                "call", endpoint=endpoint, service=service, status=status,
                ms=round((perf_counter() - noted["started"]) * 1000, 2), bytes=noted.get("bytes"),
                cards=noted.get("cards"), problems=noted.get("problems"),
                fetched=noted.get("fetched"), instance=noted.get("instance"),
                error=noted.get("error"),
            )  # fmt: skip
