"""The peer: a CDS service written with HealthChain, in HealthChain's own environment.

    .bench/healthchain/bin/python bench/peer.py PORT WORKERS

It looks for a low magnesium among the results as they came, and validates nothing: the least
that a service written with it could do. Not importable from here: its packages are not ours.
"""

from __future__ import annotations

import sys

import uvicorn
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsresponse import Card, CDSResponse

MAGNESIUM = "19123-9"

cds = CDSHooksService()


@cds.hook("patient-view", id="peer")
def low_magnesium(request: CDSRequest) -> CDSResponse:
    """A card where the newest magnesium is below 1.7 mg/dL."""
    entries = ((request.prefetch or {}).get("results") or {}).get("entry") or []
    found = [
        (one["effectiveDateTime"], one["valueQuantity"]["value"])
        for one in (entry["resource"] for entry in entries)
        if any(coding.get("code") == MAGNESIUM for coding in one["code"]["coding"])
    ]
    if not found or max(found)[1] >= 1.7:
        return CDSResponse(cards=[])
    card = Card(
        summary="Low magnesium",
        indicator="warning",
        source={"label": "bench"},
        detail=f"{max(found)[1]} mg/dL",
    )
    return CDSResponse(cards=[card])


app = HealthChainAPI(title="bench")
app.register_service(cds)


if __name__ == "__main__":
    uvicorn.run(
        "peer:app",
        app_dir=__file__.rpartition("/")[0],
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        log_level="error",
        access_log=False,
    )
