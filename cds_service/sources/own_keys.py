"""What a client sent under prefetch keys of its own: which kinds of data it holds.

Sites that configure prefetch by hand choose their own names, and send what they have: a Bundle, a
resource, a list of either, a Bundle of Bundles. Whatever `fhir.intake` would read under a key of
this service is delivered. What it cannot read is delivered too, so that it is reported, if it
names a type of some kind of data. Such a key may also hold anything else: a value without data of
any kind makes nothing incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from cds_service.core.facts import Kind, State
from cds_service.core.kinds import KINDS, REPORTED_WITH
from cds_service.fhir.intake.arrival import COMPANION_TYPES, kind_of
from cds_service.fhir.intake.bundles import MOST_ENTRIES, MOST_NESTED, too_many_entries
from cds_service.fhir.intake.delivery import Delivery, LazyJson
from cds_service.fhir.intake.malformed import holds_resources
from cds_service.fhir.intake.pointing import POINTERS
from cds_service.fhir.intake.reports import may_have_results
from cds_service.fhir.intake.wrapping import unwrapped
from cds_service.fhir.values.elements import UNREADABLE, decoded, readable, text
from cds_service.fhir.values.peeks import Missing, read_list, read_members, read_slot
from cds_service.fhir.values.versions import r4_type

_OTHER_KEY = "sent under a prefetch key of the client's own: it may not be everything"
_RELEVANT = frozenset(
    {*REPORTED_WITH, *POINTERS, *COMPANION_TYPES, "OperationOutcome", "Bundle", ""}
)
_NAMED = re.compile(rb'resourceType\\*"\s*:\s*\\*"([A-Za-z]{1,64})')
_REFERRED_TO = frozenset(row.refers_to for row in KINDS.values()) - {""}


class _Head(msgspec.Struct, frozen=True):
    resourceType: str = ""  # noqa: N815  # FHIR's name
    status: Raw = Raw(b"")


_read_head = msgspec.json.Decoder(_Head).decode


@dataclass(slots=True)
class _Contents:
    """What a value holds: the kinds of data, and the types of the resources that are of no kind.

    ``entries`` counts the entries of the Bundles and lists of all values together.
    """

    kinds: set[Kind] = field(default_factory=set)
    other_types: set[str] = field(default_factory=set)
    entries: int = 0

    def note(self, name: str, status: object, raw: bytes) -> None:
        """Note a resource of a type (its R4 name)."""
        kind = kind_of(name, status)
        if name == "DiagnosticReport" and Kind.RESULTS not in self.kinds:
            report = readable(raw)
            kind = Kind.RESULTS if isinstance(report, dict) and may_have_results(report) else None
        if kind is None:
            self.other_types.add(name)
        else:
            self.kinds.add(kind)

    def count(self, more: int) -> None:
        """Count entries. Raises TooLarge over the limit, as where they are read."""
        self.entries += more
        if self.entries > MOST_ENTRIES:
            raise too_many_entries("prefetch")

    def note_named(self, raw: bytes) -> bool:
        """Note each kind of which a type is named anywhere in an unreadable value; return whether
        there is one."""
        named = {r4_type(name.decode()) for name in _NAMED.findall(raw)}
        kinds = {kind for name in named if (kind := kind_of(name, None))}
        self.kinds |= kinds
        return bool(kinds)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """What was sent under the client's own keys.

    ``deliveries`` are by kind. It is not known whether a key has everything of its kind, so all but
    patient and encounter count as partial. ``referred_to`` are pages that have only Specimens or
    Medications.
    """

    deliveries: dict[Kind, Delivery] = field(default_factory=dict)
    referred_to: tuple[tuple[bytes, frozenset[str]], ...] = ()

    def with_companions(self, delivery: Delivery) -> Delivery:
        """The delivery with the Specimens or Medications to which its resources may refer."""
        name = KINDS[delivery.kind].refers_to
        pages = [page for page, names in self.referred_to if name in names]
        if not pages or not any(_holds(page, delivery.kind) for page in delivery.pages):
            return delivery
        return replace(delivery, pages=(*delivery.pages, *pages))


NO_OWN_KEYS = OwnKeys()


def own_keys(values: Iterable[bytes | Raw]) -> OwnKeys:
    """What the values of the client's own keys hold.

    Raises TooLarge where they have more entries than the service reads.
    """
    pages: dict[Kind, list[bytes]] = {}
    referred_to: list[tuple[bytes, frozenset[str]]] = []
    contents = _Contents()
    for value in values:
        contents = _Contents(entries=contents.entries)
        page = _relevant_part(unwrapped(value) or bytes(value), contents, 0)
        # In the order of `Kind`, so that the same call is always read in the same way.
        for kind in KINDS:
            if kind in contents.kinds:
                pages.setdefault(kind, []).append(page)
        if not contents.kinds and (names := contents.other_types & _REFERRED_TO):
            referred_to.append((page, frozenset(names)))
    deliveries = {
        kind: Delivery(
            kind,
            State.GIVEN if KINDS[kind].single else State.PARTIAL,
            tuple(pages[kind]),
            # The client's own names are not repeated: they may be anything.
            "prefetch",
            "" if KINDS[kind].single else _OTHER_KEY,
        )
        for kind in pages
    }
    return OwnKeys(deliveries, tuple(referred_to))


def _holds(page: bytes | Raw | LazyJson, kind: Kind) -> bool:
    """Whether a page has something of a kind.

    Asked only where a Specimen or Medication came by itself. A page of the service's own key is
    walked here for the first time; one of the client's own, which `own_keys` has walked, once more:
    to remember which is which would cost more code than this rare second walk costs time.
    """
    contents = _Contents()
    _relevant_part(bytes(page), contents, 0)
    return kind in contents.kinds


def _relevant_part(raw: bytes, contents: _Contents, depth: int) -> bytes:
    """The value without documents, tasks and the like; b"" where it holds nothing else.

    Notes in ``contents`` what it holds. ``depth`` is counted as in `Intake`, which reports what is
    nested deeper than `MOST_NESTED`.
    """
    if b"resourceType" not in raw:
        return raw
    try:
        raw = raw.lstrip()
        start = raw[:1]
        if start == b"{":
            name, status = _head(raw)
            if name not in ("", "Bundle", "Parameters"):
                contents.note(name, status, raw)
                return raw if name in _RELEVANT else b""
            if name == "Parameters":  # a resource that contains others, and is not read
                return raw if contents.note_named(raw) else b""
            if depth < MOST_NESTED:
                return _bundle(raw, contents, depth) if name else _wrapper(raw, contents, depth)
        elif start == b"[" and depth < MOST_NESTED:
            elements = read_list(raw)
            contents.count(len(elements))
            kept = [_relevant_part(bytes(element), contents, depth + 1) for element in elements]
            return b"[" + b",".join(filter(None, kept)) + b"]" if any(kept) else b""
        elif start == b'"' and depth < MOST_NESTED:
            inner = text(decoded(raw)).encode()
            if inner[:1] in (b"{", b"["):
                return _relevant_part(inner, contents, depth + 1)
            return raw
    except UNREADABLE:
        pass
    contents.note_named(raw)
    return raw


def _head(raw: bytes) -> tuple[str, object]:
    """The type (its R4 name) of an object, and its status where that matters; "" for no type."""
    try:
        head = _read_head(raw)
    except msgspec.ValidationError:  # a type that is a number, for example
        return "", None
    name = r4_type(head.resourceType)
    return name, readable(head.status) if name in REPORTED_WITH else None


def _wrapper(raw: bytes, contents: _Contents, depth: int) -> bytes:
    inner = unwrapped(raw)
    if inner is None:
        contents.note_named(raw)
        return raw
    kept = _relevant_part(inner, contents, depth + 1)
    return raw if kept is inner else kept


def _bundle(raw: bytes, contents: _Contents, depth: int) -> bytes:
    members = read_members(raw)
    entry = bytes(members.get("entry", b""))
    entries = read_list(entry) if entry[:1] == b"[" else [Raw(entry)] if entry[:1] == b"{" else []
    if not entries:
        if holds_resources(raw):
            contents.note_named(raw)
        return raw
    contents.count(len(entries))
    kept = [_entry(item, contents, depth + 1) for item in entries]
    if all(after is before for before, after in zip(entries, kept, strict=True)):
        return raw
    return msgspec.json.encode({**members, "entry": [item for item in kept if item is not None]})


def _entry(entry: Raw, contents: _Contents, depth: int) -> Raw | None:
    """The relevant part of a Bundle's entry; None where nothing is left."""
    try:
        resource = read_slot(entry).resource
    except UNREADABLE:
        contents.note_named(bytes(entry))
        return entry
    if isinstance(resource, Missing):  # an entry may be the resource itself
        before = bytes(entry)
        after = _relevant_part(before, contents, depth)
        return entry if after is before else Raw(after) if after else None
    before = bytes(resource)
    after = _relevant_part(before, contents, depth)
    if after is before:
        return entry
    if not after:
        return None
    return Raw(msgspec.json.encode(read_members(entry) | {"resource": Raw(after)}))
