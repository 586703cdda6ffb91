"""Full FHIR R4B models, for the resources that cards cite and offer.

The only module that imports ``fhir.resources``. The import costs more than a call, so it is done
once, when the first model is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def refusal(raw: bytes) -> str:
    """Why the full R4B model rejects a resource; "" where it accepts it.

    ``raw`` is the resource's JSON. The reason names the element and the kind of error, never
    the value. It takes about 120 µs.
    """
    from pydantic import ValidationError

    resource_type = _type_of(raw)
    model = _model(resource_type)
    if model is None:
        return f"{resource_type or 'it'} is not a resource type of R4B"
    try:
        model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function"))
        return f"{resource_type}.{place}: {first['type']}"
    except (ValueError, TypeError, RecursionError, ArithmeticError) as error:
        return f"{resource_type}: {type(error).__name__}"
    return ""


def check_offer(resource: dict[str, Any]) -> None:
    """Raise ValueError for a resource that its full model rejects, which no EHR should get."""
    model = _model(resource["resourceType"])
    if model is None:
        raise ValueError(f"{resource['resourceType']} cannot be offered")
    model.model_validate(resource)


def _type_of(raw: bytes) -> str:
    import msgspec

    try:
        peeked = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return str(msgspec.json.decode(peeked["resourceType"], type=str))
    except (msgspec.MsgspecError, KeyError, RecursionError):
        return ""


@lru_cache(maxsize=256)
def _model(resource_type: str) -> Any:
    from importlib import import_module

    if not resource_type.isalpha() or not resource_type.isascii():
        return None
    try:
        module = import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    except ImportError:
        return None
    return getattr(module, resource_type, None)


def warm() -> None:
    """Load the models that cards cite and offer before the first call needs them.

    A process that forks workers does it for all of them, so that they share the memory.
    """
    for resource_type in (
        "Observation",
        "Condition",
        "MedicationRequest",
        "MedicationStatement",
        "ServiceRequest",
        "AllergyIntolerance",
        "Patient",
    ):
        # The first validation takes longer than the import.
        refusal(b'{"resourceType":"%b"}' % resource_type.encode())


def draft_order(
    kind: str,
    concept: Mapping[str, Any],
    subject: str,
    authored: str,
    *,
    encounter: str | None,
    requester: str | None,
    dosage: str = "",
) -> dict[str, Any]:
    """A draft ``ServiceRequest`` or ``MedicationRequest`` with intent proposal.

    ``concept`` is a CodeableConcept. References are relative (``Patient/1``); ``authored`` is an
    ISO instant. An encounter or requester that the call does not have is left out.
    """
    resource: dict[str, Any] = {
        "resourceType": kind,
        "status": "draft",
        "intent": "proposal",
        "medicationCodeableConcept" if kind == "MedicationRequest" else "code": dict(concept),
        "subject": {"reference": subject},
        "authoredOn": authored,
    }
    if encounter:
        resource["encounter"] = {"reference": encounter}
    if requester:
        resource["requester"] = {"reference": requester}
    if dosage:
        resource["dosageInstruction"] = [{"text": dosage}]
    return resource
