"""Malformed Bundles: what is in place of entries, and resources under another name."""

from __future__ import annotations

import contextlib

from msgspec import Raw
from msgspec.structs import replace

from cds_service.fhir.values.elements import UNREADABLE
from cds_service.fhir.values.peeks import Missing, RawSlot, read_list, read_members, read_slot


def holds_resources(raw: bytes | Raw) -> bool:
    """Whether a Bundle without entries has resources under another name."""
    if bytes(raw).count(b'"resourceType"') < 2:
        return False
    # In R5, "issues" of a Bundle is an OperationOutcome.
    return any(
        b'"resourceType"' in bytes(value)
        for name, value in read_members(raw).items()
        if name != "issues"
    )


def odd_slots(raw: bytes | Raw) -> list[RawSlot | None]:
    """The entries of a malformed Bundle; None for what is not an entry."""
    entry = read_members(raw).get("entry")
    if entry is None or bytes(entry) == b"null":
        return []
    slots: list[RawSlot | None] = []
    for element in read_list(entry) if bytes(entry)[:1] == b"[" else [entry]:
        slot: RawSlot | None = None
        with contextlib.suppress(*UNREADABLE):
            slot = read_slot(element)
            # An entry may be the resource itself.
            if isinstance(slot.resource, Missing) and b'"resourceType"' in bytes(element):
                slot = replace(slot, resource=element)
        slots.append(slot)
    return slots
