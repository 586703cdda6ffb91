"""For the operators of the service: health, readiness, metrics and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from flask import Blueprint, Response

from cds_service.api.openapi import document
from cds_service.api.parts import Parts
from cds_service.ops.metrics import CONTENT_TYPE

_ALIVE = b'{"status":"ok"}'


def blueprint(parts: Parts) -> Blueprint:
    """``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json``."""
    endpoints = Blueprint("ops", __name__)
    described: list[bytes] = []

    @endpoints.get("/healthz")
    def healthz() -> Response:
        # Says that the process responds, without asking anything else: a supervisor that
        # restarts processes needs no more.
        return Response(_ALIVE, content_type="application/json")

    @endpoints.get("/readyz")
    def readyz() -> Response:
        states = _states(parts)
        # A degraded service still serves: no probe should end the cards for a lost statistic.
        word = "ready"
        if "degraded" in states.values():
            word = "degraded"
        if "unavailable" in states.values():
            word = "not ready"
        status = 503 if word == "not ready" else 200
        body = {"status": word, "parts": states}
        return Response(msgspec.json.encode(body), status=status, content_type="application/json")

    @endpoints.get("/metrics")
    def metrics() -> Response:
        return Response(parts.metrics.exposition(), content_type=CONTENT_TYPE)

    @endpoints.get("/openapi.json")
    def openapi() -> Response:
        if not described:
            described.append(
                msgspec.json.encode(document(parts.answering, parts.settings, parts.topics))
            )
        return Response(described[0], content_type="application/json; charset=utf-8")

    return endpoints


def _states(parts: Parts) -> dict[str, str]:
    """The state of each part: ``ok``, ``degraded`` (cards still work), ``unavailable``, ``off``."""
    checks: dict[str, Callable[[], bool]] = {"database": parts.records.database.ready}
    states = {name: "ok" if check() else "degraded" for name, check in checks.items()}
    recorder = parts.recorder
    if recorder is None:
        states["audit"] = "off"
    elif recorder.trail.degraded:
        # Calls are answered nevertheless, unless the trail is required.
        states["audit"] = "unavailable" if recorder.required else "degraded"
    else:
        states["audit"] = "ok"
    # Keys are fetched on demand and kept: a day without the key server is no reason to fail.
    states["callers"] = "off" if parts.callers is None else "ok"
    return states
