"""What a page is split into, and where in a delivery each part was found. Resources stay raw."""

from __future__ import annotations

from functools import cached_property

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from cds_service.core.facts import Kind, Source
from cds_service.fhir.intake.arrival import Tally
from cds_service.fhir.intake.delivery import Delivery, LazyJson
from cds_service.fhir.values.peeks import Missing, Peek, RawSlot, read_slots


class Entry(msgspec.Struct, frozen=True, eq=False):
    """One undecoded resource. ``type`` is its R4 name; ``source`` has the original one."""

    kind: Kind
    type: str
    raw: bytes | Raw
    source: Source
    full_url: str = ""
    page: int = 0


# With a dict, so that `cached_property` works.
class ObservationPage(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A page that was decoded in one pass; ``peeks`` are in the order of its entries."""

    kind: Kind
    raw: bytes | Raw | LazyJson
    peeks: list[Peek]
    origin: str
    place: str
    number: int

    @cached_property
    def _entries(self) -> list[RawSlot]:
        return read_slots(bytes(self.raw)).entry

    def entry(self, index: int) -> RawSlot:
        """The raw entry behind a peek."""
        return self._entries[index]

    def undecoded(self, index: int) -> bytes | Raw:
        """The raw resource behind a peek."""
        resource = self.entry(index).resource
        assert not isinstance(resource, Missing)  # it was peeked at
        return resource

    def reference(self, index: int) -> str:
        """``Observation/{id}``, or the place in the page where there is no id."""
        name = self.peeks[index].id
        return f"Observation/{name}" if name else f"{self.place} entry[{index}]"


class Location(msgspec.Struct, frozen=True):
    """Where a JSON value was found in a delivery, and the tally that counts it."""

    delivery: Delivery
    tally: Tally
    place: str
    depth: int = 0
    counted: bool = False
    full_url: str = ""

    @property
    def source(self) -> Source:
        """The place as a source, and how it arrived."""
        return Source(self.place, self.delivery.origin)

    def inside(self, step: str, *, counted: bool = False) -> Location:
        """The place one step further in."""
        return Location(self.delivery, self.tally, f"{self.place} {step}", self.depth + 1, counted)

    def deeper(self, full_url: str) -> Location:
        """The same place, with an address, after one layer of wrapping was removed."""
        return replace(self, depth=self.depth + 1, full_url=full_url)
