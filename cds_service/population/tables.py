"""The shapes of the tables, as Arrow schemas."""

from __future__ import annotations

import glob
import importlib
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from cds_service.errors import BadRequest

RESOURCES = ("patient", "type", "id", "updated", "position", "url", "medication", "raw")
"""One resource per row. ``updated`` is UTC text, ``position`` the numbers of the file and line,
``medication`` the id of the Medication that a request refers to."""

KEYS = ("site", "hook", "time", "patient", "encounter", "clinician", "order", "topic")


def need(name: str) -> Any:
    """The module of an optional dependency. Raises BadRequest saying how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        extra = "spark" if name == "pyspark" else "population"
        raise BadRequest(
            f"{name} is not installed.", f"Install it: pip install 'leg-cramps-cds[{extra}]'."
        ) from None


def database(**config: Any) -> Any:
    """A DuckDB database in memory, with UTC as its time zone and without a progress bar."""
    connection = need("duckdb").connect(config=config)
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    return connection


def machine_faults() -> tuple[type[Exception], ...]:
    """Exceptions for faults of the machine: a full disk, too little memory, a killed process."""
    return (
        OSError,
        BrokenExecutor,
        need("duckdb").OperationalError,
        need("pyarrow").ArrowException,
    )


def quoted(path: object) -> str:
    """A path or other text, escaped for a literal of SQL."""
    return str(path).replace("'", "''")


def rows_in(folder: Path, pattern: str = "*.parquet") -> str:
    """The rows of a folder's Parquet files, for SQL.

    The folder may have any name, and its name (``site=north/``) does not become a column.
    """
    named = glob.escape(quoted(folder))
    return f"read_parquet('{named}/{pattern}', hive_partitioning = false)"


def resources_schema() -> Any:
    """The schema of the batches of `cds_service.population.source.batches_in`."""
    pa = need("pyarrow")
    kinds = {"position": pa.int64(), "raw": pa.binary()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in RESOURCES])


def _keys(pa: Any) -> list[tuple[str, Any]]:
    return [(k, pa.timestamp("us", tz="UTC") if k == "time" else pa.string()) for k in KEYS]


def _answers(pa: Any) -> list[tuple[str, Any]]:
    fact = pa.struct([(name, pa.string()) for name in ("code", "value", "unit", "day")])
    return [
        ("rule", pa.string()),
        ("version", pa.string()),
        ("answer", pa.string()),
        ("indicator", pa.string()),
        ("fate", pa.string()),
        ("because", pa.list_(pa.string())),
        ("facts", pa.list_(fact)),
    ]


def _counts(pa: Any) -> list[tuple[str, Any]]:
    counted = pa.list_(pa.struct([("kind", pa.string()), ("count", pa.int32())]))
    return [
        ("info", pa.int32()),
        ("warning", pa.int32()),
        ("critical", pa.int32()),
        ("problems", counted),
        ("milliseconds", pa.float64()),
        ("failed", pa.string()),
        ("age_band", pa.string()),
        ("sex", pa.string()),
        ("subgroups", pa.list_(pa.struct([("group", pa.string()), ("value", pa.string())]))),
        ("inpatient_days", pa.float64()),
    ]


def evaluations_schema() -> Any:
    """evaluations.parquet: one row per call and rule."""
    pa = need("pyarrow")
    return pa.schema([*_keys(pa), *_answers(pa)])


def calls_schema() -> Any:
    """calls.parquet: one row per call. ``failed`` says why a call failed; null where it did not."""
    pa = need("pyarrow")
    return pa.schema([*_keys(pa), *_counts(pa)])


def evaluated_schema() -> Any:
    """The schema of `evaluate_partition`: one row per call with all its rules' outcomes, and for
    each patient one row without a hook, with the ``caveats`` and the ``events`` that rates are
    counted by. Each ``day`` is local."""
    pa = need("pyarrow")
    caveats = pa.list_(pa.struct([("kind", pa.string()), ("count", pa.int32())]))
    answers = pa.list_(pa.struct(_answers(pa)))
    names = ("encounter", "order", "clinician")
    event = [("day", pa.date32()), ("inpatient_days", pa.float64())]
    events = pa.list_(pa.struct([*((name, pa.string()) for name in names), *event]))
    return pa.schema(
        [
            *_keys(pa),
            *_counts(pa),
            ("day", pa.date32()),
            ("caveats", caveats),
            ("events", events),
            ("answers", answers),
        ]
    )


def stream(answer: Any, rows: int) -> Any:
    """The result of a DuckDB query as an Arrow reader of batches with ``rows`` rows."""
    # The name of the method depends on the version of DuckDB.
    reader = getattr(answer, "to_arrow_reader", None) or answer.fetch_record_batch
    return reader(rows)
