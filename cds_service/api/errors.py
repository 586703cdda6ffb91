"""One shape for every error: an OperationOutcome without patient data."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from cds_service.api.access import note
from cds_service.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from cds_service.ops import logs

_log = logs.logger(__name__)
_JSON = "application/json"
_RETRY_AFTER_S = "1"
_UNAUTHORIZED = Unauthorized("The caller could not be verified.")


def outcome(error: ServiceError) -> dict[str, Any]:
    """The error as an OperationOutcome (``schemas/operation-outcome.schema.json``)."""
    issue: dict[str, Any] = {
        "severity": "error",
        "code": error.code,
        "details": {"text": error.what},
    }
    if error.fix:
        issue["diagnostics"] = error.fix
    if error.where:
        issue["expression"] = [error.where]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def respond(error: ServiceError) -> Response:
    """The HTTP response to an error. It is the same for every reason to refuse a caller."""
    shown = _UNAUTHORIZED if isinstance(error, Unauthorized) else error
    response = Response(
        msgspec.json.encode(outcome(shown)), status=error.status, content_type=_JSON
    )
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable | TooManyRequests):
        response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def answer_to(error: ServiceError) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of the response to an error, for use without an application."""
    response = respond(error)
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers["cache-control"] = "no-store"
    headers["x-content-type-options"] = "nosniff"
    headers.pop("content-length", None)  # the server sets it
    return response.status_code, list(headers.items()), response.get_data()


def handle_errors(app: Flask) -> None:
    """Answer every error of ``app``, expected or not, with an OperationOutcome."""

    @app.errorhandler(ServiceError)
    def _service_error(error: ServiceError) -> Response:
        note(request.environ, error=type(error).__name__)
        if isinstance(error, Unauthorized):
            _log.warning("caller_refused", check=error.where, reason=error.what)
        return respond(error)

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> Response:
        response = respond(_translated(error))
        valid = getattr(error, "valid_methods", None)
        if valid:
            response.headers["Allow"] = ", ".join(sorted(valid))
        return response

    @app.errorhandler(Exception)
    def _unexpected_error(error: Exception) -> Response:
        note(request.environ, error=type(error).__name__)
        _log.error("unforeseen_error", **logs.described(error))
        return respond(
            ServiceError(
                "The service could not answer this call because of an internal error.",
                "Report the time of the call to the operators of the service.",
            )
        )


def _translated(error: HTTPException) -> ServiceError:
    """An error of Flask or Werkzeug with our own text: theirs may quote the request."""
    status = error.code or 500
    if status == 404:
        return NotFound("There is nothing at this path.", "See /openapi.json for the paths.")
    if status == 405:
        return MethodNotAllowed("This path does not support that method.", "See the Allow header.")
    if status == 413:
        return TooLarge("The request is too large.", "Send less.")
    if status == 415:
        return UnsupportedMediaType("The body is not JSON.", "Send application/json.")
    if status < 500:
        return BadRequest("The request cannot be read.", "Send it as described in /openapi.json.")
    return ServiceError("The service could not answer this call.")
