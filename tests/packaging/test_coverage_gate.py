"""The coverage gate: two parts, two thresholds, and every gap of a failing part by its line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "covered.py"


def measured(
    lines: int = 0, branches: tuple[tuple[int, int], ...] = (), total: int = 100
) -> dict[str, Any]:
    """A file with ``total`` lines and as many branches, of which these are not covered."""
    return {
        "missing_lines": list(range(1, lines + 1)),
        "missing_branches": [list(branch) for branch in branches],
        "summary": {
            "num_statements": total,
            "covered_lines": total - lines,
            "num_branches": total,
            "covered_branches": total - len(branches),
        },
    }


def judged(folder: Path, files: dict[str, Any]) -> tuple[int, list[str]]:
    report = folder / "report.json"
    report.write_text(json.dumps({"files": files}), encoding="utf-8")
    process = subprocess.run(
        [sys.executable, str(SCRIPT), str(report)], capture_output=True, text=True, check=False
    )
    assert process.stderr == ""
    return process.returncode, process.stdout.splitlines()


ALL = {
    "cds_service/engine/run.py": measured(),
    "hooks/renal.py": measured(),
    "cds_service/app.py": measured(),
}


@pytest.mark.parametrize(
    ("file", "result", "status", "expected"),
    [
        pytest.param("cds_service/app.py", measured(), 0, [], id="all is covered"),
        pytest.param(
            "cds_service/app.py",
            measured(lines=5),
            0,
            [],
            id="the rest may leave five per cent uncovered",
        ),
        pytest.param(
            "cds_service/app.py",
            measured(lines=6),
            1,
            ["cds_service/app.py: 1, 2, 3, 4, 5, 6"],
            id="the rest may not leave six per cent of its lines uncovered",
        ),
        pytest.param(
            "cds_service/app.py",
            measured(branches=((9, 12), (9, -1), (20, 3), (21, 3), (22, 3), (23, 3))),
            1,
            ["cds_service/app.py: 9->12, 9->exit, 20->3, 21->3, 22->3, 23->3"],
            id="nor of its branches, even if every line ran",
        ),
        pytest.param(
            "hooks/renal.py",
            measured(branches=((61, 58),)),
            1,
            ["hooks/renal.py: 61->58"],
            id="medicine may not leave a single branch uncovered",
        ),
        pytest.param(
            "cds_service/engine/run.py",
            measured(lines=2, branches=((1, 9), (20, 2), (30, 31))),
            1,
            ["cds_service/engine/run.py: 1, 2, 30->31"],
            id="nor may the core; branches of a listed line are not listed again",
        ),
    ],
)
def test_the_gate_reports_status_and_gaps(
    tmp_path: Path, file: str, result: dict[str, Any], status: int, expected: list[str]
) -> None:
    exit_status, lines = judged(tmp_path, ALL | {file: result})
    assert exit_status == status
    assert [line for line in lines if not line.startswith("coverage: ")] == expected
    assert len(lines) - len(expected) == 2


def test_the_two_parts_are_reported_with_their_figures(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, ALL | {"cds_service/app.py": measured(branches=((1, 2),))})
    assert lines == [
        "coverage: core and hooks: branches 100.00 %, lines 100.00 %, wanted 100 %: reached",
        "coverage: the rest: branches 99.00 %, lines 100.00 %, wanted 95 %: reached",
    ]


def test_a_part_that_was_not_measured_fails(tmp_path: Path) -> None:
    status, lines = judged(tmp_path, {"hooks/renal.py": measured()})
    assert status == 1
    assert lines[-1] == "coverage: no file of the rest was measured."


@pytest.mark.parametrize(
    ("folders", "exclusion"),
    [
        (("cds_service", "hooks"), r"pragma: no (cover|branch)"),
        (("cds_service", "hooks", "tools"), r"type: ignore(\[[a-z, -]+\])?"),
    ],
    ids=["from coverage", "from types"],
)
def test_every_exclusion_gives_a_reason(folders: tuple[str, ...], exclusion: str) -> None:
    checkout = SCRIPT.parents[1]
    found = [
        f"{path.relative_to(checkout)}:{number}: {line.strip()}"
        for folder in folders
        for path in sorted((checkout / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(rf"#\s*{exclusion}", line)
    ]
    reason = re.compile(rf"# {exclusion}  # \w+ \w+")
    assert [line for line in found if not reason.search(line)] == []
