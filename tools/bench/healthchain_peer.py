"""The peer: a CDS service written with HealthChain, in HealthChain's own environment.

    .bench/healthchain/bin/python tools/bench/healthchain_peer.py PORT WORKERS

Two services for ``patient-view`` give the same two cards (a low magnesium, quinine prescribed).
``/cds/cds-services/fhir`` reads as HealthChain documents it: `CdsFhirAdapter` makes validated FHIR
resources of every prefetch key. ``/plain/cds-services/plain`` reads the dicts as they came, as
the project that ``healthchain new`` makes suggests: one odd entry ends in no cards. Served faster
than ``healthchain serve`` does it: uvloop, httptools, as many processes as asked for.
Not importable from here: its packages are not ours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import datetime

import uvicorn
from healthchain.fhir import get_resources
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.io import CdsFhirAdapter
from healthchain.models import Card, CDSRequest, CDSResponse

MAGNESIUM, QUININE, LOW = "19123-9", "198186", 1.7
FINAL = {"final", "amended", "corrected"}
Result = tuple[datetime, float, str | None]

# The adapter would warn at each call that there is no document.
logging.getLogger("healthchain").setLevel(logging.ERROR)


def cards_of(magnesium: Iterable[Result], quinine: bool) -> list[Card]:
    """The cards of both services, from dates, values, UCUM codes."""
    found = []
    taken, value, unit = max(magnesium, default=(None, LOW, None))
    if taken is not None and unit == "mg/dL" and value < LOW:
        found.append(("Low magnesium", f"{value} {unit} on {taken:%Y-%m-%d}"))
    if quinine:
        found.append(("Quinine among the prescriptions", "Its harm outweighs its benefit."))
    return [
        Card(summary=summary, indicator="warning", source={"label": "bench"}, detail=detail)
        for summary, detail in found
    ]


adapter = CdsFhirAdapter()
fhir = CDSHooksService()
plain = CDSHooksService(CDSHooksConfig(base_path="/plain"))


@fhir.hook("patient-view", id="fhir")
def from_resources(request: CDSRequest) -> CDSResponse:
    """Reads validated FHIR resources."""
    document = adapter.parse(request)
    results = document.fhir.get_prefetch_resources("results")
    magnesium = [
        (one.effectiveDateTime, float(one.valueQuantity.value), one.valueQuantity.code)
        for one in get_resources(results, "Observation")
        if one.status in FINAL
        and one.valueQuantity is not None
        and any(coding.code == MAGNESIUM for coding in one.code.coding or ())
    ]
    prescriptions = document.fhir.get_prefetch_resources("medicationRequests")
    quinine = any(
        one.status == "active"
        and any(coding.code == QUININE for coding in one.medicationCodeableConcept.coding or ())
        for one in get_resources(prescriptions, "MedicationRequest")
    )
    if cards := cards_of(magnesium, quinine):  # the document refuses an empty list
        document.cds.cards = cards
    return adapter.format(document)


@plain.hook("patient-view", id="plain")
def from_dicts(request: CDSRequest) -> CDSResponse:
    """Reads what came, unseen by any model."""

    def resources(key: str) -> Iterable[dict]:
        return (entry["resource"] for entry in request.prefetch.get(key, {}).get("entry", ()))

    def coded(concept: dict, code: str) -> bool:
        return any(coding["code"] == code for coding in concept.get("coding", ()))

    magnesium = [
        (
            datetime.fromisoformat(one["effectiveDateTime"]),
            one["valueQuantity"]["value"],
            one["valueQuantity"].get("code"),
        )
        for one in resources("results")
        if one["status"] in FINAL and coded(one["code"], MAGNESIUM)
    ]
    quinine = any(
        one["status"] == "active" and coded(one["medicationCodeableConcept"], QUININE)
        for one in resources("medicationRequests")
    )
    return CDSResponse(cards=cards_of(magnesium, quinine))


app = HealthChainAPI(title="bench")
app.register_service(fhir)
app.register_service(plain, path="/plain")


if __name__ == "__main__":
    uvicorn.run(
        "healthchain_peer:app",
        app_dir=__file__.rpartition("/")[0],
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        log_level="error",
        access_log=False,
    )
