"""Memory that is given back to the system, where the C library keeps it (glibc)."""

from __future__ import annotations

import ctypes
import threading
from contextlib import suppress

LARGE_BODY = 2_000_000
"""Bytes of a body after which it pays to give memory back: some milliseconds."""
_M_ARENA_MAX = -8  # malloc.h
_SOON_S = 0.5
_due = threading.Lock()  # held while it is due; a fork is made before there is anything to give


def share_among_threads() -> None:
    """Let threads share memory that one of them has freed: 8 MB less in a worker.

    Each would otherwise keep pieces of the bodies it has read; and one computes at a time.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def give_back_soon() -> None:
    """Give freed memory back in half a second, and once for all who ask for it until then.

    A worker would stay as large as its largest calls made it. Who asks still holds what it has
    read, or others of its call do; soon nobody does.
    """
    if _due.acquire(blocking=False):
        timer = threading.Timer(_SOON_S, _give_back)
        timer.daemon = True
        timer.start()


def _give_back() -> None:
    _due.release()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
