"""A FHIR Bundle of one patient as the hook request a client would send for it.

For the command line, the demo page and tests: the Bundle is taken as everything on file,
and each prefetch key gets what its template would have brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cds_service.core.facts import Kind
from cds_service.errors import BadRequest
from cds_service.prefetch import Key

ACTIVE_ONLY = (Kind.MEDICATIONS, Kind.ORDERS)
"""Kinds whose templates ask for active ones alone."""

_DRAFTED = ("MedicationRequest", "ServiceRequest", "MedicationOrder", "ProcedureRequest")


def request_of(
    bundle: Mapping[str, Any], hook: str, keys: Sequence[Key], user: str = "Practitioner/unknown"
) -> dict[str, Any]:
    """The request. In order-select, requests with status draft are the selected drafts.

    Raises BadRequest for a Bundle that has not exactly one Patient with an id.
    """
    resources = list(_resources(bundle))
    patients = {
        str(one["id"]) for one in resources if one.get("resourceType") == "Patient" and "id" in one
    }
    if len(patients) != 1:
        raise BadRequest(
            f"the Bundle holds {len(patients)} patients with an id.", "Give one patient.", "entry"
        )
    patient = patients.pop()
    context: dict[str, Any] = {"userId": user, "patientId": patient}
    if hook == "order-select":
        drafts = [one for one in resources if _is_draft(one)]
        context["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in drafts],
        }
        context["selections"] = [f"{one['resourceType']}/{one['id']}" for one in drafts]
    return {
        "hook": hook,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": {
            key.name: _value(key, resources)
            for key in keys
            if key.kind is not Kind.ENCOUNTER  # no encounter is named, so none is asked for
        },
    }


def _resources(bundle: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        raise BadRequest("the Bundle has no list of entries.", "Give a Bundle.", "entry")
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _is_draft(resource: Mapping[str, Any]) -> bool:
    named = resource.get("resourceType") in _DRAFTED and "id" in resource
    return named and resource.get("status") == "draft"


def _value(key: Key, resources: Sequence[dict[str, Any]]) -> Any:
    found = [one for one in resources if one.get("resourceType") == key.resource_type]
    if key.kind is Kind.PATIENT:
        return found[0]
    if key.kind is Kind.MEDICATIONS:
        found += [one for one in resources if one.get("resourceType") == "MedicationOrder"]
    if key.kind in ACTIVE_ONLY:
        found = [one for one in found if one.get("status") == "active"]
    if key.kind is Kind.MEDICATIONS:
        found += [one for one in resources if one.get("resourceType") == "Medication"]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in found],
    }


def moment(text: str) -> datetime:
    """An ISO date or instant as an aware moment; a date means its noon here.

    Raises BadRequest for anything else.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"{text} is no date or instant.", "Write 2026-11-23 or 2026-11-23T12:00:00Z.", "--as-of"
        ) from None
    if len(text) == len("2026-11-23"):
        read = read.replace(hour=12)
    return read.astimezone() if read.tzinfo is None else read
