"""Discovery of the service as it is, and a checker that would see what is wrong with one."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conformance import black_box
from tests.scenarios.conftest import Service

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return service(NOW).client


def test_discovery_breaks_no_requirement(client: FlaskClient) -> None:
    response = client.get("/cds-services", headers={"Accept": "application/json"})

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert black_box.discovery(response.get_json()) == []


def test_every_service_says_which_specification_and_hook_it_implements(client: FlaskClient) -> None:
    services = client.get("/cds-services").get_json()["services"]

    assert {(one["version"], one["hookVersion"]) for one in services} == {("2.0.1", "1.0")}


def test_every_listed_service_answers_at_its_address(client: FlaskClient) -> None:
    for one in client.get("/cds-services").get_json()["services"]:
        # 400, not 404: somebody is there and misses a body.
        assert client.post(f"/cds-services/{one['id']}").status_code == 400


GOOD: dict[str, Any] = {
    "services": [
        {
            "hook": "patient-view",
            "title": "T",
            "description": "D",
            "id": "one",
            "version": "2.0.1",
            "hookVersion": "1.0",
            "prefetch": {"patient": "Patient/{{context.patientId}}"},
        }
    ]
}


def changed(**fields: Any) -> dict[str, Any]:
    made = deepcopy(GOOD)
    made["services"][0] |= fields
    return made


def with_template(template: Any) -> dict[str, Any]:
    return changed(prefetch={"key": template})


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        (GOOD, []),
        ({"services": []}, []),
        ({}, ["D1"]),
        ([], ["D1"]),
        (changed(id=7), ["D3"]),
        (changed(description=None), ["D3", "G3"]),
        (changed(title=1), ["D4"]),
        (changed(usageRequirements=["x"]), ["D5"]),
        (changed(version="2.0"), ["D6"]),
        (changed(hookVersion="2.0"), ["D7"]),
        ({"services": GOOD["services"] * 2}, ["D8"]),
        (changed(extension={}), ["G3"]),
        (with_template({"resource": "Patient"}), ["D5"]),
        (with_template("Patient/{{patientId}}"), ["P1"]),
        (with_template("Patient/{{context.patientId}"), ["P1", "P4"]),
        (with_template("Patient/{{context.selections}}"), ["P3"]),
        (with_template("Condition?patient={{context.draftOrders.entry}}"), ["P3"]),
        (with_template("patient/1"), ["P4"]),
        (with_template("Condition?date=ge2020-01-01&date=le2021-01-01"), ["P4"]),
        (with_template("Condition?date=ne2020"), ["P4"]),
        (with_template("Condition?code:not=x"), ["P5"]),
        (with_template("Condition?_include=x"), ["P5"]),
        (with_template("Condition?encounter.type=x"), ["P5"]),
    ],
)
def test_the_checker_sees(body: Any, broken: list[str]) -> None:
    assert black_box.discovery(body) == broken
