"""The engine for many machines: Spark shuffles by patient, `mapInArrow` evaluates.

The driver reads the export, from a folder that it sees, and writes it as Parquet where all
executors see it (``FOLDER/.work``); everything after that is Spark's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cds_service.population.evaluating import Plan, evaluate_partition
from cds_service.population.source import MEDICATIONS, Source
from cds_service.population.tables import (
    RESOURCES,
    evaluated_schema,
    need,
    resources_schema,
)

_ORDER = ("patient", "type", "id", "updated", "position")
_FILE = 512 << 20  # bytes of rows in one Parquet file between the reading and the shuffle


def evaluate_on_spark(
    source: str, plan: Plan, work: Path, partitions: int, session: Any = None
) -> tuple[dict[str, Any], Path]:
    """What was read, and the folder of the answers. ``session``: else the one that
    ``spark-submit`` gives, else one on all processors of this machine."""
    need("pyspark")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if session is None:
        builder = SparkSession.builder.appName("cds-service population")
        if "SPARK_ENV_LOADED" not in os.environ:
            builder = builder.config("spark.ui.enabled", "false")
        session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "2048")
    read = Source(Path(source))
    rows = session.read.schema(_spark_schema(resources_schema())).parquet(
        *(str(one) for one in _as_parquet(read, work))
    )
    rows = with_medications(rows)
    if partitions:
        shuffled = rows.repartition(partitions, "patient")
    else:
        shuffled = rows.repartition("patient")
    schema = _spark_schema(evaluated_schema())
    answers = work / "answers"

    def evaluated(batches: Iterable[Any]) -> Iterator[Any]:
        return evaluate_partition(batches, plan)

    (
        shuffled.sortWithinPartitions(*_ORDER)
        .mapInArrow(evaluated, schema)
        .write.mode("overwrite")
        .parquet(str(answers))
    )
    told = {"odd": dict(read.odd), "types": dict(read.types)}
    return told, answers


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


def _as_parquet(source: Source, work: Path) -> list[Path]:
    """The export as Parquet files of a few hundred megabytes."""
    from pyarrow import parquet

    folder = work / "resources"
    folder.mkdir(exist_ok=True)
    made: list[Path] = []
    file: Any = None
    size = 0
    for batch in source.batches():
        if file is None or size > _FILE:
            if file is not None:
                file.close()
            made.append(folder / f"{len(made):05}.parquet")
            file = parquet.ParquetWriter(made[-1], resources_schema(), compression="zstd")
            size = 0
        file.write_batch(batch)
        size += batch.nbytes
    if file is None:
        made.append(folder / "00000.parquet")
        file = parquet.ParquetWriter(made[-1], resources_schema())
    file.close()
    return made


def _spark_schema(schema: Any) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)
