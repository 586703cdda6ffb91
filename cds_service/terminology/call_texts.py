"""The budget for reading text in one call, and what is remembered of texts: everything within the
call, but only keyed digests between calls.

Reading a text for the names in it costs up to two microseconds per character. A record that
consists of texts would occupy a worker for a minute; beyond the budget its texts are not read,
which is reported. Only the digest of a text and the concepts found in it are kept: the process
has no words of a record in memory after the call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

BUDGET = 250_000
"""Most characters of new texts that are read in one call: thousands of names."""
_KEY = os.urandom(16)
_local = threading.local()


class TooMuchTextError(Exception):
    """The call has more text than is read."""

    reason = "the call has more text than is read"


class _Call:
    __slots__ = ("characters_left", "memory")

    def __init__(self, budget: int) -> None:
        self.characters_left = budget
        self.memory: dict[Hashable, Any] = {}


@contextmanager
def one_call(budget: int = BUDGET) -> Iterator[None]:
    """Everything that this thread reads inside the block belongs to one call."""
    before = getattr(_local, "call", None)
    _local.call = _Call(budget)
    try:
        yield
    finally:
        _local.call = before


def memory() -> dict[Hashable, Any]:
    """The memory of the current call; outside a call, a new empty one."""
    call: _Call | None = getattr(_local, "call", None)
    return {} if call is None else call.memory


def spend(characters: int) -> None:
    """Count characters about to be read. Raises TooMuchTextError beyond the budget."""
    call: _Call | None = getattr(_local, "call", None)
    if call is None:
        return
    if call.characters_left < characters:
        raise TooMuchTextError
    call.characters_left -= characters


def ensure_budget(budget: int) -> None:
    """Raise the rest of the budget to at least ``budget``, so that drafts are always read."""
    call: _Call | None = getattr(_local, "call", None)
    if call is not None:
        call.characters_left = max(call.characters_left, budget)


def digest(text: bytes) -> bytes:
    """Sixteen bytes that stand for a text in this process."""
    return blake2b(text, digest_size=16, key=_KEY).digest()
