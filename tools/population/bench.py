"""What the population command costs: rates of its parts, and whole runs with their memory.

    python -m tools.population.bench rates                     one core, in processor time
    python -m tools.population.bench run NAME SOURCE [OPTION…] a whole run of the command

Each prints one line of JSON; `tools/population/measured.jsonl` holds those that
docs/benchmarks-population.md reports. Times are given twice: as wall-clock time, and as
processor time, which depends less on what else runs on the machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.population import make

PATIENTS = 400
ROUNDS = 5


def rates() -> dict[str, Any]:
    """Reading, and evaluations with 100 results a patient: calls without and with cards."""
    from cds_service.population.evaluating import evaluate_partition
    from cds_service.population.local import Capacity, shuffle
    from cds_service.population.options import RunOptions, plan_of
    from cds_service.population.reading import RowReader
    from cds_service.population.source import Export, batches_in
    from cds_service.population.tables import RESOURCES, database
    from cds_service.settings import Settings

    figures: dict[str, Any] = {"what": "rates", "patients": PATIENTS}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        resources = make.write(source, PATIENTS, seed=1, results=100)
        work = Path(folder) / "work"
        work.mkdir()
        figures["resources"] = resources

        def read() -> None:
            for span in Export(source).spans(1 << 40):
                list(batches_in(source, span, RowReader()))

        figures["reading_per_s"] = round(resources / _fastest(read))

        def shuffled() -> None:
            (work / "shuffled.json").unlink(missing_ok=True)
            shuffle(source, work, Capacity(1 << 30, 1, 1), lambda *_: None)

        figures["reading_and_shuffling_per_s"] = round(resources / _fastest(shuffled))
        shuffled_rows = f"read_parquet('{work}/shuffled/*/*/*.parquet')"
        query = f"SELECT {', '.join(RESOURCES)} FROM {shuffled_rows} ORDER BY ALL"  # noqa: S608
        rows = database().execute(query).to_arrow_table()
        plan = plan_of(
            RunOptions(source="", out=Path("none"), at="2026-06-30"), Settings(), b"k" * 32
        )
        with_cards = set()
        for batch in evaluate_partition(rows.to_batches(), plan):
            for row in batch.to_pylist():
                if row["hook"] and row["info"] + row["warning"] + row["critical"]:
                    with_cards.add(row["patient"])
        for name, expected in (("no_card", False), ("cards", True)):
            selected = rows.filter(
                [
                    (plan.digest("Patient", patient) in with_cards) is expected
                    for patient in rows["patient"].to_pylist()
                ]
            )
            batches = selected.to_batches()
            calls = len(set(selected["patient"].to_pylist()))

            def evaluated(batches: list[Any] = batches) -> None:
                for _ in evaluate_partition(batches, plan):
                    pass

            figures[f"calls_{name}"] = calls
            figures[f"evaluations_{name}_per_s"] = round(calls / _fastest(evaluated))
    return figures


def _fastest(work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of several rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def run(name: str, source: str, options: list[str]) -> dict[str, Any]:
    """A whole run: time, processor time, the most memory that all its processes had at once."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "cds_service", "population", source, "--out", str(out)]
        began = time.monotonic()
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        watch = _Watch(process.pid)
        assert process.stderr is not None
        progress = process.stderr.read()
        status = process.wait()
        seconds = time.monotonic() - began
        memory, each = watch.end()
        cpu = sum(each)
        if status not in (0, 3):
            raise SystemExit(f"status {status}: {progress[-2000:]}")
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        written = sum(file.stat().st_size for file in out.glob("*.parquet"))
    patients = summary["counts"]["patients"]
    return {
        "what": "run", "name": name, "options": options, "seconds": round(seconds, 1),
        "processor_seconds": round(cpu, 1),
        "of_each_process": [round(cpu_s, 1) for cpu_s in each if cpu_s >= 0.05],
        "processor_ms_per_patient": round(1000 * cpu / patients, 3),
        "most_memory_mb": memory >> 20,
        "load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1),
        "patients": patients, "calls": summary["counts"]["calls"],
        "cards": summary["counts"]["cards"],
        "resources": sum(summary["resources"].values()), "parquet_mb": written >> 20,
        "latency_ms": summary["latency"], "progress": progress.splitlines()[-12:],
    }  # fmt: skip


class _Watch:
    """A process and its descendants, looked at twice a second: the most memory they had at once
    (PSS: what each has of its own, and its share of what they share), and their processor time
    (not all of Spark's are waited for, so the kernel's own sum would lack some)."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._ended = pid, 0, threading.Event()
        self._times: dict[int, float] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> tuple[int, list[float]]:
        """Bytes, and the seconds of each process, those of the first one first; ends the watch."""
        self._ended.set()
        self._thread.join()
        return self._most, list(self._times.values())

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            family = list(_family(self._pid))
            self._most = max(self._most, sum(_share(member) for member in family))
            for member in family:
                self._times[member] = _time(member) or self._times.get(member, 0.0)


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))
    except OSError:
        return


def _time(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _share(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def main() -> None:
    """Measure, and print one line of JSON."""
    what, *rest = sys.argv[1:] or ["rates"]
    figures = rates() if what == "rates" else run(rest[0], rest[1], rest[2:])
    figures |= {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(), "processors": os.cpu_count(),
        "machine_gb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30,
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
