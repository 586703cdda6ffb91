"""The main process, which starts the workers, replaces those that die, and stops them."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from granian.server import MPServer

_ENDS = (signal.SIGTERM, signal.SIGINT)
_CRASHES = 20
_CRASH_WINDOW_S = 60.0
_LOGGING: Mapping[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}},
}
"""Granian's lines go where all lines of the service go, and not to its own handlers."""


class Wakes:
    """What wakes the loop of the main process, in place of a `threading.Event`; nothing is lost.

    The signal handler runs in the very thread that waits. With an event it can wait for a lock
    that this thread holds, or be undone by `clear` before the loop has looked; when a worker ends
    at the same moment, the server would never stop. `SimpleQueue.put` may interrupt itself.
    """

    def __init__(self) -> None:
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._wakes.put(None)

    def wait(self) -> None:
        """Return once for each `set`: the loop looks again, perhaps in vain."""
        self._wakes.get()

    def clear(self) -> None:
        """Forget nothing: what was set since the loop looked is not known to it."""


class Supervisor(MPServer):
    """Granian with more tolerance for dying workers, and a clean end.

    By itself it gives up when a worker dies twice within seconds, and may end with status 1, or
    never, when the whole process group gets a signal. It has no options for these, so that four
    names of its own are used here, which it may change: `_respawn_workers`, `respawned_wrks`,
    `main_loop_interrupt` and `interrupt_signal` (docs/explanation/architecture.md, "The server").
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(log_dictconfig=dict(_LOGGING), **kwargs)
        self.main_loop_interrupt = Wakes()  # type: ignore[assignment]  # it has what granian uses
        self._crashes: deque[float] = deque(maxlen=_CRASHES)

    def _respawn_workers(
        self, workers: Any, spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        now = time.monotonic()
        self._crashes.extend([now] * len(workers))
        if len(self._crashes) < _CRASHES or now - self._crashes[0] > _CRASH_WINDOW_S:
            self.respawned_wrks.clear()

    def shutdown(self, exit_code: int = 0) -> None:
        try:
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # granian has no types here
        except SystemExit:
            if not self.interrupt_signal:
                raise


def guard_forks() -> None:
    """Let no signal be lost that arrives while this process forks a worker."""
    os.register_at_fork(
        before=_hold_signals, after_in_parent=_release_signals, after_in_child=_end_at_signal
    )


def _hold_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


def _end_at_signal() -> None:
    """Let a signal end a worker that is still starting, because it has accepted nothing yet.

    The parent's handlers, which it inherits, would swallow the signal; its own are set later.
    Signals are blocked from before the fork until here, so that an earlier one takes effect now.
    """
    for ending in _ENDS:
        signal.signal(ending, signal.SIG_DFL)
    _release_signals()
