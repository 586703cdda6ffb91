"""A Bundle split in one pass is read like one whose entries are read one by one."""

from __future__ import annotations

import json
import random
from typing import Any
from unittest.mock import patch

import msgspec

from cds_service.core.facts import Kind
from cds_service.errors import TooLarge
from cds_service.fhir.intake import bundles
from cds_service.fhir.intake.bundles import Intake
from cds_service.sources import obtaining
from cds_service.sources.prefetch import PrefetchKey
from tests.testing.mutations import MUTATIONS

_RESOURCES: tuple[Any, ...] = (
    {"resourceType": "Condition", "id": "c1", "code": {"text": "leg cramps"}},
    {"resourceType": "Condition", "code": {"text": "without an id"}},
    {"resourceType": "MedicationRequest", "id": "m1", "status": "active"},
    {"resourceType": "MedicationOrder", "id": "m2"},
    {"resourceType": "ProcedureRequest", "id": "o1"},
    {"resourceType": "Medication", "id": "d1"},
    {"resourceType": "Observation", "id": "x", "status": "final"},
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]},
    {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]},
    {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition", "id": "i"}}]},
    {"resourceType": 7, "id": "c1"},
    {"resourceType": "Condition", "id": 7},
    {"resourceType": None},
    {"id": "no-type"},
    {"resource": {"resourceType": "Condition", "id": "wrapped"}},
    '{"resourceType": "Condition", "id": "text"}',
    None,
    [],
    3,
)
_URLS = (None, "", " urn:uuid:1 ", "https://f.example/Condition/c1", 7, ["x"])
_KINDS = (Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS, Kind.ORDERS, Kind.ALLERGIES)


def _bundle(chance: random.Random) -> Any:
    entries: list[Any] = []
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        usual = chance.random() < 0.8
        resource = chance.choice(_RESOURCES[:7] if usual else _RESOURCES)
        entry: dict[str, Any] = {"resource": resource}
        if chance.random() < 0.3:
            entry["fullUrl"] = chance.choice(_URLS[1:4] if usual else _URLS)
        entries.append(entry if chance.random() < 0.95 else chance.choice((None, {}, resource)))
    bundle: dict[str, Any] = {"resourceType": chance.choice(("Bundle",) * 9 + ("Bundle\n",))}
    if entries or chance.random() < 0.5:
        bundle["entry"] = entries or chance.choice(([], None))
    if chance.random() < 0.2:
        bundle["total"] = chance.choice((0, 1, 5, "5", "x", None, 2.0, []))
    if chance.random() < 0.2:
        bundle["link"] = chance.choice(([{"relation": "next"}], [{}], None, {}))
    if chance.random() < 0.1:
        bundle["issues"] = {"resourceType": "OperationOutcome"}
        bundle["more"] = chance.choice(_RESOURCES)
    return bundle


def _read(kind: Kind, raw: bytes) -> object:
    delivery = obtaining.read_key(PrefetchKey("key", kind, "", ""), msgspec.Raw(raw))
    intake = Intake({kind: delivery})
    entries = {
        name: [
            (entry.kind, bytes(entry.raw), entry.source, entry.full_url, entry.page)
            for entry in listed
        ]
        for name, listed in intake.by_type.items()
    }
    status = (delivery.state, delivery.reason, delivery.origin)
    return status, entries, intake.problems, intake.availability(), intake.entries


def test_a_page_split_in_one_pass_equals_its_entries_read_one_by_one() -> None:
    chance = random.Random(10)
    quick = 0
    for _ in range(MUTATIONS):
        kind, raw = chance.choice(_KINDS), json.dumps(_bundle(chance)).encode()
        with (
            patch.object(obtaining, "read_entries", lambda _: None),
            patch.object(bundles, "read_entries", lambda _: None),
        ):
            expected = _read(kind, raw)

        assert _read(kind, raw) == expected, raw
        quick += bundles.read_entries(raw) is not None
    assert MUTATIONS / 3 < quick < MUTATIONS * 0.9


def test_the_limit_of_entries_applies_to_pages_split_in_one_pass() -> None:
    entries = [{"resource": {"resourceType": "Condition"}}] * 3
    raw = json.dumps({"resourceType": "Bundle", "entry": entries}).encode()
    with patch.object(bundles, "MOST_ENTRIES", 2):
        try:
            _read(Kind.CONDITIONS, raw)
        except TooLarge as error:
            assert error.where == "prefetch.key"
        else:
            raise AssertionError("three entries were read")
