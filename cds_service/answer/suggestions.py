"""Suggestions: draft orders, complete and addressed, and the removal of a draft."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cds_service.core.identity import Identity
from cds_service.core.immutable import immutable
from cds_service.core.text import plain_name
from cds_service.engine.orderables import Orderable, Orderables
from cds_service.engine.rule import OrderTest, RemoveDraft, Suggestion
from cds_service.fhir.models import check_offer, draft_order


@immutable(slots=False)
class Recipient:
    """For whom and by whom orders are drafted: references as ``Type/id``.

    Only a keyed digest of ``identity`` leaves the call.
    """

    patient: str
    identity: Identity
    encounter: str | None
    requester: str | None
    as_of: datetime

    @cached_property
    def authored(self) -> str:
        """When orders are drafted, as an ISO instant."""
        return self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SuggestionWriter:
    """Writes suggestions. A draft is checked once for each shape that it can have."""

    def __init__(self, orderables: Orderables) -> None:
        self._orderables = orderables
        self._checked: set[tuple[str, bool, str | None]] = set()
        self._concepts = {key: _concept(orderable) for key, orderable in orderables.items()}

    def write(self, suggestion: Suggestion, recipient: Recipient) -> dict[str, Any]:
        """One suggestion as the CDS Hooks JSON object."""
        if isinstance(suggestion, RemoveDraft):
            label = f"Remove the draft order: {plain_name(suggestion.name)}"
            action: dict[str, Any] = {
                "type": "delete",
                "description": label,
                "resourceId": suggestion.reference,
            }
        else:
            orderable = self._orderables[suggestion.key]
            verb = "Order" if isinstance(suggestion, OrderTest) else "Draft for review"
            label = f"{verb}: {orderable.label}"
            action = {
                "type": "create",
                "description": f"{label} ({suggestion.why})" if suggestion.why else label,
                "resource": self._resource(orderable, recipient),
            }
        return {"label": label, "uuid": _random_id(), "actions": [action]}

    def _resource(self, orderable: Orderable, recipient: Recipient) -> dict[str, Any]:
        resource = draft_order(
            "MedicationRequest" if orderable.medication else "ServiceRequest",
            self._concepts[orderable.key],
            recipient.patient,
            recipient.authored,
            encounter=recipient.encounter,
            requester=recipient.requester,
            dosage=orderable.dosage,
        )
        requester = recipient.requester.split("/")[0] if recipient.requester else None
        # Resources of one ``shape`` differ only in ids, dates and references already checked.
        shape = orderable.key, bool(recipient.encounter), requester
        if shape not in self._checked:
            check_offer(resource)
            self._checked.add(shape)
        return resource


def _random_id() -> str:
    """A random UUID (version 4); `uuid.uuid4` would take as long as the rest of a suggestion."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _concept(orderable: Orderable) -> dict[str, Any]:
    codings = [
        {"system": code.system, "code": code.code, "display": code.display}
        if code.display
        else {"system": code.system, "code": code.code}
        for code in orderable.codes
    ]
    concept: dict[str, Any] = {"text": orderable.label}
    if codings:
        concept["coding"] = codings
    return concept
