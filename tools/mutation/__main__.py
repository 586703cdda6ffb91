"""Mutate the rules and units, and print the mutants that no test noticed: `make mutants`.

cosmic-ray makes, filters and runs the mutants, in clones of the last commit. Exit status 1: a
mutant survived that `tools/mutation/survivors.csv` does not explain.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".mutation"
TESTS = (
    "tests/rules", "tests/core", "tests/fhir_reading/test_values.py",
    "tests/fhir_reading/test_vendor_shapes.py", "tests/vignettes",
    "tests/scenarios/test_scenarios.py", "--ignore=tests/core/test_no_contradictions.py",
)  # fmt: skip
"""The last would cost half the time of a survivor; leaving it out only makes this stricter."""
_OWN = {
    "vascular": "mimics", "nerve": "mimics", "observed": "values", "units": "values",
    "own_range": "values",
    "potassium_hazards": "potassium_ordered",
    **dict.fromkeys(("calcium", "cause", "creatine_kinase", "sodium", "tsh"), "metabolic_cause"),
    **dict.fromkeys(("lines", "problems", "unchecked"), "data_not_usable"),
}  # fmt: skip
_NONE_REACHED = 5  # pytest: no test was collected
CONFIG, SESSION = str(HOME / "cosmic-ray.toml"), str(HOME / "session.sqlite")


def main() -> int:
    """Make the mutants, try them, report."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="only these modules")
    parser.add_argument("--resume", action="store_true", help="continue the last run")
    parser.add_argument("--verdict", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verdict:
        return verdict()
    os.chdir(ROOT)
    HOME.mkdir(exist_ok=True)
    # The programs of this environment, and testmon's record of which test reaches which line.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["TESTMON_DATAFILE"] = str(HOME / "testmon")
    if not options.resume:
        config = Path(__file__).with_name("cosmic-ray.toml").read_text(encoding="utf-8")
        if options.paths:
            config = re.sub(
                "(?m)^module-path = .*$", f"module-path = {json.dumps(options.paths)}", config
            )
        Path(CONFIG).write_text(config, encoding="utf-8")
        _run("cosmic-ray", "init", "--force", CONFIG, SESSION)
        _run("cr-filter-operators", SESSION, CONFIG)
        _skip_silent()
        # The unchanged program first: all tests must pass on it.
        _run(sys.executable, "-m", "pytest", "-q", "--testmon-noselect", *TESTS)
    workers = subprocess.Popen(["cr-http-workers", CONFIG, "."], start_new_session=True)
    try:
        time.sleep(10)  # they clone first
        _run("cosmic-ray", "exec", CONFIG, SESSION)
    finally:
        os.killpg(workers.pid, signal.SIGTERM)
        workers.wait()
    return _report()


def _run(*command: str) -> None:
    if subprocess.call(command):
        sys.exit(f"mutation: {' '.join(command[:3])} failed")


def _skip_silent() -> None:
    """Mark as skipped, as cosmic-ray's own filters do, mutants that change no answer: of
    assertions, the decorators of data classes and caches, annotations (`int | None`)."""
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    with use_db(SESSION) as session:
        for item in list(session.pending_work_items):
            (mutation,) = item.mutations
            line = mutation.module_path.read_text(encoding="utf-8").split("\n")[
                mutation.start_pos[0] - 1
            ]
            silent = line.lstrip().startswith(("@dataclass", "@cache", "@lru_cache", "assert "))
            annotation = re.search(r"(->|: )[^={(]*\|", line) and "BitOr" in mutation.operator_name
            if silent or annotation:
                session.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


def own_tests(path: str, root: Path = Path()) -> list[str]:
    """The test files of a module, by their name."""
    stem = Path(path).stem
    return [str(file) for file in sorted(root.glob(f"tests/**/test_{_OWN.get(stem, stem)}.py"))]


def verdict() -> int:
    """What the tests say of the mutant in this clone: 0 if none of them noticed it.

    cosmic-ray runs this for each mutant. The module's own tests first, then whatever reaches the
    changed lines, as testmon measured it on the unchanged program.
    """
    changed = subprocess.check_output(["git", "diff", "--name-only"], text=True).split()
    own = [test for path in changed for test in own_tests(path)]
    if own and _fails(*own):
        return 1
    reached = _fails("--testmon-nocollect", "--testmon-forceselect", *TESTS)
    if reached not in (0, _NONE_REACHED):
        return 1
    # testmon does not know which tests read a constant of a module: a survivor must pass them all.
    return _fails("tests/docs/test_generated.py::test_no_page_is_stale", *TESTS)


def _fails(*arguments: str) -> int:
    """The exit status of pytest."""
    return subprocess.call([sys.executable, "-m", "pytest", "-x", "-q", *arguments])


def changed(diff: str) -> tuple[str, str]:
    """The changed lines of a unified diff before and after, each as one line."""
    lines = [line for line in diff.split("\n") if line[:3] not in ("---", "+++", "@@ ")]
    positions = [number for number, line in enumerate(lines) if line[:1] in ("-", "+")] or [0]
    block = lines[positions[0] : positions[-1] + 1]
    old, new = ([line[1:] for line in block if line[:1] != sign] for sign in ("+", "-"))
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())


def reasons() -> dict[tuple[str, ...], str]:
    """Why a survivor is accepted, by module and the changed lines before and after."""
    rows = Path(__file__).with_name("survivors.csv").read_text(encoding="utf-8").splitlines()
    names = ("module", "before", "after")
    return {tuple(row[name] for name in names): row["because"] for row in csv.DictReader(rows)}


def _report() -> int:
    """Print the counts and the survivors without a reason; exit status 1 where there are any."""
    from cosmic_ray.work_db import use_db

    known, fates, unexplained = reasons(), Counter[str](), 0
    with use_db(SESSION) as session:
        results: list[tuple[Any, Any]] = list(session.completed_work_items)
    for item, result in results:
        fates[(result.test_outcome or result.worker_outcome).value] += 1
        if result.test_outcome == "survived":
            (mutation,) = item.mutations
            key = (str(mutation.module_path), *changed(result.diff))
            if key not in known:
                unexplained += 1
                place = f"{key[0]}:{mutation.start_pos[0]} {mutation.operator_name}"
                print(f"unexplained: {place}: {key[1]}  =>  {key[2]}")
    counts = ", ".join(f"{count:,} {fate}" for fate, count in fates.most_common())
    print(f"{counts}; {unexplained} survivors without a reason")
    return 1 if unexplained or fates["incompetent"] else 0


if __name__ == "__main__":
    sys.exit(main())
