"""The gate runs every stage to its end, and passes only when none failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.testing.thorough import thorough

pytestmark = thorough  # a test of a tool

CHECKOUT = Path(__file__).resolve().parents[2]
MAKE = """#!/bin/sh
echo "make $*" >> "$CALLS"
case "$*" in
  "$FAILS") echo "make: $* failed"; exit 2 ;;
  audit) echo "audit: $AUDITED" ; [ "$AUDITED" = "9 of 9 packages judged, 0 affected." ] ;;
esac
"""


class Gate:
    """The real script in an empty copy, with stand-ins for make and apt-get.

    Where root runs it, ``runuser`` is replaced too, and no PostgreSQL is started.
    """

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.calls = folder / "calls"
        (self.checkout / ".ci").mkdir(parents=True)
        shutil.copy(CHECKOUT / ".ci" / "run", self.checkout / ".ci")
        (self.checkout / "tests" / "fhir_server" / "node_modules").mkdir(parents=True)
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("make", "apt-get", "java", "runuser"):
            text = MAKE if name == "make" else "#!/bin/sh\n"
            (self.tools / name).write_text(text, encoding="utf-8")
            (self.tools / name).chmod(0o755)

    def run(
        self, fails: str = "nothing", audited: str = "9 of 9 packages judged, 0 affected."
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", ".ci/run"],
            cwd=self.checkout,
            env={
                "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.tools),
                "CALLS": str(self.calls),
                "FAILS": fails,
                "AUDITED": audited,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def make_calls(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


STEPS = [
    "environment-dev LOCKED=1",
    "test TESTS=all",
    "coverage",
    "lowest",
    "spark-environment",
    "spark",
    "smart-fetch-environment",
    "smart-fetch",
    "lint",
    "format",
    "types",
    "layers",
    "prose",
    "guard",
    "audit",
]


def _verdict(process: subprocess.CompletedProcess[str]) -> str:
    """The last line, without what could not run on this machine."""
    return process.stdout.splitlines()[-1].partition("; NOT RUN: ")[0]


def test_passes_when_no_stage_failed(gate: Gate) -> None:
    (gate.tools / "runuser").unlink()  # PostgreSQL is started and stopped
    process = gate.run()
    assert process.returncode == 0, process.stdout
    assert gate.make_calls() == [f"make {step}" for step in STEPS]
    assert _verdict(process) == "gate: no stage of 17 failed"


@pytest.mark.parametrize("step", ["spark", "test TESTS=all", "coverage", "lowest", "layers"])
def test_fails_when_one_stage_failed_after_running_the_others(gate: Gate, step: str) -> None:
    process = gate.run(fails=step)
    assert process.returncode == 1
    assert gate.make_calls() == [f"make {step}" for step in STEPS]
    assert _verdict(process) == "gate: 1 of 17 stages failed"


def test_a_known_vulnerability_fails(gate: Gate) -> None:
    assert gate.run(audited="9 of 9 packages judged, 1 affected.").returncode == 1


def test_unreachable_vulnerability_data_are_reported_without_failing(gate: Gate) -> None:
    process = gate.run(audited="0 of 9 packages judged, 0 affected.")
    assert process.returncode == 0
    assert "Dependencies were not audited." in process.stdout
    last = process.stdout.splitlines()[-1]
    assert "NOT RUN: " in last
    assert " audit " in last
    assert last.endswith(" (dependencies were not audited)")
    assert any(line.split()[:2] == ["audit", "skipped"] for line in process.stdout.splitlines())


def test_spark_that_cannot_be_installed_is_reported_and_does_not_fail(gate: Gate) -> None:
    process = gate.run(fails="spark-environment")
    assert process.returncode == 0
    assert "make spark" not in gate.make_calls()
    assert "Spark could not be installed" in process.stdout
    assert any(line.split()[:2] == ["spark", "skipped"] for line in process.stdout.splitlines())
