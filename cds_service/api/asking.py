"""Answers a request from a file or a form, without HTTP: for the command line, the demo page
and the documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cds_service.answer.answering import AnsweredCall
from cds_service.calls.envelope import read_envelope
from cds_service.calls.strict_json import checked_text, parse, to_json
from cds_service.core.identity import ANYBODY, Origin
from cds_service.core.text import shortened
from cds_service.engine.hook import HOOKS, PATIENT_VIEW
from cds_service.errors import BadRequest, PreconditionFailed
from cds_service.fhir.intake.wrapping import unwrapped
from cds_service.sources.one_patient import request_of

if TYPE_CHECKING:
    from cds_service.api.parts import Parts
    from cds_service.engine.topic import Service


def ask(
    parts: Parts,
    body: bytes,
    as_of: datetime,
    hook: str | None = None,
    origin: Origin = ANYBODY,
    service_id: str | None = None,
) -> AnsweredCall:
    """The answer to a hook request, or to a FHIR Bundle of one patient, at ``as_of``.

    A Bundle is taken as everything on file, and is evaluated for ``hook`` (default:
    patient-view). ``service_id`` names the service that answers (default: the first for the hook).
    Raises BadRequest naming the place and what to do, and the errors of `Answering.answer`.
    """
    content = content_of(checked_text(body))
    services = parts.answering.services
    candidates = services.values() if service_id is None else (services[service_id],)
    service = services_of(content, hook, candidates)[0]
    keys = parts.answering.keys[service.id]
    if content.get("resourceType") == "Bundle":
        body = to_json(request_of(content, service.hook, keys))
    envelope = read_envelope(body, service, as_of, origin)
    deliveries, _ = parts.obtaining.deliveries(envelope, keys, parts.settings.fhir_servers)
    return parts.answering.answer(envelope.call, deliveries)


def ask_each(
    parts: Parts, body: bytes, as_of: datetime, hook: str | None = None
) -> list[AnsweredCall]:
    """The answers of every service for the hook, as an EHR would get them: one for each topic.

    As `ask`; a service to which the call gives nothing to answer from (412) is left out where
    another answers.
    """
    content = content_of(checked_text(body))
    answers, refused = [], None
    for service in services_of(content, hook, parts.answering.services.values()):
        try:
            answers.append(ask(parts, body, as_of, hook, service_id=service.id))
        except PreconditionFailed as error:
            refused = refused or error
    if refused is not None and not answers:
        raise refused
    return answers


def content_of(checked: bytes) -> dict[str, Any]:
    """The hook request or FHIR Bundle that was given. Raises BadRequest for anything else.

    Some HTTP clients save the whole response: where its body is a resource, that is used.
    """
    content = parse(checked)
    if isinstance(content, dict) and not {"hook", "resourceType"} & content.keys():
        inner = unwrapped(checked)
        content = content if inner is None else parse(checked_text(inner))
    if not isinstance(content, dict):
        raise BadRequest("This is not a JSON object.", "Use a hook request or a FHIR Bundle.")
    return content


def services_of(
    content: Mapping[str, Any], hook: str | None, services: Iterable[Service]
) -> list[Service]:
    """The services for the hook of a request, or for ``hook`` where a Bundle was given.

    Raises BadRequest where there is none.
    """
    if content.get("resourceType") == "Bundle":
        hook_name = hook or PATIENT_VIEW.name
    else:
        hook_name = hook or str(content.get("hook"))
    offered = list(services)
    if matching := [service for service in offered if service.hook.name == hook_name]:
        return matching
    if hook_name in HOOKS:
        names = [name for name in HOOKS if any(name == service.hook.name for service in offered)]
        raise BadRequest(
            f"None of the services that could answer is for {hook_name}.",
            f"Use one of their hooks: {', '.join(names)}.",
            "hook",
        )
    if isinstance(content.get("resourceType"), str):
        raise BadRequest(
            f"This is a single {shortened(content['resourceType'], 40)}, not a Bundle.",
            "Use a Bundle with the patient and everything on file.",
            "resourceType",
        )
    raise BadRequest(
        "This is neither a FHIR Bundle nor a request for a hook of this service.",
        f"Its hook must be one of {', '.join(HOOKS)}.",
        "hook",
    )
