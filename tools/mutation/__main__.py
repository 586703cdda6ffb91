"""Mutate the rules and units, and write down what no test noticed: `make mutants`.

Runs in the environment that has cosmic-ray, and mutates clones of the last commit. Ends with
status 1 where a mutant survived that `tools/mutation/survivors.toml` does not explain.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tools.mutation import page
from tools.mutation.verdict import NONE_REACHED, QUIET, TESTS

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".mutation"
SESSION = HOME / "session.sqlite"
CONFIG = ROOT / "tools/mutation/cosmic-ray.toml"


def main() -> int:
    """Make, try, write; the exit status is what matters."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="only these modules")
    parser.add_argument("--all", action="store_true", help="every mutant, no sample")
    parser.add_argument("--resume", action="store_true", help="go on with the last run")
    parser.add_argument("--write", action="store_true", help="the page of the last run again")
    asked = parser.parse_args()
    os.chdir(ROOT)
    if not asked.write:
        HOME.mkdir(exist_ok=True)
        # The programs of this environment, and testmon's record of who runs what.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["TESTMON_DATAFILE"] = str(HOME / "testmon")
        if asked.resume:
            _again()
        else:
            _make(["1000000" if asked.all else "60", *asked.paths])
        # The unchanged program first: all tests must pass.
        _run(sys.executable, "-m", "pytest", *QUIET, "--testmon", *TESTS)
        _try()
    mutants = page.read(SESSION)
    if not asked.paths:
        page.write(mutants)
    open_ = page.unexplained(mutants)
    for one in open_:
        print(f"unexplained: {one.path}:{one.line} {one.operator}: {one.was}  =>  {one.now}")
    return 1 if open_ else 0


def _run(*command: str) -> None:
    if subprocess.call(command) not in (0, NONE_REACHED):
        sys.exit(f"mutation: {' '.join(command[:3])} failed: nothing was tried")


def _make(sample: list[str]) -> None:
    """A new session, with what is left out marked in it."""
    _run("cosmic-ray", "init", "--force", str(CONFIG), str(SESSION))
    _run(sys.executable, "-m", "tools.mutation.sample", str(SESSION), *sample)
    (HOME / "source").write_text(_source(), encoding="utf-8")


def _again() -> None:
    """Forget the survivors: a new test may kill them. The program must be the same."""
    if (HOME / "source").read_text(encoding="utf-8") != _source():
        sys.exit("mutation: the program has changed since the last run: start without --resume")
    with sqlite3.connect(SESSION) as session:
        session.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED'")


def _source() -> str:
    """What is mutated, as git knows it."""
    return subprocess.check_output(
        ["git", "rev-parse", "HEAD:hooks", "HEAD:cds_service"], text=True
    )


def _try() -> None:
    workers = subprocess.Popen(["cr-http-workers", str(CONFIG), "."], start_new_session=True)
    try:
        time.sleep(10)  # they clone first
        _run("cosmic-ray", "exec", str(CONFIG), str(SESSION))
    finally:
        os.killpg(workers.pid, signal.SIGTERM)
        workers.wait()


if __name__ == "__main__":
    sys.exit(main())
