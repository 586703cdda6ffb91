"""Mutate the rules and units, and print what no test noticed: `make mutants`.

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
    "tests/rules", "tests/core", "tests/test_dose.py", "tests/fhir_reading/test_values.py",
    "tests/fhir_reading/test_vendor_shapes.py", "tests/vignettes",
    "tests/scenarios/test_scenarios.py", "--ignore=tests/core/test_no_contradictions.py",
)  # fmt: skip
"""The last costs half a survivor's time; leaving it out is strict."""
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
    """Make, try, report."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="only these modules")
    parser.add_argument("--resume", action="store_true", help="go on with the last run")
    parser.add_argument("--verdict", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.verdict:
        return verdict()
    os.chdir(ROOT)
    HOME.mkdir(exist_ok=True)
    # The programs of this environment, and testmon's record of which test reaches which line.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["TESTMON_DATAFILE"] = str(HOME / "testmon")
    if not asked.resume:
        config = Path(__file__).with_name("cosmic-ray.toml").read_text(encoding="utf-8")
        if asked.paths:
            config = re.sub(
                "(?m)^module-path = .*$", f"module-path = {json.dumps(asked.paths)}", config
            )
        Path(CONFIG).write_text(config, encoding="utf-8")
        _run("cosmic-ray", "init", "--force", CONFIG, SESSION)
        _run("cr-filter-operators", SESSION, CONFIG)
        _skip_silent()
        # The unchanged program first: all tests must pass.
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
    """Mark as skipped, as cosmic-ray's own filters do, what changes no answer: assertions, the
    decorators of data classes and caches, annotations (`int | None`)."""
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    with use_db(SESSION) as session:
        for item in list(session.pending_work_items):
            (one,) = item.mutations
            line = one.module_path.read_text(encoding="utf-8").split("\n")[one.start_pos[0] - 1]
            silent = line.lstrip().startswith(("@dataclass", "@cache", "@lru_cache", "assert "))
            annotation = re.search(r"(->|: )[^={(]*\|", line) and "BitOr" in one.operator_name
            if silent or annotation:
                session.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


def own_tests(path: str, root: Path = Path()) -> list[str]:
    """The test files of a module, by their name."""
    stem = Path(path).stem
    return [str(one) for one in sorted(root.glob(f"tests/**/test_{_OWN.get(stem, stem)}.py"))]


def verdict() -> int:
    """What the tests say to the mutant in this clone: 0 where nobody noticed.

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
    # testmon does not know which tests read a constant of a module: a survivor meets all of them.
    return _fails("tests/docs/test_generated.py::test_no_page_is_stale", *TESTS)


def _fails(*arguments: str) -> int:
    """The exit status of pytest."""
    return subprocess.call([sys.executable, "-m", "pytest", "-x", "-q", *arguments])


def changed(diff: str) -> tuple[str, str]:
    """The changed lines of a unified diff before and after, each as one line."""
    lines = [one for one in diff.split("\n") if one[:3] not in ("---", "+++", "@@ ")]
    at = [number for number, line in enumerate(lines) if line[:1] in ("-", "+")] or [0]
    block = lines[at[0] : at[-1] + 1]
    old, new = ([line[1:] for line in block if line[:1] != sign] for sign in ("+", "-"))
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())


def reasons() -> dict[tuple[str, ...], str]:
    """Why a survivor may live, by module and the changed lines before and after."""
    rows = Path(__file__).with_name("survivors.csv").read_text(encoding="utf-8").splitlines()
    names = ("module", "before", "after")
    return {tuple(one[name] for name in names): one["because"] for one in csv.DictReader(rows)}


def _report() -> int:
    """Print the counts and the survivors without a reason; exit status 1 where there are any."""
    from cosmic_ray.work_db import use_db

    known, fates, unexplained = reasons(), Counter[str](), 0
    with use_db(SESSION) as session:
        results: list[tuple[Any, Any]] = list(session.completed_work_items)
    for item, result in results:
        fates[(result.test_outcome or result.worker_outcome).value] += 1
        if result.test_outcome == "survived":
            (one,) = item.mutations
            key = (str(one.module_path), *changed(result.diff))
            if key not in known:
                unexplained += 1
                place = f"{key[0]}:{one.start_pos[0]} {one.operator_name}"
                print(f"unexplained: {place}: {key[1]}  =>  {key[2]}")
    counts = ", ".join(f"{count:,} {fate}" for fate, count in fates.most_common())
    print(f"{counts}; {unexplained} survivors without a reason")
    return 1 if unexplained or fates["incompetent"] else 0


if __name__ == "__main__":
    sys.exit(main())
