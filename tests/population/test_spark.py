"""Spark gives the same rows as one machine."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import BadRequest
from tests.population.export import cramps, encounter, outcome, patient, potassium, quinine, write
from tests.testing import fhir
from tools.population import make

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.python.worker.reuse", "true")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    yield spark
    spark.stop()


def export(folder: Path) -> Path:
    """300 patients, with the oddities of real exports."""
    make.write(folder, patients=300, seed=3, results=20)
    request = {**quinine(), "medicationReference": {"reference": "Medication/m1"}}
    del request["medicationCodeableConcept"]
    drug = fhir.product("quinine sulfate 300 MG", "m1")
    write(folder, patient(), encounter(), cramps(), request, drug)
    # Of two with the same date, the one later in the export counts.
    inner = folder / "more one"
    results = [potassium(value, "2026-03-01T08:00:00Z") for value in (5.0, 2.9)]
    write(inner, *results)
    entries = [
        {"resource": resource}
        for resource in (
            patient("b1"),
            encounter("e-b1", of="b1"),
            cramps(of="b1"),
            quinine(of="b1"),
        )
    ]
    (inner / "b1.json").write_text(json.dumps(fhir.bundle("transaction", entry=entries)))
    whole = gzip.compress(json.dumps(potassium(3.0, "2026-03-02T08:00:00Z")).encode() + b"\n")
    (inner / "Observation.001.ndjson.gz").write_bytes(whole)
    (inner / "Observation.002.ndjson.gz").write_bytes(whole[:-9])
    with (inner / "Observation.003.ndjson").open("wb") as file:
        file.write(b'not json\n\n[]\n{}\n\xff\xfe\n{"resourceType": "Obs')
    pq.write_table(
        pa.table({"resource": [json.dumps(potassium(6.5, "2026-03-03", name="k9"))]}),
        inner / "x.parquet",
    )
    for name in ("deleted", "error"):
        (folder / name).mkdir()
    deletion = {"request": {"method": "DELETE", "url": "Observation/k9"}}
    (folder / "deleted" / "x.ndjson").write_text(json.dumps({"entry": [deletion]}) + "\nx\n")
    (folder / "error" / "x.ndjson").write_text('{"resourceType":"OperationOutcome"}\n')
    return folder


@pytest.mark.parametrize("partitions", [1, 64])
def test_both_engines_give_the_same_rows(tmp_path: Path, session: Any, partitions: int) -> None:
    source = export(tmp_path / "in")

    local = outcome(source, tmp_path / "local", identified=True, partitions=65 - partitions)
    spark = outcome(
        source, tmp_path / "spark", identified=True, partitions=partitions, engine="spark", sample=3
    )
    assert local["counts"]["patients"] == 302
    assert len(local["called"]) > 500
    assert local["evaluations"] == spark["evaluations"]
    ignored = {"milliseconds"}
    for ours, theirs in zip(local["called"], spark["called"], strict=True):
        assert {k: v for k, v in ours.items() if k not in ignored} == {
            k: v for k, v in theirs.items() if k not in ignored
        }
    assert {each["kind"] for each in local["odd"]} >= {
        "a line cut in the middle",
        "a file that ends in the middle or cannot be read",
        "a line of deleted/ that cannot be read",
        "an error reported by the exporting server (error/)",
        "deleted at the server (deleted/)",
    }
    for name in ("counts", "rules", "caveats", "odd", "resources", "data_quality"):
        assert local[name] == spark[name], name
    assert (tmp_path / "spark/sample/001.html").exists()


def test_a_folder_that_spark_does_not_find_is_named(tmp_path: Path, session: Any) -> None:
    with pytest.raises(BadRequest, match="nowhere"):
        outcome(tmp_path / "nowhere", tmp_path / "out", engine="spark")
