"""Odd data is counted and never fatal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cds_service.errors import BadRequest
from cds_service.population.local import Capacity, shuffle, sorted_rows
from cds_service.population.options import RunOptions
from cds_service.population.reading import RowReader
from cds_service.population.running import run
from cds_service.population.source import Export, batches_in
from cds_service.population.tables import database
from cds_service.settings import Settings
from tests.population.export import (
    Json,
    answers,
    cramps,
    encounter,
    outcome,
    patient,
    potassium,
    quiet,
    quinine,
    write,
)
from tests.testing import fhir


def rows_of(work: Path, partition: int) -> list[Json]:
    if not any((work / "shuffled").glob(f"*/partition={partition}")):
        return []
    return [row for batch in sorted_rows(database(), work, partition) for row in batch.to_pylist()]


def odd(summary: Json) -> dict[str, int]:
    return {each["kind"]: each["count"] for each in summary["odd"]}


def caveats(summary: Json) -> dict[str, int]:
    return {each["kind"]: each["resources"] for each in summary["caveats"]}


def test_odd_lines_are_counted(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(), encounter(), cramps(), quinine())
    with (source / "Observation.000.ndjson").open("w") as file:
        file.write("not json\n\n[]\n{}\n")
        file.write(json.dumps(fhir.resource("Observation", id="x")) + "\n")
        file.write(json.dumps({**potassium(3, "2026-01-01"), "subject": {"reference": "Group/1"}}))
        file.write('\n{"resourceType": "Obs\n{"resourceType": "Ob')

    summary = outcome(source, tmp_path / "out")
    assert answers(summary)["quinine-active"] == "fired"
    assert odd(summary) == {
        "a line that is not JSON": 2,
        "a line that is not a FHIR resource": 1,
        "Observation without a patient": 2,
        "a line cut in the middle": 2,
    }


def test_compressed_cut_deleted_and_error_files(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(), encounter(), cramps(), quinine())
    lines = json.dumps(potassium(3.1, "2026-03-01T08:00:00Z")).encode() + b"\n"
    whole = gzip.compress(lines * 3)
    (source / "Observation.001.ndjson.gz").write_bytes(whole)
    (source / "Observation.002.ndjson.gz").write_bytes(whole[:-9])
    (source / "deleted").mkdir()
    deletion = {"request": {"method": "DELETE", "url": "MedicationRequest/quinine-p1"}}
    (source / "deleted" / "x.ndjson").write_text(
        json.dumps(fhir.bundle("transaction", entry=[deletion])) + "\n"
    )
    (source / "error").mkdir()
    (source / "error" / "x.ndjson").write_text('{"resourceType":"OperationOutcome"}\n')

    summary = outcome(source, tmp_path / "out")
    answered = answers(summary)
    assert answered["quinine-active"] == "did not fire"
    assert answered["low-potassium"] == "fired"
    assert odd(summary)["deleted at the server (deleted/)"] == 1
    assert odd(summary)["an error reported by the exporting server (error/)"] == 1
    assert odd(summary)["a file that ends in the middle or cannot be read"] == 1
    assert caveats(summary)["duplicates: the newest lastUpdated counts"] >= 2


@pytest.mark.parametrize("reversed_order", [False, True])
def test_the_newest_duplicate_counts(tmp_path: Path, reversed_order: bool) -> None:
    old = potassium(5.0, "2026-03-01T08:00:00Z", meta={"lastUpdated": "2026-03-02T00:00:00Z"})
    new = potassium(3.1, "2026-03-01T08:00:00Z", meta={"lastUpdated": "2026-03-03T00:00:00+02:00"})
    both = [new, old] if reversed_order else [old, new]

    summary = outcome(
        write(tmp_path / "in", patient(), encounter(), cramps(), *both), tmp_path / "o"
    )
    assert answers(summary)["low-potassium"] == "fired"


def test_a_medication_in_another_file_is_found(tmp_path: Path) -> None:
    drug = fhir.product("quinine sulfate 300 MG Oral Tablet", "m1")
    request = {**quinine(), "medicationReference": {"reference": "Medication/m1"}}
    del request["medicationCodeableConcept"]
    lost = {**request, "id": "lost", "medicationReference": {"reference": "Medication/none"}}

    summary = outcome(
        write(tmp_path / "in", patient(), encounter(), cramps(), request, lost, drug),
        tmp_path / "o",
    )
    assert answers(summary)["quinine-active"] == "fired"
    assert caveats(summary)["a reference to a Medication that is not in the export"] == 1


def test_bundles_and_parquet_give_the_same_result_as_ndjson(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    resources = [
        patient(),
        encounter(),
        cramps(),
        potassium(3.1, "2026-03-01T08:00:00Z"),
        quinine(),
    ]
    first = answers(outcome(write(tmp_path / "a", *resources), tmp_path / "a-out"))
    (tmp_path / "b").mkdir()
    entries = [{"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in resources]
    text = json.dumps(fhir.bundle("transaction", entry=entries))
    (tmp_path / "b" / "p1.json").write_text(text.replace("Patient/p1", "urn:uuid:p1"))
    (tmp_path / "c").mkdir()
    pq.write_table(
        # As pandas writes what it holds as a category.
        pa.table({"resource": pa.array(list(map(json.dumps, resources))).dictionary_encode()}),
        tmp_path / "c/x.parquet",
    )

    assert answers(outcome(tmp_path / "b", tmp_path / "b-out")) == first
    assert answers(outcome(tmp_path / "c", tmp_path / "c-out")) == first
    assert first["low-potassium"] == "fired"


def test_missing_patient_resources_are_counted_and_rules_behave_as_in_calls(tmp_path: Path) -> None:
    summary = outcome(write(tmp_path / "in", encounter(), cramps(), quinine()), tmp_path / "out")

    assert caveats(summary)["patients without a Patient resource"] == 1
    assert len(summary["called"]) == 1


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_a_folder_without_an_export_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRequest):
        run(RunOptions(source=str(tmp_path / source), out=tmp_path / "out"), Settings(), quiet)
    assert not (tmp_path / "out").exists()


def test_links_and_the_log_of_an_export_are_not_read(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write(source / "001.2026-03-01", patient(), encounter(), cramps(), quinine())
    for file in (source / "001.2026-03-01").iterdir():
        (source / file.name).symlink_to(file.relative_to(source))
    (source / "001.2026-03-01/log.ndjson").write_text('{"eventId": "kickoff"}\n')
    write(tmp_path / "elsewhere", potassium(3.1, "2026-03-01T08:00:00Z"))
    linked = tmp_path / "elsewhere/Observation.000.ndjson"
    (source / "Observation.000.ndjson").symlink_to(linked)

    summary = outcome(source, tmp_path / "out")
    assert summary["odd"] == []
    assert "duplicates: the newest lastUpdated counts" not in caveats(summary)
    assert answers(summary)["quinine-active"] == "fired"
    assert answers(summary)["low-potassium"] == "fired"


@pytest.mark.parametrize("at_most", [1, 7, 64, 150, 151, 1000, 1 << 20])
def test_each_line_is_read_in_exactly_one_span(tmp_path: Path, at_most: int) -> None:
    many = [potassium(3.1, f"2026-03-{day:02}T08:00:00Z") for day in range(1, 20)]
    source = write(tmp_path / "in", patient(), encounter(), cramps(), quinine(), *many)
    observations = source / "Observation.000.ndjson"
    content = observations.read_bytes()
    observations.write_bytes(b"\n\r\n" + content.rstrip(b"\n"))  # and no newline at the end

    def rows(at_most: int) -> list[tuple[object, ...]]:
        export, reader = Export(source), RowReader()
        found_rows = [
            tuple(row.values())
            for span in export.spans(at_most)
            for batch in batches_in(source, span, reader)
            for row in batch.to_pylist()
        ]
        assert not reader.odd
        return sorted(found_rows)

    assert rows(at_most) == rows(1 << 40)
    assert len(rows(at_most)) == 4 + len(many)


def test_small_files_share_a_span_and_compressed_ones_are_not_split(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(), encounter(), cramps(), quinine())
    (source / "Observation.000.ndjson.gz").write_bytes(gzip.compress(b"x" * 5000))
    sizes = {file.name: file.stat().st_size for file in source.iterdir()}
    spans = Export(source).spans(sum(sizes.values()))
    assert [len(span.files) for span in spans] == [len(sizes)]
    smallest = min(sizes.values())
    for span in Export(source).spans(smallest // 2):
        names = [name for _, name in span.files]
        assert names == ["Observation.000.ndjson.gz"] or span.end - span.start <= smallest // 2


def test_a_file_that_a_killed_run_had_partly_read_is_read_again(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(), encounter(), cramps(), quinine())
    partial = tmp_path / "work" / "shuffled" / "0" / "partition=1" / "data_0.parquet"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"PAR1 cut")
    capacity = Capacity(memory=64 << 20, workers=1, partitions=2)
    counted = shuffle(source, tmp_path / "work", capacity, quiet)
    assert sum(counted["types"].values()) == 4
    rows = [row for partition in (0, 1) for row in rows_of(tmp_path / "work", partition)]
    assert len(rows) == 4


def test_files_that_look_like_data_and_are_not_read_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", patient(), encounter())
    names = ("a.jsonl", "B.NDJSON", "Smith.John.ndjson.zst", "sub/d.zip", "e.csv")
    for name in (*names, "README.md", ".hidden.zip", "log.ndjson"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")

    summary = outcome(folder, tmp_path / "out")
    counted = {each["kind"]: each["count"] for each in summary["odd"]}
    assert counted == {
        f"a file of a kind that is not read (.{end})": 1
        for end in ("jsonl", "NDJSON", "zst", "zip", "csv")
    }


def test_an_indented_bundle_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bundle = fhir.collection(patient(), encounter())
    (folder / "p.json").write_text(json.dumps(bundle, indent=2), encoding="utf-8-sig")

    summary = outcome(folder, tmp_path / "out")
    assert summary["counts"]["calls"] == 1
    assert summary["odd"] == []
