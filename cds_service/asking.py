"""A request in a file or a form, asked without HTTP: for the command line, the demo page
and the documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cds_service.answering import HOOKS, Answered, Call
from cds_service.core.rule import Service
from cds_service.core.text import shortened
from cds_service.envelope import checked_text, parse, read_envelope, written
from cds_service.errors import BadRequest
from cds_service.one_patient import request_of

if TYPE_CHECKING:
    from cds_service.api.parts import Parts


def ask(parts: Parts, body: bytes, as_of: datetime, hook: str | None = None) -> Answered:
    """The answer to a hook request, or to a FHIR Bundle of one patient, at ``as_of``.

    A Bundle is taken as everything on file, and ``hook`` (patient-view by default) says what
    is asked. Raises BadRequest naming the place and the mend, and what `Answering.answer` does.
    """
    content = parse(checked_text(body))
    if not isinstance(content, dict):
        raise BadRequest("This is not a JSON object.", "Give a hook request or a FHIR Bundle.")
    service = service_of(content, hook)
    if content.get("resourceType") == "Bundle":
        body = written(request_of(content, HOOKS[service], parts.answering.keys[service]))
    envelope = read_envelope(body, HOOKS[service])
    deliveries, _ = parts.obtaining.deliveries(
        envelope, parts.answering.keys[service], parts.settings.fhir_servers
    )
    call = Call(
        service=service,
        patient_id=envelope.patient_id,
        as_of=as_of,
        user=envelope.user_id,
        encounter_id=envelope.encounter_id,
        selections=envelope.selections,
        draft_orders=envelope.draft_orders,
        fhir_server=envelope.fhir_server,
    )
    return parts.answering.answer(call, deliveries)


def service_of(content: Mapping[str, Any], hook: str | None) -> Service:
    """The service that a request, or a Bundle asked for ``hook``, is meant for."""
    if content.get("resourceType") == "Bundle":
        wanted = hook or "patient-view"
    else:
        wanted = hook or str(content.get("hook"))
    for service, name in HOOKS.items():
        if name == wanted:
            return service
    if isinstance(content.get("resourceType"), str):
        raise BadRequest(
            f"This is a single {shortened(content['resourceType'], 40)}, not a Bundle.",
            "Give a Bundle with the patient and everything on file.",
            "resourceType",
        )
    raise BadRequest(
        "This is neither a FHIR Bundle nor a request of a hook that is answered here.",
        "Its hook must be patient-view or order-select.",
        "hook",
    )
