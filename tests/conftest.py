"""Which tests run, and in which order. Those marked ``thorough`` run with ``TESTS=all`` only
(`tests.testing.thorough`)."""

from __future__ import annotations

import gc
from itertools import chain, islice

import pytest

from tests.testing.thorough import ALL

# The tests' modules are many objects, which the collector would go through again and again.
gc.set_threshold(50_000, 20, 100)

COSTLY = ("browser", "postgres", "population")
"""Markers and folders of tests that share something slow to start: Chromium, PostgreSQL, DuckDB."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [one for one in items if not ALL and one.get_closest_marker("thorough")]
    if left and len(left) < len(items):  # one that is asked for by its name is run
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [one for one in items if one not in gone]
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = _shared_out(items, workers)


def _shared_out(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Each process begins with the tests of one kind of `COSTLY`, so that the others need not
    start the same: the scheduler gives each an equal part and moves tests from the ends."""
    costly = [[one for one in items if _is_of(one, kind)] for kind in COSTLY]
    apart = set(chain.from_iterable(costly))
    others = iter([one for one in items if one not in apart])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        ordered += chain.from_iterable(costly[worker::workers])
        until = len(items) * (worker + 1) // workers
        ordered += islice(others, max(0, until - len(ordered)))
    return [*ordered, *others]


def _is_of(item: pytest.Item, kind: str) -> bool:
    return item.get_closest_marker(kind) is not None or item.path.parent.name == kind
