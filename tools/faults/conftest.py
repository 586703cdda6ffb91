"""A test is a row of docs/reliability.md: it notes figures, and what must hold and does not.

Its docstring says in two paragraphs what is done to the service and what must hold.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.testing.serving import HOST, NotInTimeError, Service, free_port, serving
from tools.bench.load import wrk
from tools.faults.calls import Feedback
from tools.faults.load import Answered, Call, Client, Tally, flaw, under_load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
ABOUT = Path(__file__).with_name("page.md")
_LINE = re.compile(r"^\| `([a-z-]+)` \|.*$", re.MULTILINE)
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

    def many(self, full: int, quick: int) -> int:
        """How many: all, or the quick number."""
        return quick if self.quick else full

    def figure(self, text: str) -> None:
        """Note a measurement for the table."""
        self.figures.append(text)
        print(f"    {text}", flush=True)

    def must(self, holds: object, failed: str) -> None:
        """Note ``failed`` unless it holds, and go on."""
        if not holds:
            self.failures.append(failed)
            print(f"    FAILED: {failed}", flush=True)

    @contextmanager
    def serving(
        self, workers: int = 2, key_retry_s: float | None = None, **settings: str
    ) -> Iterator[Service]:
        """The service; nothing unforeseen may be in its log at the end of the block."""
        options = {"workers": workers, "key_retry_s": key_retry_s, "settings": settings}
        with serving(self.folder, **options) as self.service:
            yield self.service
            self.must_be_clean(self.service)

    def must_be_clean(self, service: Service) -> None:
        """No unforeseen error may be in the log of the service."""
        faults = service.faults()
        self.must(not faults, f"{len(faults)} unforeseen errors in the log: {faults[:1]}")

    @contextmanager
    def load(
        self, name: str, calls: Iterable[Call], connections: int = 4,
        right: Iterable[int] | Callable[[Answered], bool] | Tally = (200,), *,
        port: int = 0, fresh: bool = False, pause_s: float = 0.005,
    ) -> Iterator[Tally]:  # fmt: skip
        """Load of this name all through the block; each answer must be right (see `judge`)."""
        tally = self.tallies[name] = right if isinstance(right, Tally) else Tally(right)
        with under_load(port or self.service.port, calls, tally, connections, fresh, pause_s):
            yield tally

    def loaded(
        self, seconds: float, name: str, calls: Iterable[Call], connections: int = 4,
        right: Iterable[int] | Callable[[Answered], bool] = (200,), **how: object,
    ) -> Tally:  # fmt: skip
        """Load for so many seconds."""
        with self.load(name, calls, connections, right, **how) as tally:
            time.sleep(seconds)
        return tally

    def sent(self, call: Call, times: int = 1) -> list[Answered]:
        """The answers to a call that is sent so many times, each over a new connection."""
        client = Client(self.service.port, fresh=True)
        return [client.send(call) for _ in range(times)]

    def memory_mb(self) -> list[float]:
        """Resident memory of each worker, in megabytes."""
        return [one.memory_info().rss / 1e6 for one in self.service.worker_processes()]

    def healthy_for(self, seconds: float) -> None:
        """For so long /healthz must answer in time, beyond what a busy machine takes itself.

        That is told by a process that does nothing else. wrk asks both: the makers of load are
        busy.
        """
        port, empty = free_port(), self.folder / "empty"
        empty.mkdir(exist_ok=True)
        idle = [sys.executable, "-m", "http.server", str(port), "--bind", HOST, "-d", str(empty)]
        with subprocess.Popen(idle, stderr=subprocess.DEVNULL) as process:
            time.sleep(1)
            with ThreadPoolExecutor(2) as pool:
                asked = ((self.service.port, "/healthz"), (port, "/"))
                ours, theirs = pool.map(lambda at: wrk(*at, 1, seconds, every_ms=50), asked)
            process.terminate()
        slowest, idle_ms = ours["max_ms"], theirs["max_ms"]
        said = f"slowest of {ours['requests']:,} /healthz {slowest:.0f} ms (an idle process "
        said += f"beside it {idle_ms:.0f} ms)"
        self.must(ours["requests"] and not ours["failed"], f"{ours['failed']} of /healthz failed")
        self.must(slowest < _HEALTH_MS + idle_ms, said)
        self.figure(said)

    def must_be_kept(self, feedback: Feedback, stored: set[str]) -> None:
        """Every answer to a card that was acknowledged must be stored."""
        missing = len(feedback.acknowledged - stored)
        self.must(not missing, f"{missing} acknowledged answers are lost")
        self.figure(f"{len(feedback.acknowledged):,} answers acknowledged, {missing} lost")

    def judge(self) -> None:
        """Note every load, and that every answer must be as it should."""
        for name, tally in self.tallies.items():
            flaws = [flaw(one) or f"status {one.status}" for one in tally.wrong[:3]]
            self.must(not tally.wrong, f"{name}: {tally.said()} {flaws}")
            self.figure(f"{name}: {tally}")


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
        name = item.name.removeprefix("test_").replace("_", "-")
        write(name, line(name, item, report))
    return report


def line(name: str, item: pytest.Item, report: pytest.TestReport) -> str:
    """The row's line of the table."""
    found: Row = item.funcargs["row"]
    what, holds = item.function.__doc__.split("\n\n")
    failures = "; ".join(found.failures) or str(report.longrepr).splitlines()[-1:]
    result = "held" if report.passed else f"**failed**: {failures}"
    result += f" ({datetime.now(UTC).date()}, {report.duration:.0f} s{', quick' * found.quick})"
    cells = (f"`{name}`", what, holds, result, "; ".join(found.figures))
    return f"| {' | '.join(' '.join(one.replace('|', '¦').split()) for one in cells)} |"


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put one line into the page, in its place; keep the others."""
    known = page.read_text(encoding="utf-8") if page.exists() else ""
    lines = {one[1]: one[0] for one in _LINE.finditer(known)} | {name: text}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.platform()}"
    about = ABOUT.read_text(encoding="utf-8")
    text = about.format(machine=machine, table="\n".join(lines.values()))
    page.write_text(text, encoding="utf-8")
