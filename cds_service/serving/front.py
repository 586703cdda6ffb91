"""The front end between the network and the WSGI application.

An event loop per process reads the bodies, so that a slow client costs a few kilobytes and no
thread. Only complete bodies of admitted calls (`admission`) reach the application, each on its own
thread. With a client list no body is read beyond 64 kB before its token has been verified.
(`/healthz` does not get this far: see `liveness`.)

It uses RSGI, granian's own interface. The application is plain WSGI and runs without this module
under any other server, whose settings must then bound bodies and connections.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cds_service.api.errors import answer_to
from cds_service.api.parts import ADMITTED, FETCHED, STARTED
from cds_service.errors import ServiceError, TooLarge, Unavailable
from cds_service.ops.memory import LARGE_BODY, give_back_soon
from cds_service.serving.admission import Admission, Ticket

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_SIGNED = "/cds-services/"
_OPERATIONS = frozenset({"/readyz", "/metrics"})
_CHECK_EVERY = 4096
"""Bytes of a body after which its limits are checked again."""
_READ_ON_S = 10.0
_READ_ON = 300_000_000
"""Bytes of a refused body that are read and discarded, so that its sender sees the response."""
_MOST_READ_ON = 32
_PAGES = 8
_MOST_PAGES = 256
"""Numbers of requests without a body that are answered at the same time, and that may wait."""

Examine = Callable[[str | None, str], Any]
Response = tuple[int, list[tuple[str, str]], bytes]


class Front:
    """The RSGI application of one worker.

    ``examine(authorization, path)`` returns the caller or raises Unauthorized; with None anybody
    may call. ``largest`` is the limit of a body in bytes; ``others`` that of a body for a path
    other than a service's, where it is lower. ``started(loop)`` is called with the event loop.
    """

    def __init__(
        self,
        application: WSGIApplication,
        admission: Admission,
        largest: int,
        examine: Examine | None = None,
        others: int | None = None,
        started: Callable[[asyncio.AbstractEventLoop], None] = lambda _loop: None,
    ) -> None:
        self._application = application
        self._admission = admission
        self._largest = largest
        self._others = largest if others is None else others
        self._examine = examine
        self._started = started
        self._reading_on = {True: 0, False: 0}  # by whether the sender is unknown
        self._threads = ThreadPoolExecutor(admission.limits.calls, "cds-call")
        # Separate: verifying tokens of strangers takes no thread from admitted calls.
        self._verifying = ThreadPoolExecutor(128, "cds-token")
        # Readiness and metrics wait neither for calls nor for each other.
        self._operations = {path: ThreadPoolExecutor(1, "cds-ops") for path in _OPERATIONS}
        # Requests without a body take no thread from calls either.
        self._pages = ThreadPoolExecutor(_PAGES, "cds-page")
        self._pages_waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._started(loop)

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        environ = _environ(scope)
        if scope.method in ("GET", "HEAD", "OPTIONS"):
            await self._get(proto, environ)
            return
        arriving = _arriving(proto)
        try:
            await self._admit(proto, environ, arriving)
        except ServiceError as error:
            status, headers, body = answer_to(error)
            proto.response_bytes(status, headers, body)
            await self._read_on(arriving, environ)

    async def _get(self, proto: Any, environ: dict[str, Any]) -> None:
        """Answer a request without a body, with 503 where too many are waiting."""
        threads = self._operations.get(environ["PATH_INFO"])
        if threads is not None:
            await self._answer(proto, environ, b"", threads)
            return
        if self._pages_waiting >= _MOST_PAGES:
            proto.response_bytes(
                *answer_to(Unavailable("The service is busy.", "Try again later."))
            )
            return
        self._pages_waiting += 1
        try:
            await self._answer(proto, environ, b"", self._pages)
        finally:
            self._pages_waiting -= 1

    async def _admit(
        self, proto: Any, environ: dict[str, Any], arriving: AsyncIterator[bytes]
    ) -> None:
        """Read the body of a call and answer it. Raises ServiceError for a call that is refused."""
        assert self._loop is not None
        began = self._loop.time()  # asyncio's loop uses time.monotonic()
        announced = _announced(environ)
        client, largest = environ["REMOTE_ADDR"], self._others
        if environ["PATH_INFO"].startswith(_SIGNED):
            largest = self._largest
        if self._examine is not None and environ["PATH_INFO"].startswith(_SIGNED):
            # No body is read, or counted, before its sender is known.
            environ[ADMITTED] = caller = await self._verified(environ)
            client = caller.iss
        if announced is not None and announced > largest:
            raise _too_large(largest)
        ticket = self._admission.enter(client)
        try:
            ticket.take(announced or 0)
            started = self._loop.time()
            body = await self._read(arriving, announced, ticket, largest)
            # The time that the client took to send it does not count towards the deadline.
            environ[STARTED] = began + self._loop.time() - started
            ticket.begin()
            await self._answer(proto, environ, body, self._threads)
        finally:
            ticket.close()

    async def _verified(self, environ: dict[str, Any]) -> Any:
        assert self._examine is not None
        assert self._loop is not None
        return await self._loop.run_in_executor(
            self._verifying, self._examine, environ.get("HTTP_AUTHORIZATION"), environ["PATH_INFO"]
        )

    async def _read(
        self, arriving: AsyncIterator[bytes], announced: int | None, ticket: Ticket, largest: int
    ) -> bytes:
        """The whole body. Raises RequestTimeout, TooLarge, TooManyRequests, Unavailable."""
        if announced == 0:
            return b""
        parts: list[bytes] = []
        arrived = checked_at = 0
        assert self._loop is not None
        began = self._loop.time()
        try:
            async with asyncio.timeout(self._admission.time_for(0)) as late:
                async for part in arriving:
                    if not part:
                        break
                    parts.append(part)
                    arrived += len(part)
                    if arrived == announced:
                        break
                    if arrived - checked_at < _CHECK_EVERY:
                        continue  # it may arrive in very many pieces
                    checked_at = arrived
                    if announced is None:
                        if arrived > largest:
                            raise _too_large(largest)
                        ticket.take(arrived)
                    late.reschedule(began + self._admission.time_for(arrived, len(parts)))
        except TimeoutError:
            raise self._admission.too_slow() from None
        if arrived > largest:
            raise _too_large(largest)
        ticket.take(arrived)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _answer(
        self, proto: Any, environ: dict[str, Any], body: bytes, threads: ThreadPoolExecutor
    ) -> None:
        assert self._loop is not None
        status, headers, content = await self._loop.run_in_executor(
            threads, self._run, environ, body
        )
        proto.response_bytes(status, headers, content)

    def _run(self, environ: dict[str, Any], body: bytes) -> Response:
        """The application's response to one request."""
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        started: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            started[:] = int(status[:3]), headers
            return _no_writing

        answer = self._application(environ, start_response)
        try:
            content = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        if len(body) + environ.get(FETCHED, 0) >= LARGE_BODY:
            give_back_soon()
        return started[0], started[1], content

    async def _read_on(self, arriving: AsyncIterator[bytes], environ: dict[str, Any]) -> None:
        """Discard what a refused client still sends: many read the response only afterwards."""
        stranger = self._examine is not None and ADMITTED not in environ
        # Counted separately, so that strangers who send nothing more do not use up the others'.
        if self._reading_on[stranger] >= _MOST_READ_ON or "HTTP_EXPECT" in environ:
            return
        remaining = self._admission.limits.stranger_bytes if stranger else _READ_ON
        self._reading_on[stranger] += 1
        try:
            async with asyncio.timeout(_READ_ON_S):
                async for part in arriving:
                    remaining -= len(part)
                    if not part or remaining < 0:
                        break
        except TimeoutError:
            pass
        finally:
            self._reading_on[stranger] -= 1


async def _arriving(proto: Any) -> AsyncIterator[bytes]:
    """The parts of a body, as a generator that can be passed on after reading some of it."""
    async for part in proto:
        yield part


def _announced(environ: dict[str, Any]) -> int | None:
    """The announced length of the body in bytes; None where it is sent in chunks."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    stated = environ.get("CONTENT_LENGTH", "0")
    return int(stated) if stated.isdecimal() else 0


def _environ(scope: Any) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) of a request; its input is added later."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # Granian has decoded percent escapes. PEP 3333 wants the UTF-8 bytes as Latin-1 text.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name == "content-length":
            environ["CONTENT_LENGTH"] = value
        elif "_" not in name:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _no_writing(_data: bytes) -> None:
    raise NotImplementedError("write() of start_response is not supported")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit / 1e6:g} MB.",
        "Narrow the prefetch to the published templates, or raise CDS_MAX_BODY_MB.",
    )
