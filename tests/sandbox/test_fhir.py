"""The sandbox's FHIR server: the stored data, as the pages of the sandbox request them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.scenarios.conftest import Service, service
from tests.testing import fhir
from tools.sandbox.__main__ import address, built, main
from tools.sandbox.fhir import BASE, FhirServer, Patients

__all__ = ["service"]
TODAY = date(2027, 3, 1)
MAGNESIUM = "http://loinc.org|19123-9"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = FhirServer(Patients(TODAY), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{BASE}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str, form: str | None = None) -> Any:
    data = None if form is None else form.encode()
    with urlopen(Request(url, data), timeout=5) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return json.load(response)


def test_the_newest_result_is_as_old_as_on_the_day_of_the_fixtures(base: str) -> None:
    page = ask(f"{base}/Observation?patient=low-magnesium&code={MAGNESIUM}")
    newest = page["entry"][0]["resource"]
    assert newest["effectiveDateTime"][:10] == (TODAY - timedelta(days=3)).isoformat()
    assert ask(f"{base}/Patient/low-magnesium")["birthDate"] == "1966-03-02"


def test_a_search_by_post_and_by_get_is_the_same(base: str) -> None:
    query = f"patient=low-magnesium&code={MAGNESIUM}&_sort=-date&_count=500"
    assert ask(f"{base}/Observation/_search", query) == ask(f"{base}/Observation?{query}")


@pytest.mark.parametrize(
    ("query", "found_some"),
    [
        ("Observation?patient=low-magnesium", True),
        ("Observation?patient=Patient/low-magnesium", True),
        ("Observation?patient=nobody", False),
        (f"Observation?patient=claudication&code={MAGNESIUM}x", False),
        (f"Observation?patient=low-magnesium&date=ge{TODAY}", False),
        ("Observation?patient=low-magnesium&date=ge2026-06-01", True),
        ("MedicationRequest?patient=polypharmacy&status=active", True),
        ("MedicationRequest?patient=polypharmacy&status=stopped", False),
        ("MedicationRequest?patient=orders-baclofen-dose&status=draft", False),
        ("Patient", True),
        ("Encounter", False),
    ],
)
def test_what_a_search_finds(base: str, query: str, found_some: bool) -> None:
    page = ask(f"{base}/{query}")
    assert bool(page["entry"]) is found_some
    assert page["total"] == len(page["entry"])


@pytest.mark.parametrize("path", ["/Patient/nobody", "/passwd", "/../etc/passwd", "/Patient/a/b"])
def test_a_missing_resource_is_404(base: str, path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        ask(base + path)
    assert refused.value.code == 404
    refused.value.close()


def test_the_prefetch_of_the_sandbox_gives_the_card_of_the_patient(
    base: str, service: Service
) -> None:
    client = service(datetime(2027, 3, 1, 12, tzinfo=UTC)).client
    view = client.get("/cds-services").get_json()["services"][0]
    patient = "low-magnesium"
    prefetch = {}
    for key, template in view["prefetch"].items():
        path, _, query = template.replace("{{context.patientId}}", patient).partition("?")
        if query:
            prefetch[key] = ask(f"{base}/{path}/_search", query)
        elif "{{" not in path:
            prefetch[key] = ask(f"{base}/{path}")
    request = fhir.call("patient-view", prefetch, of=patient, fhirServer=base)
    cards = client.post(f"/cds-services/{view['id']}", json=request).get_json()["cards"]
    assert [card["source"]["topic"]["code"] for card in cards] == ["low-magnesium"]


def test_another_folder_is_refused_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert "git clone https://github.com/cds-hooks/sandbox" in capsys.readouterr().err


def test_without_npm_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webpack.config.prod.js").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="npm is not installed"):
        built(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "app.bundle.js").touch()
    assert built(tmp_path) == tmp_path / "build"


def test_the_address_names_hook_and_screen() -> None:
    url = address("http://localhost:8080", "http://localhost:8090/fhir", 8000, "p", "order-sign")
    assert url == (
        "http://localhost:8080/?fhirServiceUrl=http%3A%2F%2Flocalhost%3A8090%2Ffhir"
        "&serviceDiscoveryURL=http%3A%2F%2Flocalhost%3A8000%2Fcds-services"
        "&patientId=p&hook=order-sign&screen=rx-sign"
    )
