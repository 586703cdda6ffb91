"""The audit of the dependencies never says "clean" if no source was consulted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "audit.py"
CLEAN: dict[str, Any] = {"name": "flask", "version": "3.1.0", "vulns": []}
UNKNOWN: dict[str, Any] = {"name": "ours", "version": "1", "skip_reason": "not found"}
AFFECTED: dict[str, Any] = {
    "name": "old",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}],
}


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        pytest.param([CLEAN, CLEAN], 0, "2 of 2 packages judged, 0 affected", id="all are clean"),
        pytest.param([CLEAN, UNKNOWN], 0, "1 of 2 packages judged", id="one is unknown"),
        pytest.param([CLEAN, AFFECTED], 1, "old 1.0: PYSEC-1, fixed in 1.1", id="one is affected"),
        pytest.param([UNKNOWN], 77, "nothing was audited", id="all are unknown"),
        pytest.param([], 77, "nothing was audited", id="no package was found"),
        pytest.param(None, 77, "could not be reached", id="the source is unavailable"),
    ],
)
def test_the_audit_reports_status_and_message(
    tmp_path: Path, answer: list[dict[str, Any]] | None, status: int, message: str
) -> None:
    output = "" if answer is None else json.dumps({"dependencies": answer})
    auditor = tmp_path / "pip-audit"
    auditor.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n", encoding="utf-8")
    auditor.chmod(0o755)
    process = subprocess.run(
        [sys.executable, str(SCRIPT), str(auditor), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (status, "")
    assert message in process.stdout
