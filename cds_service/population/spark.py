"""The engine for many machines: Spark reads, shuffles by patient, and evaluates.

The export is read from any file system of the cluster, by the same `RowReader` as on one machine,
and stored as Parquet in ``FOLDER/.work``, which the driver and the executors share. Reading and
evaluation run in `mapInArrow`; Spark does all the distribution.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cds_service.errors import BadRequest
from cds_service.population.evaluating import Plan, evaluate_partition
from cds_service.population.reading import MEDICATIONS, RowReader
from cds_service.population.source import FILE_BITS, batches_of, files_of, inner_links
from cds_service.population.tables import RESOURCES, evaluated_schema, need, resources_schema

_ORDER = ("patient", "type", "id", "updated", "position")
_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_COUNTED = ("odd", "types")  # rows without a patient: what was counted while reading


def evaluate_on_spark(
    source: str, plan: Plan, work: Path, partitions: int
) -> tuple[dict[str, Any], Path]:
    """Read and evaluate an export; returns what was read and the folder of the results.

    Runs in the session of ``spark-submit``, or else on all processors of this machine. Raises
    BadRequest where there is no export.
    """
    need("pyspark")
    from pyspark.sql import SparkSession, functions

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("cds-service population")
    if "SPARK_ENV_LOADED" not in os.environ:
        builder = builder.config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    # Spark would look for a plain path in the cluster's own file system.
    address = source if "://" in source else f"file://{Path(source).resolve()}"
    resources = f"file://{work.resolve()}/resources"
    answers = work / "answers"
    _read(session, address, resources)
    session.conf.set(_ROWS, "2048")
    read = session.read.parquet(resources)
    counted = read.filter(functions.col("patient").isNull())
    counts: dict[str, Any] = {name: {} for name in _COUNTED}
    for row in counted.groupBy("type", "id").agg(functions.sum("position").alias("n")).collect():
        counts[row["type"]][row["id"]] = row["n"]
    rows = with_medications(read.filter(functions.col("patient").isNotNull()))
    shuffled = rows.repartition(*([partitions] if partitions else []), "patient")

    def evaluated(batches: Iterable[Any]) -> Iterator[Any]:
        return evaluate_partition(batches, plan)

    (
        shuffled.sortWithinPartitions(*_ORDER)
        .mapInArrow(evaluated, _spark_schema(evaluated_schema()))
        .write.mode("overwrite")
        .parquet(f"file://{answers.resolve()}")
    )
    return counts, answers


def _read(session: Any, address: str, to: str) -> None:
    """Write the export's resources as Parquet, together with the counts."""
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions

    path = functions.col("_metadata.file_path")
    try:
        files = session.read.format("binaryFile").load(address, recursiveFileLookup=True)
        names = [row["path"] for row in files.select(path.alias("path")).collect()]
    except AnalysisException:
        raise BadRequest(
            f"{address} cannot be read by Spark.",
            "Name a folder that the cluster can read.",
            "SOURCE",
        ) from None
    # Spark writes the address differently (file:/x, s3a://bucket/x), but with as many steps.
    steps = len([step for step in urlsplit(address).path.split("/") if step])
    above = ""
    if names:
        before = 3 if "://" in names[0] else 1
        above = "/".join(names[0].split("/")[: before + steps]) + "/"
    below = {name.removeprefix(above) for name in names}
    if address.startswith("file://"):
        below -= {quote(link) for link in inner_links(Path(address.removeprefix("file://")))}
    listed = files_of(below, address)
    numbers = {above + name: number for number, name in enumerate(listed.resources)}
    reader = RowReader()
    reader.unread(listed.unread)
    deletions: set[str] = set()
    for name in (*listed.errors, *listed.deletions):
        content = io.BytesIO(files.filter(path == above + name).select("content").head()[0])
        if name in listed.errors:
            reader.errors(name, content)
        else:
            deletions.update(reader.deletions(name, content))
    deleted = frozenset(deletions)
    schema = _spark_schema(resources_schema())

    def by_line(batches: Iterable[Any]) -> Iterator[Any]:
        return _batches(_lines(batches, numbers), RowReader(deleted))

    def by_file(batches: Iterable[Any]) -> Iterator[Any]:
        return _batches(_files(batches, numbers), RowReader(deleted))

    lines = session.read.text(
        address, lineSep="\n", recursiveFileLookup=True, pathGlobFilter="*.ndjson"
    ).select(path, "_metadata.file_block_start", functions.col("value").cast("binary"))
    session.conf.set(_ROWS, "2048")
    lines.mapInArrow(by_line, schema).write.mode("overwrite").parquet(to)
    # Compressed files and single JSON texts cannot be split: each is read as a whole.
    session.conf.set(_ROWS, "1")
    whole = files.filter(~path.endswith(".ndjson")).select(path, "content")
    whole.mapInArrow(by_file, schema).write.mode("append").parquet(to)
    if reader.odd:
        first = session.createDataFrame(_counts(reader), schema)
        first.write.mode("append").parquet(to)


def _batches(found: Iterable[Any], reader: RowReader) -> Iterator[Any]:
    """The rows of some lines or files, and what the reader counted."""

    def rows() -> Iterator[Any]:
        for name, content, position in found:
            if name:
                yield from reader.file(name, io.BytesIO(content), position)
            else:
                yield from reader.line(content, position)

    yield from batches_of(rows())
    if counted := _counts(reader):
        yield from batches_of(counted)


def _counts(reader: RowReader) -> list[tuple[Any, ...]]:
    return [
        (None, kind, name, "", count, "", "", b"")
        for kind, counter in zip(_COUNTED, (reader.odd, reader.types), strict=True)
        for name, count in counter.items()
    ]


def _lines(batches: Iterable[Any], numbers: dict[str, int]) -> Iterator[tuple[str, bytes, int]]:
    """Lines with their positions. Each part of a file arrives in order, from its first line."""
    at, offset = ("", -1), 0
    for batch in batches:
        for path, start, line in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            if path not in numbers:
                continue
            if (path, start) != at:
                at, offset = (path, start), start
            yield "", line, numbers[path] << FILE_BITS | offset
            offset += len(line) + 1


def _files(batches: Iterable[Any], numbers: dict[str, int]) -> Iterator[tuple[str, bytes, int]]:
    for batch in batches:
        for path, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if path in numbers:
                yield path, content, numbers[path] << FILE_BITS


def with_medications(rows: Any) -> Any:
    """The rows, and for each patient the Medications that its requests refer to."""
    from pyspark.sql import functions

    own = rows.filter(functions.col("patient") != MEDICATIONS)
    wanted = (
        own.filter(functions.col("medication") != "")
        .select("patient", functions.col("medication").alias("id"))
        .distinct()
    )
    without = rows.filter(functions.col("patient") == MEDICATIONS).drop("patient")
    return own.unionByName(wanted.join(without, "id").select(*RESOURCES))


def _spark_schema(schema: Any) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)
