"""A test is a row of docs/reliability.md: it notes figures, and what should hold but does not.

Its docstring says in two paragraphs what is done to the service and what must hold.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psutil import Process

from tests.testing.serving import NotInTimeError, Service, running, serving
from tools.bench.contestants import FIXED, other
from tools.bench.report import hardware
from tools.bench.servers import wrk
from tools.faults.calls import FeedbackTally, Signer, client_list
from tools.faults.load import TIMEOUT_S, Answered, CallTally, Post, Right, Sender, flaw, under_load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_HEALTH_MS = 100
"""What the contract promises for /healthz."""


class PageRow:
    """What a test is given: a folder, how much to do, and where to note its findings."""

    service: Service

    def __init__(self, folder: Path, quick: bool, seed: int, minutes: float | None) -> None:
        self.folder, self.quick, self.seed, self.minutes = folder, quick, seed, minutes
        self.figures: list[str] = []
        self.failures: list[str] = []
        self.tallies: dict[str, CallTally] = {}
        self.killed = 0

    def many(self, full: int, quick: int) -> int:
        """How many: all, or the quick number."""
        return quick if self.quick else full

    def figure(self, text: str, holds: object = True) -> None:
        """Note a measurement for the table, and whether it is as it should be."""
        self.figures.append(text)
        print(f"    {text}", flush=True)
        self.must(holds, text)

    def must(self, holds: object, failed: str) -> None:
        """Note ``failed`` unless it holds, and go on."""
        if not holds:
            self.failures.append(failed)
            print(f"    FAILED: {failed}", flush=True)

    @contextmanager
    def serving(
        self, *clients: Signer, workers: int = 2, key_retry_s: float | None = None, **settings: str
    ) -> Iterator[Service]:
        """The service, for these clients if any are given; see `must_be_healthy` for its end."""
        if clients:
            settings["TRUSTED_CLIENTS"] = client_list(self.folder, *clients)
        options = {"workers": workers, "key_retry_s": key_retry_s, "settings": settings}
        with serving(self.folder, **options) as self.service:
            yield self.service
            self.must_be_healthy(self.service)

    def must_be_healthy(self, service: Service) -> None:
        """At the end no unforeseen error is in the log, no worker has died except those that were
        killed, and a service that still runs is ready with all its workers.
        """
        faults = service.faults()
        self.must(not faults, f"{len(faults)} unforeseen errors in the log: {faults[:1]}")
        died = service.log.count("Unexpected exit")
        self.must(died <= self.killed, f"{died} workers died, of which {self.killed} were killed")
        ready = service.says("/readyz") and len(service.worker_processes()) == service.workers
        self.must(ready or service.process.poll() is not None, "not ready with all workers")

    def kill(self, worker: Process) -> None:
        """End a worker with SIGKILL; no other may die."""
        self.killed += 1
        worker.kill()

    @contextmanager
    def load(
        self, name: str, calls: Iterable[Post], connections: int = 4,
        right: Right | CallTally = (200,), **options: Any,
    ) -> Iterator[CallTally]:  # fmt: skip
        """Load under this name throughout the block; each answer must be right (see `judge`).

        ``options`` are those of `under_load`, and the ``port`` if it is not the service's.
        """
        port = options.pop("port", None) or self.service.port
        tally = self.tallies[name] = right if isinstance(right, CallTally) else CallTally(right)
        with under_load(port, calls, tally, connections, **options):
            yield tally

    def loaded(self, seconds: float, *what: Any, **options: Any) -> CallTally:
        """`load` for so many seconds."""
        with self.load(*what, **options) as tally:
            time.sleep(seconds)
        return tally

    def send(
        self, name: str, call: Post, times: int = 1, right: tuple[int, ...] = (200,),
        within_s: float = TIMEOUT_S,
    ) -> list[Answered]:  # fmt: skip
        """The answers to a call that is sent so many times, each over a new connection."""
        client = Sender(self.service.port, fresh=True)
        answers = [client.send(call) for _ in range(times)]
        slowest = max(answer.seconds for answer in answers)
        statuses = {answer.status for answer in answers}
        text = f"{name}: {'/'.join(map(str, sorted(statuses)))} in {slowest * 1000:.0f} ms"
        holds = statuses <= {*right} and slowest < within_s
        self.figure(text, holds) if name else self.must(holds, text)
        return answers

    def healthy_for(self, seconds: float) -> None:
        """For so long /healthz must answer in time, allowing for what a busy machine takes itself.

        A server that does nothing else shows that. wrk asks both: what makes the load is busy.
        """
        with running(other(FIXED, 1, self.folder)) as idle, ThreadPoolExecutor(2) as pool:
            addresses = ((self.service.port, "/healthz"), (idle.port, "/wsgi"))
            ours, theirs = pool.map(
                lambda address: wrk(*address, 1, seconds, every_ms=50), addresses
            )
        slowest, idle_ms = ours["max_ms"], theirs["max_ms"]
        text = f"slowest of {ours['requests']:,} /healthz {slowest:.0f} ms (an idle process "
        text += f"beside it {idle_ms:.0f} ms)"
        self.must(ours["requests"] and not ours["failed"], f"{ours['failed']} of /healthz failed")
        self.figure(text, slowest < _HEALTH_MS + idle_ms)

    def must_be_stored(self, feedback: FeedbackTally) -> None:
        """Every acknowledged answer to a card must be stored."""
        missing = len(feedback.acknowledged - self.service.stored_cards())
        acknowledged = len(feedback.acknowledged)
        self.figure(f"{acknowledged:,} answers acknowledged, {missing} lost", not missing)

    def judge(self) -> None:
        """Note every load, and fail the row if an answer is not right."""
        for name, tally in self.tallies.items():
            self.figure(f"{name}: {tally}", not tally.wrong)
            for answer in tally.wrong[:20]:
                print(f"    {flaw(answer) or answer.status}: {answer.call.path} {answer.call.note}")


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path) -> PageRow:
    option = request.config.getoption
    return PageRow(tmp_path, option("quick"), option("seed"), option("minutes"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="smaller numbers")
    parser.addoption("--minutes", type=float, help="how long the soak lasts; 30 unless --quick")
    parser.addoption("--write", action="store_true", help="write docs/reliability.md")
    parser.addoption(
        "--seed", type=int, default=20_260_101, help="for the mutated calls and the kills"
    )


def pytest_configure(config: pytest.Config) -> None:
    # So that every process that was started is ended when the run is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("filterwarnings", "default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    row: PageRow = item.funcargs["row"]
    try:
        yield
        row.judge()
    except (NotInTimeError, OSError) as error:
        row.must(False, f"{type(error).__name__}: {error}")
    if row.failures:
        pytest.fail("; ".join(row.failures), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    if call.when == "call" and item.config.getoption("write"):
        row: PageRow = item.funcargs["row"]
        failures = "; ".join(row.failures) or str(report.longrepr).splitlines()[-1:]
        result = "held" if report.passed else f"**failed**: {failures}"
        result += f" ({datetime.now(UTC).date()}, {report.duration:.0f} s{', quick' * row.quick})"
        write(item.name, *item.function.__doc__.split("\n\n"), result, "; ".join(row.figures))
    return report


def write(test: str, *cells: str, page: Path = PAGE) -> None:
    """Put the row of a test into the table of the page, in its place or as the last."""
    name = test.removeprefix("test_").replace("_", "-")
    line = " | ".join(" ".join(cell.replace("|", "¦").split()) for cell in (f"`{name}`", *cells))
    before, *rows, after = re.split(r"^(\| `[a-z-]+` \|.*\n)", page.read_text("utf-8"), flags=re.M)
    rows = [row for row in rows if row]
    lines = {row[: row.index("|", 2)]: row for row in rows} | {f"| `{name}` ": f"| {line} |\n"}
    before = re.sub("^Machine: [^;]*", f"Machine: {hardware()}", before, flags=re.M)
    page.write_text(before + "".join(lines.values()) + after, "utf-8")
