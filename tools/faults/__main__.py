"""``python -m tools.faults``: run the rows, print what they find, write the table if asked."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tools.faults.rows import ROWS
from tools.faults.run import Row, Run
from tools.faults.service import NotInTimeError, end_on_signals
from tools.faults.table import Found, write


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when every row held, else 1."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME",
                        help="run this row; may be repeated: " + ", ".join(names))  # fmt: skip
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument("--seed", type=int, default=Run.seed, help="of the mutator")
    parser.add_argument("--keep", type=Path, help="keep logs and files in this folder")
    chosen = parser.parse_args(arguments)
    end_on_signals()
    found: list[Found] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        for row in ROWS:
            if chosen.only and row.name not in chosen.only:
                continue
            folder = (chosen.keep or Path(scratch)).resolve() / row.name
            folder.mkdir(parents=True, exist_ok=True)
            found.append(_one(row, Run(folder, quick=chosen.quick, seed=chosen.seed, say=_say)))
            if chosen.write:
                write(found, names)
    failed = [one.row.name for one in found if not one.passed]
    _say(
        f"{len(found) - len(failed)} of {len(found)} rows held"
        + (f"; failed: {failed}" if failed else "")
    )
    return 1 if failed else 0


def _one(row: Row, run: Run) -> Found:
    _say(f"{row.name}: {row.what}")
    started = time.monotonic()
    try:
        row.work(run)
    except (NotInTimeError, OSError) as error:
        run.must(False, f"{type(error).__name__}: {error}")
    found = Found(row, run, time.monotonic() - started)
    _say(f"  {'held' if found.passed else 'FAILED'} after {found.seconds:.0f} s")
    return found


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
