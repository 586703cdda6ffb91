"""Calls over real HTTP from several connections, each accounted for."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.testing.serving import HOST

TIMEOUT_S = 40.0
Port = int | Callable[[], int]
Right = Iterable[int] | Callable[["Answered"], bool]


@dataclass(frozen=True, slots=True)
class Post:
    """One POST, to be sent as it is; a list of bytes is sent in chunks."""

    path: str
    body: bytes | list[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of a call. ``status`` is 0 if no complete answer came; ``lost`` says why.

    ``at`` is time.monotonic() when it was sent.
    """

    call: Post
    status: int
    seconds: float
    body: bytes = b""
    lost: str = ""
    at: float = 0.0


class Sender:
    """One connection, kept alive as long as the server agrees; never sends a call twice.

    ``fresh``: one connection for each call, to the port that ``port`` gives at that moment.
    """

    def __init__(self, port: Port, fresh: bool = False) -> None:
        self._port = port if callable(port) else lambda: port
        self.line = http.client.HTTPConnection(HOST, timeout=TIMEOUT_S)
        self._fresh = fresh

    def send(self, call: Post) -> Answered:
        """Send ``call`` once."""
        started, status, body, lost = time.monotonic(), 0, b"", ""
        try:
            if self.line.sock is None:
                self.line.port = self._port()
            headers = {"Content-Type": "application/json", **call.headers}
            self.line.request("POST", call.path, call.body, headers)
            answer = self.line.getresponse()
            body, status = answer.read(), answer.status
        except (OSError, http.client.HTTPException) as error:
            lost = type(error).__name__
        if self._fresh or lost:
            self.line.close()  # the next call opens another
        return Answered(call, status, time.monotonic() - started, body, lost, started)


class CallTally:
    """Outcomes of many calls; thread-safe. ``right``: statuses, or a function that judges one."""

    def __init__(self, right: Right = (200,)) -> None:
        self.statuses: Counter[int] = Counter()
        self.wrong: list[Answered] = []
        self._outcomes: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._right = right if callable(right) else lambda answered: answered.status in right
        self._lock = threading.Lock()

    def add(self, answered: Answered) -> None:
        """Count one."""
        with self._lock:
            self.statuses[answered.status] += 1
            self._outcomes[answered.lost or str(answered.status)] += 1
            self._seconds.append(answered.seconds)
            if not self._right(answered):
                self.wrong.append(answered)

    @property
    def total(self) -> int:
        """Calls sent."""
        return len(self._seconds)

    def quantile_ms(self, share: float) -> float:
        """The time within which ``share`` of the calls were answered, in milliseconds."""
        ordered = sorted(self._seconds) or [0.0]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def in_words(self) -> str:
        """The statuses in words: ``900 × 200, 100 × 400``."""
        counts = (f"{count:,} × {outcome}" for outcome, count in sorted(self._outcomes.items()))
        return ", ".join(counts) or "none"

    def __str__(self) -> str:
        p50, p99, slowest = (self.quantile_ms(share) for share in (0.5, 0.99, 1))
        return f"{self.in_words()}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, slowest {slowest:.0f} ms"


def send_all(calls: Iterable[Post], port: int, tally: CallTally, connections: int = 8) -> CallTally:
    """Send every call once over so many connections."""
    with under_load(port, iter(calls), tally, connections, pause_s=0, to_the_end=True):
        return tally


@contextlib.contextmanager
def under_load(
    port: Port, calls: Iterable[Post], tally: CallTally, connections: int = 4, fresh: bool = False,
    pause_s: float = 0.005, to_the_end: bool = False,
) -> Iterator[None]:  # fmt: skip
    """Send calls from so many connections while the block lasts, those of a tuple again and again.

    ``to_the_end``: the block ends when all are sent.
    """
    ended, lock = threading.Event(), threading.Lock()
    source = itertools.cycle(calls) if isinstance(calls, tuple) else iter(calls)

    def work() -> None:
        client = Sender(port, fresh=fresh)
        while not ended.wait(pause_s):
            with lock:
                call = next(source, None)
            if call is None:
                break
            answered = client.send(call)
            tally.add(answered)
            if answered.lost:
                ended.wait(0.05)  # after a lost connection no client tries again at once
        client.line.close()

    with ThreadPoolExecutor(connections) as pool:
        for _ in range(connections):
            pool.submit(work)
        try:
            yield
        finally:
            if not to_the_end:
                ended.set()


def flaw(answered: Answered) -> str:
    """What is wrong with an answer; empty if it is JSON, and an OperationOutcome for an error."""
    status = f"status {answered.status}"
    if answered.lost or answered.status >= 500:
        return f"lost connection ({answered.lost})" if answered.lost else status
    try:
        content = json.loads(answered.body)
    except ValueError:
        return f"{status}, not JSON"
    if not isinstance(content, dict):
        return f"{status}, not an object"
    is_outcome = content.get("resourceType") == "OperationOutcome" and content.get("issue")
    is_right = answered.status == 200 or is_outcome
    return "" if is_right else f"{status}, not an OperationOutcome with an issue"
