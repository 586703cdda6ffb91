"""Which of several versions of one result counts.

A corrected result replaces its original, a withdrawn one retracts it; the same result sent
twice counts once. Two belong together by id, or by a business identifier within the same
analyte. Where nothing tells which of two is the newer, both stay: whoever reads the series
takes the worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from cds_service.fhir.peeks import Key, Meta

_PRELIMINARY, _FINAL, _CORRECTED, _WITHDRAWN = 1, 2, 3, 4
_RANK = {
    "preliminary": _PRELIMINARY,
    "final": _FINAL,
    "amended": _CORRECTED,
    "corrected": _CORRECTED,
    "entered-in-error": _WITHDRAWN,
}


class Version:
    """One version of a result.

    ``topic`` is the analyte (empty where the code was withdrawn too), ``content`` anything
    that compares equal for equal content.
    """

    __slots__ = ("content", "id", "identifiers", "meta", "rank", "topic")

    def __init__(
        self,
        *,
        id: str,
        status: str,
        topic: str,
        identifiers: Sequence[Key],
        meta: Meta | None,
        content: object,
    ) -> None:
        self.id = id
        self.rank = _RANK.get(status, 0)
        self.topic = topic
        self.identifiers = identifiers
        self.meta = meta
        self.content = content


V = TypeVar("V", bound=Version)


def current(versions: Sequence[V]) -> list[V]:
    """The versions that count, in the order given (withdrawn ones among them)."""
    ids = [one.id for one in versions if one.id]
    plain = all(one.rank == _FINAL for one in versions)
    if plain and len(set(ids)) == len(ids):
        return list(versions)
    kept = _settled(versions, lambda one: [one.id] if one.id else [], _replaced_by_id)
    if all(one.rank == _FINAL for one in kept):
        return kept
    return _settled(kept, lambda one: [key for key in one.identifiers if key.value], _replaced)


def newer(one: Meta | None, other: Meta | None) -> bool | None:
    """Whether ``one`` was written after ``other``; None where nobody can tell."""
    if one is None or other is None:
        return None
    first, second = _instant(one.lastUpdated), _instant(other.lastUpdated)
    if first is not None and second is not None and first != second:
        return first > second
    if (one.versionId or "").isdecimal() and (other.versionId or "").isdecimal():
        left, right = one.versionId or "", other.versionId or ""
        if left != right and max(len(left), len(right)) < 20:
            return int(left) > int(right)
    return None


def _instant(value: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _settled(
    versions: Sequence[V],
    keys: Callable[[V], Iterable[object]],
    replaced: Callable[[V, V], bool],
) -> list[V]:
    groups: dict[object, list[int]] = {}
    for number, one in enumerate(versions):
        for key in keys(one):
            groups.setdefault(key, []).append(number)
    gone: set[int] = set()
    for group in groups.values():
        if len(group) > 1:
            out = {
                at
                for at in group
                if any(other != at and replaced(versions[at], versions[other]) for other in group)
            }
            # Contradictory stamps can rule everybody out; then nobody is.
            if len(out) < len(group):
                gone |= out
    seen: dict[str, list[object]] = {}
    kept: list[V] = []
    for number, one in enumerate(versions):
        if number in gone:
            continue
        if one.id:
            same = seen.setdefault(one.id, [])
            if one.content in same:
                continue
            same.append(one.content)
        kept.append(one)
    return kept


def _replaced_by_id(one: Version, other: Version) -> bool:
    later = newer(other.meta, one.meta)
    return other.rank > one.rank if later is None else later


def _replaced(one: Version, other: Version) -> bool:
    """By identifier: another resource of the same sample, so only where it says so."""
    if other.topic != one.topic and other.topic:
        return False
    later = newer(other.meta, one.meta)
    if other.rank in (_WITHDRAWN, _FINAL):
        weaker = one.rank in (_PRELIMINARY, _FINAL) and one.rank < other.rank
        return weaker and later is not False
    if other.rank == _CORRECTED:
        if one.rank == _CORRECTED:
            return later is True
        return one.rank in (_PRELIMINARY, _FINAL) and later is not False
    return False
