"""Services whose clock stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.answering import HOOKS, Answered, Call
from cds_service.api.parts import Parts
from cds_service.app import build, make_parts
from cds_service.envelope import read_envelope
from cds_service.settings import Settings


@dataclass(frozen=True)
class Running:
    """A whole service at one moment: through its addresses, and without them."""

    parts: Parts
    client: FlaskClient

    def answered(self, request: dict[str, Any]) -> Answered:
        """What the pipeline answers to a request, with the trace that HTTP does not show."""
        hook = request["hook"]
        service = next(one for one, name in HOOKS.items() if name == hook)
        envelope = read_envelope(json.dumps(request).encode(), hook)
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
        )
        return self.parts.answering.answer(call, deliveries)


Service = Callable[..., Running]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service at a moment, with settings by their field names.

    The same moment and settings get the same service: making one reads all code lists.
    """
    folder = tmp_path_factory.mktemp("services")
    made: dict[str, Running] = {}

    def running(as_of: datetime, **settings: Any) -> Running:
        key = f"{as_of} {sorted(settings.items())}"
        if key not in made:
            database = f"sqlite:///{folder}/{len(made)}.db"
            parts = replace(
                make_parts(Settings(database_url=database, **settings)), now=lambda: as_of
            )
            parts.records.start()
            made[key] = Running(parts, build(parts).test_client())
        return made[key]

    yield running
    for one in made.values():
        one.parts.records.close()
