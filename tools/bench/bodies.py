"""Synthetic calls: one made-up patient whose record grows with the number of results.

What she is made of is in ``patient.json``. Each Observation weighs about 1.4 kB, as laboratory
systems send them; the results are a mixed panel, most of it read by some rule, in draws spread
over years, newest first.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_PARTS: dict[str, Any] = json.loads(Path(__file__).with_name("patient.json").read_bytes())
PATIENT: str = _PARTS["patient"]["id"]
_DAYS_BETWEEN_DRAWS = 17
_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def patient_view(results: int, *, cards: bool = True, now: datetime | None = None) -> bytes:
    """A ``patient-view`` call with so many results; ``cards=False``: a patient without any."""
    return _encoded(_call(prefetch(results, cards=cards, now=now)))


def order_select(results: int, *, now: datetime | None = None) -> bytes:
    """An ``order-select`` call: the prefetch of `patient_view`, and five drafts just picked."""
    moment = _moment(now)
    drafts = [_medication(90 + n, *one, moment) for n, one in enumerate(_PARTS["drafts"])]
    for code, name, *_ in _PARTS["panel"][:2]:
        order = {"resourceType": "ServiceRequest", "id": f"order-{code}", "intent": "order"}
        about = {"subject": {"reference": f"Patient/{PATIENT}"}}
        drafts.append(order | about | {"code": _concept(_LOINC, code, name)})
    for one in drafts:
        one |= {"status": "draft", "authoredOn": moment.isoformat()}
    call = _call(prefetch(results, now=moment)) | {"hook": "order-select"}
    call["context"]["selections"] = [f"{one['resourceType']}/{one['id']}" for one in drafts]
    call["context"]["draftOrders"] = _bundle(drafts)
    return _encoded(call)


def without_prefetch(fhir_server: str) -> bytes:
    """A ``patient-view`` call that brings nothing but the address of a FHIR server."""
    call = _call({}) | {"fhirServer": fhir_server}
    del call["prefetch"]
    return _encoded(call)


def hostile() -> dict[str, bytes]:
    """Calls that are meant to hurt, by what is wrong with them."""
    plain, inside = _encoded(_call(prefetch(10))), b'"prefetch":{'
    more = {
        "a note of 15 MB": b'"note":"' + b"a" * 15_000_000 + b'"',
        "a million levels deep": b'"deep":' + b"[" * 1_000_000 + b"]" * 1_000_000,
        "two million empty objects": b'"many":[' + b"{}," * 2_000_000 + b"{}]",
        "a number of a million digits": b'"number":' + b"9" * 1_000_000,
        "300,000 keys": b"".join(b'"k%d":null,' % n for n in range(300_000))[:-1],
    }
    return {name: plain.replace(inside, inside + one + b",", 1) for name, one in more.items()}


def prefetch(results: int, *, cards: bool = True, now: datetime | None = None) -> dict[str, Any]:
    """The patient's record by prefetch key."""
    moment, kind = _moment(now), "with cards" if cards else "without"
    conditions, medications = _PARTS[f"conditions {kind}"], _PARTS[f"medications {kind}"]
    return {
        "patient": _PARTS["patient"] | {"birthDate": f"{moment.year - 64}-04-12"},
        "results": _bundle([_observation(n, cards, moment) for n in range(results)]),
        "conditions": _bundle([_condition(n, *one, moment) for n, one in enumerate(conditions)]),
        "medicationRequests": _bundle(
            [_medication(n, *one, moment) for n, one in enumerate(medications)]
        ),
        **{key: _bundle([]) for key in ("medicationStatements", "allergies", "orders")},
    }


def _moment(now: datetime | None) -> datetime:
    return now or datetime.now(UTC).replace(microsecond=0)


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _call(data: dict[str, Any]) -> dict[str, Any]:
    return _PARTS["call"] | {"context": dict(_PARTS["call"]["context"]), "prefetch": data}


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    base = "https://ehr.example/fhir"
    entries = [
        {
            "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
            "resource": one,
            "search": {"mode": "match"},
        }
        for one in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    return bundle | ({"entry": entries} if entries else {})


def _concept(system: str, code: str, name: str) -> dict[str, Any]:
    coding = {"coding": [{"system": system, "code": code, "display": name}]} if code else {}
    return coding | {"text": name}


def _observation(number: int, cards: bool, now: datetime) -> dict[str, Any]:
    draw, position = divmod(number, len(_PARTS["panel"]))
    code, name, with_cards, without, unit, low, high = _PARTS["panel"][position]
    taken = now - timedelta(days=2 + _DAYS_BETWEEN_DRAWS * draw, minutes=position)
    released = (taken + timedelta(hours=2)).isoformat()

    def quantity(value: float) -> dict[str, Any]:
        return {"value": value, "unit": unit, "system": _UCUM, "code": unit}

    # Older values differ a little, so that no two results are the same.
    value = round((with_cards if cards else without) * (1 + 0.002 * (draw % 7)), 2)
    normal = {"low": quantity(low), "high": quantity(high), "text": f"{low} to {high} {unit}"}
    template = _PARTS["observation"]
    return template | {
        "id": f"lab-{number}",
        "meta": template["meta"] | {"lastUpdated": released},
        "identifier": [template["identifier"][0] | {"value": f"R-{number:07d}"}],
        "code": _concept(_LOINC, code, name),
        "encounter": {"reference": f"Encounter/draw-{draw}"},
        "effectiveDateTime": taken.isoformat(),
        "issued": released,
        "valueQuantity": quantity(value),
        "referenceRange": [normal],
    }


def _condition(number: int, name: str, code: str, now: datetime) -> dict[str, Any]:
    return _PARTS["condition"] | {
        "id": f"problem-{number}",
        "code": _concept(_ICD, code, name),
        "recordedDate": (now - timedelta(days=400 + number)).date().isoformat(),
    }


def _medication(number: int, name: str, code: str, now: datetime) -> dict[str, Any]:
    return _PARTS["medication"] | {
        "id": f"prescription-{number}",
        "medicationCodeableConcept": _concept(_RXNORM, code, name),
        "authoredOn": (now - timedelta(days=60 + number)).date().isoformat(),
    }
