"""``POST /cds-services/{id}``: a call and its cards."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import perf_counter

import msgspec
from flask import Blueprint, Response, g, request

from cds_service.answer.answering import Answered, Call, answer_word
from cds_service.api.parts import Parts
from cds_service.calls.envelope import Envelope, read_envelope
from cds_service.core.identity import Identity
from cds_service.engine.rule import CannotTell
from cds_service.engine.topic import Service
from cds_service.feedback.shown import CANNOT_TELL, SHOWN, WOULD_SHOW
from cds_service.trust.callers import Caller

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def blueprint(parts: Parts) -> Blueprint:
    """The addresses of the services."""
    made = Blueprint("services", __name__)
    for service in parts.answering.services.values():
        made.add_url_rule(
            f"/cds-services/{service}",
            endpoint=f"call-{service}",
            view_func=_view(parts, service),
            methods=["POST"],
        )
    return made


def _view(parts: Parts, service: Service) -> Callable[[], Response]:
    def call() -> Response:
        started = perf_counter()
        g.service = str(service)
        caller = parts.verified(request)
        body = parts.body(request)
        g.bytes = len(body)
        envelope = read_envelope(body, service.hook)
        if _UUID.fullmatch(envelope.hook_instance):
            g.instance = envelope.hook_instance
        answered = _answered(parts, service, envelope, caller)
        response = Response(
            _encode({"cards": [card.body for card in answered.cards]}),
            content_type="application/json; charset=utf-8",
        )
        parts.metrics.call(str(service), perf_counter() - started)
        return response

    return call


def _answered(
    parts: Parts, service: Service, envelope: Envelope, caller: Caller | None
) -> Answered:
    servers = parts.settings.fhir_servers if caller is None else caller.client.fhir_servers
    origin = parts.origin(caller)
    answering = parts.at(origin, service.id)
    deliveries, fetched = parts.obtaining.deliveries(envelope, answering.keys[service.id], servers)
    for answer in fetched.values():
        parts.metrics.fetched(answer.state)
    call = Call(
        service=service.id,
        patient_id=envelope.patient_id,
        as_of=parts.now(),
        user=envelope.user_id,
        encounter_id=envelope.encounter_id,
        selections=envelope.selections,
        draft_orders=envelope.draft_orders,
        origin=origin,
        fhir_server=envelope.fhir_server,
    )
    answered = answering.answer(call, deliveries)
    if parts.recorder is not None:
        if parts.recorder.required:
            parts.recorder.record(call, answered, g.get("instance"))
        else:
            parts.recorder.record(call, answered, g.get("instance"))
    _count(parts, call, answered)
    g.cards = len(answered.cards)
    g.problems = len(answered.problems)
    g.fetched = len(fetched)
    return answered


def _count(parts: Parts, call: Call, answered: Answered) -> None:
    metrics, site = parts.metrics, call.origin.site
    events: list[tuple[str, str, str]] = []
    for outcome in answered.outcomes:
        metrics.outcome(outcome.rule.id, answer_word(outcome.answer), site)
        if isinstance(outcome.answer, CannotTell):
            events.append((outcome.rule.id, outcome.rule.version, CANNOT_TELL))
    for rule in answered.dropped:
        metrics.dropped(rule, site)
    metrics.problems((problem.kind for problem in answered.problems), site)
    for card in answered.cards:
        metrics.shown(card.rule.id, card.body["indicator"], site)
        events.append((card.rule.id, card.rule.version, SHOWN))
    for would in answered.silent:
        metrics.would_show(would.id, site)
        events.append((would.id, would.version, WOULD_SHOW))
    parts.records.count_call(
        call.service,
        Identity(call.origin, (call.fhir_server or "").rstrip("/"), call.patient_id),
        events,
        user=call.user,
        encounter=call.encounter_id,
        orders=answered.orders,
    )
