"""What runs after a fork, and what no longer does."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import pytest

from cds_service.ops.forks import after_fork


class Counter:
    """An object whose method must run in every child."""

    forked = 0

    def note(self) -> None:
        Counter.forked += 1


def test_a_fork_handler_runs_while_its_object_is_alive_and_does_not_keep_it_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Callable[[], None]] = []

    def register(*, after_in_child: Callable[[], None]) -> None:
        calls.append(after_in_child)

    monkeypatch.setattr(os, "register_at_fork", register)
    monkeypatch.setattr(Counter, "forked", 0)
    counter = Counter()
    after_fork(counter.note)
    (call,) = calls
    call()
    assert Counter.forked == 1
    del counter
    gc.collect()
    call()
    assert Counter.forked == 1


def test_without_fork_support_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    after_fork(Counter().note)
    assert Counter.forked == 0
