"""What a forked worker must not inherit: connections, running threads, counts not its own."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def after_fork(method: Callable[[], None]) -> None:
    """Call the bound ``method`` in every child process made by fork, while its object lives.

    It runs before any other thread of the child exists, so it needs no lock and may
    replace one that the parent held at that moment.
    """
    reference = weakref.WeakMethod(method)

    def call() -> None:
        living = reference()
        if living is not None:
            living()

    if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
        os.register_at_fork(after_in_child=call)
