"""Resources that say what the patient has or takes by referring to others or containing them.

These are Lists of medications, CarePlans and documents, for example. They are not read themselves.
What they refer to is read if it was sent as an entry; if not, the data count as incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.fhir.values.elements import (
    all_words,
    items,
    part,
    reference,
    status_words,
    text,
)
from cds_service.fhir.values.versions import r4_type

Json = Mapping[str, object]
POINTERS = frozenset({"List", "Composition", "CarePlan", "RequestGroup", "RequestOrchestration"})
"""Types that refer to medications, conditions or results."""

NOT_SENT = "what it refers to or contains was not sent as an entry"
_ENDED = frozenset({"entered-in-error", "retired", "revoked", "cancelled", "stopped", "completed"})
_POINTED = tuple(kind for kind, row in KINDS.items() if row.pointed_at)
_KINDS = {name: kind for kind in _POINTED for name in KINDS[kind].read | KINDS[kind].not_read}
_ABOUT_THEM = re.compile(
    r"medic|drug|pharm|prescri|\brx\b|problem|condition|diagnos|disease|health concern|history|"
    r"allerg|intoler|adverse|summary|arznei|allergi"
)
_DEEPEST = 8  # sections inside sections, actions inside actions


def pointed_at(resource: Json, sent_references: Collection[str]) -> frozenset[Kind]:
    """The kinds of data of which a resource names something that was not sent.

    ``sent_references`` are the addresses of the entries that were sent (``Type/id``, ``fullUrl``).
    Anything inside the resource (contained, or the product of a planned activity) counts as not
    sent. A reference that does not say which type it points at may mean any of them.
    """
    kind = r4_type(text(resource.get("resourceType")))
    if not _ENDED.isdisjoint(status_words(resource.get("status"))):
        return frozenset()
    kinds: set[Kind] = set()
    for target, named in _targets(kind, resource):
        if target == _PRODUCT:
            kinds.add(Kind.MEDICATIONS)
        elif target == _NAMED:
            kinds |= _possible_kinds(named)
        elif target.startswith("#"):
            kinds |= _contained(resource, target)
        elif not _was_sent(target, sent_references):
            kinds |= _kinds_of(target, named)
    return frozenset(kinds)


def _possible_kinds(named: str) -> set[Kind]:
    """The kinds that something without a type may be, in view of the names of what lists it."""
    return set() if named and not _ABOUT_THEM.search(named) else set(_POINTED)


def _name_of(holder: object) -> str:
    words = (text(part(holder, "title")), *all_words(part(holder, "code")))
    return " ".join(filter(None, words)).lower()


_PRODUCT = "\x00product"
_NAMED = "\x00named"


def _target(pointer: object) -> str:
    """The literal reference; `_NAMED` for a reference with only a name or an identifier."""
    named = text(part(pointer, "display")) or part(pointer, "identifier") is not None
    return reference(pointer) or (_NAMED if named else "")


def _targets(kind: str, resource: Json) -> Iterator[tuple[str, str]]:
    """What the resource refers to, and the name of the list or section that does; `_PRODUCT` for a
    product that it names itself."""
    if kind == "List":
        for entry in items(resource.get("entry")):
            if part(entry, "deleted") is not True:
                yield _target(part(entry, "item")), _name_of(resource)
    elif kind == "Composition":
        yield from _nested(resource, "section", "entry", 0)
    elif kind == "CarePlan":
        for activity in items(resource.get("activity")):
            detail = part(activity, "detail")
            if not _ENDED.isdisjoint(status_words(part(detail, "status"))):
                continue
            yield _target(part(activity, "reference")), ""
            yield _target(part(activity, "plannedActivityReference")), ""
            detail_kind = text(part(detail, "kind"))
            products = (part(detail, "productCodeableConcept"), part(detail, "productReference"))
            has_product = any(product is not None for product in products)
            if detail_kind == "MedicationRequest" or (has_product and not detail_kind):
                yield _PRODUCT, ""
    else:
        yield from _nested(resource, "action", "resource", 0)


def _nested(holder: object, step: str, name: str, depth: int) -> Iterator[tuple[str, str]]:
    for section in items(part(holder, step)):
        if depth == _DEEPEST:
            yield _NAMED, ""  # it may be anything
            return
        for pointer in items(part(section, name)):
            yield _target(pointer), _name_of(section)
        yield from _nested(section, step, name, depth + 1)


def _contained(resource: Json, target: str) -> set[Kind]:
    for contained in items(resource.get("contained")):
        if text(part(contained, "id")).lstrip("#") == target[1:]:
            kind = _KINDS.get(r4_type(text(part(contained, "resourceType"))))
            return set() if kind is None else {kind}
    return set(_POINTED)


def _was_sent(target: str, sent_references: Collection[str]) -> bool:
    plain = target.partition("/_history/")[0]
    return (
        not plain or plain in sent_references or "/".join(plain.split("/")[-2:]) in sent_references
    )


def _kinds_of(target: str, named: str) -> set[Kind]:
    parts = target.partition("/_history/")[0].split("/")
    if len(parts) < 2 or target.startswith("urn:"):
        return _possible_kinds(named)
    kind = _KINDS.get(r4_type(parts[-2]))
    return set() if kind is None else {kind}
