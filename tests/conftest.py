"""Tests marked ``thorough`` run with ``TESTS=all`` only (`tests.testing.thorough`)."""

from __future__ import annotations

import pytest

from tests.testing.thorough import ALL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [one for one in items if not ALL and one.get_closest_marker("thorough")]
    if left and len(left) < len(items):  # one that is asked for by its name is run
        config.hook.pytest_deselected(items=left)
        items[:] = [one for one in items if one not in set(left)]
