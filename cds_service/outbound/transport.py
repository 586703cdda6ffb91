"""The transport to FHIR servers: pooled connections, a bounded number of threads, and a cut-off.

``requests`` has timeouts only per socket operation, which a server avoids that sends a byte now
and then. So the caller may cut the line of a request from another thread (`Line.cut`), which ends
the wait of the thread that reads from it.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import DefaultCookiePolicy
from queue import Empty, SimpleQueue
from typing import Any

import requests
from certifi import where
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from cds_service.ops.forks import after_fork

MOST_THREADS = 32  # threads for each server: four concurrent calls with eight missing keys each
FETCHED_BYTES = 128_000_000
"""Most bytes of responses of FHIR servers that one process holds at once."""

_local = threading.local()
_guard = threading.Lock()


class LineCutError(OSError):
    """The line was cut before the request was sent."""


class Line:
    """The connection that a task uses at present; another thread may cut it."""

    def __init__(self) -> None:
        self._cut = threading.Event()
        self._connection: _Connection | _SecureConnection | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Everything that this thread sends inside the block uses this line."""
        _local.line = self
        try:
            yield
        finally:
            del _local.line

    @property
    def is_cut(self) -> bool:
        """Whether the line was cut, so that nobody waits for it any more."""
        return self._cut.is_set()

    def pause(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the line is cut."""
        self._cut.wait(seconds)

    def cut(self) -> None:
        """End the current request, and let no new one start."""
        self._cut.set()
        with _guard:
            connection = self._connection
            # A connection back in the pool may already serve another request.
            if connection is not None and connection.line is self and connection.live is not None:
                with suppress(OSError):
                    # Not SSLSocket.shutdown: it drops the TLS state the reader still uses.
                    socket.socket.shutdown(connection.live, socket.SHUT_RDWR)

    def take(self, connection: _Connection | _SecureConnection) -> None:
        """Record that ``connection`` has sent this line's request and waits for the response.

        Raises LineCutError where the line was cut.
        """
        with _guard:
            connection.line, connection.live = self, connection.sock
            self._connection = connection
        if self.is_cut:
            raise LineCutError


def _on_this_line(connection: _Connection | _SecureConnection) -> None:
    line: Line | None = getattr(_local, "line", None)
    if line is not None:
        line.take(connection)


class _Connection(HTTPConnection):
    line: Line | None = None
    # Kept separately from ``sock``, which is None while the body of a last response is being read.
    live: socket.socket | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        _on_this_line(self)


class _SecureConnection(HTTPSConnection):
    line: Line | None = None
    live: socket.socket | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        _on_this_line(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=16, pool_maxsize=MOST_THREADS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Certificates are always verified, by the shared context."""
        conn.cert_reqs = "CERT_REQUIRED"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Redirects are not followed, and their bodies are not read."""
        return None


class _Quiet(logging.Filter):
    """Drops urllib3's log lines about our requests, whose URLs identify patients."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not hasattr(_local, "line")


def new_session() -> requests.Session:
    """A session without cookies, netrc, proxies or redirects, which threads may share."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers["User-Agent"] = "leg-cramps-cds"
    # One context for all connections: loading the certificates costs more than a query.
    # The system's authorities are trusted as well: hospitals have their own.
    context = ssl.create_default_context()
    context.load_verify_locations(where())
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(context))
    return session


class Workers:
    """At most ``size`` daemon threads, which start on demand and end after ``idle_s`` seconds."""

    def __init__(self, size: int = MOST_THREADS, idle_s: float = 60.0) -> None:
        self._size = size
        self._idle_s = idle_s
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0  # tasks that were submitted and are not finished
        self._threads = 0

    def run(self, task: Callable[[], None]) -> None:
        """Run ``task`` in another thread. It must not raise, and must end by itself."""
        with self._lock:
            self._open += 1
            if self._open > self._threads and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name="fhir", daemon=True).start()
            self._tasks.put(task)

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=self._idle_s)
            except Empty:
                with self._lock:
                    if self._tasks.empty():  # nothing was submitted since
                        self._threads -= 1
                        return
                continue
            try:
                task()
            finally:
                del task  # an idle thread must not keep the last request's token
                with self._lock:
                    self._open -= 1


class ByteBudget:
    """Bounds the bytes of responses that a process holds at once; shared by its threads."""

    def __init__(self, most: int = FETCHED_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve ``size`` more bytes until they are given back; False where that is too much."""
        with self._lock:
            if self._taken + size > self._most:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        """Release ``size`` bytes."""
        with self._lock:
            self._taken -= size


class CallBytes:
    """The bytes of a `ByteBudget` taken by the responses of one call; freed with this object."""

    def __init__(self, budget: ByteBudget, most: int) -> None:
        self._budget = budget
        self._most = most
        self._lock = threading.Lock()
        self.bytes = 0

    def take(self, size: int) -> bool:
        """Reserve ``size`` more bytes for this call; False where that is too much."""
        with self._lock:
            if self.bytes + size > self._most or not self._budget.take(size):
                return False
            self.bytes += size
            return True

    def __del__(self) -> None:
        self._budget.give_back(self.bytes)


class _Process:
    """What all threads of a process share. A fork keeps neither threads nor connections."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session: requests.Session | None = None


_process = _Process()


def _forked() -> None:
    global _process, _guard  # a lock held by another thread is never released here
    _process, _guard = _Process(), threading.Lock()


after_fork(_forked)
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_Quiet())


def shared_session() -> requests.Session:
    """The one session of the process, made on demand."""
    process = _process
    with process.lock:
        if process.session is None:
            process.session = new_session()
        return process.session
