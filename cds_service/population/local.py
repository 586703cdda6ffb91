"""The engine for one machine: DuckDB shuffles by patient, processes evaluate.

Work in progress is kept in ``FOLDER/.work``: what was shuffled, one folder per partition, and the
answers, one file per partition. A file gets its final name once it is complete, so that a run that
was killed continues after the last finished partition.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.population.evaluating import Plan, evaluate_partition
from cds_service.population.reading import MEDICATIONS
from cds_service.population.source import Source
from cds_service.population.tables import database, evaluated_schema, need, stream

Progress = Callable[[str, float, float], None]
"""Called with the name of the step, how much of it is done, and the total."""

_WITHOUT = -1  # the partition of the resources that belong to no patient
_ORDER = "patient, type, id, updated, position"


@dataclass(frozen=True)
class Means:
    """What one machine may use: ``memory`` in bytes, processes, partitions."""

    memory: int
    workers: int
    partitions: int


def shuffle(source: Source, work: Path, means: Means, progress: Progress) -> dict[str, Any]:
    """Write each patient's resources into one partition; what was read, as kept for a resume."""
    arrow = need("pyarrow")
    done = work / "shuffled.json"
    if done.exists():
        told: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return told
    folder = work / "shuffled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    from cds_service.population.tables import resources_schema

    def batches() -> Iterator[Any]:
        for batch in source.batches():
            progress("Reading", source.read_bytes, source.bytes)
            yield batch

    reader = arrow.RecordBatchReader.from_batches(resources_schema(), batches())
    shuffling = _database(work, means.memory, means.workers)
    shuffling.register("resources", reader)
    shuffling.execute(
        f"COPY (SELECT *, CASE WHEN patient = '{MEDICATIONS}' THEN {_WITHOUT} ELSE "
        f"(hash(patient) % {means.partitions})::INT END AS partition FROM resources) "
        f"TO '{_quoted(folder)}' (FORMAT parquet, PARTITION_BY (partition), COMPRESSION zstd)"
    )
    shuffling.close()
    told = {"odd": dict(source.odd), "types": dict(source.types), "partitions": means.partitions}
    _write_whole(done, json.dumps(told))
    return told


def evaluate(plan: Plan, work: Path, means: Means, progress: Progress) -> Path:
    """Evaluate each partition that has no answers yet; the folder of all answers."""
    answers = work / "answers"
    answers.mkdir(exist_ok=True)
    for left in answers.glob("*.part"):
        left.unlink()
    partitions = sorted(
        int(one.name.partition("=")[2]) for one in (work / "shuffled").glob("partition=*")
    )
    wanted = [one for one in partitions if one != _WITHOUT]
    left_over = [one for one in wanted if not (answers / _name(one)).exists()]
    done = len(wanted) - len(left_over)
    share = max(64 << 20, means.memory // (2 * means.workers))
    if means.workers == 1:
        for one in left_over:
            _evaluate_one(plan, work, one, share)
            done += 1
            progress("Evaluating", done, len(wanted))
        return answers
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        means.workers, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        under_way = [pool.submit(_evaluate_one, plan, work, one, share) for one in left_over]
        try:
            for ended in as_completed(under_way):
                ended.result()
                done += 1
                progress("Evaluating", done, len(wanted))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return answers


def _evaluate_one(plan: Plan, work: Path, partition: int, memory: int) -> None:
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
    """The rows of one partition, sorted, with the Medications that its requests refer to."""
    folder = work / "shuffled"
    columns = "patient, type, id, updated, position, url, medication, raw"
    rows = f"read_parquet('{_quoted(folder)}/partition={partition}/*.parquet')"
    query = f"SELECT {columns} FROM {rows}"
    if (folder / f"partition={_WITHOUT}").exists():
        without = f"read_parquet('{_quoted(folder)}/partition={_WITHOUT}/*.parquet')"
        query += (
            f" UNION ALL SELECT wanted.patient, m.type, m.id, m.updated, m.position, m.url, "
            f"m.medication, m.raw FROM {without} m JOIN (SELECT DISTINCT patient, medication "
            f"FROM {rows} WHERE medication != '') wanted ON wanted.medication = m.id"
        )
    answer = sorting.execute(f"SELECT * FROM ({query}) ORDER BY {_ORDER}")
    yield from stream(answer, 2048)


def _database(work: Path, memory: int, threads: int) -> Any:
    spill = work / "spill"
    spill.mkdir(exist_ok=True)
    return database(
        memory_limit=f"{max(memory, 64 << 20) >> 20}MiB",
        threads=threads,
        temp_directory=str(spill),
        preserve_insertion_order=False,
    )


def _end_with(parent: int) -> None:
    """End this process once the one that started it is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _name(partition: int) -> str:
    return f"{partition:05}.parquet"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _write_whole(path: Path, content: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
