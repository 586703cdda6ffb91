"""The peer: a CDS service written with HealthChain, in HealthChain's own environment.

Two services for ``patient-view`` give the same two cards (a low magnesium, quinine prescribed).
``/cds/cds-services/fhir`` reads as HealthChain documents it: `CdsFhirAdapter` makes validated FHIR
resources of every prefetch key. ``/plain/cds-services/plain`` reads the dicts as they came, as
the project that ``healthchain new`` makes suggests: one odd entry, and there are no cards. Served
faster than by ``healthchain serve``: uvloop, httptools, as many processes as asked for.
Not importable from here: its packages are not ours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from healthchain.fhir import get_resources
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.io import CdsFhirAdapter
from healthchain.models import Card, CDSRequest, CDSResponse

MAGNESIUM, QUININE, LOW = "19123-9", "198186", 1.7
FINAL = {"final", "amended", "corrected"}

# The adapter would warn at each call that there is no document.
logging.getLogger("healthchain").setLevel(logging.ERROR)
adapter = CdsFhirAdapter()
fhir = CDSHooksService()
plain = CDSHooksService(CDSHooksConfig(base_path="/plain"))


def cards_of(magnesium: Iterable[tuple[datetime, float, str | None]], quinine: bool) -> list[Card]:
    """The cards of both services, from dates, values, UCUM codes."""
    texts = []
    day, value, unit = max(magnesium, default=(None, LOW, None))
    if day is not None and unit == "mg/dL" and value < LOW:
        texts.append(("Low magnesium", f"{value} {unit} on {day:%Y-%m-%d}"))
    if quinine:
        texts.append(("Quinine among the prescriptions", "Its harm outweighs its benefit."))
    source = {"label": "bench"}
    return [
        Card(summary=summary, indicator="warning", source=source, detail=detail)
        for summary, detail in texts
    ]


@fhir.hook("patient-view", id="fhir")
def from_resources(request: CDSRequest) -> CDSResponse:
    """Reads validated FHIR resources."""
    document = adapter.parse(request)

    def resources(key: str, kind: str) -> Iterable:
        return get_resources(document.fhir.get_prefetch_resources(key), kind)

    def coded(concept, code: str) -> bool:
        return any(coding.code == code for coding in concept.coding or ())

    magnesium = [
        (each.effectiveDateTime, float(each.valueQuantity.value), each.valueQuantity.code)
        for each in resources("results", "Observation")
        if each.status in FINAL and each.valueQuantity is not None and coded(each.code, MAGNESIUM)
    ]
    quinine = any(
        each.status == "active" and coded(each.medicationCodeableConcept, QUININE)
        for each in resources("medicationRequests", "MedicationRequest")
    )
    if cards := cards_of(magnesium, quinine):  # the document refuses an empty list
        document.cds.cards = cards
    return adapter.format(document)


@plain.hook("patient-view", id="plain")
def from_dicts(request: CDSRequest) -> CDSResponse:
    """Reads the dicts as they came, with no model."""

    def resources(key: str) -> Iterable[dict]:
        return (entry["resource"] for entry in request.prefetch.get(key, {}).get("entry", ()))

    def coded(concept: dict, code: str) -> bool:
        return any(coding["code"] == code for coding in concept.get("coding", ()))

    results = (
        (datetime.fromisoformat(each["effectiveDateTime"]), each["valueQuantity"])
        for each in resources("results")
        if each["status"] in FINAL and coded(each["code"], MAGNESIUM)
    )
    quinine = any(
        each["status"] == "active" and coded(each["medicationCodeableConcept"], QUININE)
        for each in resources("medicationRequests")
    )
    magnesium = ((day, value["value"], value.get("code")) for day, value in results)
    return CDSResponse(cards=cards_of(magnesium, quinine))


app = HealthChainAPI(title="bench")
app.register_service(fhir)
app.register_service(plain, path="/plain")
