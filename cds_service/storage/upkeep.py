"""One thread per process for work that no call should wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize

import structlog

from cds_service.errors import Unavailable
from cds_service.ops.forks import after_fork


class Upkeep:
    """Runs ``tasks`` every ``every`` seconds, and a last time at the end of the process.

    The thread starts with the first ``touch`` in a process, so that a process that only forks
    workers has none. A task that raises Unavailable is run again the next time.
    """

    def __init__(self, tasks: Sequence[Callable[[], None]], every: float = 2.0) -> None:
        self._tasks = tuple(tasks)
        self._every = every
        self._unavailable = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        after_fork(self._forked)

    def add(self, task: Callable[[], None]) -> None:
        """Also run ``task`` from the next time on."""
        self._tasks = (*self._tasks, task)

    def touch(self) -> None:
        """Make sure that the thread is running in this process."""
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._ended.is_set():
                    self._begin()

    def run_once(self) -> None:
        """Run every task now in this thread; an unavailable database is only logged."""
        log = structlog.get_logger(__name__)
        unavailable = False
        for task in self._tasks:
            try:
                task()
            except Unavailable:
                unavailable = True
            except Exception as error:
                # The other tasks, and the next run, must not fail because of this one.
                log.warning("upkeep_failed", error=type(error).__name__)
        if unavailable != self._unavailable:
            self._unavailable = unavailable
            log.warning("database_unavailable" if unavailable else "database_available")

    def close(self) -> None:
        """End the thread and run the tasks a last time. A second call does nothing."""
        with self._lock:
            if self._thread is None or self._ended.is_set():
                return
            self._ended.set()
        self._thread.join(timeout=10)
        self.run_once()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="cds-upkeep", daemon=True)
        self._thread.start()
        # Like atexit, but it also runs in worker processes of multiprocessing.
        Finalize(None, self.close, exitpriority=10)

    def _loop(self) -> None:
        while not self._ended.wait(self._every):
            self.run_once()

    def _forked(self) -> None:
        self._thread = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
