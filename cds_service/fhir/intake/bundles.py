"""Splits pages of raw JSON into resources, which stay raw.

A page should be a Bundle, or a single resource where one was read. What arrives may also be
a list, a Bundle in place of a resource (and the reverse), a Bundle in a Bundle, a resource
written as a JSON string, or an error page. Whatever can be read is read. Each of the others becomes
a `Problem`, and the `Availability` of the kind says what is missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from cds_service.core.facts import Availability, Kind, Problem, Source
from cds_service.errors import TooLarge
from cds_service.fhir.intake.arrival import EXPECTED, Tally, availability_of
from cds_service.fhir.intake.delivery import Delivery, LazyJson
from cds_service.fhir.intake.entries import Entry, Location, ObservationPage
from cds_service.fhir.intake.extent import failed, says_incomplete, shortfall
from cds_service.fhir.intake.malformed import holds_resources, odd_slots
from cds_service.fhir.intake.pointing import NOT_SENT, POINTERS, pointed_at
from cds_service.fhir.intake.wrapping import address_of, unwrapped
from cds_service.fhir.values.elements import (
    UNREADABLE,
    decoded,
    identifier_of,
    part,
    readable,
    text,
)
from cds_service.fhir.values.peeks import (
    EntryPage,
    Head,
    Missing,
    Peek,
    RawSlot,
    read_entries,
    read_head,
    read_list,
    read_members,
    read_page,
    read_slots,
)
from cds_service.fhir.values.versions import may_be_a_type, r4_type

MOST_ENTRIES = 50_000
MOST_NESTED = 4
"""How deeply Bundles, lists and wrappers are read inside each other."""
_NO_TYPE = "its resourceType is not one of FHIR"


class Intake:
    """Every resource that arrived, by type, and the problems found on the way.

    Raises TooLarge when there are more entries than the service reads.
    """

    def __init__(self, deliveries: Mapping[Kind, Delivery]) -> None:
        self.by_type: dict[str, list[Entry]] = {}
        self.pages: list[ObservationPage] = []
        self.problems: list[Problem] = []
        self.tallies = {kind: Tally() for kind in deliveries}
        self._deliveries = deliveries
        self.entries = 0
        self._number = 0
        self.pointing: list[Kind] = []  # those whose pages have resources of the types `POINTERS`
        for kind, delivery in deliveries.items():
            tally = self.tallies[kind]
            for index, page in enumerate(delivery.pages):
                self._number += 1
                place = delivery.origin or kind.value
                if index:
                    place = f"{place} page {index + 1}"
                tally.pages += 1
                self._page(delivery, page, place, tally)
            if tally.other_types:
                self._note_others(kind, delivery, tally)
        if self.pointing:
            self._note_not_sent()

    def availability(self) -> dict[Kind, Availability]:
        """The state of each kind of data, in view of what its tally says so far."""
        return {
            kind: availability_of(delivery, self.tallies[kind])
            for kind, delivery in self._deliveries.items()
        }

    def _note_others(self, kind: Kind, delivery: Delivery, tally: Tally) -> None:
        source = Source(delivery.origin or kind.value, delivery.origin)
        if tally.only_other_types:
            reason = availability_of(delivery, tally).reason
            self.problem("wrong-type", kind.value, reason, source)
        for name in tally.not_read(kind):
            if name in POINTERS:
                self.pointing.append(kind)
                continue
            self.problem("not-read", kind.value, f"{name} resources are not read", source)

    def all_of(self, *types: str) -> Iterator[Entry]:
        """The entries of some types (R4 names), in the order in which they arrived."""
        for kind in types:
            yield from self.by_type.get(kind, ())

    def problem(self, kind: str, about: str, reason: str, source: Source) -> None:
        """Record something that could not be used."""
        self.problems.append(Problem(kind, about, reason, source))

    def count(self, more: int, place: str) -> None:
        """Count entries. Raises TooLarge over the limit."""
        self.entries += more
        if self.entries > MOST_ENTRIES:
            raise too_many_entries(place)

    def _note_not_sent(self) -> None:
        """Note a problem for each List or plan that refers to something that was not sent."""
        sent_references = {
            name
            for entries in self.by_type.values()
            for entry in entries
            for name in (
                entry.full_url,
                f"{entry.type}/{entry.source.reference.rpartition('/')[2]}",
                entry.source.reference,
                "/".join(entry.full_url.split("/")[-2:]),
            )
        }
        for entry in self.all_of(*POINTERS):
            resource = readable(entry.raw)
            if isinstance(resource, dict):
                for kind in sorted(pointed_at(resource, sent_references)):
                    about = entry.kind if entry.kind is Kind.STATEMENTS else kind
                    self.problem("not-sent", about.value, NOT_SENT, entry.source)

    # --- one page --------------------------------------------------------------------

    def _page(
        self, delivery: Delivery, page: bytes | Raw | LazyJson, place: str, tally: Tally
    ) -> None:
        before = tally.entries
        if not self._read(delivery, page, place, tally):
            tally.unread_pages += 1
        elif tally.entries == before and not tally.incomplete:
            tally.empty_pages += 1

    def _read(
        self, delivery: Delivery, page: bytes | Raw | LazyJson, place: str, tally: Tally
    ) -> bool:
        """Split one page, the fast way where possible. False where it cannot be read."""
        peeked = delivery.peeked if page is delivery.pages[0] else None
        if peeked is None and delivery.kind is Kind.RESULTS:
            # Where it cannot be decoded in one pass, its entries are read one by one below.
            with contextlib.suppress(*UNREADABLE):
                peeked = read_page(bytes(page))
        elif peeked is None:
            peeked = read_entries(bytes(page))
        if peeked is None:
            raw = bytes(page)
            return raw.strip() == b"null" or self._take(raw, Location(delivery, tally, place))
        if isinstance(peeked, EntryPage):
            self._entries(delivery, peeked, place, tally)
            return True
        self._take_peeked(delivery, page, [slot.resource for slot in peeked.entry], place, tally)
        return True

    def _entries(self, delivery: Delivery, page: EntryPage, place: str, tally: Tally) -> None:
        """Take all entries of a well-formed Bundle, as `_resource` takes single resources."""
        self.count(len(page.entry), place)
        kind, origin, number = delivery.kind, delivery.origin, self._number
        expected = EXPECTED[kind]
        for index, (slot, headed) in enumerate(zip(page.entry, page.heads, strict=True)):
            head = headed.resource
            stated = head.resourceType
            r4 = r4_type(stated)
            if r4 in expected:
                tally.expected += 1
            elif not may_be_a_type(r4):
                at = Location(delivery, tally, place).inside(f"entry[{index}]", counted=True)
                self._unreadable(at, _NO_TYPE)
                continue
            else:
                tally.other_types.add(stated)
            reference = f"{stated}/{head.id}" if head.id else f"{place} entry[{index}]"
            source, url = Source(reference, origin), slot.fullUrl.strip()
            entries = self.by_type.setdefault(r4, [])
            entries.append(Entry(kind, r4, slot.resource, source, url, number))
        tally.entries += len(page.entry)

    def _take_peeked(
        self,
        delivery: Delivery,
        raw: bytes | Raw | LazyJson,
        peeks: list[Peek],
        place: str,
        tally: Tally,
    ) -> None:
        self.count(len(peeks), place)
        page = ObservationPage(delivery.kind, raw, peeks, delivery.origin, place, self._number)
        strange = [i for i, peek in enumerate(peeks) if peek.resourceType != "Observation"]
        tally.entries += len(peeks) - len(strange)
        tally.expected += len(peeks) - len(strange)
        self.pages.append(page)
        at = Location(delivery, tally, place)
        for index in strange:
            self._slot(page.entry(index), at.inside(f"entry[{index}]", counted=True))

    def _take(self, raw: bytes | Raw, at: Location) -> bool:
        """Split one JSON value. False where nothing of it could be read."""
        start = bytes(raw).lstrip()[:1]
        try:
            if start == b'"' and at.depth < MOST_NESTED:
                inner = text(decoded(raw)).encode()
                if inner[:1] in (b"{", b"["):
                    return self._take(inner, at.deeper(at.full_url))
                self._unreadable(at, "it is text, not a FHIR resource")
                return False
            if start == b"[" and at.depth < MOST_NESTED:
                elements = read_list(raw)
                if not elements:  # only a Bundle can say that there is nothing on file
                    self._unreadable(at, "it is an empty list, not a Bundle")
                    return False
                for index, element in enumerate(elements):
                    self._take(element, at.inside(f"[{index}]"))
                return True
            if start != b"{":
                self._unreadable(at, "it is not a FHIR resource")
                return False
            return self._resource(raw, at)
        except UNREADABLE:
            self._unreadable(at, "it is not JSON that can be read")
            return False

    def _resource(self, raw: bytes | Raw, at: Location) -> bool:
        try:
            head = read_head(raw)
        except msgspec.ValidationError:
            whole = decoded(raw)  # an id that is a number, for example
            head = Head(text(part(whole, "resourceType")), identifier_of(whole))
        if not head.resourceType and at.depth < MOST_NESTED:
            inner = unwrapped(raw)
            if inner is not None:
                return self._take(inner, at.deeper(at.full_url or address_of(raw)))
        r4 = r4_type(head.resourceType)
        if r4 == "Bundle":
            if at.depth >= MOST_NESTED:
                self._unreadable(at, "Bundles are nested too deeply")
                return False
            return self._bundle(raw, at)
        if not at.counted:
            self.count(1, at.place)
        if r4 == "OperationOutcome":
            self._outcome(raw, at)
            return at.depth > 0
        at.tally.entries += 1
        if not head.resourceType:
            self._unreadable(at, "it has no resourceType")
            return at.depth > 0
        if not may_be_a_type(r4):
            self._unreadable(at, _NO_TYPE)
            return at.depth > 0
        kind, origin = at.delivery.kind, at.delivery.origin
        if r4 in EXPECTED[kind] or (kind is Kind.RESULTS and _holds_results(r4, raw)):
            at.tally.expected += 1
        else:
            at.tally.other_types.add(head.resourceType)
        reference = f"{head.resourceType}/{head.id}" if head.id else at.place
        entry = Entry(kind, r4, raw, Source(reference, origin), at.full_url, self._number)
        self.by_type.setdefault(r4, []).append(entry)
        return True

    def _bundle(self, raw: bytes | Raw, at: Location) -> bool:
        if at.depth:  # for the page itself it is already known whether more pages follow
            at.tally.cut = at.tally.cut or bool(shortfall(raw))
        slots: list[RawSlot | None]
        try:
            slots = list(read_slots(raw).entry)
            odd = any(slot is None or isinstance(slot.resource, Missing) for slot in slots)
        except msgspec.ValidationError:
            odd = True
        if odd:
            slots = odd_slots(raw)
        if b'"issues"' in bytes(raw) and (issues := read_members(raw).get("issues")):
            self._outcome(issues, at.inside("issues"))
        self.count(len(slots), at.place)
        if not slots and holds_resources(raw):
            self._unreadable(at, "it contains resources, but not as entries")
        for index, slot in enumerate(slots):
            inside = at.inside(f"entry[{index}]", counted=True)
            if slot is None:
                at.tally.entries += 1
                self._unreadable(inside, "it is not an entry")
            else:
                self._slot(slot, inside)
        return True

    def _slot(self, slot: RawSlot, at: Location) -> None:
        if not isinstance(slot.response, Missing) and failed(readable(slot.response)):
            self._incomplete(at, "the request for an entry failed")
        resource = b"null" if isinstance(slot.resource, Missing) else bytes(slot.resource)
        if resource == b"null":
            at.tally.entries += 1
            self._unreadable(at, "the entry has no resource")
            return
        if not isinstance(slot.fullUrl, Missing):
            with contextlib.suppress(*UNREADABLE):
                at = replace(at, full_url=text(decoded(slot.fullUrl)))
        self._take(resource, at)

    # --- what is wrong ----------------------------------------------------------------

    def _unreadable(self, at: Location, reason: str) -> None:
        at.tally.unreadable += 1
        self.problem("unreadable", at.delivery.kind.value, reason, at.source)

    def _outcome(self, raw: bytes | Raw, at: Location) -> None:
        if not says_incomplete(decoded(raw), at.delivery.kind):
            at.tally.warned = True
            if at.depth:
                return
        self._incomplete(
            at, "the response contains an error (OperationOutcome) and may be incomplete"
        )

    def _incomplete(self, at: Location, reason: str) -> None:
        at.tally.incomplete = True
        self.problem("incomplete", at.delivery.kind.value, reason, at.source)


def _holds_results(r4: str, raw: bytes | Raw) -> bool:
    """Whether it is a report with contained results."""
    return r4 == "DiagnosticReport" and b'"contained"' in bytes(raw)


def too_many_entries(place: str) -> TooLarge:
    """The error for more entries than the service reads."""
    return TooLarge(
        f"There are more than {MOST_ENTRIES:,} entries in all.",
        "Send only the resources that the prefetch templates ask for.",
        place,
    )
