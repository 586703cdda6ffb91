"""Admission control: how much of a process one client may use, and all of them together.

Calls are counted on arrival, before their bodies are read. A client over a limit is told to try
again (429 for the client's own limits, 503 for the process's), and does not affect other clients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cds_service.errors import RequestTimeout, ServiceError, TooManyRequests, Unavailable

RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The limits of one process: sizes in bytes, times in seconds, rates in bytes per second."""

    calls_per_client: int = 64
    """Calls whose body has arrived; before that a call costs only its bytes."""
    arriving_per_client: int = 1000
    bytes_per_client: int = 64_000_000
    calls: int = 256
    """Each takes a thread while it is answered."""
    bytes: int = 256_000_000
    body_s: float = 10.0
    body_rate: float = 10_000.0
    patience_s: float = 2.0
    """How long the rate of a body is not checked."""
    part_s: float = 0.0003
    """The time that this process itself may take to read one part of a body (usually a chunk); it
    does not count as the client's. A body in very many parts has up to three times as long."""
    stranger_bytes: int = 64_000
    """Most bytes of a body that are read before its sender is known."""


class _Share:
    """What one client has in progress."""

    __slots__ = ("arriving", "bytes", "calls")

    def __init__(self) -> None:
        self.arriving = 0
        self.calls = 0
        self.bytes = 0


class Ticket:
    """One admitted call; `close` it after it was answered."""

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
        """Count the call once its body has arrived. Raises TooManyRequests, Unavailable."""
        self._admission.begin(self._client)
        self._begun = True

    def close(self) -> None:
        """Release what the call took. A second call does nothing."""
        if self._open:
            self._open = False
            self._admission.leave(self._client, self._bytes, begun=self._begun)


class Admission:
    """Counts the calls and bytes of one process; for the event loop's thread only.

    ``refused(reason)`` is called for each refusal: ``client-calls``, ``client-bytes``, ``calls``,
    ``bytes`` or ``slow-body``.
    """

    def __init__(
        self,
        limits: AdmissionLimits | None = None,
        refused: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.limits = limits or AdmissionLimits()
        self.calls = 0
        self.bytes = 0
        self._refused = refused
        self._shares: dict[str, _Share] = {}

    def enter(self, client: str) -> Ticket:
        """Admit the body of one call of ``client``. Raises TooManyRequests."""
        share = self._shares.get(client)
        if share is None:
            share = self._shares[client] = _Share()
        if share.arriving >= self.limits.arriving_per_client:
            raise self._refusal("client-calls")
        share.arriving += 1
        return Ticket(self, client)

    def begin(self, client: str) -> None:
        """Count a call of ``client`` whose body is there. Raises TooManyRequests, Unavailable."""
        share = self._shares[client]
        if share.calls >= self.limits.calls_per_client:
            raise self._refusal("client-calls")
        if self.calls >= self.limits.calls:
            raise self._refusal("calls")
        share.calls += 1
        self.calls += 1

    def add_bytes(self, client: str, more: int) -> None:
        """Count more bytes of ``client`` in flight. Raises TooManyRequests or Unavailable."""
        share = self._shares[client]
        if share.bytes + more > self.limits.bytes_per_client:
            raise self._refusal("client-bytes")
        if self.bytes + more > self.limits.bytes:
            raise self._refusal("bytes")
        share.bytes += more
        self.bytes += more

    def leave(self, client: str, taken: int, *, begun: bool) -> None:
        """Count the end of a call of ``client`` that had ``taken`` bytes in flight."""
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
        """The error for a body that does not arrive in time."""
        self._refused("slow-body")
        return RequestTimeout(
            "The body did not arrive in time.",
            f"Send it within {self.limits.body_s:g} s, and at a rate of at least "
            f"{self.limits.body_rate / 1000:g} kB/s.",
        )

    def time_for(self, arrived: int, parts: int = 0) -> float:
        """Seconds from the start after which a body is late.

        ``arrived`` bytes have arrived so far, in ``parts`` parts.
        """
        limits = self.limits
        own_time = min(parts * limits.part_s, 2 * limits.body_s)
        return min(limits.body_s, limits.patience_s + arrived / limits.body_rate) + own_time

    def _refusal(self, reason: str) -> ServiceError:
        self._refused(reason)
        limits = self.limits
        if reason == "client-calls":
            return TooManyRequests(
                f"This client has {limits.calls_per_client} calls in progress.", "Try again later."
            )
        if reason == "client-bytes":
            return TooManyRequests(
                f"This client has {limits.bytes_per_client / 1e6:g} MB of calls in progress.",
                "Try again later.",
            )
        return Unavailable("The service is busy.", "Try again later.")
