"""One service per test, with its database in the test's own folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.engine.rule import Rule
from tests.api.minimal_service import minimal_app


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Makes clients of services with given settings; closes their databases at the end."""
    opened = []

    def make(*more: Rule, **settings: Any) -> FlaskClient:
        app = minimal_app(tmp_path, *more, **settings)
        opened.append(app.extensions["cds_parts"])
        return app.test_client()

    yield make
    for parts in opened:
        parts.records.close()


@pytest.fixture
def client(service: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of a service with the default settings."""
    return service()
