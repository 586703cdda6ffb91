"""Discovery, and the data that each rule needs. Both are made once and served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from cds_service.answer.answering import Answering
from cds_service.api.parts import Parts
from cds_service.engine.topic import Service
from cds_service.sources.prefetch import Codes, data_requirements

VERSIONS = {"2.0.1": "2.0.1", "3.0": "3.0.0"}
"""The ``version`` of discovery for each value of `CDS_SPEC_VERSION`."""


def discovery(
    answering: Answering, specification: str = "2.0.1", *, windows: bool = False
) -> dict[str, Any]:
    """The discovery response (``schemas/discovery.schema.json``).

    With ``windows`` the templates limit the search for results by ``today()``, a token of
    CDS Hooks 3.0.
    """
    version = VERSIONS[specification]
    return {
        "services": [
            _service(answering, service, version, windows)
            for service in answering.services.values()
        ]
    }


def _service(answering: Answering, service: Service, version: str, windows: bool) -> dict[str, Any]:
    return {
        "hook": service.hook.name,
        "title": service.title,
        "description": service.description,
        "id": service.id,
        "prefetch": {
            key.name: key.windowed if windows else key.template
            for key in answering.keys[service.id]
        },
        "usageRequirements": _usage(answering, service),
        "version": version,
        "hookVersion": service.hook.version,
    }


def _usage(answering: Answering, service: Service) -> str:
    names = [key.name for key in answering.keys[service.id]]
    names_text = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    required = {need.kind for rule in answering.rules(service.id) for need in rule.needs
                if need.required}  # fmt: skip
    required_keys = [key.name for key in answering.keys[service.id] if key.kind in required]
    texts = [
        f"Prefetch keys: {names_text}. Each key is optional, but at least one must be obtained: "
        "what is missing is fetched from fhirServer where the service may call it (ask its "
        "operators to list your server, and send fhirAuthorization); otherwise the rules that "
        "need it say that they cannot tell.",
    ]
    if required_keys:
        texts.append(
            f"Most rules depend on {', '.join(required_keys)}; the other keys refine the answers."
        )
    if "encounter" in names:
        texts.append("encounter is filled only where the context has an encounterId.")
    texts.append(
        "Set a key to null where there is nothing on file, and leave it out where you could not "
        "look: a missing result is never taken for a normal one. Send all pages of a search. "
        f"GET /cds-services/{service}/data-requirements lists what each rule reads."
    )
    return " ".join(texts)


def blueprint(parts: Parts) -> Blueprint:
    """``/cds-services`` and ``/cds-services/{id}/data-requirements``."""
    endpoints = Blueprint("discovery", __name__)
    answering = parts.answering
    windows = parts.settings.prefetch_windows
    document = _StaticJson(discovery(answering, parts.settings.spec_version, windows=windows))

    @endpoints.get("/cds-services")
    def services() -> Response:
        if parts.settings.discovery_auth:
            parts.verified(request.environ)
        return document.respond()

    for service, codes in (
        (service, topic.knowledge.codes) for topic in parts.topics for service in topic.services
    ):
        endpoints.add_url_rule(
            f"/cds-services/{service}/data-requirements",
            endpoint=f"data-requirements-{service}",
            view_func=_view(parts, _StaticJson(_needs(answering, service, codes, windows))),
            methods=["GET"],
        )
    return endpoints


def _view(parts: Parts, needs: _StaticJson) -> Callable[[], Response]:
    def data_requirements_of_service() -> Response:
        parts.verified(request.environ)
        return needs.respond()

    return data_requirements_of_service


def _needs(answering: Answering, service: Service, codes: Codes, windows: bool) -> dict[str, Any]:
    return data_requirements(
        service.id,
        service.hook.name,
        answering.rules(service.id),
        answering.keys[service.id],
        codes,
        windows=windows,
    )


class _StaticJson:
    """A JSON response that stays the same for the life of the process."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._body = msgspec.json.encode(content)
        self._tag = hashlib.sha256(self._body).hexdigest()[:32]

    def respond(self) -> Response:
        """The response, or 304 for a client that has it already."""
        response = Response(self._body, content_type="application/json; charset=utf-8")
        response.set_etag(self._tag)
        response.headers["Cache-Control"] = "private, max-age=300"
        response.make_conditional(request)
        return response
