"""Which of several versions of one result counts.

A corrected version replaces the original, a withdrawn version removes it, and a result sent
twice counts once. Two are versions of one result if they share an id, or a business identifier
with the same analyte and the same time. Where nothing says which of two is newer, both stay, and
the reader of the series uses the worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from cds_service.fhir.values.elements import part, text
from cds_service.fhir.values.peeks import Identifier, Meta

_PRELIMINARY, _FINAL, _CORRECTED, _WITHDRAWN = 1, 2, 3, 4
_RANK = {
    "preliminary": _PRELIMINARY,
    "final": _FINAL,
    "amended": _CORRECTED,
    "corrected": _CORRECTED,
    "entered-in-error": _WITHDRAWN,
}


class Version(Protocol):
    """One version of a result.

    ``topic`` is the analyte (empty where its code names none), ``content`` anything that
    compares equal for equal content.
    """

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def identifiers(self) -> Sequence[Identifier]: ...
    @property
    def meta(self) -> Meta: ...
    @property
    def content(self) -> object: ...


MOST_VERSIONS = 64
"""Versions of one resource that are compared in pairs; more would take too long."""

V = TypeVar("V", bound=Version)


def current(versions: Sequence[V]) -> list[V]:
    """The versions that count, in the order given, including withdrawn ones.

    If all are final and no id occurs twice there is nothing to decide, and the caller may skip
    this.
    """
    remaining = _without_replaced(
        _without_floods(versions),
        lambda version: [version.id] if version.id else [],
        _replaced_by_id,
    )
    return _without_replaced(remaining, lambda version: version.identifiers, _replaced)


def _rank(version: Version) -> int:
    return _RANK.get(version.status, 0)


def meta_of(value: object) -> Meta:
    """The version that ``Resource.meta`` states."""
    return Meta(text(part(value, "lastUpdated")), text(part(value, "versionId")))


def newer(version: Meta, other: Meta) -> bool | None:
    """Whether ``one`` was written after ``other``; None where that is not known."""
    first, second = _instant(version.last_updated), _instant(other.last_updated)
    if first is not None and second is not None and first != second:
        return first > second
    left, right = version.version, other.version
    numbers = left.isdecimal() and right.isdecimal() and max(len(left), len(right)) < 20
    if numbers and left != right:
        return int(left) > int(right)
    return None


def _instant(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _without_replaced(
    versions: Sequence[V],
    keys: Callable[[V], Iterable[object]],
    replaced: Callable[[V, V], bool],
) -> list[V]:
    groups: dict[object, list[int]] = {}
    for number, version in enumerate(versions):
        for key in keys(version):
            groups.setdefault(key, []).append(number)
    superseded: set[int] = set()
    for group in groups.values():
        # A key that more versions than this share does not identify one result.
        if 1 < len(group) <= MOST_VERSIONS:
            outdated = {
                at
                for at in group
                if any(other != at and replaced(versions[at], versions[other]) for other in group)
            }
            # Contradictory versions can rule each other out; then all are kept.
            if len(outdated) < len(group):
                superseded |= outdated
    seen: dict[str, list[object]] = {}
    remaining: list[V] = []
    for number, version in enumerate(versions):
        if number in superseded:
            continue
        if version.id:
            same = seen.setdefault(version.id, [])
            if version.content in same:
                continue
            same.append(version.content)
        remaining.append(version)
    return remaining


def _without_floods(versions: Sequence[V]) -> Sequence[V]:
    """The same, but where one id has too many versions only the one that replaces the others."""
    counts = Counter(version.id for version in versions if version.id)
    floods = {name for name, count in counts.items() if count > MOST_VERSIONS}
    if not floods:
        return versions
    best: dict[str, V] = {}
    for version in versions:
        if version.id in floods and (
            version.id not in best or _replaced_by_id(best[version.id], version)
        ):
            best[version.id] = version
    return [
        version for version in versions if version.id not in floods or best[version.id] is version
    ]


def _replaced_by_id(version: Version, other: Version) -> bool:
    later = newer(other.meta, version.meta)
    return _rank(other) > _rank(version) if later is None else later


def _replaced(version: Version, other: Version) -> bool:
    """Whether ``other``, which has the same business identifier, replaces ``one``.

    It is another resource, so only its status can say so. The identifier may be an order's
    number, so a result of another analyte, or of none, is another result, whatever its status.
    """
    if other.topic != version.topic:
        return False
    later = newer(other.meta, version.meta)
    rank, other_rank = _rank(version), _rank(other)
    if other_rank == _CORRECTED and rank == _CORRECTED:
        return later is True
    # A correction with an id of its own stays when the result it corrects is withdrawn.
    weaker = rank in (_PRELIMINARY, _FINAL) and rank < other_rank
    return weaker and later is not False
