"""For operators: metrics of bounded size, and an OpenAPI document that is correct."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from cds_service.api import openapi
from cds_service.app import build
from cds_service.calls import shapes
from cds_service.sources.fetch.pages import FetchedData
from tests.api.minimal_service import (
    QUININE,
    SELECT,
    VIEW,
    body,
    feedback,
    minimal_app,
    order_body,
    post,
    potassium,
    prefetch,
)
from tests.testing.fhir import searchset
from tests.testing.programs import run_program

Make = Callable[..., FlaskClient]


def _figures(client: FlaskClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _sum(client: FlaskClient, name: str, **labels: str) -> float:
    return sum(
        value
        for (sample, sample_labels), value in _figures(client).items()
        if sample == name and set(labels.items()) <= set(sample_labels)
    )


def test_fetches_are_counted_by_outcome(tmp_path: Path) -> None:
    def fetch(queries: Mapping[str, str], *_: object, **__: object) -> dict[str, FetchedData]:
        failed = FetchedData("unavailable", (), "the FHIR server answered 500", 500, 5)
        empty = FetchedData("given", (b'{"resourceType":"Bundle"}',), "", 200, 5)
        return {key: failed if key == "allergies" else empty for key in queries}

    application = minimal_app(tmp_path, fhir_servers=("https://fhir.example/r4",), fhir_open=True)
    parts = application.extensions["cds_parts"]
    client = build(replace(parts, obtaining=replace(parts.obtaining, fetch=fetch))).test_client()
    call = body(fhirServer="https://fhir.example/r4")
    del call["prefetch"]["allergies"], call["prefetch"]["orders"], call["prefetch"]["conditions"]

    assert post(client, VIEW, call).status_code == 200

    assert _sum(client, "cds_fhir_fetches_total") == 3
    assert _sum(client, "cds_fhir_fetches_total", state="unavailable") == 1
    parts.records.close()


def test_a_checkout_that_was_never_installed_has_an_openapi_document_too(
    service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(openapi, "version", unknown)
    assert service().get("/openapi.json").get_json()["info"]["version"] == "0"


def test_calls_answers_and_problems_are_counted(client: FlaskClient) -> None:
    post(client, VIEW, body())
    post(client, VIEW, body(prefetch=prefetch(results=searchset(potassium("999")))))
    post(client, VIEW, b"{")
    post(client, SELECT, order_body(QUININE))

    def requests(service: str, status: str) -> float:
        return _sum(client, "cds_requests_total", service=service, status=status)

    assert requests("leg-cramps-patient-view", "200") == 2
    assert requests("leg-cramps-patient-view", "400") == 1
    assert requests("leg-cramps-order-select", "200") == 1
    assert _sum(client, "cds_call_seconds_count", service="leg-cramps-patient-view") == 2
    fired = _sum(client, "cds_rule_outcomes_total", rule="low-potassium", answer="fired")
    not_fired = _sum(client, "cds_rule_outcomes_total", rule="low-potassium", answer="did not fire")
    assert (fired, not_fired) == (1, 1)
    assert _sum(client, "cds_cards_shown_total", rule="quinine-ordered", indicator="critical") == 1
    assert _sum(client, "cds_problems_total", kind="implausible") == 1


def test_a_card_over_the_cap_is_counted(service: Make) -> None:
    client = service(snooze=True)
    card = post(client, VIEW, body()).get_json()["cards"][0]["uuid"]
    post(client, f"{VIEW}/feedback", feedback(card))
    post(client, VIEW, body())

    assert _sum(client, "cds_cards_dropped_total", rule="low-potassium") == 1


def test_unknown_addresses_create_no_new_metrics(client: FlaskClient) -> None:
    client.get("/one")
    client.open("/cds-services", method="BREW")
    _figures(client)
    before = set(_figures(client))

    for number in range(50):
        client.get(f"/strange/{number}")
        client.post(f"/cds-services/{number}", headers={"X": str(number)})
        client.open("/cds-services", method=f"M{number}")

    assert set(_figures(client)) == before


def test_every_worker_reports_the_counts_of_all_workers(tmp_path: Path) -> None:
    program = (
        "from cds_service.ops.metrics import Metrics\n"
        "import sys\n"
        "metrics = Metrics()\n"
        "for _ in range(int(sys.argv[1])): metrics.fetched('given')\n"
        "print(metrics.exposition().decode())\n"
    )
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    shown = [
        run_program("-c", program, count, folder=tmp_path, environ=environ).stdout
        for count in ("2", "3")
    ]

    assert 'cds_fhir_fetches_total{state="given"} 5.0' in shown[1]


def test_ready_says_which_part_is_unavailable(service: Make, tmp_path: Path) -> None:
    ready = service().get("/readyz")
    unavailable = service(database_url=f"sqlite:///{tmp_path}/nowhere/x.db").get("/readyz")

    assert (ready.status_code, ready.get_json()["parts"]["database"]) == (200, "ok")
    assert unavailable.get_json()["status"] == "degraded"
    assert (unavailable.status_code, unavailable.get_json()["parts"]["database"]) == (
        200,
        "degraded",
    )


def test_the_openapi_document_is_valid_and_complete(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()

    OpenAPIV31SpecValidator(document).validate()
    rules = {str(rule) for rule in client.application.url_map.iter_rules()}
    assert set(document["paths"]) == rules
    for rule in client.application.url_map.iter_rules():
        methods = {method.lower() for method in (rule.methods or ())} - {"head", "options"}
        assert set(document["paths"][str(rule)]) == methods
    references = {
        reference
        for reference in json.dumps(document).split('"')
        if reference.startswith("#/components")
    }
    assert len(references) > 8
    for reference in references:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_the_openapi_document_says_which_paths_need_a_token(service: Make, tmp_path: Path) -> None:
    clients = tmp_path / "clients.json"
    clients.write_text('[{"iss": "https://e.example", "jku": "https://e.example/jwks.json"}]')

    document = service(trusted_clients=str(clients)).get("/openapi.json").get_json()

    assert document["security"] == [{"caller": []}]
    assert document["paths"]["/cds-services"]["get"]["security"] == []
    assert "security" not in document["paths"][VIEW]["post"]


def test_every_schema_file_is_itself_valid() -> None:
    from jsonschema import Draft202012Validator

    files = sorted(Path(shapes.__file__).parent.joinpath("schemas").glob("*.schema.json"))
    assert len(files) >= 9
    for file in files:
        Draft202012Validator.check_schema(shapes.schema(file.name.removesuffix(".schema.json")))
