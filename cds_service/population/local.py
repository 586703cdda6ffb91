"""The engine for one machine: DuckDB shuffles by patient, and processes evaluate.

Work in progress is kept in ``FOLDER/.work``: the shuffled resources in one folder per partition,
and the results in one file per partition. A file gets its final name when it is complete, so that
a run that was killed continues after the last finished partition.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cds_service.population.evaluating import Plan, evaluate_partition
from cds_service.population.reading import MEDICATIONS, RowReader
from cds_service.population.source import Export, Span, batches_in
from cds_service.population.tables import (
    database,
    evaluated_schema,
    need,
    quoted,
    resources_schema,
    rows_in,
    stream,
)

T = TypeVar("T")

Progress = Callable[[str, float, float], None]
"""Called with the name of the step, the amount that is done, and the total."""

_WITHOUT = -1  # the partition of the resources that belong to no patient
_SPAN = 64 << 20  # bytes at most; each span leaves a file per partition
_ORDER = "patient, type, id, updated, position"


@dataclass(frozen=True)
class Capacity:
    """What the engine may use: ``memory`` in bytes, and the numbers of processes and partitions."""

    memory: int
    workers: int
    partitions: int


@contextmanager
def processes(capacity: Capacity) -> Iterator[Executor | None]:
    """A pool of processes, or None where this process does all the work."""
    if capacity.workers == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        capacity.workers, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _as_completed(
    pool: Executor | None, work: Callable[..., T], all_of: Iterable[Any]
) -> Iterator[T]:
    """The results of ``work`` in the order in which they are ready."""
    if pool is None:
        yield from map(work, all_of)
    else:
        for ended in as_completed([pool.submit(work, argument) for argument in all_of]):
            yield ended.result()


def shuffle(
    source: Path, work: Path, capacity: Capacity, progress: Progress, pool: Executor | None = None
) -> dict[str, Any]:
    """Write each patient's resources to one partition; returns what was read.

    That is ``odd`` and ``types`` (counts by name, see `RowReader`) and ``partitions``; it is stored
    for a resumed run.
    """
    done = work / "shuffled.json"
    if done.exists():
        counted: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return counted
    folder = work / "shuffled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    export = Export(source)
    whole, read = export.bytes, 0
    reader = export.reader()
    one_span = partial(_shuffle_one, source, work, capacity, reader.deleted)
    spans = export.spans(min(max(whole // (4 * capacity.workers), 1 << 20), _SPAN))
    progress("Reading", read, whole)
    for size, odd, types in _as_completed(pool, one_span, enumerate(spans)):
        reader.odd.update(odd)
        reader.types.update(types)
        read += size
        progress("Reading", read, whole)
    counted = {
        "odd": dict(reader.odd),
        "types": dict(reader.types),
        "partitions": capacity.partitions,
    }
    _write_whole(done, json.dumps(counted))
    return counted


def _shuffle_one(
    source: Path,
    work: Path,
    capacity: Capacity,
    deleted: frozenset[str],
    numbered: tuple[int, Span],
) -> tuple[int, Counter[str], Counter[str]]:
    """Write the resources of a span by partition; returns its bytes, odd data and types."""
    arrow = need("pyarrow")
    number, span = numbered
    reader = RowReader(deleted)
    batches = arrow.RecordBatchReader.from_batches(
        resources_schema(), batches_in(source, span, reader)
    )
    shuffling = _database(work, capacity.memory // capacity.workers, 1)
    shuffling.register("resources", batches)
    shuffling.execute(
        f"COPY (SELECT *, CASE WHEN patient = '{MEDICATIONS}' THEN {_WITHOUT} ELSE "
        f"(hash(patient) % {capacity.partitions})::INT END AS partition FROM resources) "
        f"TO '{quoted(work / 'shuffled' / str(number))}' "
        "(FORMAT parquet, PARTITION_BY (partition), COMPRESSION zstd)"
    )
    shuffling.close()
    return span.end - span.start, reader.odd, reader.types


def evaluate(
    plan: Plan, work: Path, capacity: Capacity, progress: Progress, pool: Executor | None = None
) -> Path:
    """Evaluate each partition that has no results yet; returns the folder with all results."""
    answers = work / "answers"
    answers.mkdir(exist_ok=True)
    for unfinished in answers.glob("*.part"):
        unfinished.unlink()
    partitions = {
        int(folder.name.partition("=")[2]) for folder in (work / "shuffled").glob("*/partition=*")
    }
    wanted = sorted(partitions - {_WITHOUT})
    remaining = [partition for partition in wanted if not (answers / _name(partition)).exists()]
    done = len(wanted) - len(remaining)
    share = max(64 << 20, capacity.memory // (2 * capacity.workers))
    progress("Evaluating", done, len(wanted))
    for _ in _as_completed(pool, partial(_evaluate_one, plan, work, share), remaining):
        done += 1
        progress("Evaluating", done, len(wanted))
    return answers


def _evaluate_one(plan: Plan, work: Path, memory: int, partition: int) -> None:
    from pyarrow import parquet

    sorting = _database(work, memory, 1)
    whole = work / "answers" / _name(partition)
    part = whole.with_suffix(".part")
    with parquet.ParquetWriter(part, evaluated_schema(), compression="zstd") as file:
        for batch in evaluate_partition(sorted_rows(sorting, work, partition), plan):
            file.write_batch(batch)
    sorting.close()
    part.replace(whole)


def sorted_rows(sorting: Any, work: Path, partition: int) -> Iterator[Any]:
    """The sorted rows of one partition, with the Medications that its requests refer to."""
    folder = work / "shuffled"
    columns = "patient, type, id, updated, position, url, medication, raw"
    rows = rows_in(folder, f"*/partition={partition}/*.parquet")
    query = f"SELECT {columns} FROM {rows}"
    if any(folder.glob(f"*/partition={_WITHOUT}")):
        without = rows_in(folder, f"*/partition={_WITHOUT}/*.parquet")
        query += (
            f" UNION ALL SELECT wanted.patient, m.type, m.id, m.updated, m.position, m.url, "
            f"m.medication, m.raw FROM {without} m JOIN (SELECT DISTINCT patient, medication "
            f"FROM {rows} WHERE medication != '') wanted ON wanted.medication = m.id"
        )
    answer = sorting.execute(f"SELECT * FROM ({query}) ORDER BY {_ORDER}")
    yield from stream(answer, 2048)


def _database(work: Path, memory: int, threads: int) -> Any:
    spill = work / "spill" / str(os.getpid())
    spill.mkdir(parents=True, exist_ok=True)
    return database(
        memory_limit=f"{max(memory, 64 << 20) >> 20}MiB",
        threads=threads,
        temp_directory=str(spill),
        preserve_insertion_order=False,
    )


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, for whatever reason."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _name(partition: int) -> str:
    return f"{partition:05}.parquet"


def _write_whole(path: Path, content: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
