"""Orders for tests, procedures and referrals; and the drafts of a call about orders.

Source: CDS Hooks "order-select" (draftOrders, selections) and "order-sign" (draftOrders); FHIR R4
ServiceRequest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from cds_service.core.facts import Kind, Order, Source
from cds_service.core.kinds import KINDS, ORDERED
from cds_service.core.medications import Medication, Taking
from cds_service.core.record import Drafts
from cds_service.fhir.intake.arrival import COMPANION_TYPES
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.read.conditions import read_reason
from cds_service.fhir.read.library import Item, Library
from cds_service.fhir.read.medications import DrugVocabularies, read_medication
from cds_service.fhir.values.elements import (
    UNREADABLE,
    codings,
    decoded,
    encoded,
    identifier_of,
    is_true,
    items,
    label,
    part,
    status_words,
    text,
    texts,
)
from cds_service.fhir.values.moments import read_moment, zone_of
from cds_service.fhir.values.versions import to_r4
from cds_service.terminology.vocabulary import Vocabulary

DRAFTS_ORIGIN = "context.draftOrders"
_NOT_ACTIVE = frozenset(
    {"draft", "on-hold", "revoked", "completed", "entered-in-error", "cancelled", "stopped"}
)
# Signing one of these orders nothing: it ends an order, or says that there was none.
_ORDERS_NOTHING = frozenset(
    {"entered-in-error", "cancelled", "revoked", "stopped", "completed", "ended"}
)
_ORDER_TYPES = KINDS[Kind.ORDERS].types
# Types that may be among signed orders but order nothing themselves.
_NO_ORDERS = COMPANION_TYPES | {"Task"}
DRAFT_ORDERS = "draft orders"


def read_orders(
    library: Library, orders: Vocabulary, reasons: Vocabulary, as_of: datetime
) -> tuple[Order, ...]:
    """The active orders."""
    active = []
    for item in library.of(*_ORDER_TYPES):
        status = status_words(item.data.get("status"))
        if _forbidden(item):
            continue
        if "active" in status:
            read = partial(read_order, item, library, orders, reasons, as_of)
            if (order := library.attempt(item, read)) is not None:
                active.append(order)
        elif _NOT_ACTIVE.isdisjoint(status):
            reason = "its status is not known" if status else "its status is missing"
            library.problem("no-status", item.kind.value, f"{reason}: not counted", item.source)
    return tuple(active)


def read_order(
    item: Item,
    library: Library,
    orders: Vocabulary,
    reasons: Vocabulary,
    as_of: datetime,
    *,
    draft: bool = False,
    selected: bool = False,
    signed: bool = False,
) -> Order:
    """One order; ``covers`` is empty for kinds of order that no rule knows."""
    data = item.data
    codes = [concept for concept in items(data.get("code")) if concept is not None]
    covers: set[str] = set()
    if data.get("resourceType") == "ServiceRequest":
        for concept in codes:
            covers |= orders.concepts(codings(concept), texts(concept))
    moment = read_moment(data.get("authoredOn"), zone_of(as_of))
    return Order(
        covers=frozenset(covers),
        name="; ".join(filter(None, (label(concept) for concept in codes))),
        source=item.source,
        draft=draft,
        when=None if moment is None else moment.when,
        reason=read_reason(item, library, reasons),
        named=bool(codings(codes) or texts(codes)),
        selected=selected,
        signed=signed,
    )


def _forbidden(item: Item) -> bool:
    return is_true(item.data.get("doNotPerform"))


class DraftOrders(Struct, frozen=True):
    """The resources of ``context.draftOrders``, split up but not yet read."""

    items: list[Item]
    selections: tuple[str, ...] | None


def take_drafts(bundle: object, selections: Sequence[str] | None, intake: Intake) -> DraftOrders:
    """The resources of the Bundle of drafts, whatever its structure.

    Raises TooLarge where it has too many entries.
    """
    drafts: list[Item] = []
    for place, full_url, resource in _entries(bundle, DRAFTS_ORIGIN, intake, 0):
        reason = _why_no_order(resource)
        if reason:
            if resource not in (None, {}) or place != DRAFTS_ORIGIN:
                intake.problem("unreadable", DRAFT_ORDERS, reason, Source(place, DRAFTS_ORIGIN))
            continue
        assert isinstance(resource, dict)  # it has a type
        data = to_r4(resource)
        name = identifier_of(resource)
        reference = f"{text(resource['resourceType'])}/{name}" if name else place
        kind = Kind.MEDICATIONS if data["resourceType"] == "MedicationRequest" else Kind.ORDERS
        source = Source(reference, DRAFTS_ORIGIN)
        drafts.append(Item(data, source, kind, full_url, -1, encoded(resource), True))
    return DraftOrders(drafts, None if selections is None else tuple(selections))


def _why_no_order(resource: object) -> str:
    """Why an entry among the drafts cannot be a draft; empty where it can."""
    if resource in (None, {}):
        return "a draft order has no resource"
    kind = text(part(resource, "resourceType"))
    if not kind:
        return "a draft order is not a FHIR resource"
    if kind == "Bundle":
        return "Bundles are nested too deeply"
    if kind in ("OperationOutcome", "Parameters"):
        return f"{kind} was sent instead of a draft order"
    return ""


def _holds_more(bundle: Mapping[str, object]) -> bool:
    """Whether a Bundle without entries says that there are some, or has them elsewhere."""
    total = bundle.get("total")
    return (isinstance(total, int) and total > 0) or any(
        isinstance(element, dict) and ("resourceType" in element or "resource" in element)
        for name, value in bundle.items()
        if name != "issues"
        for element in items(value)
    )


def _entries(
    value: object, place: str, intake: Intake, depth: int
) -> list[tuple[str, str, object]]:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(*UNREADABLE):
            value = decoded(value.strip().encode())
    if value is None:
        return []
    if isinstance(value, dict) and not {"resourceType", "entry"} & value.keys():
        # The whole response of an HTTP client instead of its contents.
        inside = [member for member in value.values() if text(part(member, "resourceType"))]
        if len(inside) == 1:
            return _nested(inside[0], place, text(value.get("fullUrl")), intake, depth)
    if isinstance(value, dict) and ("entry" in value or value.get("resourceType") == "Bundle"):
        entries = items(value.get("entry"))
        intake.count(len(entries), place)
        if not entries and _holds_more(value):
            return [(place, "", True)]
        found = []
        for index, entry in enumerate(entries):
            where = f"{place}.entry[{index}]"
            if isinstance(entry, dict) and "resource" in entry:
                found += _nested(
                    entry["resource"], where, text(entry.get("fullUrl")), intake, depth
                )
            else:
                found += _nested(entry, where, "", intake, depth)
        return found
    if isinstance(value, list):
        intake.count(len(value), place)
        return [
            draft
            for index, entry in enumerate(value)
            for draft in _nested(entry, f"{place}[{index}]", "", intake, depth)
        ]
    return [(place, "", value)]


def _nested(
    resource: object, place: str, full_url: str, intake: Intake, depth: int
) -> list[tuple[str, str, object]]:
    if depth < 3 and (
        isinstance(resource, list | str) or part(resource, "resourceType") == "Bundle"
    ):
        return _entries(resource, place, intake, depth + 1)
    return [(place, full_url, resource)]


def read_drafts(
    draft_orders: DraftOrders,
    library: Library,
    words: DrugVocabularies,
    orders: Vocabulary,
    as_of: datetime,
) -> Drafts:
    """The drafts of this patient; those that are judged are marked.

    Judged are those that the clinician has just selected, or all where the hook has no selections.
    A draft that forbids something (``doNotPerform``) is left out.
    """
    medications: list[Medication] = []
    other_orders: list[Order] = []
    by_name: dict[str, set[str]] = {}
    selections = draft_orders.selections or ()
    for target in selections:
        for name in _spellings(target.strip()):
            by_name.setdefault(name, set()).add(target)
    resolved: set[str] = set()
    for item in draft_orders.items:
        kind = text(item.data.get("resourceType"))
        if kind not in ORDERED:
            if draft_orders.selections is None and kind not in _NO_ORDERS:
                reason = f"{kind} is not read as an order"
                library.problem("unreadable", DRAFT_ORDERS, reason, item.source)
            continue
        picked = set().union(*(by_name.get(name, ()) for name in _names(item)))
        resolved |= picked
        judged = bool(picked) or draft_orders.selections is None
        status = set(status_words(item.data.get("status")))
        if not library.belongs_to_patient(item) or _ORDERS_NOTHING & status or _forbidden(item):
            continue
        signed = bool(status) and "draft" not in status
        if kind == "MedicationRequest":
            medication = library.attempt(
                item,
                partial(
                    read_medication,
                    item, library, words, as_of,
                    taking=Taking.DRAFT, selected=judged, signed=signed,
                    complete=draft_orders.selections is None,
                ),
            )  # fmt: skip
            if medication is not None:
                medications.append(medication)
        else:
            order = library.attempt(
                item,
                partial(
                    read_order,
                    item, library, orders, words.reasons, as_of,
                    draft=True, selected=judged, signed=signed,
                ),
            )  # fmt: skip
            if order is not None:
                other_orders.append(order)
    for target in sorted({selection for selection in selections if selection.strip()} - resolved):
        reason = "a selection names no draft order"
        library.problem(
            "unresolved-selection", DRAFT_ORDERS, reason, Source(target, "context.selections")
        )
    return Drafts(tuple(medications), tuple(other_orders))


def _names(item: Item) -> set[str]:
    """The names a selection may use for a draft: ``Type/id``, the id alone, or its address."""
    names = {item.full_url} - {""}
    if item.id:
        renamed = f"{text(item.data['resourceType'])}/{item.id}"
        names |= {item.source.reference, renamed, item.id, f"urn:uuid:{item.id}"}
    return names


def _spellings(target: str) -> set[str]:
    """A selection as sent, without its version, and without the server's address."""
    plain = target.split("/_history/", maxsplit=1)[0]
    names = {target, plain} - {""}
    if "://" in plain:
        names.add("/".join(plain.split("/")[-2:]))
    return names
