"""``POST /cds-services/{id}/feedback``: what clinicians did with cards."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from cds_service.api.access import note
from cds_service.api.parts import Parts
from cds_service.calls.strict_json import checked_text, parse
from cds_service.core.identity import Origin
from cds_service.engine.topic import Service
from cds_service.errors import TooLarge
from cds_service.feedback.store import SavedFeedback
from cds_service.ops import logs

LARGEST = 1_000_000
"""Most bytes of one feedback call: some thousand elements, which bounds what it stores."""

_log = logs.logger(__name__)


def blueprint(parts: Parts) -> Blueprint:
    """The feedback endpoints of the services."""
    endpoints = Blueprint("feedback", __name__)
    for service in parts.answering.services.values():
        endpoints.add_url_rule(
            f"/cds-services/{service}/feedback",
            endpoint=f"feedback-{service}",
            view_func=_view(parts, service),
            methods=["POST"],
        )
    return endpoints


def _view(parts: Parts, service: Service) -> Callable[[], Response]:
    def feedback() -> Response:
        note(request.environ, service=str(service))
        origin = parts.origin(parts.verified(request.environ))
        parts.at(origin, service.id)
        saved = store_feedback(parts, service, origin)
        for outcome in saved.outcomes:
            parts.metrics.feedback(outcome, origin.site)
        return Response(b"{}", content_type="application/json")

    return feedback


def store_feedback(parts: Parts, service: Service, origin: Origin) -> SavedFeedback:
    """Store the feedback in the body of the current request. Raises BadRequest and TooLarge."""
    try:
        text = parts.body(request.environ, LARGEST)
    except TooLarge as error:
        raise TooLarge(error.what, "Send the feedback in several calls.") from None
    note(request.environ, bytes=len(text))
    saved = parts.records.feedback.save(str(service), parse(checked_text(text)), origin)
    _log.info(
        "feedback", service=str(service), stored=saved.stored, repeats=saved.repeats,
        unknown=saved.unknown,
    )  # fmt: skip
    return saved
