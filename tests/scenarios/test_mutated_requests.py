"""Valid requests, damaged at random: never a 5xx, always JSON, always a well-formed answer."""

from __future__ import annotations

import copy
import json
import os
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from cds_service.answer.checking import flaws
from cds_service.engine.run import FAILED
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FOLDERS, rules, scenario
from tests.scenarios.running import Running
from tests.testing.damage import ODD, damaged, damaged_bytes
from tests.testing.strategies import JSON
from tests.testing.thorough import examples

EXAMPLES = int(os.environ.get("CDS_TEST_EXAMPLES", examples(250)))
BASES = (
    "elderly-polypharmacy",
    "cirrhosis-on-diuretic",
    "anaemia-on-quinine",
    "baclofen-ordered-dose",
    "potassium-ordered-hazard",
    "sandbox-5-reason-added",
    "sandbox-8-dstu2-draft",
)
LOUD = ("anaemia-on-quinine", "cirrhosis-on-diuretic", "severe-hypokalaemia", "claudication")
REQUESTS = {folder.name: scenario(folder) for folder in FOLDERS if folder.name in {*BASES, *LOUD}}
ODDITIES = st.sampled_from(ODD) | JSON


def check(response: TestResponse) -> None:
    """Check that the answer is well formed, whatever was sent."""
    assert response.status_code < 500, response.text
    assert FAILED not in response.text
    body = json.loads(response.data)
    if response.status_code == 200:
        assert flaws(body) == []
        return
    assert body["resourceType"] == "OperationOutcome"
    assert body["issue"][0]["severity"] in ("error", "fatal")
    assert body["issue"][0]["diagnostics"] or body["issue"][0]["details"]


@pytest.fixture(scope="module")
def running(service: Service) -> Running:
    return service(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CDS_TEST_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SETTINGS
@given(
    name=st.sampled_from(BASES),
    seed=st.integers(0, 2**32),
    changes=st.integers(1, 4),
)
@example(name="cirrhosis-on-diuretic", seed=0, changes=0)
def test_a_damaged_request_gets_a_well_formed_answer(
    running: Running, name: str, seed: int, changes: int
) -> None:
    request, path = REQUESTS[name].request, REQUESTS[name].path
    damage, _ = damaged(Random(seed), request, changes)
    check(running.client.post(path, data=json.dumps(damage), content_type="application/json"))


@SETTINGS
@given(
    name=st.sampled_from(BASES),
    seed=st.integers(0, 2**32),
)
def test_a_damaged_body_gets_a_well_formed_answer(running: Running, name: str, seed: int) -> None:
    text = json.dumps(REQUESTS[name].request, ensure_ascii=False).encode()
    damage, _ = damaged_bytes(Random(seed), text)
    check(running.client.post(REQUESTS[name].path, data=damage, content_type="application/json"))


@SETTINGS
@given(
    name=st.sampled_from(LOUD),
    key=st.sampled_from(("results", "conditions", "medicationRequests", "allergies", "orders")),
    place=st.integers(0, 5),
    entry=ODDITIES | st.fixed_dictionaries({"resource": ODDITIES}),
)
def test_a_bad_entry_suppresses_no_card(
    running: Running, name: str, key: str, place: int, entry: Any
) -> None:
    example = REQUESTS[name]
    request = copy.deepcopy(example.request)
    request["prefetch"][key].setdefault("entry", []).insert(place, entry)
    response = running.client.post(example.path, json=request)
    check(response)
    assert response.status_code == 200, response.text
    expected = [card["rule"] for card in example.expected["cards"]]
    found = rules(response.get_json()["cards"])
    assert [rule for rule in found if rule != "data-not-usable"] == expected


def test_the_damage_reaches_every_part_of_a_request() -> None:
    request = REQUESTS["cirrhosis-on-diuretic"].request
    made = [damaged(Random(seed), request, 1) for seed in range(3_000)]
    changed = {name for tree, (name,) in made if tree != request}
    assert {"drop", "replace", "duplicate", "deepen", "type", "exchange"} <= changed
    assert any("patientId" not in tree.get("context", {}) for tree, _ in made)
    values = json.dumps(request).count("valueQuantity")
    assert any(json.dumps(tree).count("valueQuantity") < values for tree, _ in made)
