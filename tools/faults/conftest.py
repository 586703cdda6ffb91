"""A test is a row of docs/reliability.md: it notes figures, and what must hold and does not.

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
from tools.faults.calls import Feedback, Signer, client_list
from tools.faults.load import TIMEOUT_S, Answered, Call, Client, Right, Tally, flaw, under_load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_HEALTH_MS = 100
"""What the contract promises for /healthz."""


class Row:
    """What a test is given: a folder, how much to do, and where to note what it found."""

    service: Service

    def __init__(self, folder: Path, quick: bool, seed: int, minutes: float | None) -> None:
        self.folder, self.quick, self.seed, self.minutes = folder, quick, seed, minutes
        self.figures: list[str] = []
        self.failures: list[str] = []
        self.tallies: dict[str, Tally] = {}
        self.killed = 0

    def many(self, full: int, quick: int) -> int:
        """How many: all, or the quick number."""
        return quick if self.quick else full

    def figure(self, text: str, holds: object = True) -> None:
        """Note a measurement for the table, and whether it is as it must be."""
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
        """The service, for these clients if any are given; see `must_be_well` for its end."""
        if clients:
            settings["TRUSTED_CLIENTS"] = client_list(self.folder, *clients)
        options = {"workers": workers, "key_retry_s": key_retry_s, "settings": settings}
        with serving(self.folder, **options) as self.service:
            yield self.service
            self.must_be_well(self.service)

    def must_be_well(self, service: Service) -> None:
        """At the end no unforeseen error is in the log, no worker has died but those that were
        killed, and a service that still runs is ready with all its workers.
        """
        faults = service.faults()
        self.must(not faults, f"{len(faults)} unforeseen errors in the log: {faults[:1]}")
        died = service.log.count("Unexpected exit")
        self.must(died <= self.killed, f"{died} workers died, of which {self.killed} were killed")
        ready = service.says("/readyz") and len(service.worker_processes()) == service.workers
        self.must(ready or service.process.poll() is not None, "not ready with all workers")

    def kill(self, worker: Process) -> None:
        """End a worker by SIGKILL; no other may die."""
        self.killed += 1
        worker.kill()

    @contextmanager
    def load(
        self, name: str, calls: Iterable[Call], connections: int = 4,
        right: Right | Tally = (200,), **how: Any,
    ) -> Iterator[Tally]:  # fmt: skip
        """Load of this name all through the block; each answer must be right (see `judge`).

        ``how`` is that of `under_load`, and the ``port`` if it is not the service's.
        """
        port = how.pop("port", None) or self.service.port
        tally = self.tallies[name] = right if isinstance(right, Tally) else Tally(right)
        with under_load(port, calls, tally, connections, **how):
            yield tally

    def loaded(self, seconds: float, *what: Any, **how: Any) -> Tally:
        """`load` for so many seconds."""
        with self.load(*what, **how) as tally:
            time.sleep(seconds)
        return tally

    def sent(
        self, name: str, call: Call, times: int = 1, right: tuple[int, ...] = (200,),
        within_s: float = TIMEOUT_S,
    ) -> list[Answered]:  # fmt: skip
        """The answers to a call that is sent so many times, each over a new connection."""
        client = Client(self.service.port, fresh=True)
        answers = [client.send(call) for _ in range(times)]
        slowest, statuses = max(one.seconds for one in answers), {one.status for one in answers}
        said = f"{name}: {'/'.join(map(str, sorted(statuses)))} in {slowest * 1000:.0f} ms"
        holds = statuses <= {*right} and slowest < within_s
        self.figure(said, holds) if name else self.must(holds, said)
        return answers

    def healthy_for(self, seconds: float) -> None:
        """For so long /healthz must answer in time, beyond what a busy machine takes itself.

        That is told by a server that does nothing else. wrk asks both: the makers of load are
        busy.
        """
        with running(other(FIXED, 1, self.folder)) as idle, ThreadPoolExecutor(2) as pool:
            asked = ((self.service.port, "/healthz"), (idle.port, "/wsgi"))
            ours, theirs = pool.map(lambda at: wrk(*at, 1, seconds, every_ms=50), asked)
        slowest, idle_ms = ours["max_ms"], theirs["max_ms"]
        said = f"slowest of {ours['requests']:,} /healthz {slowest:.0f} ms (an idle process "
        said += f"beside it {idle_ms:.0f} ms)"
        self.must(ours["requests"] and not ours["failed"], f"{ours['failed']} of /healthz failed")
        self.figure(said, slowest < _HEALTH_MS + idle_ms)

    def must_be_kept(self, feedback: Feedback) -> None:
        """Every answer to a card that was acknowledged must be stored."""
        missing = len(feedback.acknowledged - self.service.stored_cards())
        acknowledged = len(feedback.acknowledged)
        self.figure(f"{acknowledged:,} answers acknowledged, {missing} lost", not missing)

    def judge(self) -> None:
        """Note every load, and that every answer must be as it should."""
        for name, tally in self.tallies.items():
            self.figure(f"{name}: {tally}", not tally.wrong)
            for one in tally.wrong[:20]:
                print(f"    {flaw(one) or one.status}: {one.call.path} {one.call.note}")


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path) -> Row:
    asked = request.config.getoption
    return Row(tmp_path, asked("quick"), asked("seed"), asked("minutes"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="smaller numbers")
    parser.addoption("--minutes", type=float, help="how long the soak lasts; 30 unless --quick")
    parser.addoption("--write", action="store_true", help="write docs/reliability.md")
    parser.addoption("--seed", type=int, default=20_260_101, help="of the mutator and the kills")


def pytest_configure(config: pytest.Config) -> None:
    # So that every started process is ended on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("filterwarnings", "default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    found: Row = item.funcargs["row"]
    try:
        yield
        found.judge()
    except (NotInTimeError, OSError) as error:
        found.must(False, f"{type(error).__name__}: {error}")
    if found.failures:
        pytest.fail("; ".join(found.failures), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    if call.when == "call" and item.config.getoption("write"):
        found: Row = item.funcargs["row"]
        failures = "; ".join(found.failures) or str(report.longrepr).splitlines()[-1:]
        result = "held" if report.passed else f"**failed**: {failures}"
        result += f" ({datetime.now(UTC).date()}, {report.duration:.0f} s{', quick' * found.quick})"
        write(item.name, *item.function.__doc__.split("\n\n"), result, "; ".join(found.figures))
    return report


def write(test: str, *cells: str, page: Path = PAGE) -> None:
    """Put the row of a test into the table of the page, in its place or as the last."""
    name = test.removeprefix("test_").replace("_", "-")
    told = " | ".join(" ".join(one.replace("|", "¦").split()) for one in (f"`{name}`", *cells))
    before, *rows, after = re.split(r"^(\| `[a-z-]+` \|.*\n)", page.read_text("utf-8"), flags=re.M)
    rows = [one for one in rows if one]
    lines = {one[: one.index("|", 2)]: one for one in rows} | {f"| `{name}` ": f"| {told} |\n"}
    before = re.sub("^Machine: [^;]*", f"Machine: {hardware()}", before, flags=re.M)
    page.write_text(before + "".join(lines.values()) + after, "utf-8")
