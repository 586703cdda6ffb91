"""A FHIR resource inside an object that is not a resource: ``{"response": …, "resource": {…}}``.

HTTP clients and older CDS clients send the whole HTTP response instead of its body, which has a
name such as ``resource``, ``data``, ``body``, ``value`` or ``bundle``. One level is removed where
there is exactly one FHIR resource inside; an object with none or several cannot be read.
"""

from __future__ import annotations

import contextlib

from msgspec import Raw

from cds_service.fhir.values.elements import UNREADABLE, decoded, text
from cds_service.fhir.values.peeks import read_head, read_members


def unwrapped(raw: bytes | Raw) -> bytes | None:
    """The one resource inside a JSON object that is not a resource itself.

    None where it is a resource itself or does not contain exactly one. Never raises.
    """
    try:
        members = read_members(raw)
    except UNREADABLE:
        return None
    if "resourceType" in members:
        return None
    resources = [inner for value in members.values() if (inner := _resource(bytes(value)))]
    return resources[0] if len(resources) == 1 else None


def address_of(raw: bytes | Raw) -> str:
    """The ``fullUrl`` beside a wrapped resource; "" where there is none."""
    with contextlib.suppress(*UNREADABLE):
        members = read_members(raw)
        if "fullUrl" in members:
            return text(decoded(members["fullUrl"]))
    return ""


def _resource(value: bytes) -> bytes:
    """The resource that the value is, or that it contains as text; b"" where there is none."""
    if b"resourceType" not in value:
        return b""
    with contextlib.suppress(*UNREADABLE):
        if value[:1] == b'"':
            value = text(decoded(value)).encode()
        if value[:1] == b"{" and read_head(value).resourceType:
            return value
    return b""
