"""One run: from the options of the command line to the files in the folder."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.errors import BadRequest, StartupError
from cds_service.population.options import RunOptions, plan_of
from cds_service.population.tables import (
    KEYS,
    calls_schema,
    database,
    evaluations_schema,
    machine_faults,
    need,
    rows_in,
    stream,
)

if TYPE_CHECKING:
    from cds_service.population.local import Progress
    from cds_service.settings import Settings

_MARK = "asked"  # a file in the folder of a run in progress: its options
_ENDED = ".ended"
ROWS_SORTED = 'site, hook, time, patient, encounter, "order", topic'


def run(options: RunOptions, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Evaluate an export and write the files to the folder; returns the summary.

    Raises BadRequest and StartupError for options, settings, an export or a folder that cannot be
    used; then everything that the run wrote is removed. Also BadRequest where the machine stops a
    run (a full disk, a process that was killed): what is finished is kept for a resume.
    """
    work = options.out / ".work"
    if not work.exists():
        shutil.rmtree(options.out / _ENDED, ignore_errors=True)
    resumed = work.exists()
    try:
        return _run(options, settings, progress, work)
    except (BadRequest, StartupError):
        if not resumed and work.exists():
            shutil.rmtree(work)
            if not any(options.out.iterdir()):
                options.out.rmdir()
        raise
    except Exception as error:
        if not isinstance(error, machine_faults()):
            raise
        cause = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        begun = (work / _MARK).exists() and options.engine == "local"
        raise BadRequest(
            f"the run stopped: {cause or type(error).__name__}.",
            f"Correct this, then continue in {options.out} with --resume."
            if begun
            else f"Make sure that {options.out} can be written to.",
            "--out",
        ) from error


def _run(options: RunOptions, settings: Settings, progress: Progress, work: Path) -> dict[str, Any]:
    for name in ("duckdb", "pyarrow", "matplotlib"):
        need(name)
    from cds_service.catalogue.sites import population_limits
    from cds_service.population.limits import checked_limits

    limits = checked_limits(
        population_limits(settings.sites), f"{settings.sites}: population.limits"
    )
    fingerprint = _fingerprint(options, settings)
    _prepare(options, work, fingerprint)
    plan = plan_of(options, settings, _key(options.out))
    workers = options.workers or os.cpu_count() or 1
    if options.engine == "spark":
        from cds_service.population.spark import evaluate_on_spark

        counted, answers = evaluate_on_spark(options.source, plan, work, options.partitions)
    else:
        from cds_service.population.local import Capacity, evaluate, processes, shuffle

        capacity = Capacity(
            memory=options.memory or _half_of_memory(),
            workers=workers,
            partitions=options.partitions or 64,
        )
        with processes(capacity) as pool:
            counted = shuffle(Path(options.source), work, capacity, progress, pool)
            answers = evaluate(plan, work, capacity, progress, pool)
    if not any(answers.glob("*.parquet")):
        odd = "; ".join(f"{kind} ({count})" for kind, count in counted["odd"].items())
        raise BadRequest(
            f"{options.source} has no resources of patients" + (f": {odd}." if odd else "."),
            "Name the folder of a FHIR export: NDJSON, Bundles or Parquet.",
            "SOURCE",
        )
    progress("Writing", 0, 1)
    from cds_service.population.report import page
    from cds_service.population.sampling import draw_sample
    from cds_service.population.summary import summarise

    spill = work / "spill"
    spill.mkdir(exist_ok=True)
    with database(temp_directory=str(spill), threads=workers) as joined:
        write_tables(joined, answers, options.out)
        summary = summarise(joined, options, plan, counted, answers, limits)
    if options.sample:
        draw_sample(options.sample, plan, work, answers, options.out)
    _write(options.out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    _write(options.out / "report.html", page(summary))
    # Renamed first, so that a folder that is only half removed is not resumed.
    ended = work.rename(options.out / _ENDED)
    shutil.rmtree(ended)
    progress("Writing", 1, 1)
    return summary


def _prepare(options: RunOptions, work: Path, fingerprint: str) -> None:
    mark = work / _MARK
    if work.exists():
        if not options.resume:
            raise BadRequest(
                f"{options.out} has an unfinished run.",
                "Continue it with --resume, or remove the folder.",
                "--out",
            )
        if not mark.exists() or mark.read_text(encoding="utf-8") != fingerprint:
            raise BadRequest(
                f"{options.out} has a run with other options, settings or data.",
                "Resume with the options of that run, or name another folder.",
                "--resume",
            )
        return
    if options.out.exists() and any(options.out.iterdir()):
        if options.resume and (options.out / "summary.json").exists():
            raise BadRequest(
                f"the run in {options.out} is finished.", "Read its report.", "--resume"
            )
        raise BadRequest(
            f"{options.out} is not empty.", "Name a folder that does not exist yet.", "--out"
        )
    if options.out.resolve().is_relative_to(Path(options.source).resolve()):
        raise BadRequest(
            f"{options.out} is inside the export.", "Name a folder outside of it.", "--out"
        )
    work.mkdir(parents=True)
    _write(mark, fingerprint)


def _fingerprint(options: RunOptions, settings: Settings) -> str:
    """A digest of everything that must be unchanged when a run is resumed."""
    from cds_service.catalogue.sites import site_files
    from cds_service.ops.version import version_text

    folder = Path(options.source)
    files = (
        [
            (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        if folder.is_dir()
        else []
    )
    fixed = {
        name: str(value)
        for name, value in vars(options).items()
        if name not in ("out", "resume", "workers", "memory", "sample")
    }
    sites = [path.read_text(encoding="utf-8") for path in site_files(settings) if path.is_file()]
    content = json.dumps([fixed, settings.model_dump_json(), sites, files, version_text()])
    return hashlib.sha256(content.encode()).hexdigest()


def _key(out: Path) -> bytes:
    """The key for this run's digests, which is removed with its working files."""
    path = out / ".work" / "key"
    if not path.exists():
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _half_of_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def write_tables(joined: Any, answers: Path, out: Path) -> None:
    """evaluations.parquet and calls.parquet, sorted in a DuckDB database."""
    from pyarrow import parquet

    rows = rows_in(answers)
    keys = ", ".join(f'"{name}"' for name in KEYS)
    evaluated = ", ".join(f'a."{name}"' for name in evaluations_schema().names[len(KEYS) :])
    calls = ", ".join(f'"{name}"' for name in calls_schema().names)
    tables = {
        "evaluations": (
            f"SELECT {keys}, {evaluated} FROM (SELECT {keys}, unnest(answers) AS a FROM {rows} "
            f"WHERE hook IS NOT NULL) ORDER BY {ROWS_SORTED}, a.rule",
            evaluations_schema(),
        ),
        "calls": (
            f"SELECT {calls} FROM {rows} WHERE hook IS NOT NULL ORDER BY {ROWS_SORTED}",
            calls_schema(),
        ),
    }
    for name, (query, schema) in tables.items():
        part = out / f"{name}.part"
        with parquet.ParquetWriter(part, schema, compression="zstd") as file:
            for batch in stream(joined.execute(query), 65536):
                file.write_batch(batch.cast(schema))
        part.replace(out / f"{name}.parquet")


def _write(path: Path, content: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
