"""Valid requests, damaged at random: never a 5xx, always JSON, always a right answer in form."""

from __future__ import annotations

import copy
import json
import os
from datetime import UTC, datetime
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

EXAMPLES = int(os.environ.get("CDS_TEST_EXAMPLES", "250"))
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
Path = tuple[str | int, ...]

WEIRD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**400,
        1e308,
        -1e-320,
        "",
        " ",
        "\x00",
        "\u202e\ud83d\ude00",
        "<img src=x onerror=alert(1)>",
        "9" * 5000,
        "Patient/" + "x" * 200,
        "2026-02-30",
        "0000-00-00T99:99:99Z",
        "9999-12-31T23:59:59+14:00",
        [],
        {},
        [[]],
        {"resourceType": "Bundle"},
        {"resourceType": "OperationOutcome", "issue": []},
        {"coding": [None, 1, {"code": {"deep": []}}]},
    ]
)
VALUES = WEIRD | st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANGES = st.sampled_from(["drop", "replace", "duplicate", "wrap", "deepen", "rename", "swap"])


def paths(node: Any, here: Path = ()) -> list[Path]:
    """The place of every node below the top."""
    found: list[Path] = []
    children = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, child in children:
        found.append((*here, key))
        found.extend(paths(child, (*here, key)))
    return found


def at(node: Any, path: Path) -> Any:
    for step in path:
        node = node[step]
    return node


def changed(request: dict[str, Any], change: str, place: int, value: Any) -> dict[str, Any]:
    """The request with one change somewhere; ``place`` picks where."""
    made = copy.deepcopy(request)
    known = paths(made)
    if not known:
        return made
    path = known[place % len(known)]
    parent, key = at(made, path[:-1]), path[-1]
    node = parent[key]
    if change == "drop":
        del parent[key]
    elif change == "replace":
        parent[key] = value
    elif change == "duplicate" and isinstance(parent, list):
        parent.extend([copy.deepcopy(node)] * 3)
    elif change == "wrap":
        parent[key] = [node]
    elif change == "deepen":
        for _ in range(place % 90):
            node = {"extension": [node]}
        parent[key] = node
    elif change == "rename" and isinstance(parent, dict):
        parent[f"{key}_"] = parent.pop(key)
    elif change == "swap":
        other = known[(place * 7 + 1) % len(known)]
        parent[key] = copy.deepcopy(at(made, other))
    return made


def check(response: TestResponse) -> None:
    """A right answer in form, whatever came."""
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
    changes=st.lists(st.tuples(CHANGES, st.integers(0, 100_000), VALUES), min_size=1, max_size=4),
)
@example(name="cirrhosis-on-diuretic", changes=[])
def test_a_damaged_request_is_answered_in_form(
    running: Running, name: str, changes: list[tuple[str, int, Any]]
) -> None:
    request, path = REQUESTS[name].request, REQUESTS[name].path
    for change, place, value in changes:
        request = changed(request, change, place, value)
    check(running.client.post(path, data=json.dumps(request), content_type="application/json"))


@SETTINGS
@given(
    name=st.sampled_from(BASES),
    cut=st.integers(0, 100_000),
    put=st.binary(max_size=6),
    keep=st.booleans(),
)
def test_a_damaged_text_is_answered_in_form(
    running: Running, name: str, cut: int, put: bytes, keep: bool
) -> None:
    text = json.dumps(REQUESTS[name].request, ensure_ascii=False).encode()
    place = cut % len(text)
    damaged = text[:place] + put + (text[place + len(put) :] if keep else b"")
    check(running.client.post(REQUESTS[name].path, data=damaged, content_type="application/json"))


@SETTINGS
@given(
    name=st.sampled_from(LOUD),
    key=st.sampled_from(("results", "conditions", "medicationRequests", "allergies", "orders")),
    place=st.integers(0, 5),
    entry=VALUES | st.fixed_dictionaries({"resource": VALUES}),
)
def test_a_bad_entry_silences_no_card(
    running: Running, name: str, key: str, place: int, entry: Any
) -> None:
    one = REQUESTS[name]
    request = copy.deepcopy(one.request)
    request["prefetch"][key].setdefault("entry", []).insert(place, entry)
    response = running.client.post(one.path, json=request)
    check(response)
    assert response.status_code == 200, response.text
    expected = [card["rule"] for card in one.expected["cards"]]
    found = rules(response.get_json()["cards"])
    assert [rule for rule in found if rule != "data-not-usable"] == expected


def test_the_damage_reaches_every_part_of_a_request() -> None:
    request = REQUESTS["cirrhosis-on-diuretic"].request
    known = paths(request)
    assert ("context", "patientId") in known
    assert any(path[-1] == "valueQuantity" for path in known)
    for change in ("drop", "replace", "wrap"):
        for place in range(0, len(known), 7):
            assert changed(request, change, place, "damaged") != request
