"""What a forked worker must not inherit: connections, running threads, counts not its own."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import MethodType


def after_fork(work: Callable[[], None]) -> None:
    """Call ``work`` in every child process made by fork; a method, while its object lives.

    It runs before any other thread of the child exists, so it needs no lock and may
    replace one that the parent held at that moment.
    """
    if not hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
        return
    if not isinstance(work, MethodType):
        os.register_at_fork(after_in_child=work)
        return
    reference = weakref.WeakMethod(work)

    def call() -> None:
        living = reference()
        if living is not None:
            living()

    os.register_at_fork(after_in_child=call)
