"""Exports for tests: NDJSON folders with a few made-up patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from cds_service.population.evaluating import evaluate_partition
from cds_service.population.options import RunOptions, plan_of
from cds_service.population.reading import RowReader
from cds_service.population.running import run
from cds_service.population.source import Export, batches_in
from cds_service.population.tables import KEYS
from cds_service.settings import Settings
from tests.testing import fhir
from tests.testing.fhir import Json, encounter, patient, subject

__all__ = ["encounter", "patient", "subject"]

pq = pytest.importorskip("pyarrow.parquet")


def quiet(_what: str, _done: float, _of: float) -> None:
    """No progress."""


def cramps(recorded: str = "2026-01-05T08:00:00Z", of: str = "p1", **more: Any) -> Json:
    """Documented leg cramps."""
    more = {"id": f"cramps-{of}", "recordedDate": recorded} | more
    return fhir.condition("leg cramps", of=of, verification=None, **more)


def potassium(
    value: float,
    when: str,
    issued: str | None = None,
    name: str = "k1",
    of: str = "p1",
    **more: Any,
) -> Json:
    """A potassium in mmol/L; ``issued`` when it was taken, unless another time is given."""
    more = {"id": name, "issued": issued or when} | more
    return fhir.lab("2823-3", value, "mmol/L", when, of=of, **more)


def quinine(authored: str = "2026-02-01T08:00:00Z", of: str = "p1", **more: Any) -> Json:
    """A prescription of quinine."""
    elements = {
        "id": f"quinine-{of}",
        "authoredOn": authored,
        "requester": {"reference": "Practitioner/d1"},
    }
    return fhir.prescription("quinine sulfate 300 MG Oral Tablet", of=of, **elements | more)


def write(folder: Path, *resources: Json) -> Path:
    """Write the resources to one NDJSON file per type."""
    folder.mkdir(parents=True, exist_ok=True)
    for resource in resources:
        with (folder / f"{resource['resourceType']}.000.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")
    return folder


def outcome(
    source: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    report: bool = False,
    **options: Any,
) -> Json:
    """A run's summary, with its rows under ``evaluations`` and ``called``. Drawing the plots takes
    most of a small run's time: ``report`` says whether to do it."""
    run_options = RunOptions(
        source=str(source), out=out, **{"workers": 1, "partitions": 1, **options}
    )
    if report:
        summary = run(run_options, settings or Settings(), quiet)
    else:
        with patch("cds_service.population.report.page", return_value=""):
            summary = run(run_options, settings or Settings(), quiet)
    if run_options.engine == "local":
        # Again in this thread: DuckDB reads in threads of its own, which coverage does not follow.
        rows, reader = read_in(source, 100)
        assert sum(batch.num_rows for batch in rows) <= sum(reader.types.values())
        assert dict(reader.odd) == {each["kind"]: each["count"] for each in summary["odd"]}
        assert dict(reader.types) == summary["resources"]
    summary["evaluations"] = pq.read_table(
        out / "evaluations.parquet", partitioning=None
    ).to_pylist()
    summary["called"] = pq.read_table(out / "calls.parquet", partitioning=None).to_pylist()
    return summary


def read_in(source: Path, span_bytes: int) -> tuple[list[Any], RowReader]:
    """The Arrow batches of an export, in spans of about so many bytes, and what was counted."""
    export = Export(source)
    reader = export.reader()
    spans = export.spans(span_bytes)
    return [batch for span in spans for batch in batches_in(source, span, reader)], reader


def evaluated(source: Path, **options: Any) -> Json:
    """The calls of a run of one patient under ``called`` and ``evaluations``, and ``caveats``.

    They are made as a run makes them, but without its files, its summary and DuckDB, which take
    twenty times as long.
    """
    pa = pytest.importorskip("pyarrow")
    plan = plan_of(RunOptions(source=str(source), out=source, **options), Settings(), b"key")
    batches, _ = read_in(source, 1 << 20)
    order = [(name, "ascending") for name in ("patient", "type", "id", "updated", "position")]
    rows = pa.Table.from_batches(batches).sort_by(order).to_batches()
    produced = [row for batch in evaluate_partition(rows, plan) for row in batch.to_pylist()]
    calls = [row for row in produced if row["hook"] is not None]
    return {
        "called": calls,
        "evaluations": [
            {key: call[key] for key in KEYS} | answer
            for call in calls
            for answer in sorted(call["answers"], key=lambda answer: answer["rule"])
        ],
        "caveats": [caveat for row in produced for caveat in row["caveats"] or ()],
    }


def answers(summary: Json) -> dict[str, str]:
    """The answer of each rule, where there was one call."""
    assert len(summary["called"]) == 1
    return {row["rule"]: row["answer"] for row in summary["evaluations"]}
