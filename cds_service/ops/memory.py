"""Returns freed memory to the system where the C library (glibc) would keep it."""

from __future__ import annotations

import ctypes
import threading
from contextlib import suppress

LARGE_BODY = 2_000_000
"""Size of a body, in bytes, after which returning memory is worth its few milliseconds."""
_M_ARENA_MAX = -8  # malloc.h
_SOON_S = 0.5
_due = (
    threading.Lock()
)  # held while it is due; workers are forked before there is any memory to return


def share_among_threads() -> None:
    """Let threads share freed memory, which saves 8 MB in a worker.

    Otherwise each thread would keep parts of the bodies that it has read. Sharing costs little,
    because only one thread computes at a time.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def give_back_soon() -> None:
    """Return freed memory to the system in half a second, once for all requests until then.

    Otherwise a worker would stay as large as its largest calls made it. It is delayed because
    the caller still holds what it has read.
    """
    if _due.acquire(blocking=False):
        timer = threading.Timer(_SOON_S, _give_back)
        timer.daemon = True
        timer.start()


def _give_back() -> None:
    _due.release()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
