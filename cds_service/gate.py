"""One thread computes, the others wait for the network.

Python runs one thread at a time anyway; when many are ready, they only take turns at
random and all of them finish late. So each request holds the gate while it computes, and
steps aside while it waits for a slow client, a FHIR server or the database: a worker can
then have many threads for waiting without paying for it in the time of the quick calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cds_service.memory import LARGE_BODY, give_back

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _length(environ: WSGIEnvironment) -> int:
    stated = environ.get("CONTENT_LENGTH") or ""
    return int(stated) if stated.isdecimal() and len(stated) < 12 else 0


class Gate:
    """Lets one thread of this process through at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = threading.local()

    def around(self, application: WSGIApplication) -> WSGIApplication:
        """The application, with the gate held from the request to the whole answer."""

        def gated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            with self._lock:
                self._here.inside = True
                try:
                    answer = application(environ, start_response)
                    try:
                        return list(answer)
                    finally:
                        close = getattr(answer, "close", None)
                        if close is not None:
                            close()
                finally:
                    self._here.inside = False
                    if _length(environ) >= LARGE_BODY:
                        give_back()

        return gated

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others compute while this thread waits; outside of a request, do nothing."""
        if not getattr(self._here, "inside", False):
            yield
            return
        self._lock.release()
        self._here.inside = False
        try:
            yield
        finally:
            self._lock.acquire()
            self._here.inside = True

    def waiting(self, work: Callable[_P, _R]) -> Callable[_P, _R]:
        """``work``, done aside."""

        def done_aside(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self.aside():
                return work(*args, **kwargs)

        return done_aside
