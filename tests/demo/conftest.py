"""Clients of a service with the demo on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.demo.demo_service import demo_app


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Makes clients of services with given settings; closes their databases at the end."""
    services = []

    def make(**settings: Any) -> FlaskClient:
        app = demo_app(tmp_path, **settings)
        services.append(app.extensions["cds_parts"])
        return app.test_client()

    yield make
    for parts in services:
        parts.records.close()
