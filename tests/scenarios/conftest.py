"""Services with a fixed clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from tests.scenarios.running import Running, started

Service = Callable[..., Running]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service at a moment, with settings by their field names.

    The same moment and settings get the same service: making one reads all code lists.
    """
    folder = tmp_path_factory.mktemp("services")
    made: dict[str, Running] = {}
    with ExitStack() as stack:

        def running(as_of: datetime, **settings: Any) -> Running:
            key = f"{as_of} {sorted(settings.items())}"
            if key not in made:
                database = folder / f"{len(made)}.db"
                made[key] = stack.enter_context(started(database, lambda: as_of, **settings))
            return made[key]

        yield running
