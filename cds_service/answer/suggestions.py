"""Suggestions: draft orders, complete and addressed, and the removal of a draft."""

from __future__ import annotations

import os
from typing import Any

from cds_service.core.call import Call
from cds_service.core.text import plain_name
from cds_service.engine.orderables import Orderable, Orderables
from cds_service.engine.rule import OrderTest, RemoveDraft, Suggestion
from cds_service.fhir.models import check_offer, draft_order


class SuggestionWriter:
    """Writes suggestions. A draft is checked once for each shape that it can have."""

    def __init__(self, orderables: Orderables) -> None:
        self._orderables = orderables
        self._checked: set[tuple[str, bool, str | None]] = set()
        self._concepts = {key: _concept(orderable) for key, orderable in orderables.items()}

    def write(self, suggestion: Suggestion, call: Call) -> dict[str, Any]:
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
                "resource": self._resource(orderable, call),
            }
        return {"label": label, "uuid": random_id(), "actions": [action]}

    def _resource(self, orderable: Orderable, call: Call) -> dict[str, Any]:
        encounter, requester = call.encounter, call.user
        resource = draft_order(
            "MedicationRequest" if orderable.medication else "ServiceRequest",
            self._concepts[orderable.key],
            call.patient,
            call.authored,
            encounter=encounter,
            requester=requester,
            dosage=orderable.dosage,
        )
        # Resources of one ``shape`` differ only in ids, dates and references already checked.
        requester_type = requester.split("/")[0] if requester else None
        shape = orderable.key, bool(encounter), requester_type
        if shape not in self._checked:
            check_offer(resource)
            self._checked.add(shape)
        return resource


def random_id() -> str:
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
