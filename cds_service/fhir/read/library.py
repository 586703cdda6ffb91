"""The resources of one call other than results, each decoded once, and the references between them.

Each has R4's structure and belongs to the patient of the call. Another patient's resource is
refused here, with a problem, before anything reads it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Raw

from cds_service.core.facts import Kind, Source
from cds_service.core.medications import Dosage
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.entries import Entry
from cds_service.fhir.read.concepts import NOTHING, CodeableConcept, concept_of, dosages
from cds_service.fhir.read.subjects import Subjects
from cds_service.fhir.read.superseding import MOST_VERSIONS, meta_of, newer
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.elements import (
    MODIFIED,
    UNREADABLE,
    decoded,
    identifier_of,
    items,
    modified,
    readable,
    reference,
    status_words,
    text,
)
from cds_service.fhir.values.peeks import read_members
from cds_service.fhir.values.versions import R4_NAMES, Resource, to_r4
from cds_service.terminology.call_texts import TooMuchTextError

T = TypeVar("T")

_TAIL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]*)?$")
# Types that describe a product and belong to no patient.
_NO_PATIENT = frozenset({"Medication", "Substance"})


class Item:
    """One resource with R4's structure, and where it came from.

    ``members`` are the undecoded elements of a resource that needs no translation, else None.
    """

    __slots__ = ("_data", "_members", "draft", "full_url", "kind", "page", "raw", "source")

    def __init__(
        self,
        data: Resource | None,
        source: Source,
        kind: Kind,
        full_url: str = "",
        page: int = 0,
        raw: bytes | Raw = b"",
        draft: bool = False,
        members: Mapping[str, Raw] | None = None,
    ) -> None:
        self._data = data
        self._members = members
        self.source = source
        self.kind = kind
        self.full_url = full_url
        self.page = page
        self.raw = raw
        self.draft = draft

    @property
    def data(self) -> Resource:
        """The whole resource."""
        if self._data is None:
            whole = decoded(self.raw)
            assert isinstance(whole, dict)  # it has members
            self._data = to_r4(whole)
        return self._data

    @property
    def names(self) -> Iterable[str]:
        """The names of its elements."""
        return self.data if self._members is None else self._members

    def value(self, name: str) -> object:
        """One element, decoded; None where there is none."""
        if self._members is None:
            return self.data.get(name)
        raw = self._members.get(name)
        return None if raw is None else decoded(raw)

    def concept(self, name: str) -> CodeableConcept:
        """One element that is, or should be, a CodeableConcept."""
        if self._members is None:
            value = self.data.get(name)
            return NOTHING if value is None else CodeableConcept(value)
        raw = self._members.get(name)
        return NOTHING if raw is None else concept_of(bytes(raw))

    def undecoded(self, *names: str) -> bytes:
        """Some elements as sent; empty if the first is absent or the resource is decoded."""
        if self._members is None or names[0] not in self._members:
            return b""
        return b"\n".join([bytes(self._members[name]) for name in names if name in self._members])

    def dosages(self, name: str) -> tuple[Dosage, ...]:
        """One element that contains dosage instructions."""
        if self._members is None:
            return read_dosages(self.data.get(name))
        raw = self._members.get(name)
        return () if raw is None else dosages(bytes(raw))

    @property
    def modified(self) -> bool:
        """Whether it has a modifier extension, which could change its meaning."""
        if self._members is not None:
            return modified(self._members.get("modifierExtension"))
        return bool(items(self.data.get("modifierExtension")))

    @property
    def subject(self) -> bytes | None:
        """The undecoded subject; None if there is none or the resource is decoded."""
        raw = None if self._members is None else self._members.get("subject")
        return None if raw is None else bytes(raw)

    @property
    def id(self) -> str:
        """The logical id, empty where there is none."""
        return identifier_of({"id": self.value("id")})


class Library:
    """Decoded resources by type, and the targets of references between them."""

    def __init__(self, intake: Intake, subjects: Subjects) -> None:
        self._intake = intake
        self._subjects = subjects
        self._decoded: dict[int, Item | None] = {}
        self._index: dict[str, list[Entry | Item]] | None = None
        self._extra: list[Item] = []
        self.refused: dict[Kind, int] = {}
        self.accepted: dict[Kind, int] = {}
        self._left_unread: set[Kind] = set()

    def add(self, resources: Iterable[Item]) -> None:
        """Make further resources (the drafts' Bundle) findable by reference."""
        self._extra.extend(resources)
        self._index = None

    def of(self, *types: str) -> list[Item]:
        """This patient's resources of some types (R4's names), without superseded versions."""
        groups: dict[str, list[Item]] = {}
        for entry in self._intake.all_of(*types):
            found = self._item(entry)
            if found is not None:
                _add_version(groups.setdefault(found.source.reference, []), found)
        return [item for group in groups.values() for item in group]

    def belongs_to_patient(self, item: Item) -> bool:
        """Whether a resource is this patient's; notes a problem where it is not."""
        subject = item.subject
        refusal = (
            self._subjects.refusal(item.data)
            if subject is None
            else self._subjects.refusal_by(subject)
        )
        if refusal:
            if not item.draft:
                self.refused[item.kind] = self.refused.get(item.kind, 0) + 1
            self._intake.problem("wrong-patient", item.kind.value, refusal, item.source)
        return not refusal

    def attempt(self, item: Item, read: Callable[[], T]) -> T | None:
        """What ``read`` returns; None where the call has too much text, noted once per kind."""
        try:
            return read()
        except TooMuchTextError as error:
            if item.kind not in self._left_unread:
                self._left_unread.add(item.kind)
                self.problem("too-much-text", item.kind.value, error.reason, item.source)
            return None

    def problem(self, kind: str, about: str, reason: str, source: Source) -> None:
        """Note a problem: something that could not be used."""
        self._intake.problem(kind, about, reason, source)

    def note_nameless(self, item: Item, coded: bool) -> None:
        """Note an entry that does not say what it is; ``coded`` if it has an unknown code."""
        if coded:
            kind, reason = (
                "unknown-code",
                "it has only an unlisted code, or words in a script that is not read",
            )
        else:
            kind, reason = "no-code", "it does not say what it is"
        self.problem(kind, item.kind.value, reason, item.source)

    def raw(self, target: str) -> bytes | None:
        """The undecoded resource with this ``Type/id``."""
        for candidate in self._candidates(target):
            if candidate.source.reference == target:
                return bytes(candidate.raw)
        return None

    def resolve(self, pointer: object, owner: Item, *types: str) -> Resource | None:
        """The resource a Reference points at: contained, in the same Bundle, or elsewhere here.

        None where there is none, where it is not of one of ``types`` (R4's names; none given: any
        type), or where it is not this patient's.
        """
        found = self._target(pointer, owner)
        return found if found is None or not types or found["resourceType"] in types else None

    def _target(self, pointer: object, owner: Item) -> Resource | None:
        target = reference(pointer)
        if target.startswith("#"):
            for resource in items(owner.value("contained")):
                if (
                    isinstance(resource, dict)
                    and text(resource.get("id")).lstrip("#") == target[1:]
                ):
                    return to_r4(resource)
            return None
        if not target:
            return None
        found = self._candidates(target)
        tail = _TAIL.search(target)
        if not found and tail is not None:
            found = self._candidates(tail.group(1))
        for candidate in sorted(found, key=lambda candidate: candidate.page != owner.page):
            item = self._item(candidate) if isinstance(candidate, Entry) else candidate
            if item is not None:
                return item.data
        return None

    def _candidates(self, key: str) -> list[Entry | Item]:
        if self._index is None:
            self._index = {}
            everything = (
                entry
                for kind, entries in self._intake.by_type.items()
                if kind != "Observation"
                for entry in entries
            )
            known: list[Entry | Item] = [*everything, *self._extra]
            for entry in known:
                for name in {entry.full_url, entry.source.reference} - {""}:
                    self._index.setdefault(name, []).append(entry)
            # A relative reference may mean an entry whose address ends with it.
            for entry in known:
                tail = _TAIL.search(entry.full_url) if "://" in entry.full_url else None
                if tail is not None and tail.group(1) not in self._index:
                    self._index[tail.group(1)] = [entry]
        return self._index.get(key, [])

    def _item(self, entry: Entry) -> Item | None:
        number = id(entry)
        if number not in self._decoded:
            self._decoded[number] = self._read(entry)
        return self._decoded[number]

    def _read(self, entry: Entry) -> Item | None:
        item = _undecoded(entry) or self._decode(entry)
        if item is None:
            return None
        if entry.type not in _NO_PATIENT and not self.belongs_to_patient(item):
            return None
        if item.modified and not _withdrawn(item):
            self.problem("modified", item.kind.value, MODIFIED, item.source)
            return None
        if entry.type in _NO_PATIENT:
            return item
        self.accepted[entry.kind] = self.accepted.get(entry.kind, 0) + 1
        return item

    def _decode(self, entry: Entry) -> Item | None:
        data = readable(entry.raw)
        if not isinstance(data, dict):
            self.problem("unreadable", entry.kind.value, "it cannot be read", entry.source)
            return None
        return Item(to_r4(data), entry.source, entry.kind, entry.full_url, entry.page, entry.raw)


def _undecoded(entry: Entry) -> Item | None:
    """The resource split into its elements; None if it needs translation or cannot be read."""
    names = R4_NAMES.get(entry.type)
    if names is None:
        return None
    raw = bytes(entry.raw)
    try:
        members = read_members(raw)
        # The only reasons why an element could not be decoded later: text that is not UTF-8, and
        # whole numbers of thousands of digits.
        if not raw.isascii():
            raw.decode()
        if len(raw) >= sys.int_info.default_max_str_digits:
            decoded(raw)
    except UNREADABLE:
        return None
    if not names.issuperset(members):
        return None
    return Item(
        None,
        entry.source,
        entry.kind,
        entry.full_url,
        entry.page,
        entry.raw,
        members=members,
    )


def _add_version(group: list[Item], new: Item) -> None:
    """Add a resource to those with the same id: once if equal, else the newer if that is known."""
    for at, old in enumerate(group[:MOST_VERSIONS]):
        if not old.id:
            continue
        if old.data == new.data:
            return
        later = newer(meta_of(new.value("meta")), meta_of(old.value("meta")))
        if later is None:
            # A withdrawn version replaces the other. Otherwise both stay, as it is not known
            # which is newer.
            withdrawn = _withdrawn(old), _withdrawn(new)
            later = None if withdrawn[0] == withdrawn[1] else withdrawn[1]
        if later is False:
            return
        if later:
            group[at] = new
            return
    group.append(new)


def _withdrawn(item: Item) -> bool:
    stated = item.value("verificationStatus") or item.value("status")
    return "entered-in-error" in status_words(stated)
