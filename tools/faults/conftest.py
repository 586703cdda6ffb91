"""A test is a row of docs/reliability.md: it notes figures, and what must hold and does not.

Its docstring says in two paragraphs what is done to the service and what must hold.
"""

from __future__ import annotations

import os
import platform
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.testing.serving import NotInTimeError, Service
from tools.faults.calls import Feedback
from tools.faults.load import Tally, flaw

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
ABOUT = Path(__file__).with_name("page.md")
_LINE = re.compile(r"^\| `([a-z-]+)` \|.*$", re.MULTILINE)


class Row:
    """What a test is given: a folder, how much to do, and where to note what it found."""

    def __init__(self, folder: Path, quick: bool, seed: int, minutes: float | None) -> None:
        self.folder, self.quick, self.seed, self.minutes = folder, quick, seed, minutes
        self.figures: list[str] = []
        self.failures: list[str] = []

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

    def must_be_right(self, what: str, *tallies: Tally) -> None:
        """Every answer must be as it should."""
        for tally in tallies:
            self.must(not tally.wrong, f"{what}: {tally.said()} {[*map(flaw, tally.wrong[:3])]}")

    def must_be_kept(self, feedback: Feedback, stored: set[str]) -> None:
        """Every answer to a card that was acknowledged must be stored."""
        missing = len(feedback.acknowledged - stored)
        self.must(not missing, f"{missing} acknowledged answers are lost")
        self.figure(f"{len(feedback.acknowledged):,} answers acknowledged, {missing} lost")

    def must_be_clean(self, service: Service) -> None:
        """No unforeseen error may be in the log of the service."""
        faults = service.faults()
        self.must(not faults, f"{len(faults)} unforeseen errors in the log: {faults[:1]}")


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
    found = item.funcargs["row"]  # type: ignore[attr-defined]
    try:
        yield
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
        write(_name(item), line(item, report))
    return report


def _name(item: pytest.Item) -> str:
    return item.name.removeprefix("test_").replace("_", "-")


def line(item: pytest.Item, report: pytest.TestReport) -> str:
    """The row's line of the table."""
    found: Row = item.funcargs["row"]  # type: ignore[attr-defined]
    what, holds = item.function.__doc__.split("\n\n")  # type: ignore[attr-defined]
    failures = "; ".join(found.failures) or str(report.longrepr).splitlines()[-1:]
    result = "held" if report.passed else f"**failed**: {failures}"
    result += f" ({datetime.now(UTC).date()}, {report.duration:.0f} s{', quick' * found.quick})"
    cells = (f"`{_name(item)}`", what, holds, result, "; ".join(found.figures))
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
