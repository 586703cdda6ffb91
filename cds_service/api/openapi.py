"""The OpenAPI 3.1 document, assembled from the schema files and the services."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cds_service.answer.answering import Answering
from cds_service.api.discovery import discovery
from cds_service.calls import shapes
from cds_service.catalogue.topics import names_of, purposes
from cds_service.engine.hook import HOOKS, Hook
from cds_service.engine.topic import Topic
from cds_service.settings import Settings

_SHAPES = {
    "Request": "request",
    "Cards": "response",
    "Discovery": "discovery",
    "DataRequirements": "data-requirements",
    "Feedback": "feedback",
    "OperationOutcome": "operation-outcome",
}
_PROBLEMS = {
    400: "The request cannot be read: the response names the place and what to do.",
    401: "The caller could not be verified.",
    404: "There is nothing at this path.",
    405: "This path does not support that method.",
    412: "None of the data that the rules need could be obtained.",
    413: "The body, or the number of entries in it, is over the limit.",
    415: "The body is not declared as JSON.",
    503: "The database is unavailable: try again.",
}


def document(answering: Answering, settings: Settings, topics: Sequence[Topic]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {
        "/cds-services": {
            "get": {
                "operationId": "discovery",
                "summary": "The services, and the data that they need",
                "responses": {"200": _json("The services.", "Discovery"), **_errors(401, 405)},
            }
        }
    }
    hooks = {service.hook: None for service in answering.services.values()}
    for service in discovery(answering)["services"]:
        paths |= _paths(service)
    paths |= _ops()
    if settings.serves_rule_pages:
        paths["/rules/{rule}"] = _rule_page()
    secured = settings.trusted_clients is not None
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{names_of(topics)}: CDS Hooks service",
            "version": _version(),
            "description": f"CDS Hooks 2.0.1 services for {purposes(topics)}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": settings.public_url}],
        "paths": paths,
        "components": {
            "schemas": {name: _inlined(name, shape) for name, shape in _SHAPES.items()}
            | {
                _named(hook, "Context"): _inlined(_named(hook, "Context"), hook.schema)
                for hook in hooks
            }
            | {_named(hook, "Request"): _request(hook) for hook in hooks},
            "securitySchemes": {
                "caller": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT of a trusted client (CDS Hooks 2.0.1).",
                }
            },
        },
    }
    if secured:
        found["security"] = [{"caller": []}]
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            paths[path]["get"]["security"] = []
        if not settings.discovery_auth:
            paths["/cds-services"]["get"]["security"] = []
    return found


def _paths(service: dict[str, Any]) -> dict[str, Any]:
    name = service["id"]
    where = f"/cds-services/{name}"
    return {
        where: {
            "post": {
                "operationId": f"call-{name}",
                "summary": service["title"],
                "description": service["description"],
                "requestBody": _body(_named(HOOKS[service["hook"]], "Request")),
                "responses": {
                    "200": _json("The cards; there may be none.", "Cards"),
                    **_errors(400, 401, 405, 412, 413, 415, 503),
                },
            }
        },
        f"{where}/feedback": {
            "post": {
                "operationId": f"feedback-{name}",
                "summary": "Feedback: what was done with cards",
                "requestBody": _body("Feedback"),
                "responses": {
                    "200": {
                        "description": "All of the feedback is stored.",
                        "content": {"application/json": {"schema": {"const": {}}}},
                    },
                    **_errors(400, 401, 405, 413, 415, 503),
                },
            }
        },
        f"{where}/data-requirements": {
            "get": {
                "operationId": f"data-requirements-{name}",
                "summary": "What each rule reads, and what each prefetch key must hold",
                "responses": {
                    "200": _json("The needs of the rules.", "DataRequirements"),
                    **_errors(401, 405),
                },
            }
        },
    }


def _rule_page() -> dict[str, Any]:
    return {
        "get": {
            "operationId": "rule-page",
            "summary": "A page about one rule, for human readers",
            "parameters": [
                {"name": "rule", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "responses": {
                "200": {
                    "description": "The page.",
                    "content": {"text/html": {"schema": {"type": "string"}}},
                },
                **_errors(404, 405),
            },
        }
    }


def _ops() -> dict[str, Any]:
    status = {"schema": {"type": "object", "required": ["status"],
                         "properties": {"status": {"type": "string"}}}}  # fmt: skip
    plain = {"description": "Metrics for Prometheus.",
             "content": {"text/plain": {"schema": {"type": "string"}}}}  # fmt: skip
    alive = {"description": "The process responds.", "content": {"application/json": status}}
    ready = {"description": "Ready.", "content": {"application/json": status}}
    unavailable = {"description": "A part is unavailable.", "content": {"application/json": status}}
    whole = {"description": "This document.",
             "content": {"application/json": {"schema": {"type": "object"}}}}  # fmt: skip
    return {
        "/healthz": _get("healthz", "Whether the process responds", {"200": alive}),
        "/readyz": _get("readyz", "Whether it can serve", {"200": ready, "503": unavailable}),
        "/metrics": _get("metrics", "Metrics", {"200": plain}),
        "/openapi.json": _get("openapi", "This document", {"200": whole}),
    }


def _get(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": name, "summary": summary, "responses": responses | _errors(405)}}


def _json(description: str, name: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(status): _json(_PROBLEMS[status], "OperationOutcome") for status in statuses}


def _body(name: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    return {"required": True, "content": {"application/json": {"schema": reference}}}


def _named(hook: Hook, suffix: str) -> str:
    """The name of a hook's component: ``OrderSelectContext``."""
    return "".join(word.capitalize() for word in hook.name.split("-")) + suffix


def _request(hook: Hook) -> dict[str, Any]:
    return {
        "allOf": [{"$ref": "#/components/schemas/Request"}],
        "type": "object",
        "properties": {
            "hook": {"const": hook.name},
            "context": {"$ref": f"#/components/schemas/{_named(hook, 'Context')}"},
        },
    }


def _inlined(name: str, shape: str) -> dict[str, Any]:
    """A schema file as a component, with the references to its ``$defs`` from the root."""
    schema: dict[str, Any] = _relocated(
        deepcopy(shapes.schema(shape)), f"#/components/schemas/{name}/"
    )
    del schema["$schema"], schema["$id"]
    return schema


def _relocated(part: Any, root: str) -> Any:
    if isinstance(part, list):
        return [_relocated(member, root) for member in part]
    if not isinstance(part, dict):
        return part
    return {
        key: root + value.removeprefix("#/")
        if key == "$ref" and isinstance(value, str)
        else _relocated(value, root)
        for key, value in part.items()
    }


def _version() -> str:
    try:
        return version("leg-cramps-cds")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"
