"""What a card needs of the database: in a fifth of a second, or not at all.

The work is done on a few threads of its own. Whoever asked waits ``PATIENCE_S`` and goes on
without it, whatever holds it up: a lock, a full disk, a connection that is not made, a server
that was stopped in the middle of a word.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cds_service.errors import Unavailable

PATIENCE_S = 0.2
THREADS = 8

T = TypeVar("T")


class Hurried:
    """Runs work beside, and gives up waiting for it. ``late()`` hears when it was too slow."""

    def __init__(self, late: Callable[[], None]) -> None:
        self._late = late
        self._threads: ThreadPoolExecutor | None = None
        self._pid = 0

    def __call__(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises. Raises Unavailable where it takes too long."""
        if self._threads is None or self._pid != os.getpid():
            self._threads = ThreadPoolExecutor(THREADS, "cds-database")
            self._pid = os.getpid()
        future = self._threads.submit(work)
        try:
            return future.result(PATIENCE_S)
        except TimeoutError:
            future.cancel()  # if it has not begun
            self._late()
            raise Unavailable(
                f"The database did not answer within {PATIENCE_S:g} s.",
                "See that it runs, and what holds it up.",
            ) from None
