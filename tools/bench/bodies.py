"""Synthetic calls: one made-up patient whose record grows with the number of results.

Her record is made from ``patient.json``. Each Observation weighs about 1.4 kB, as laboratory
systems send them; the results are a mixed panel, most of it read by some rule, in draws spread
over years, newest first.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.testing import fhir
from tools.faults.calls import SELECT, VIEW

_PARTS: dict[str, Any] = json.loads(Path(__file__).with_name("patient.json").read_bytes())
PATIENT: str = _PARTS["patient"]["id"]
_DAYS_BETWEEN_DRAWS = 17
CARDS, NONE, ORDERS = "eight cards", "no card", "order-select"


def patient_view(results: int, *, cards: bool = True, now: datetime | None = None) -> bytes:
    """A ``patient-view`` call with so many results; ``cards=False``: the patient gets none."""
    return _encoded("patient-view", prefetch(results, cards=cards, now=now))


def order_select(results: int, *, now: datetime | None = None) -> bytes:
    """An ``order-select`` call: the prefetch of `patient_view`, and five drafts just picked."""
    moment = now or _now()
    drafts = [_medication(90 + n, *drug, moment) for n, drug in enumerate(_PARTS["drafts"])]
    for code, name, *_ in _PARTS["panel"][:2]:
        drafts.append(fhir.order(name, (fhir.LOINC, code), id=f"order-{code}", of=PATIENT))
    drafts = [draft | {"status": "draft", "authoredOn": moment.isoformat()} for draft in drafts]
    return _encoded("order-select", prefetch(results, now=moment), context=fhir.drafted(*drafts))


def of(kind: str, results: int) -> tuple[str, bytes]:
    """Address and body of ``eight cards``, ``no card`` or ``order-select`` with so many results."""
    if kind == ORDERS:
        return SELECT, order_select(results)
    return VIEW, patient_view(results, cards=kind == CARDS)


def prefetch(results: int, *, cards: bool = True, now: datetime | None = None) -> dict[str, Any]:
    """The patient's record by prefetch key."""
    moment, kind = now or _now(), "with cards" if cards else "without"
    resources = [_observation(n, cards, moment) for n in range(results)]
    for n, (name, code) in enumerate(_PARTS[f"conditions {kind}"]):
        day = (moment - timedelta(days=400 + n)).date().isoformat()
        resources.append(fhir.condition(id=f"problem-{n}", of=PATIENT, recordedDate=day,
                                   code=_concept(name, fhir.ICD10, code)))  # fmt: skip
    for n, (name, code) in enumerate(_PARTS[f"medications {kind}"]):
        resources.append(_medication(n, name, code, moment))
    person = _PARTS["patient"] | {"birthDate": f"{moment.year - 64}-04-12"}
    record = fhir.prefetched(person, *resources)
    for bundle in list(record.values())[1:]:
        bundle["total"] = len(bundle["entry"])
        for entry in bundle["entry"]:
            resource = entry["resource"]
            entry["fullUrl"] = (
                f"https://ehr.example/fhir/{resource['resourceType']}/{resource['id']}"
            )
            entry["search"] = {"mode": "match"}
    return record


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _encoded(hook: str, data: dict[str, Any], **fields: Any) -> bytes:
    call = fhir.call(hook, data, of=PATIENT, **fields)
    return json.dumps(call, separators=(",", ":")).encode()


def _concept(name: str, system: str, code: str) -> dict[str, Any]:
    return fhir.concept(name, *[(system, code)] if code else [], display=name)


def _observation(number: int, cards: bool, now: datetime) -> dict[str, Any]:
    draw, position = divmod(number, len(_PARTS["panel"]))
    code, name, with_cards, without, unit, low, high = _PARTS["panel"][position]
    drawn_at = now - timedelta(days=2 + _DAYS_BETWEEN_DRAWS * draw, minutes=position)
    released = (drawn_at + timedelta(hours=2)).isoformat()
    # Older values differ a little, so that no two results are the same.
    value = round((with_cards if cards else without) * (1 + 0.002 * (draw % 7)), 2)
    limits = {"low": fhir.quantity(low, unit), "high": fhir.quantity(high, unit)}
    template = _PARTS["observation"]
    return fhir.lab(code, value, unit, drawn_at.isoformat()) | template | {
        "id": f"lab-{number}",
        "meta": template["meta"] | {"lastUpdated": released},
        "identifier": [template["identifier"][0] | {"value": f"R-{number:07d}"}],
        "code": _concept(name, fhir.LOINC, code),
        "encounter": {"reference": f"Encounter/draw-{draw}"},
        "issued": released,
        "referenceRange": [limits | {"text": f"{low} to {high} {unit}"}],
    }  # fmt: skip


def _medication(number: int, name: str, code: str, now: datetime) -> dict[str, Any]:
    day = (now - timedelta(days=60 + number)).date().isoformat()
    concept = _concept(name, fhir.RXNORM, code)
    return fhir.prescription(name, of=PATIENT, id=f"prescription-{number}", authoredOn=day,
                             medicationCodeableConcept=concept, **_PARTS["medication"])  # fmt: skip
