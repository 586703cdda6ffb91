"""What one call may cost in texts, and what is kept of them: within the call everything, from
call to call nothing but keyed digests.

Reading a text for the names in it costs up to two microseconds a character. A record that
consists of texts would hold a worker for a minute; beyond the budget its texts are left unread,
and that is said. Of a text that was read, its digest and the concepts found in it are kept: no
memory of the process holds words of a record after the call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

BUDGET = 250_000
"""Characters of texts met for the first time that are read in one call: thousands of names."""
_KEY = os.urandom(16)
_here = threading.local()


class TooMuchTextError(Exception):
    """The call holds more text than is read."""

    reason = "the call holds more text than is read"


class _Call:
    __slots__ = ("left", "memory")

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.memory: dict[Hashable, Any] = {}


@contextmanager
def one_call(budget: int = BUDGET) -> Iterator[None]:
    """What this thread reads inside the block belongs to one call."""
    before = getattr(_here, "call", None)
    _here.call = _Call(budget)
    try:
        yield
    finally:
        _here.call = before


def memory() -> dict[Hashable, Any]:
    """What is remembered until the end of the call; outside of one, nothing is."""
    call: _Call | None = getattr(_here, "call", None)
    return {} if call is None else call.memory


def spend(characters: int) -> None:
    """Count what is about to be read. Raises TooMuchTextError beyond the budget."""
    call: _Call | None = getattr(_here, "call", None)
    if call is None:
        return
    if call.left < characters:
        raise TooMuchTextError
    call.left -= characters


def afresh(budget: int) -> None:
    """Let this call read so much at least: what is about to be ordered is always looked at."""
    call: _Call | None = getattr(_here, "call", None)
    if call is not None:
        call.left = max(call.left, budget)


def digest(text: bytes) -> bytes:
    """Sixteen bytes that stand for a text in this process."""
    return blake2b(text, digest_size=16, key=_KEY).digest()
