"""Which tests run, and in which order. Those marked ``thorough`` run with ``TESTS=all`` only
(`tests.testing.thorough`)."""

from __future__ import annotations

import gc
from itertools import chain, islice

import pytest

from tests.testing.thorough import ALL

# The modules of the tests are many objects, which the collector would go through again and again.
gc.set_threshold(50_000, 20, 100)

COSTLY = ("browser", "postgres", "population")
"""Markers and folders of tests that share something slow to start: Chromium, PostgreSQL, DuckDB."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everyday = [item for item in items if ALL or not item.get_closest_marker("thorough")]
    if everyday and len(everyday) < len(items):  # a test that is asked for by name is run
        config.hook.pytest_deselected(items=list(set(items).difference(everyday)))
        items[:] = everyday
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = _spread(items, workers)


def _spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Order the tests so that each process begins with one kind of `COSTLY`, so that no other need
    start the same thing: the scheduler gives each an equal part and moves tests from the ends."""
    costly: list[list[pytest.Item]] = [[] for _ in COSTLY]
    rest: list[pytest.Item] = []
    for item in items:
        kinds = {marker.name for marker in item.iter_markers()} | {item.path.parent.name}
        of = next((number for number, kind in enumerate(COSTLY) if kind in kinds), None)
        (rest if of is None else costly[of]).append(item)
    others = iter(rest)
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        ordered += chain.from_iterable(costly[worker::workers])
        until = len(items) * (worker + 1) // workers
        ordered += islice(others, max(0, until - len(ordered)))
    return [*ordered, *others]


def pytest_sessionfinish() -> None:
    # What is left is not looked through again at the end: a second of each process.
    gc.collect()
    gc.freeze()
