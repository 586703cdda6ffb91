"""An Observation whose shape is wrong somewhere: every member read by itself.

One member of a wrong type costs that member, never the whole result, and never more than
the member: a date that cannot be read makes it undated, a subject that cannot be read
leaves open whose it is.
"""

from __future__ import annotations

from msgspec import UNSET, Raw

from cds_service.fhir.elements import (
    UNREADABLE,
    codings,
    decoded,
    identifier_of,
    items,
    part,
    reference,
    text,
)
from cds_service.fhir.peeks import Coded, Concept, Key, Meta, Peek, Pointer, Span, read_members


def recovered(raw: bytes | Raw) -> tuple[Peek, bool]:
    """What can be read of an Observation; True where its subject cannot.

    Raises one of `UNREADABLE` where it is no JSON object.
    """
    members = read_members(raw)

    def member(name: str) -> object:
        try:
            return decoded(members[name]) if name in members else None
        except UNREADABLE:
            return None

    def stamp(name: str) -> str | None:
        # What is there and is no text must not pass for absent.
        return (text(member(name)) or "unreadable") if name in members else None

    period = member("effectivePeriod")
    meta = member("meta")
    keys = [
        Key(text(part(one, "system")), text(part(one, "value")))
        for one in items(member("identifier"))
    ]
    peek = Peek(
        resourceType="Observation",
        id=identifier_of({"id": member("id")}) or None,
        status=text(member("status")) or None,
        code=_concept(member("code")),
        effectiveDateTime=stamp("effectiveDateTime"),
        effectivePeriod=Span(text(part(period, "start")), text(part(period, "end")))
        if period is not None
        else None,
        effectiveInstant=stamp("effectiveInstant"),
        identifier=tuple(key for key in keys if key.value),
        meta=Meta(text(part(meta, "lastUpdated")), text(part(meta, "versionId"))),
        valueQuantity=members.get("valueQuantity", UNSET),
        referenceRange=members.get("referenceRange", UNSET),
        dataAbsentReason=members.get("dataAbsentReason", UNSET),
    )
    if "subject" not in members:
        return peek, False
    subject = member("subject")
    target = reference(subject)
    peek.subject = Pointer(target or None)
    nameless = isinstance(subject, dict) and subject.get("reference") is None
    return peek, not target and not nameless


def _concept(code: object) -> Concept | None:
    found = codings(code)
    words = text(code) if isinstance(code, str) else text(part(code, "text"))
    if not found and not words:
        return None
    coded = tuple(Coded(one.system, one.code, one.display) for one in found)
    return Concept(coded, words or None)
