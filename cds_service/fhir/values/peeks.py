"""The part of every Observation that is read first: enough to choose among them.

Values stay raw JSON until a result is needed. A page is decoded in one pass; if that fails because
an entry has another shape, the entries are read one by one.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

Missing = UnsetType


class Identifier(NamedTuple):
    """An Identifier."""

    system: str
    value: str


class Meta(NamedTuple):
    """The version of a resource; "" where it is not given."""

    last_updated: str = ""
    version: str = ""


class Peek(msgspec.Struct, gc=False):
    """The elements of an Observation that are needed to choose among them."""

    resourceType: str = ""  # noqa: N815  # FHIR's name
    id: str | None = None
    status: str | None = None
    code: Raw | Missing = UNSET
    subject: Raw | Missing = UNSET
    effectiveDateTime: str | None = None  # noqa: N815
    effectivePeriod: Raw | Missing = UNSET  # noqa: N815
    effectiveInstant: str | None = None  # noqa: N815
    identifier: Raw | Missing = UNSET
    meta: Raw | Missing = UNSET
    valueQuantity: Raw | Missing = UNSET  # noqa: N815
    referenceRange: Raw | Missing = UNSET  # noqa: N815
    dataAbsentReason: Raw | Missing = UNSET  # noqa: N815
    interpretation: Raw | Missing = UNSET
    note: Raw | Missing = UNSET
    comment: Raw | Missing = UNSET  # STU3
    comments: Raw | Missing = UNSET  # DSTU2
    component: Raw | Missing = UNSET
    hasMember: Raw | Missing = UNSET  # noqa: N815
    contained: Raw | Missing = UNSET
    focus: Raw | Missing = UNSET
    specimen: Raw | Missing = UNSET
    bodySite: Raw | Missing = UNSET  # noqa: N815
    method: Raw | Missing = UNSET
    modifierExtension: Raw | Missing = UNSET  # noqa: N815


class Component(msgspec.Struct, frozen=True, gc=False):
    """A component of an Observation, which is a result of its own."""

    code: Raw | Missing = UNSET
    valueQuantity: Raw | Missing = UNSET  # noqa: N815
    referenceRange: Raw | Missing = UNSET  # noqa: N815
    dataAbsentReason: Raw | Missing = UNSET  # noqa: N815
    interpretation: Raw | Missing = UNSET
    component: Raw | Missing = UNSET
    modifierExtension: Raw | Missing = UNSET  # noqa: N815


class Slot(msgspec.Struct, frozen=True, gc=False):
    """An entry of a Bundle of Observations.

    An entry with the ``response`` to a request may have failed, so decoding it raises an error.
    """

    resource: Peek
    response: None = None


_OTHER_PAGES = frozenset({"next", "previous", "prev"})


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link to another page."""

    relation: str | None = None
    rel: str | None = None

    @property
    def leads_on(self) -> bool:
        """Whether it leads, or may lead, to an earlier or later page: the Bundle is incomplete."""
        name = self.relation or self.rel
        return name is None or name.strip().lower().rpartition("/")[2] in _OTHER_PAGES


class Head(msgspec.Struct, frozen=True, gc=False):
    """The type and id of a resource."""

    resourceType: str = ""  # noqa: N815
    id: str | None = None


class ResultPage(msgspec.Struct, frozen=True, gc=False):
    """A Bundle of Observations."""

    resourceType: Annotated[str, msgspec.Meta(pattern="^Bundle$")]  # noqa: N815
    entry: list[Slot]
    link: list[Link] | Link | None = None
    total: int | float | str | None = None
    meta: Raw | Missing = UNSET
    issues: None = None  # R5: errors; such a Bundle is read entry by entry

    @property
    def lacking(self) -> str:
        """What is missing from it, in words; "" where nothing is."""
        return lacking(self.link, self.total, len(self.entry), _subsetted(self.meta))


class EntryHead(msgspec.Struct, frozen=True, gc=False):
    """An entry of a Bundle, with the type and id of its resource."""

    resource: Head


class Heads(msgspec.Struct, frozen=True, gc=False):
    """A Bundle, with the types and ids of its resources."""

    entry: list[EntryHead]


class EntrySlot(msgspec.Struct, frozen=True, gc=False):
    """An entry of a well-formed Bundle, with its resource undecoded."""

    resource: Raw
    fullUrl: str = ""  # noqa: N815
    response: None = None


class EntryPage(msgspec.Struct, frozen=True):
    """A well-formed Bundle: each entry has a resource with a type."""

    resourceType: Annotated[str, msgspec.Meta(pattern=r"^Bundle\Z")]  # noqa: N815
    entry: list[EntrySlot] = []
    link: list[Link] | Link | None = None
    total: int | float | str | None = None
    meta: Raw | Missing = UNSET
    issues: None = None
    heads: list[EntryHead] = []

    @property
    def lacking(self) -> str:
        """What is missing from it, in words; "" where nothing is."""
        return lacking(self.link, self.total, len(self.entry), _subsetted(self.meta))


_read_entry_page = msgspec.json.Decoder(EntryPage).decode
_read_heads = msgspec.json.Decoder(Heads).decode
_NO_RESOURCES = frozenset({"", "Bundle", "OperationOutcome", "bundle", "operationoutcome"})


def read_entries(raw: bytes) -> EntryPage | None:
    """A Bundle of resources that are neither Bundles nor errors; None for anything else."""
    try:
        page = _read_entry_page(raw)
        if not page.entry:  # resources outside of entries are read the slower way
            return page if raw.count(b'"resourceType"') < 2 else None
        page = replace(page, heads=_read_heads(raw).entry)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if any(head.resource.resourceType in _NO_RESOURCES for head in page.heads):
        return None
    return page


class Extent(msgspec.Struct, frozen=True, gc=False):
    """A Bundle, with its links and total, which say whether it is complete."""

    resourceType: str = ""  # noqa: N815
    entry: list[Raw] | None = None
    link: list[Link] | Link | None = None
    total: int | float | str | None = None
    meta: Raw | Missing = UNSET

    @property
    def lacking(self) -> str:
        """What is missing from it, in words; "" where nothing is."""
        return lacking(self.link, self.total, len(self.entry or ()), _subsetted(self.meta))


def _subsetted(meta: Raw | Missing) -> bool:
    return not isinstance(meta, Missing) and b'"SUBSETTED"' in bytes(meta)


def lacking(
    link: list[Link] | Link | None, total: float | str | None, entries: int, subsetted: bool
) -> str:
    """What is missing from a Bundle with these links, total and number of entries, or "".

    ``subsetted``: it is tagged as a part of a larger whole.
    """
    if isinstance(link, Link):
        link = [link]
    if isinstance(total, str):
        total = int(total) if total.isascii() and total.isdecimal() and len(total) < 10 else 0
    if link is not None and any(relation.leads_on for relation in link):
        return "only one page was sent"
    if total is not None and total > entries:
        return f"the Bundle says {total:.0f} and contains {entries}"
    return "it is marked as a part of a larger whole (SUBSETTED)" if subsetted else ""


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """A Quantity with an undecoded number."""

    value: Raw | Missing = UNSET
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class RawSlot(msgspec.Struct, frozen=True, gc=False):
    """An entry of a Bundle, with its resource undecoded."""

    fullUrl: Raw | Missing = UNSET  # noqa: N815
    resource: Raw | Missing = UNSET
    response: Raw | Missing = UNSET


class RawEntries(msgspec.Struct, frozen=True, gc=False):
    """A Bundle, with the resources of its entries undecoded."""

    entry: list[RawSlot]


read_page = msgspec.json.Decoder(ResultPage).decode
read_peek = msgspec.json.Decoder(Peek).decode
read_quantity = msgspec.json.Decoder(Quantity).decode
read_extent = msgspec.json.Decoder(Extent).decode
read_head = msgspec.json.Decoder(Head).decode
read_slot = msgspec.json.Decoder(RawSlot).decode
read_slots = msgspec.json.Decoder(RawEntries).decode
read_members = msgspec.json.Decoder(dict[str, Raw]).decode
read_component = msgspec.json.Decoder(Component).decode
read_list = msgspec.json.Decoder(list[Raw]).decode


def read_items(raw: Raw) -> list[Raw]:
    """The elements of a list; a single object in place of a list counts as one element.

    Raises one of `UNREADABLE` for anything else.
    """
    return [raw] if bytes(raw)[:1] == b"{" else read_list(raw)
