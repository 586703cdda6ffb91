"""Converts resources of other FHIR versions to the shape of R4 before they are read.

DSTU2, STU3 and R5 name and nest some elements differently. `to_r4` gives a resource in R4's
shape; unknown elements are left unchanged. Nothing here judges a value.

Sources: the resource pages of FHIR DSTU2, STU3, R4 and R5, "R3 diff"/"R4 diff".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cds_service.fhir.values.elements import items, part, status_words, text

Resource = dict[str, object]

R4_TYPES: Mapping[str, str] = {
    "MedicationOrder": "MedicationRequest",
    "MedicationUsage": "MedicationStatement",
    "ProcedureRequest": "ServiceRequest",
    "DiagnosticOrder": "ServiceRequest",
    "DiagnosticRequest": "ServiceRequest",
    "ReferralRequest": "ServiceRequest",
    "DeviceUseRequest": "DeviceRequest",
}
"""Names of resource types in other versions, with their names in R4."""
_BY_LETTERS = {
    name.lower(): name
    for name in (
        *R4_TYPES, *R4_TYPES.values(), "AllergyIntolerance", "Bundle", "CommunicationRequest",
        "Condition", "DiagnosticReport", "Encounter", "Medication", "MedicationAdministration",
        "MedicationDispense", "MedicationStatement", "NutritionOrder", "Observation",
        "OperationOutcome", "Patient", "Substance", "SupplyRequest", "VisionPrescription",
    )
}  # fmt: skip


def type_of(stated: str) -> str:
    """The name of a known resource type in FHIR's capitals; any other unchanged."""
    return _BY_LETTERS.get(stated.strip().lower(), stated)


def may_be_a_type(name: str) -> bool:
    """Whether a name may be that of a resource type, even of one that is not read."""
    return name.isascii() and name.isalpha() and name[0].isupper()


def r4_type(stated: str) -> str:
    """The name of a resource type in R4."""
    name = type_of(stated)
    return R4_TYPES.get(name, name)


# R5 MedicationStatement.adherence.code, and the status of R4 with the same meaning.
_ADHERENCE = {
    "not-taking": "not-taken",
    "not-taking-as-directed": "not-taken",
    "on-hold": "on-hold",
    "on-hold-as-directed": "on-hold",
    "stopped": "stopped",
    "stopped-as-directed": "stopped",
    "unknown": "unknown",
}
# DSTU2 ProcedureRequest, DiagnosticOrder and ReferralRequest.
_ORDER_STATUS = {
    "proposed": "draft",
    "planned": "draft",
    "requested": "active",
    "received": "active",
    "accepted": "active",
    "in-progress": "active",
    "review": "active",
    "suspended": "on-hold",
    "rejected": "revoked",
    "aborted": "revoked",
    "failed": "revoked",
    "cancelled": "revoked",
}
_ANY = (
    "resourceType id meta implicitRules language text contained extension modifierExtension "
    "identifier subject encounter category note"
)
R4_NAMES: Mapping[str, frozenset[str]] = {
    "Condition": frozenset(
        f"{_ANY} clinicalStatus verificationStatus severity code bodySite onsetDateTime "
        "onsetAge onsetPeriod onsetRange onsetString abatementDateTime abatementAge "
        "abatementPeriod abatementRange abatementString recordedDate recorder asserter stage "
        "evidence".split()
    ),
    "MedicationRequest": frozenset(
        f"{_ANY} status statusReason intent priority doNotPerform reportedBoolean "
        "reportedReference medicationCodeableConcept medicationReference supportingInformation "
        "authoredOn requester performer performerType recorder reasonCode reasonReference "
        "instantiatesCanonical instantiatesUri basedOn groupIdentifier courseOfTherapyType "
        "insurance dosageInstruction dispenseRequest substitution priorPrescription "
        "detectedIssue eventHistory".split()
    ),
}
"""The elements of R4 resources: a resource without other elements needs no conversion."""

_ALLERGY_VERIFICATION = {"unconfirmed", "confirmed", "refuted", "entered-in-error"}


def to_r4(resource: Mapping[str, object]) -> Resource:
    """The resource in R4's shape; the original is not changed."""
    converted = dict(resource)
    converted["resourceType"] = kind = r4_type(text(converted.get("resourceType")))
    translate = _TRANSLATORS.get(kind)
    if translate is not None:
        if "subject" not in converted and "patient" in converted and kind != "AllergyIntolerance":
            converted["subject"] = converted["patient"]
        translate(converted)
    return converted


def _fill_from(resource: Resource, new: str, *old: str) -> None:
    for name in old:
        if resource.get(new) is None and resource.get(name) is not None:
            resource[new] = resource[name]


def _reasons(resource: Resource) -> None:
    """`reason` of R5 (CodeableReference) and DSTU2 (CodeableConcept, or reason[x])."""
    codes = items(resource.get("reasonCode"))
    references = items(resource.get("reasonReference"))
    for stated in (
        *items(resource.get("reason")),
        *items(resource.get("reasonCodeableConcept")),
        *items(resource.get("reasonForUseCodeableConcept")),
        *items(resource.get("reasonForUseReference")),
        *items(resource.get("indication")),
    ):
        inner = items(part(stated, "value")) or [stated]
        for reason in inner:
            concept, target = part(reason, "concept"), part(reason, "reference")
            if concept is not None:
                codes.append(concept)
            if isinstance(target, dict):
                references.append(target)
            elif isinstance(target, str):
                references.append(reason)
            elif concept is None:
                codes.append(reason)
    resource["reasonCode"] = codes
    resource["reasonReference"] = references


def dosage_to_r4(value: object) -> object:
    """A dosage instruction in R4's shape."""
    if not isinstance(value, dict):
        return value
    dosage = dict(value)
    _fill_from(dosage, "doseQuantity", "quantityQuantity", "quantity")
    _fill_from(dosage, "doseRange", "quantityRange")
    if dosage.get("doseAndRate") is None:
        doses = {key: dosage[key] for key in ("doseQuantity", "doseRange") if key in dosage}
        if doses:
            dosage["doseAndRate"] = [doses]
    if dosage.get("asNeeded") is True or dosage.get("asNeededFor") is not None:
        dosage["asNeededBoolean"] = True
    repeat = part(dosage, "timing", "repeat")
    if isinstance(repeat, dict) and "periodUnits" in repeat and "periodUnit" not in repeat:
        timing = dict(dosage["timing"])
        timing["repeat"] = repeat | {"periodUnit": repeat["periodUnits"]}
        dosage["timing"] = timing
    return dosage


def _medication_of(resource: Resource) -> None:
    """`medication` of R5 (CodeableReference), or a bare CodeableConcept or Reference."""
    value = resource.get("medication")
    if value is None:
        return
    concept, target = part(value, "concept"), part(value, "reference")
    if isinstance(target, dict):
        resource.setdefault("medicationReference", target)
    elif isinstance(target, str):
        resource.setdefault("medicationReference", value)
    if concept is not None:
        resource.setdefault("medicationCodeableConcept", concept)
    elif target is None:
        resource.setdefault("medicationCodeableConcept", value)


def _medication_request(resource: Resource) -> None:
    _medication_of(resource)
    _reasons(resource)
    _fill_from(resource, "authoredOn", "dateWritten")
    resource["dosageInstruction"] = [
        dosage_to_r4(dosage) for dosage in items(resource.get("dosageInstruction"))
    ]


def _medication_statement(resource: Resource) -> None:
    _medication_of(resource)
    _reasons(resource)
    resource["dosage"] = [dosage_to_r4(dosage) for dosage in items(resource.get("dosage"))]
    if resource.get("wasNotTaken") is True or status_words(resource.get("taken")) == ("n",):
        resource["status"] = "not-taken"
    statuses = status_words(resource.get("status"))
    if "recorded" in statuses:
        resource["status"] = "active"
        for word in status_words(part(resource, "adherence", "code")):
            if word in _ADHERENCE:
                resource["status"] = _ADHERENCE[word]
                break


def _medication(resource: Resource) -> None:
    ingredients = items(resource.get("ingredient")) or items(
        part(resource, "product", "ingredient")
    )
    shaped = []
    for stated in ingredients:
        if not isinstance(stated, dict):
            continue
        ingredient = dict(stated)
        item = ingredient.get("item")
        if isinstance(item, dict):
            if "concept" in item or "reference" in item:
                ingredient.setdefault("itemCodeableConcept", item.get("concept"))
                ingredient.setdefault("itemReference", item.get("reference"))
                if isinstance(item.get("reference"), str):
                    ingredient["itemReference"] = item
            else:
                ingredient.setdefault("itemCodeableConcept", item)
        _fill_from(ingredient, "strength", "strengthRatio", "amount")
        if ingredient.get("strength") is None and ingredient.get("strengthQuantity") is not None:
            ingredient["strength"] = {"numerator": ingredient["strengthQuantity"]}
        shaped.append(ingredient)
    resource["ingredient"] = shaped
    _fill_from(resource, "form", "doseForm")
    if resource.get("form") is None and part(resource, "product", "form") is not None:
        resource["form"] = part(resource, "product", "form")


def _condition(resource: Resource) -> None:
    _fill_from(resource, "recordedDate", "assertedDate", "dateRecorded")


def _service_request(resource: Resource) -> None:
    _reasons(resource)
    _fill_from(resource, "authoredOn", "orderedOn", "date", "dateSent")
    if part(resource.get("code"), "concept") is not None:
        resource["code"] = part(resource.get("code"), "concept")
    if resource.get("code") is None:
        codes = [part(item, "code") for item in items(resource.get("item"))]
        codes += [*items(resource.get("serviceRequested")), *items(resource.get("type"))]
        resource["code"] = [code for code in codes if code is not None]
    for word in status_words(resource.get("status")):
        if word in _ORDER_STATUS:
            resource["status"] = _ORDER_STATUS[word]


def _encounter(resource: Resource) -> None:
    _reasons(resource)


def _allergy(resource: Resource) -> None:
    _fill_from(resource, "subject", "patient")
    _fill_from(resource, "code", "substance")
    status = status_words(resource.get("status"))
    if (
        status
        and resource.get("clinicalStatus") is None
        and resource.get("verificationStatus") is None
    ):
        verifying = status[0] in _ALLERGY_VERIFICATION
        resource["verificationStatus" if verifying else "clinicalStatus"] = status[0]


_TRANSLATORS: Mapping[str, Callable[[Resource], None]] = {
    "MedicationRequest": _medication_request,
    "MedicationStatement": _medication_statement,
    "Medication": _medication,
    "Condition": _condition,
    "ServiceRequest": _service_request,
    "Encounter": _encounter,
    "AllergyIntolerance": _allergy,
}
