"""Reads the body of a request after checking its media type and size."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from cds_service.errors import BadRequest, ServiceError, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BODY_READ = "cds.body_read"
"""In the WSGI environ: True once the body has been read or refused."""

_ACCEPTED = frozenset({"", "application/json", "application/fhir+json"})
_CHUNK = 1 << 20
_DISCARDED = 4
"""How many times the limit is read and discarded, so that the client can read the response."""


def read_body(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body, at most ``limit`` bytes of JSON.

    Raises UnsupportedMediaType, TooLarge (after reading more, so that a client that sends all
    before it reads gets the response) and BadRequest for a body that is too short.
    """
    environ[BODY_READ] = True
    length = announced_length(environ)
    stream: IO[bytes] = environ["wsgi.input"]
    refusal = _media_type_refusal(environ)
    if refusal is None and length is not None and length > limit:
        refusal = _too_large(limit)
    if refusal is not None:
        discard(environ, limit * _DISCARDED)
        raise refusal
    body = _read(stream, length, limit)
    if len(body) > limit:
        _discard(stream, None, limit * _DISCARDED)
        raise _too_large(limit)
    if length is not None and len(body) < length:
        raise BadRequest("The body is incomplete.", "Send as many bytes as Content-Length says.")
    return body


def announced_length(environ: WSGIEnvironment) -> int | None:
    """The length of the body in bytes; None where only the end of the stream tells (chunked)."""
    length = get_content_length(environ)
    if length is None and not environ.get("wsgi.input_terminated"):
        return 0  # without a length or an end of the stream there is no body (PEP 3333)
    return length


def discard(environ: WSGIEnvironment, limit: int) -> None:
    """Read what a refused client is still sending, up to ``limit`` bytes."""
    if "HTTP_EXPECT" in environ:
        return  # it waits for permission to send, and gets the refusal instead
    _discard(environ["wsgi.input"], announced_length(environ), limit)


def _media_type_refusal(environ: WSGIEnvironment) -> ServiceError | None:
    stated = environ.get("CONTENT_TYPE", "")
    if stated not in _ACCEPTED and parse_options_header(stated)[0].lower() not in _ACCEPTED:
        return UnsupportedMediaType("The body is not declared as JSON.", "Send application/json.")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        return UnsupportedMediaType("The body is compressed.", "Send it without Content-Encoding.")
    return None


def _read(stream: IO[bytes], length: int | None, limit: int) -> bytes:
    """``length`` bytes; without a length, all until the end or one byte over the limit."""
    remaining = limit + 1 if length is None else length
    parts = []
    while remaining > 0:
        part = stream.read(remaining)
        if not part:
            break
        parts.append(part)
        remaining -= len(part)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _discard(stream: IO[bytes], length: int | None, limit: int) -> None:
    remaining = limit if length is None else min(length, limit)
    while remaining > 0 and (part := stream.read(min(remaining, _CHUNK))):
        remaining -= len(part)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit / 1e6:g} MB.",
        "Narrow the prefetch to the published templates, or raise CDS_MAX_BODY_MB.",
    )
