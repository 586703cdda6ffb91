"""Admission: how much of a process one client may take, and how much all of them together.

Counted where a call arrives, before its body is read. Whoever is over a limit is told to come
again (429 for the client's own limits, 503 for the process's), and costs nobody else anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cds_service.errors import RequestTimeout, ServiceError, TooManyRequests, Unavailable

RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one process. Sizes in bytes, times in seconds, rates in bytes per second."""

    calls_per_client: int = 64
    """Of which the body has arrived; until then a call costs its bytes and nothing more."""
    arriving_per_client: int = 1000
    bytes_per_client: int = 64_000_000
    calls: int = 256
    """Each takes a thread while it is answered."""
    bytes: int = 256_000_000
    body_s: float = 10.0
    body_rate: float = 10_000.0
    patience_s: float = 2.0
    """How long the rate of a body is not looked at."""
    part_s: float = 0.0003
    """What this process itself may take to read one part of a body (a chunk, as a rule), which is
    not the client's time. A body in very many parts has up to three times as long."""
    stranger_bytes: int = 64_000
    """Bytes of a body that are read before it is known who sends it."""


class _Share:
    """What one client has under way."""

    __slots__ = ("arriving", "bytes", "calls")

    def __init__(self) -> None:
        self.arriving = 0
        self.calls = 0
        self.bytes = 0


class Ticket:
    """One admitted call; `close` it when it has been answered."""

    __slots__ = ("_admission", "_begun", "_bytes", "_client", "_open")

    def __init__(self, admission: Admission, client: str) -> None:
        self._admission = admission
        self._client = client
        self._bytes = 0
        self._begun = False
        self._open = True

    def take(self, total: int) -> None:
        """Count ``total`` bytes of body for this call. Raises TooManyRequests, Unavailable."""
        more = total - self._bytes
        if more > 0:
            self._admission.add_bytes(self._client, more)
            self._bytes = total

    def begin(self) -> None:
        """The body is there: count a call to be answered. Raises TooManyRequests, Unavailable."""
        self._admission.begin(self._client)
        self._begun = True

    def close(self) -> None:
        """Give back what the call took. A second time does nothing."""
        if self._open:
            self._open = False
            self._admission.leave(self._client, self._bytes, begun=self._begun)


class Admission:
    """The books of one process; used from one thread only (the event loop's).

    ``refused(reason)`` hears of each refusal: ``client-calls``, ``client-bytes``, ``calls``,
    ``bytes`` or ``slow-body``.
    """

    def __init__(
        self, limits: Limits | None = None, refused: Callable[[str], None] = lambda _reason: None
    ) -> None:
        self.limits = limits or Limits()
        self.calls = 0
        self.bytes = 0
        self._refused = refused
        self._shares: dict[str, _Share] = {}

    def enter(self, client: str) -> Ticket:
        """Let the body of one call of ``client`` arrive. Raises TooManyRequests."""
        share = self._shares.get(client)
        if share is None:
            share = self._shares[client] = _Share()
        if share.arriving >= self.limits.arriving_per_client:
            raise self._refusal("client-calls")
        share.arriving += 1
        return Ticket(self, client)

    def begin(self, client: str) -> None:
        """The body of a call of ``client`` is there. Raises TooManyRequests or Unavailable."""
        share = self._shares[client]
        if share.calls >= self.limits.calls_per_client:
            raise self._refusal("client-calls")
        if self.calls >= self.limits.calls:
            raise self._refusal("calls")
        share.calls += 1
        self.calls += 1

    def add_bytes(self, client: str, more: int) -> None:
        """Count bytes that ``client`` has in flight. Raises TooManyRequests or Unavailable."""
        share = self._shares[client]
        if share.bytes + more > self.limits.bytes_per_client:
            raise self._refusal("client-bytes")
        if self.bytes + more > self.limits.bytes:
            raise self._refusal("bytes")
        share.bytes += more
        self.bytes += more

    def leave(self, client: str, taken: int, *, begun: bool) -> None:
        """One call of ``client`` has ended, which had ``taken`` bytes in flight."""
        share = self._shares[client]
        share.arriving -= 1
        share.bytes -= taken
        self.bytes -= taken
        if begun:
            share.calls -= 1
            self.calls -= 1
        if not share.arriving:
            del self._shares[client]

    def too_slow(self) -> RequestTimeout:
        """The refusal of a body that does not arrive."""
        self._refused("slow-body")
        return RequestTimeout(
            "The body did not arrive in time.",
            f"Send it within {self.limits.body_s:g} s, at "
            f"{self.limits.body_rate / 1000:g} kB/s at least.",
        )

    def time_for(self, arrived: int, parts: int = 0) -> float:
        """Seconds from the start after which a body of which so many bytes came, in so many parts,
        is late."""
        limits = self.limits
        ours = min(parts * limits.part_s, 2 * limits.body_s)
        return min(limits.body_s, limits.patience_s + arrived / limits.body_rate) + ours

    def _refusal(self, reason: str) -> ServiceError:
        self._refused(reason)
        limits = self.limits
        if reason == "client-calls":
            return TooManyRequests(
                f"This client has {limits.calls_per_client} calls under way.", "Call again later."
            )
        if reason == "client-bytes":
            return TooManyRequests(
                f"This client has {limits.bytes_per_client / 1e6:g} MB of calls under way.",
                "Call again later.",
            )
        return Unavailable("The service is busy.", "Call again later.")
