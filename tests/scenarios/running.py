"""The whole service at a time that the test chooses, through HTTP and without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from cds_service.answer.answering import AnsweredCall
from cds_service.api.asking import ask
from cds_service.api.parts import Parts
from cds_service.app import build, make_parts
from cds_service.settings import Settings


@dataclass(frozen=True)
class Running:
    """The service through its addresses (``client``), and its pipeline (``answered``)."""

    parts: Parts
    client: FlaskClient

    def answered(self, request: dict[str, Any]) -> AnsweredCall:
        """The pipeline's answer to a request, with the trace that HTTP does not show."""
        return ask(self.parts, json.dumps(request).encode(), self.parts.now())


@contextmanager
def started(database: Path, now: Callable[[], datetime], **settings: Any) -> Iterator[Running]:
    """A service whose clock is ``now``; ``settings`` by their field names.

    Whatever it is asked, none of its rules may fail: the service would hide that in a card.
    """
    chosen = Settings(**{"database_url": f"sqlite:///{database}", **settings})
    parts = replace(make_parts(chosen), now=now)
    parts.records.start()
    try:
        yield Running(parts, build(parts).test_client())
        assert b"cds_rule_failures_total{" not in parts.metrics.exposition()
    finally:
        parts.records.close()
