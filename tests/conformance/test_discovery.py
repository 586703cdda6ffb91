"""Discovery of the real service, and a checker that detects a faulty discovery response."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.core.facts import Kind
from cds_service.settings import Settings
from hooks import TOPIC
from tests.conformance import black_box
from tests.scenarios.conftest import Service

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


SPECIFICATIONS = {
    "2.0.1": {},
    "3.0.0": {"spec_version": "3.0"},
    "3.0.0 with windows": {"spec_version": "3.0", "prefetch_windows": True},
}


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return service(NOW).client


@pytest.fixture(params=SPECIFICATIONS)
def any_version(request: pytest.FixtureRequest, service: Service) -> tuple[str, FlaskClient]:
    return request.param.split()[0], service(NOW, **SPECIFICATIONS[request.param]).client


def test_discovery_breaks_no_requirement(any_version: tuple[str, FlaskClient]) -> None:
    """SHALL (Discovery, Prefetch Template; D1 to D8, P1 to P7): what discovery must hold."""
    _, client = any_version
    response = client.get("/cds-services", headers={"Accept": "application/json"})

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert black_box.discovery(response.get_json()) == []


def test_every_service_says_which_specification_and_hook_it_implements(
    any_version: tuple[str, FlaskClient],
) -> None:
    """SHOULD, SHALL (3.0: Discovery; D6, D7): `version` and `hookVersion`."""
    version, client = any_version
    services = client.get("/cds-services").get_json()["services"]

    assert {service["version"] for service in services} == {version}
    assert [(service["hook"], service["hookVersion"]) for service in services] == [
        (service["hook"], black_box.HOOK_VERSIONS[service["hook"]]) for service in services
    ]


def test_windows_are_requested_only_if_the_setting_is_on(service: Service) -> None:
    """MAY (3.0: Prefetch tokens; V3): `today()` only for clients that know it."""
    keys_with_window = {}
    for name, settings in SPECIFICATIONS.items():
        services = service(NOW, **settings).client.get("/cds-services").get_json()["services"]
        keys_with_window[name] = {
            service["id"]: [
                key for key, template in service["prefetch"].items() if "today()" in template
            ]
            for service in services
        }
    assert not any(keys_with_window["2.0.1"].values())
    assert not any(keys_with_window["3.0.0"].values())
    assert all(keys == ["results"] for keys in keys_with_window["3.0.0 with windows"].values())
    with pytest.raises(ValueError, match=r"needs CDS_SPEC_VERSION=3\.0"):
        Settings(prefetch_windows=True)


def test_a_search_window_is_as_long_as_the_longest_lookback(service: Service) -> None:
    """MAY (3.0: Prefetch tokens; V3): on every day of four years the search covers what any rule
    looks at."""
    running = service(NOW, **SPECIFICATIONS["3.0.0 with windows"])
    for described in running.client.get("/cds-services").get_json()["services"]:
        days = int(
            re.search(r"date=ge\{\{today\(\) - (\d+) days\}\}", described["prefetch"]["results"])[1]
        )
        rules = [
            rule for each in TOPIC.services for rule in each.rules if each.id == described["id"]
        ]
        windows = [
            need.within for rule in rules for need in rule.needs if need.kind is Kind.RESULTS
        ]
        today = date(2024, 1, 1)
        while today < date(2028, 1, 1):
            earliest = min(window.start(today) for window in windows)
            assert today - timedelta(days=days) <= earliest
            today += timedelta(days=1)


def test_every_listed_service_answers_at_its_address(client: FlaskClient) -> None:
    """SHALL (Discovery; D3): each service answers at `{base}/cds-services/{id}`."""
    for service in client.get("/cds-services").get_json()["services"]:
        # 400, not 404: the service exists, but the body is missing.
        assert client.post(f"/cds-services/{service['id']}").status_code == 400


GOOD: dict[str, Any] = {
    "services": [
        {
            "hook": "patient-view",
            "title": "T",
            "description": "D",
            "id": "some-service",
            "version": "2.0.1",
            "hookVersion": "1.0",
            "prefetch": {"patient": "Patient/{{context.patientId}}"},
        }
    ]
}


def changed(**fields: Any) -> dict[str, Any]:
    body = deepcopy(GOOD)
    body["services"][0] |= fields
    return body


def with_template(template: Any) -> dict[str, Any]:
    return changed(prefetch={"key": template})


def with_window(version: str, token: str) -> dict[str, Any]:
    prefetch = {"key": f"Observation?patient={{{{context.patientId}}}}&date=ge{{{{{token}}}}}"}
    return changed(prefetch=prefetch, version=version)


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
        (with_window("2.0.1", "today() - 90 days"), ["P1", "P4"]),
        (with_window("3.0.0", "today() - 90 days"), []),
        (with_window("3.0.0", "today()"), []),
        (with_window("3.0.0", "today() - 3 months"), ["P1", "P4"]),
        (with_window("3.0.0", "context.draftOrders.entry.resource"), ["P3", "P4"]),
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
def test_the_checker_detects(body: Any, broken: list[str]) -> None:
    """SHALL (Discovery; D1 to D8, P1 to P7): the checker finds a discovery that breaks each
    requirement."""
    assert black_box.discovery(body) == broken
