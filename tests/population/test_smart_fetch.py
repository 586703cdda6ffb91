"""Exports that smart-fetch itself made from the test FHIR server are read unchanged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fhir_server.medplum import FhirServer, missing, started
from tests.population.export import (
    Json,
    answers,
    cramps,
    encounter,
    outcome,
    patient,
    potassium,
    quinine,
    write,
)

TOOL = Path(os.environ.get("CDS_SMART_FETCH", ".venv/smart-fetch/bin/smart-fetch")).resolve()
TYPES = "patient,observation,condition,encounter,medicationrequest,allergyintolerance"
LABORATORY = {
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory",
                }
            ]
        }
    ]
}
RESOURCES = [
    patient(),
    encounter(),
    cramps(),
    potassium(3.1, "2026-03-01T08:00:00Z", **LABORATORY),
    quinine(),
]

pytestmark = [pytest.mark.node, pytest.mark.slow]
if not TOOL.exists():
    pytest.skip("smart-fetch is not installed: make smart-fetch", allow_module_level=True)


@pytest.fixture(scope="module")
def running() -> Iterator[FhirServer]:
    if reason := missing():
        pytest.skip(reason)
    with started() as server:
        yield server


@pytest.fixture
def server(running: FhirServer) -> FhirServer:
    running.reset()
    running.load(RESOURCES)
    return running


def fetch(server: FhirServer, folder: Path, *options: str) -> Path:
    command = [str(TOOL), *options, str(folder), "--fhir-url", server.url]
    command += ["--id-list", "p1", "--type", TYPES]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


def assert_complete(summary: Json) -> None:
    assert summary["odd"] == []
    assert summary["resources"] == {
        "Condition": 1,
        "Encounter": 1,
        "MedicationRequest": 1,
        "Observation": 1,
        "Patient": 1,
    }
    assert not [caveat for caveat in summary["caveats"] if "duplicates" in caveat["kind"]]


def test_a_crawl_is_read_unchanged(server: FhirServer, tmp_path: Path) -> None:
    plain = outcome(write(tmp_path / "plain", *RESOURCES), tmp_path / "plain-out")
    source = fetch(server, tmp_path / "in", "crawl")
    assert {file.name for file in source.iterdir()} > {"log.ndjson", "Patient.ndjson.gz"}

    summary = outcome(source, tmp_path / "out")
    assert_complete(summary)
    assert answers(summary) == answers(plain)
    assert answers(summary)["low-potassium"] == "fired"


def test_a_managed_export_is_not_read_twice_through_its_links(
    server: FhirServer, tmp_path: Path
) -> None:
    source = fetch(server, tmp_path / "in", "export", "--export-mode", "crawl")
    assert [file for file in source.iterdir() if file.is_symlink()]

    summary = outcome(source, tmp_path / "out")
    assert_complete(summary)
    assert answers(summary)["quinine-active"] == "fired"


def test_a_second_managed_export_wins(server: FhirServer, tmp_path: Path) -> None:
    source = fetch(server, tmp_path / "in", "export", "--export-mode", "crawl")
    server.reset()
    server.load([*RESOURCES[:3], potassium(4.2, "2026-03-01T08:00:00Z", **LABORATORY)])
    fetch(server, source, "export", "--export-mode", "crawl", "--nickname", "second")

    summary = outcome(source, tmp_path / "out")
    assert answers(summary)["low-potassium"] == "did not fire"
    assert summary["caveats"][0]["kind"].startswith("duplicates")
