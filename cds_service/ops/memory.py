"""Memory that is given back to the system, where the C library keeps it (glibc)."""

from __future__ import annotations

import ctypes
from contextlib import suppress

LARGE_BODY = 2_000_000
"""Bytes of a body after which it pays to give memory back: some milliseconds."""
_M_ARENA_MAX = -8  # malloc.h


def share_among_threads() -> None:
    """Let threads share memory that one of them has freed: 8 MB less in a worker.

    Each would otherwise keep pieces of the bodies it has read; and one computes at a time.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def give_back() -> None:
    """Give freed memory back: a worker would stay as large as its largest calls made it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
