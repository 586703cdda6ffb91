"""Judges what the tests covered: ``python .ci/covered.py COVERAGE_JSON`` (of ``coverage json``).

Two parts, each with a share that its lines and its branches must both reach. Prints every gap of
a part that fails, one file a line, and ends with status 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

STRICT = ("cds_service/core/", "cds_service/engine/", "cds_service/terminology/", "hooks/")
"""What decides about patients; a branch that no test takes is a branch that nobody has seen."""
PARTS = {"core and hooks": 100.0, "the rest": 95.0}
"""Share in per cent of each part."""


def part_of(path: str) -> str:
    return "core and hooks" if path.startswith(STRICT) else "the rest"


def share(files: dict[str, Any], covered: str, all_: str) -> float:
    total = sum(file["summary"][all_] for file in files.values())
    return 100 * sum(file["summary"][covered] for file in files.values()) / total


def gaps(file: dict[str, Any]) -> str:
    """Lines and branches that were not taken: ``12, 14->16, 20->exit``.

    A branch to or from a line that is named anyway is not named again.
    """
    lines = [str(line) for line in file["missing_lines"]]
    branches = [
        f"{start}->{end if end > 0 else 'exit'}"
        for start, end in file["missing_branches"]
        if not {start, end} & set(file["missing_lines"])
    ]
    return ", ".join(sorted(lines + branches, key=lambda gap: int(gap.split("->")[0])))


def main(report: str) -> int:
    files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    failed = 0
    for part, wanted in PARTS.items():
        own = {path: file for path, file in files.items() if part_of(path) == part}
        if not own:
            print(f"coverage: no file of {part} was measured.")
            failed += 1
            continue
        lines = share(own, "covered_lines", "num_statements")
        branches = share(own, "covered_branches", "num_branches")
        reached = min(lines, branches) >= wanted
        if not reached:
            failed += 1
            for path, file in sorted(own.items()):
                if missing := gaps(file):
                    print(f"{path}: {missing}")
        print(
            f"coverage: {part}: branches {branches:.2f} %, lines {lines:.2f} %,"
            f" wanted {wanted:g} %: {'reached' if reached else 'MISSED'}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
