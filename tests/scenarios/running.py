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

from cds_service.answer.answering import Answered
from cds_service.answer.evaluation import Call
from cds_service.api.parts import Parts
from cds_service.app import build, make_parts
from cds_service.calls.envelope import read_envelope
from cds_service.engine.hook import HOOKS
from cds_service.settings import Settings


@dataclass(frozen=True)
class Running:
    """The service through its addresses (``client``), and its pipeline (``answered``)."""

    parts: Parts
    client: FlaskClient

    def answered(self, request: dict[str, Any]) -> Answered:
        """The pipeline's answer to a request, with the trace that HTTP does not show."""
        hook = request["hook"]
        services = self.parts.answering.services
        service = next(one for one, each in services.items() if each.hook.name == hook)
        envelope = read_envelope(json.dumps(request).encode(), HOOKS[hook])
        deliveries, _ = self.parts.obtaining.deliveries(
            envelope, self.parts.answering.keys[service], self.parts.settings.fhir_servers
        )
        call = Call(
            service=service,
            patient_id=envelope.patient_id,
            as_of=self.parts.now(),
            user=envelope.user_id,
            encounter_id=envelope.encounter_id,
            selections=envelope.selections,
            draft_orders=envelope.draft_orders,
            fhir_server=envelope.fhir_server,
        )
        return self.parts.answering.answer(call, deliveries)


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
