"""``POST /cds-services/{id}``: a call and its cards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, Response, request

from cds_service.answer.answering import AnsweredCall, answer_word
from cds_service.api.access import HEADERS, AccessLog, begin, note
from cds_service.api.origins import Origins
from cds_service.api.parts import FETCHED, STARTED, Parts
from cds_service.calls.envelope import Envelope, read_envelope
from cds_service.engine.rule import CannotTell
from cds_service.engine.topic import Service
from cds_service.errors import ServiceError
from cds_service.feedback.shown import CANNOT_TELL, SHOWN, WOULD_SHOW
from cds_service.ops import logs
from cds_service.trust.callers import Caller

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CONTENT = "application/json; charset=utf-8"
_FAILED = "cds.failed"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def blueprint(parts: Parts) -> Blueprint:
    """The endpoints of the services."""
    endpoints = Blueprint("services", __name__)
    for service in parts.answering.services.values():
        endpoints.add_url_rule(
            f"/cds-services/{service}",
            endpoint=f"call-{service}",
            view_func=_view(parts, service),
            methods=["POST"],
        )
    return endpoints


class Calls:
    """Answers calls without Flask, whose contexts and proxies cost as much as some rules.

    Calls of web pages (with an ``Origin``) and whatever fails go to ``others``, the Flask
    application: CORS and errors are handled there and nowhere else.
    """

    def __init__(
        self, parts: Parts, others: WSGIApplication, origins: Origins | None, access: AccessLog
    ) -> None:
        self._parts = parts
        self._others = others
        self._origins = origins
        self._access = access
        self._services = {
            f"/cds-services/{service.id}": service for service in parts.answering.services.values()
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service = self._services.get(environ.get("PATH_INFO", ""))
        if service is None or environ["REQUEST_METHOD"] != "POST" or "HTTP_ORIGIN" in environ:
            return self._others(environ, start_response)
        begin(environ)
        try:
            if self._origins is not None:
                self._origins.check(environ)
            content = _answer(self._parts, service, environ)
        except Exception as error:
            if isinstance(error, ServiceError):
                # Only its text is needed. Its traceback refers to every frame of this call and so
                # to the whole record, which would wait for the garbage collector.
                error.__traceback__ = error.__context__ = None
            environ[_FAILED] = error
            return self._others(environ, start_response)
        self._access.done(environ, f"call-{service}", 200)
        length = ("Content-Length", str(len(content)))
        headers = [("Content-Type", _CONTENT), length, *HEADERS, ("Vary", "Origin")]
        start_response("200 OK", headers)
        return (content,)


def _view(parts: Parts, service: Service) -> Callable[[], Response]:
    def call() -> Response:
        failed = request.environ.pop(_FAILED, None)
        if failed is not None:
            try:
                raise failed
            finally:
                del failed  # else the error and this frame would refer to each other
        return Response(_answer(parts, service, request.environ), content_type=_CONTENT)

    return call


def _answer(parts: Parts, service: Service, environ: WSGIEnvironment) -> bytes:
    """The JSON response to one call. Raises ServiceError for a call that is refused."""
    started = perf_counter()
    note(environ, service=str(service))
    caller = parts.verified(environ)
    body = parts.body(environ)
    note(environ, bytes=len(body))
    envelope = read_envelope(body, service, parts.now(), parts.origin(caller))
    instance = envelope.hook_instance if _UUID.fullmatch(envelope.hook_instance) else None
    note(environ, instance=instance)
    answered, fetched = _answered(parts, envelope, caller, instance, environ)
    note(environ, cards=len(answered.cards), problems=len(answered.problems), fetched=fetched)
    content = _encoded({"cards": [card.body for card in answered.cards]})
    parts.metrics.call(str(service), perf_counter() - started)
    return content


def _encoded(response: Mapping[str, Any]) -> bytes:
    """The response as JSON, with a question mark for half a surrogate pair in a rule's own text.

    The text of a call has none (`calls.strict_json` replaces them).
    """
    try:
        return _encode(response)
    except UnicodeEncodeError as error:
        logs.ready(__name__).error("characters_replaced", **logs.described(error))
        return json.dumps(response, ensure_ascii=False).encode("utf-8", "replace")


def _answered(
    parts: Parts,
    envelope: Envelope,
    caller: Caller | None,
    instance: str | None,
    environ: WSGIEnvironment,
) -> tuple[AnsweredCall, int]:
    """The result, and the number of queries that were sent to a FHIR server for it."""
    servers = parts.settings.fhir_servers if caller is None else caller.client.fhir_servers
    call = envelope.call
    answering = parts.at(call.origin, call.service)
    deliveries, fetched = parts.obtaining.deliveries(
        envelope, answering.keys[call.service], servers, environ.get(STARTED)
    )
    for answer in fetched.values():
        parts.metrics.fetched(answer.state)
    if fetched:
        size = sum(len(page) for answer in fetched.values() for page in answer.pages)
        environ[FETCHED] = size
    answered = answering.answer(call, deliveries)
    if parts.recorder is not None:
        parts.recorder.record(answered, instance)
    _count(parts, answered)
    return answered, len(fetched)


def _count(parts: Parts, answered: AnsweredCall) -> None:
    metrics, site = parts.metrics, answered.call.origin.site
    events: list[tuple[str, str, str]] = []
    words = [(outcome.rule.id, answer_word(outcome.answer)) for outcome in answered.outcomes]
    metrics.outcomes(words, site)
    for outcome in answered.outcomes:
        if isinstance(outcome.answer, CannotTell):
            events.append((outcome.rule.id, outcome.rule.version, CANNOT_TELL))
    for rule_id in answered.dropped:
        metrics.dropped(rule_id, site)
    metrics.problems((problem.kind for problem in answered.problems), site)
    for card in answered.cards:
        metrics.shown(card.rule.id, card.body["indicator"], site)
        events.append((card.rule.id, card.rule.version, SHOWN))
    for rule in answered.silent:
        metrics.would_show(rule.id, site)
        events.append((rule.id, rule.version, WOULD_SHOW))
    parts.records.count_call(answered.call, events, answered.orders)
