"""Spark gives the rows that one machine gives."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.population.export import cramps, encounter, outcome, patient, potassium, quinine, write

pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.python.worker.reuse", "true")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    yield made
    made.stop()


@pytest.mark.parametrize("partitions", [1, 64])
def test_both_engines_give_the_same_rows(tmp_path: Path, session: Any, partitions: int) -> None:
    source = tmp_path / "in"
    for number in range(300):
        name = f"p{number}"
        write(
            source,
            patient(name),
            encounter(f"e-{name}", of=name),
            cramps(of=name),
            potassium(2.9 + number % 30 / 10, "2026-03-01T08:00:00Z", name=f"k{number}", of=name),
        )
    request = {**quinine(), "medicationReference": {"reference": "Medication/m1"}}
    del request["medicationCodeableConcept"]
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "quinine sulfate 300 MG"}}
    write(source, request, drug)

    local = outcome(source, tmp_path / "local", identified=True, partitions=65 - partitions)
    spark = outcome(
        source, tmp_path / "spark", identified=True, partitions=partitions, engine="spark"
    )
    assert len(local["called"]) == 300
    assert local["evaluations"] == spark["evaluations"]
    unequal = {"milliseconds"}
    for one, two in zip(local["called"], spark["called"], strict=True):
        assert {k: v for k, v in one.items() if k not in unequal} == {
            k: v for k, v in two.items() if k not in unequal
        }
    assert local["caveats"] == spark["caveats"]
