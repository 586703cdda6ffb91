"""The peer: a CDS service written with HealthChain, in HealthChain's own environment.

    .bench/healthchain/bin/python tools/bench/peer.py PORT WORKERS [h11]

Two services for ``patient-view``, which give the same cards and differ in how they read:

- ``/cds/cds-services/fhir`` reads the prefetch the way HealthChain documents for FHIR data:
  ``CdsFhirAdapter.parse`` makes validated FHIR R4B resources (fhir.resources) of every prefetch
  key, the hook looks at ``Document.fhir.get_prefetch_resources``, and ``CdsFhirAdapter.format``
  writes the answer. This is what compares with a service that reads FHIR.
- ``/plain/cds-services/plain`` reads ``request.prefetch`` as it came, as the project that
  ``healthchain new`` makes suggests. Nothing in it is validated, so one odd entry ends in an
  answer without cards. This is the least that a service written with HealthChain can do.

Both look for two of the eight things that our service has cards for: a newest final magnesium
below 1.7 mg/dL, and quinine among the active prescriptions. Six rules, missing data, units,
evidence, traces and metrics are not in it: the comparison flatters the peer.

HealthChain itself checks the envelope (its model ``CDSRequest``) and the answer, and no more.

By default it is served faster than ``pip install healthchain`` and ``healthchain serve`` do: by
uvloop and httptools, in as many processes as asked for. With ``h11`` it is served as they do, by
the parts of uvicorn that come without extras. Logging below errors is off: the adapter would
warn at each call that there is no document.

Not importable from here: its packages are not ours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import uvicorn
from healthchain.fhir import get_resources
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.io import CdsFhirAdapter, Document
from healthchain.models import Card, CDSRequest, CDSResponse

MAGNESIUM = "19123-9"
QUININE = "198186"
LOW = 1.7
FINAL = {"final", "amended", "corrected"}

logging.getLogger("healthchain").setLevel(logging.ERROR)


class Result(NamedTuple):
    """A numeric laboratory result; ``unit`` is the UCUM code."""

    taken: datetime
    value: float
    unit: str | None


def cards_of(magnesium: Iterable[Result], quinine: bool) -> list[Card]:
    """The cards of both services."""
    cards = []
    newest = max(magnesium, default=None)
    if newest is not None and newest.unit == "mg/dL" and newest.value < LOW:
        cards.append(
            Card(
                summary="Low magnesium",
                indicator="warning",
                source={"label": "bench"},
                detail=f"{newest.value} {newest.unit} on {newest.taken:%Y-%m-%d}",
            )
        )
    if quinine:
        cards.append(
            Card(
                summary="Quinine among the prescriptions",
                indicator="warning",
                source={"label": "bench"},
                detail="Not for leg cramps: its harm outweighs its benefit.",
            )
        )
    return cards


adapter = CdsFhirAdapter()
fhir = CDSHooksService()


@fhir.hook("patient-view", id="fhir")
def from_resources(request: CDSRequest) -> CDSResponse:
    """Reads validated FHIR resources."""
    document = adapter.parse(request)
    if cards := cards_of(*_read(document)):  # the document refuses an empty list
        document.cds.cards = cards
    return adapter.format(document)


def _read(document: Document) -> tuple[list[Result], bool]:
    results = document.fhir.get_prefetch_resources("results")
    magnesium = [
        Result(one.effectiveDateTime, float(one.valueQuantity.value), one.valueQuantity.code)
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
    return magnesium, quinine


plain = CDSHooksService(CDSHooksConfig(base_path="/plain"))


@plain.hook("patient-view", id="plain")
def from_dicts(request: CDSRequest) -> CDSResponse:
    """Reads what came, unseen by any model."""
    prefetch = request.prefetch or {}

    def resources(key: str) -> Iterable[dict]:
        return (entry["resource"] for entry in prefetch.get(key, {}).get("entry", ()))

    magnesium = [
        Result(
            datetime.fromisoformat(one["effectiveDateTime"]),
            one["valueQuantity"]["value"],
            one["valueQuantity"].get("code"),
        )
        for one in resources("results")
        if one["status"] in FINAL
        and any(coding["code"] == MAGNESIUM for coding in one["code"].get("coding", ()))
    ]
    quinine = any(
        one["status"] == "active"
        and any(
            coding["code"] == QUININE
            for coding in one["medicationCodeableConcept"].get("coding", ())
        )
        for one in resources("medicationRequests")
    )
    return CDSResponse(cards=cards_of(magnesium, quinine))


app = HealthChainAPI(title="bench")
app.register_service(fhir)
app.register_service(plain, path="/plain")


if __name__ == "__main__":
    served = {"http": "h11", "loop": "asyncio"} if "h11" in sys.argv else {}
    uvicorn.run(
        "peer:app",
        app_dir=__file__.rpartition("/")[0],
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        log_level="error",
        access_log=False,
        **served,
    )
