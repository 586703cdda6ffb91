"""The resources of one call other than results, decoded once each, and how they refer.

Each is in R4's shape and belongs to the patient of the call: another patient's is refused
here, with a problem, before anything reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Raw

from cds_service.core.facts import Kind, Source
from cds_service.fhir.bundles import Entry, Intake
from cds_service.fhir.elements import (
    UNREADABLE,
    decoded,
    identifier_of,
    items,
    part,
    reference,
    status_words,
    text,
)
from cds_service.fhir.peeks import Meta
from cds_service.fhir.subjects import Subjects
from cds_service.fhir.superseding import MOST_VERSIONS, newer
from cds_service.fhir.versions import Resource, to_r4

_TAIL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]*)?$")
# Not about one patient: a product, not what somebody takes.
_NOBODYS = frozenset({"Medication", "Substance"})


@dataclass(slots=True)
class Item:
    """One decoded resource in R4's shape, with where it came from."""

    data: Resource
    source: Source
    kind: Kind
    full_url: str = ""
    page: int = 0
    raw: bytes | Raw = b""
    draft: bool = False

    @property
    def id(self) -> str:
        """The logical id, empty where there is none."""
        return identifier_of(self.data)


class Library:
    """Decoded resources by type, and the targets of references between them."""

    def __init__(self, intake: Intake, subjects: Subjects) -> None:
        self._intake = intake
        self._subjects = subjects
        self._decoded: dict[int, Item | None] = {}
        self._index: dict[str, list[Entry | Item]] | None = None
        self._extra: list[Item] = []
        self.refused: dict[Kind, int] = {}
        self.kept: dict[Kind, int] = {}

    def add(self, resources: Iterable[Item]) -> None:
        """Make further resources (the drafts' Bundle) findable by reference."""
        self._extra.extend(resources)
        self._index = None

    def of(self, *types: str) -> list[Item]:
        """This patient's resources of some types (R4's names), superseded versions left out."""
        groups: dict[str, list[Item]] = {}
        for entry in self._intake.all_of(*types):
            found = self._item(entry)
            if found is not None:
                _file(groups.setdefault(found.source.reference, []), found)
        return [one for group in groups.values() for one in group]

    def mine(self, item: Item) -> bool:
        """Whether a resource is this patient's; notes a problem where it is not."""
        refusal = self._subjects.refusal(item.data)
        if refusal:
            if not item.draft:
                self.refused[item.kind] = self.refused.get(item.kind, 0) + 1
            self._intake.problem("wrong-patient", item.kind.value, refusal, item.source)
        return not refusal

    def problem(self, kind: str, about: str, reason: str, source: Source) -> None:
        """Note something that could not be used."""
        self._intake.problem(kind, about, reason, source)

    def raw(self, target: str) -> bytes | None:
        """The undecoded resource with this ``Type/id``."""
        for found in self._candidates(target):
            if found.source.reference == target:
                return bytes(found.raw)
        return None

    def resolve(self, pointer: object, owner: Item, *types: str) -> Resource | None:
        """The resource a Reference means: contained, in the same Bundle, or anywhere here.

        With ``types`` (R4's names) only one of these; another's than the patient's is none.
        """
        found = self._target(pointer, owner)
        return found if found is None or not types or found["resourceType"] in types else None

    def _target(self, pointer: object, owner: Item) -> Resource | None:
        target = reference(pointer)
        if target.startswith("#"):
            for one in items(owner.data.get("contained")):
                if isinstance(one, dict) and text(one.get("id")).lstrip("#") == target[1:]:
                    return to_r4(one)
            return None
        if not target:
            return None
        found = self._candidates(target)
        tail = _TAIL.search(target)
        if not found and tail is not None:
            found = self._candidates(tail.group(1))
        for one in sorted(found, key=lambda each: each.page != owner.page):
            item = self._item(one) if isinstance(one, Entry) else one
            if item is not None:
                return item.data
        return None

    def _candidates(self, key: str) -> list[Entry | Item]:
        if self._index is None:
            self._index = {}
            everything = (
                one
                for kind, entries in self._intake.by_type.items()
                if kind != "Observation"
                for one in entries
            )
            known: list[Entry | Item] = [*everything, *self._extra]
            for one in known:
                for name in {one.full_url, one.source.reference} - {""}:
                    self._index.setdefault(name, []).append(one)
        return self._index.get(key, [])

    def _item(self, entry: Entry) -> Item | None:
        number = id(entry)
        if number not in self._decoded:
            self._decoded[number] = self._read(entry)
        return self._decoded[number]

    def _read(self, entry: Entry) -> Item | None:
        try:
            data = decoded(entry.raw)
        except UNREADABLE:
            data = None
        if not isinstance(data, dict):
            self.problem("unreadable", entry.kind.value, "it cannot be read", entry.source)
            return None
        item = Item(to_r4(data), entry.source, entry.kind, entry.full_url, entry.page, entry.raw)
        if entry.type in _NOBODYS:
            return item
        if not self.mine(item):
            return None
        self.kept[entry.kind] = self.kept.get(entry.kind, 0) + 1
        return item


def _file(group: list[Item], new: Item) -> None:
    """Put a resource beside others of the same id: once if equal, the newer if one is newer."""
    for at, old in enumerate(group[:MOST_VERSIONS]):
        if not old.id:
            continue
        if old.data == new.data:
            return
        later = newer(_meta(new), _meta(old))
        if later is None:
            # Withdrawn beats what it withdraws; otherwise both stay, as nobody can tell.
            withdrawn = _withdrawn(old), _withdrawn(new)
            later = None if withdrawn[0] == withdrawn[1] else withdrawn[1]
        if later is False:
            return
        if later:
            group[at] = new
            return
    group.append(new)


def _meta(item: Item) -> Meta:
    meta = item.data.get("meta")
    return Meta(text(part(meta, "lastUpdated")) or None, text(part(meta, "versionId")) or None)


def _withdrawn(item: Item) -> bool:
    stated = item.data.get("verificationStatus") or item.data.get("status")
    return "entered-in-error" in status_words(stated)
