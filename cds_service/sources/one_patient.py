"""Turns a FHIR Bundle of one patient into the hook request that a client would send.

For the command line, the demo page and tests: the Bundle is taken as everything on file, and
each prefetch key gets what its template would have found. Any Bundle will do: a collection, a
transaction, a document, the response to a batch with searchsets inside, a page of
``$everything``. Where it says that it is incomplete (another page, an error among its entries),
so does each key from which something may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cds_service.core.facts import Kind
from cds_service.core.kinds import ACTIVE_ONLY, KIND_OF, ORDERED, REPORTED_WITH
from cds_service.engine.hook import Hook
from cds_service.errors import BadRequest
from cds_service.fhir.intake.arrival import kind_of
from cds_service.fhir.intake.extent import failed, missing_of, says_incomplete
from cds_service.fhir.intake.pointing import POINTERS, pointed_at
from cds_service.fhir.intake.reports import may_have_results
from cds_service.fhir.values.elements import items, part, status_words, text
from cds_service.fhir.values.versions import may_be_a_type, r4_type, type_of
from cds_service.sources.prefetch import PrefetchKey

Json = dict[str, Any]

# Statuses that a search for active resources leaves out. A resource with an unknown status is
# kept: the reader reports it.
NOT_ACTIVE = frozenset({"draft", "on-hold", "revoked", "completed", "stopped", "cancelled"}) | {
    "entered-in-error", "proposed", "planned", "suspended", "rejected", "aborted", "failed",
}  # fmt: skip
_OF_MEDICATIONS = (Kind.MEDICATIONS, Kind.STATEMENTS)
_DEPTH = 4  # Bundles inside Bundles
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NEXT = [{"relation": "next", "url": "urn:not-sent"}]
_ERROR: Json = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "incomplete"}],
}


@dataclass(slots=True)
class _Contents:
    """The contents of one Bundle: its entries, and whether there should be more of them.

    A Bundle ``inside`` another one is taken as the result of one search: what is missing from it
    is of the same kind as its entries.
    """

    inside: bool
    entries: list[Json] = field(default_factory=list)  # each with fullUrl and resource
    cut: bool = False
    failed: bool = False
    outcomes: list[Json] = field(default_factory=list)

    def fails(self, kind: Kind) -> bool:
        """Whether a request for this kind failed, or may have."""
        return self.failed or any(says_incomplete(outcome, kind) for outcome in self.outcomes)

    def may_lack(self, kind: Kind) -> bool:
        """Whether entries of this kind may be missing from the Bundle."""
        kinds = {
            found for entry in self.entries if (found := KIND_OF.get(_type(entry["resource"])))
        }
        return not self.inside or len(kinds) != 1 or kind in kinds


def request_of(
    bundle: Mapping[str, Any],
    hook: Hook,
    keys: Sequence[PrefetchKey],
    user: str = "Practitioner/unknown",
) -> dict[str, Any]:
    """The hook request for a Bundle.

    Requests with status draft become the draft orders, all of them selected. ``user`` is a
    reference. Raises BadRequest for a Bundle that is not of exactly one patient.
    """
    groups: list[_Contents] = []
    _open(bundle, groups, 0)
    entries = [entry for group in groups for entry in group.entries]
    patient, addresses = _patient_in(entries)
    pointing = _pointing(entries)
    for entry in entries:
        entry["resource"] = _owned(entry["resource"], patient["id"], addresses)
    context: Json = {"userId": user, "patientId": patient["id"]}
    if hook.drafts:
        drafts = [draft for draft in entries if _is_draft(draft["resource"])]
        for number, draft in enumerate(drafts, 1):
            if not text(draft["resource"].get("id")):  # so that a selection can name it
                draft["resource"] = {**draft["resource"], "id": f"draft-{number}"}
        context["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            # With the Medications to which they may refer, as any client must send them.
            "entry": [*drafts, *_medications(entries)] if drafts else [],
        }
    if hook.selects:
        context["selections"] = [
            f"{draft['resource']['resourceType']}/{draft['resource']['id']}" for draft in drafts
        ]
    return {
        "hook": hook.name,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": {
            key.name: patient if key.kind is Kind.PATIENT else _value(key.kind, groups, pointing)
            for key in keys
            if key.kind is not Kind.ENCOUNTER  # no encounter is named, so none is sent
        },
    }


def _open(bundle: Mapping[str, Any], groups: list[_Contents], depth: int) -> None:
    """Add a group for a Bundle, with its resources, and for each Bundle inside it."""
    contents = _Contents(inside=depth > 0)
    groups.append(contents)
    stated = items(bundle.get("entry"))
    contents.cut = bool(missing_of(bundle, len(stated)))
    contents.failed = "issues" in bundle and says_incomplete(bundle["issues"])
    for entry in stated:
        resource = _resource_in(entry)
        written = text(part(resource, "resourceType"))
        kind = type_of(written)
        if resource is not None and kind != written:
            resource = {**resource, "resourceType": kind}
        # A failed response may have been about anything; its contents are read nevertheless.
        contents.failed |= failed(part(entry, "response"))
        if resource is None or not may_be_a_type(kind):
            contents.failed |= part(entry, "request", "method") != "DELETE"
        elif kind == "OperationOutcome":
            contents.outcomes.append(resource)
        elif kind == "Bundle" and depth < _DEPTH:
            _open(resource, groups, depth + 1)
        elif kind == "Bundle":
            contents.failed = True
        else:
            contents.entries.append(_named(resource, text(part(entry, "fullUrl"))))


def _resource_in(entry: object) -> Json | None:
    """The resource of an entry; the entry may also be the resource itself, or wrap it twice."""
    if not isinstance(entry, dict):
        return None
    if "resourceType" in entry:
        return entry
    resource = entry.get("resource")
    if not isinstance(resource, dict) or "resourceType" in resource:
        return resource if isinstance(resource, dict) else None
    inside = [value for value in resource.values() if text(part(value, "resourceType"))]
    return inside[0] if len(inside) == 1 else None


def _named(resource: Json, full_url: str) -> Json:
    """An entry whose resource has an id: its own, else the end of its fullUrl."""
    if not text(resource.get("id")):
        name = re.split("[/:]", full_url)[-1]
        if _ID.fullmatch(name):
            resource = {**resource, "id": name}
    entry: Json = {"resource": resource}
    return {"fullUrl": full_url, **entry} if full_url else entry


def _patient_in(entries: Iterable[Json]) -> tuple[Json, frozenset[str]]:
    """The one patient, and the references to it in the Bundle.

    Raises BadRequest where there is no patient, or more than one.
    """
    patients = [entry for entry in entries if entry["resource"]["resourceType"] == "Patient"]
    ids = {text(entry["resource"].get("id")) for entry in patients} - {""}
    all_named = all(entry["resource"].get("id") for entry in patients)
    if len(ids) != 1 or (len(patients) > 1 and not all_named):
        raise BadRequest(
            f"the Bundle has {len(ids)} patients with an id.",
            "Use a Bundle of one patient.",
            "entry",
        )
    addresses = {text(entry.get("fullUrl")) for entry in patients} - {""}
    # Within a Bundle a relative reference is relative to the server of the fullUrl.
    addresses |= {"/".join(url.split("/")[-2:]) for url in addresses if "://" in url}
    return patients[0]["resource"], frozenset(addresses)


def _owned(resource: Json, patient: str, addresses: frozenset[str]) -> Json:
    """The resource with ``Patient/{id}`` as its subject, where that means the patient."""
    for name in ("subject", "patient"):
        stated = resource.get(name)
        target = text(part(stated, "reference")).partition("/_history/")[0]
        if isinstance(stated, dict) and target in addresses:
            reference = {**stated, "reference": f"Patient/{patient}"}
            resource = {**resource, name: reference}
    return resource


def _type(resource: Mapping[str, Any]) -> str:
    return r4_type(text(resource.get("resourceType")))


def _is_draft(resource: Mapping[str, Any]) -> bool:
    return _type(resource) in ORDERED and "draft" in status_words(resource.get("status"))


def _pointing(entries: Iterable[Json]) -> dict[Kind, list[Json]]:
    """The Lists, plans and documents that refer to something not in the Bundle, by its kind."""
    entries = list(entries)
    pointers = [entry for entry in entries if _type(entry["resource"]) in POINTERS]
    found: dict[Kind, list[Json]] = {}
    if pointers:
        sent_references = {text(entry.get("fullUrl")) for entry in entries}
        sent_references |= {
            "/".join(url.split("/")[-2:]) for url in sent_references if "://" in url
        }
        resources = [entry["resource"] for entry in entries]
        sent_references |= {
            f"{_type(resource)}/{text(resource.get('id'))}" for resource in resources
        }
        for pointer in pointers:
            for kind in pointed_at(pointer["resource"], sent_references):
                found.setdefault(kind, []).append(pointer)
    return found


def _value(kind: Kind, groups: Sequence[_Contents], pointing: Mapping[Kind, list[Json]]) -> Json:
    """The Bundle that the template of a kind would have found."""
    entries = [entry for group in groups for entry in group.entries]
    found = [entry for entry in entries if _belongs(entry["resource"], kind)]
    if kind in _OF_MEDICATIONS and any(KIND_OF.get(_type(e["resource"])) is kind for e in found):
        found += _medications(entries)
    found += pointing.get(kind, [])
    partial = [group for group in groups if group.may_lack(kind)]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if any(group.cut for group in partial):
        bundle["link"] = _NEXT
    if any(group.fails(kind) for group in partial):
        found.append({"resource": _ERROR})
    return {**bundle, "entry": found}


def _medications(entries: Iterable[Json]) -> list[Json]:
    """The Medications, which a search includes with what refers to them and never finds alone."""
    return [entry for entry in entries if _type(entry["resource"]) == "Medication"]


def _belongs(resource: Mapping[str, Any], kind: Kind) -> bool:
    name = _type(resource)
    if name == "Specimen":
        return kind is Kind.RESULTS
    if name == "DiagnosticReport":
        return kind is Kind.RESULTS and may_have_results(resource)
    status = resource.get("status")
    if kind_of(name, status) is not kind:
        return False
    # What is only reported is reported whatever its status.
    active_only = kind in ACTIVE_ONLY and name not in REPORTED_WITH
    return not active_only or NOT_ACTIVE.isdisjoint(status_words(status))


def moment(text: str) -> datetime:
    """An ISO date or instant as a time with a time zone; a date counts as noon in local time.

    Raises BadRequest for anything else.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"{text} is not a date or instant.",
            "Write 2026-11-23 or 2026-11-23T12:00:00Z.",
            "--as-of",
        ) from None
    if len(text) == len("2026-11-23"):
        read = read.replace(hour=12)
    return read.astimezone() if read.tzinfo is None else read
