"""Resets what a forked worker must not inherit: connections, threads, and its parent's counts."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import MethodType


def after_fork(work: Callable[[], None]) -> None:
    """Call ``work`` in every forked child process; a method only while its object is alive.

    It runs before the child has any other thread, so it needs no lock and may replace a lock
    that the parent held at that moment.
    """
    if not hasattr(os, "register_at_fork"):  # missing on Windows, which has no fork
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
