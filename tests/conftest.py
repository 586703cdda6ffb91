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
    deselected = [item for item in items if not ALL and item.get_closest_marker("thorough")]
    if deselected and len(deselected) < len(items):  # a test that is asked for by name is run
        config.hook.pytest_deselected(items=deselected)
        unwanted = set(deselected)
        items[:] = [item for item in items if item not in unwanted]
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = _spread(items, workers)


def _spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Order the tests so that each process begins with one kind of `COSTLY`, so that no other need
    start the same thing: the scheduler gives each an equal part and moves tests from the ends."""
    costly = [[item for item in items if _is_of(item, kind)] for kind in COSTLY]
    placed = set(chain.from_iterable(costly))
    others = iter([item for item in items if item not in placed])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        ordered += chain.from_iterable(costly[worker::workers])
        until = len(items) * (worker + 1) // workers
        ordered += islice(others, max(0, until - len(ordered)))
    return [*ordered, *others]


def _is_of(item: pytest.Item, kind: str) -> bool:
    return item.get_closest_marker(kind) is not None or item.path.parent.name == kind


def pytest_sessionfinish() -> None:
    # What is left is not looked through again at the end: a second of each process.
    gc.collect()
    gc.freeze()
