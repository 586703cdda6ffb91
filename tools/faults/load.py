"""Calls over real HTTP from several connections, every one accounted for."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.faults.service import HOST

TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True)
class Call:
    """One POST, to be sent as it is."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a call. ``status`` is 0 where no whole answer came; ``lost`` says how."""

    call: Call
    status: int
    seconds: float
    body: bytes = b""
    lost: str = ""
    at: float = 0.0
    """time.monotonic() when it was sent."""


class Client:
    """One connection, kept alive as long as the server agrees; never tries a call twice."""

    def __init__(self, port: int, timeout: float = TIMEOUT_S, fresh: bool = False) -> None:
        self._port = port
        self._timeout = timeout
        self._fresh = fresh
        self._line: http.client.HTTPConnection | None = None

    def send(self, call: Call) -> Answered:
        """Send ``call`` once."""
        started = time.monotonic()
        line = self._line or http.client.HTTPConnection(HOST, self._port, timeout=self._timeout)
        self._line = line
        try:
            headers = {"Content-Type": "application/json", **call.headers}
            line.request("POST", call.path, call.body, headers)
            answer = line.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            took = time.monotonic() - started
            return Answered(call, 0, took, lost=type(error).__name__, at=started)
        if self._fresh or answer.will_close:
            self.close()
        return Answered(call, answer.status, time.monotonic() - started, body, at=started)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._line is not None:
            self._line.close()
            self._line = None


class Tally:
    """What became of many calls; safe for threads."""

    def __init__(self, keep: Callable[[Answered], bool] | None = None) -> None:
        self.statuses: Counter[int] = Counter()
        self.lost: Counter[str] = Counter()
        self.kept: list[Answered] = []
        self._seconds: list[float] = []
        self._keep = keep
        self._lock = threading.Lock()

    def add(self, answered: Answered) -> None:
        """Count one."""
        with self._lock:
            self.statuses[answered.status] += 1
            if answered.lost:
                self.lost[answered.lost] += 1
            self._seconds.append(answered.seconds)
            if self._keep is not None and self._keep(answered):
                self.kept.append(answered)

    @property
    def total(self) -> int:
        """Calls sent."""
        return len(self._seconds)

    def quantile_ms(self, share: float) -> float:
        """The time within which ``share`` of the calls were answered, in milliseconds."""
        ordered = sorted(self._seconds)
        if not ordered:
            return 0.0
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def said(self) -> str:
        """The statuses in words: ``900 × 200, 100 × 400``."""
        parts = [
            f"{count:,} × {status}" for status, count in sorted(self.statuses.items()) if status
        ]
        parts += [f"{count:,} × {how}" for how, count in sorted(self.lost.items())]
        return ", ".join(parts) or "none"


def send_all(
    calls: Iterable[Call],
    port: int,
    each: Callable[[Answered], None],
    connections: int = 8,
) -> None:
    """Send every call once over so many connections; ``each`` hears of every answer."""
    source = iter(calls)
    lock = threading.Lock()

    def work() -> None:
        client = Client(port)
        while True:
            with lock:
                call = next(source, None)
            if call is None:
                break
            each(client.send(call))
        client.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def under_load(
    port: int,
    calls: Callable[[], Iterator[Call]],
    each: Callable[[Answered], None],
    connections: int = 4,
    fresh: bool = False,
    pause_s: float = 0.0,
) -> Iterator[None]:
    """Send calls from so many connections for as long as the block lasts."""
    ended = threading.Event()

    def work(source: Iterator[Call]) -> None:
        client = Client(port, fresh=fresh)
        while not ended.is_set():
            each(client.send(next(source)))
            if pause_s:
                ended.wait(pause_s)
        client.close()

    threads = [
        threading.Thread(target=work, args=(calls(),), daemon=True) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(TIMEOUT_S)


def endless(calls: Iterable[Call]) -> Callable[[], Iterator[Call]]:
    """The same calls again and again."""
    fixed = list(calls)
    return lambda: itertools.cycle(fixed)


def flaw(answered: Answered) -> str:
    """What is wrong with an answer; empty where it is right: JSON, errors OperationOutcomes."""
    if answered.lost:
        return f"lost connection ({answered.lost})"
    if answered.status >= 500:
        return f"status {answered.status}"
    try:
        read = json.loads(answered.body)
    except ValueError:
        return f"status {answered.status}, not JSON"
    if answered.status == 200:
        return "" if isinstance(read, dict) else "status 200, not an object"
    if not isinstance(read, dict) or read.get("resourceType") != "OperationOutcome":
        return f"status {answered.status}, no OperationOutcome"
    return "" if read.get("issue") else f"status {answered.status}, no issue"
