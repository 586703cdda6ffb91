"""Reads an Observation with a wrong shape member by member.

A member of the wrong type costs only that member, never the whole result: a date that cannot be
read makes the result undated.
"""

from __future__ import annotations

from msgspec import UNSET, Raw

from cds_service.fhir.values.elements import identifier_of, readable, text
from cds_service.fhir.values.peeks import Peek, read_members

_RAW = (
    "code",
    "subject",
    "effectivePeriod",
    "identifier",
    "meta",
    "valueQuantity",
    "referenceRange",
    "dataAbsentReason",
    "interpretation",
    "note",
    "component",
    "hasMember",
    "contained",
    "focus",
    "specimen",
    "bodySite",
    "method",
    "comment",
    "comments",
    "modifierExtension",
)


def recover(raw: bytes | Raw, resource_type: str = "Observation") -> Peek:
    """What can be read of an Observation, or of a report with results.

    Raises one of `UNREADABLE` where ``raw`` is not a JSON object.
    """
    members = read_members(raw)

    def member(name: str) -> object:
        return readable(members.get(name, UNSET))

    def stamp(name: str) -> str | None:
        # A value that is not text must not count as absent.
        return (text(member(name)) or "unreadable") if name in members else None

    return Peek(
        resourceType=resource_type,
        id=identifier_of({"id": member("id")}) or None,
        status=text(member("status")) or None,
        effectiveDateTime=stamp("effectiveDateTime"),
        effectiveInstant=stamp("effectiveInstant"),
        **{name: members.get(name, UNSET) for name in _RAW},
    )
