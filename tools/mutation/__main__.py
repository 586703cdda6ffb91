"""Mutate the rules and units, and write down what no test noticed.

    python -m tools.mutation --maker PYTHON  a sample of every module, and docs/mutation.md
    python -m tools.mutation --maker PYTHON  --all  every mutant there is
    python -m tools.mutation --maker PYTHON  PATH…  all of these modules; the page stays as it is
    python -m tools.mutation --maker PYTHON  --resume  without what was killed before
    python -m tools.mutation --maker PYTHON  --write  no run: the page of the last one again

``--maker`` is the Python of the environment that has cosmic-ray (`make mutants` makes it). Ends
with status 1 where a mutant survived that `tools/mutation/survivors.toml` does not explain.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.mutation import page, plan, trying
from tools.mutation.known import Known
from tools.mutation.page import Tried
from tools.mutation.trying import ROOT, Fate

SEED = 7


def _mutants(maker: str, path: str) -> list[dict[str, Any]]:
    """All mutants of a module, from cosmic-ray's own environment."""
    command = [maker, str(Path(__file__).with_name("making.py")), str(ROOT / path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _chosen(path: str, found: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most so many, the same ones for the same source; in the order of their lines."""
    if len(found) <= most or path in plan.WHOLE:
        return found
    picked = random.Random(f"{SEED} {path}").sample(range(len(found)), most)  # noqa: S311
    return [found[at] for at in sorted(picked)]


def _tried(path: str, mutant: dict[str, Any], fate: Fate) -> Tried:
    return Tried(
        path=path,
        line=mutant["line"],
        operator=mutant["operator"],
        was=mutant["was"],
        now=mutant["now"],
        fate=fate,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, try, write; the number that matters is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="only these modules")
    parser.add_argument("--maker", required=True, help="Python with cosmic-ray")
    parser.add_argument("--all", action="store_true", help="every mutant, no sample")
    parser.add_argument("--resume", action="store_true", help="take over what was killed before")
    parser.add_argument("--most", type=int, default=60, help="mutants of a module (60)")
    parser.add_argument("--write", action="store_true", help="the page of the last run again")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        page.write(page.last())
        return _judged(page.last().tried)
    os.chdir(ROOT)
    os.nice(10)
    started = time.monotonic()
    trying.warm()
    measured = plan.measured()
    if trying.control(measured.all) is not Fate.SURVIVED:
        sys.exit(f"mutation: the tests fail on the unmutated program: see {trying.SAID}")
    known = Known(ROOT / ".mutation" / "fates", resume=chosen.resume)
    results: list[Tried] = []
    made: dict[str, int] = {}
    for path in chosen.paths or plan.modules():
        found = _mutants(chosen.maker, path)
        made[path] = len(found)
        most = len(found) if chosen.all or chosen.paths else chosen.most
        before = len(results)
        for mutant in _chosen(path, found, most):
            fate = known.get(mutant["code"])
            if fate is None:
                tests = measured.tests(path, mutant["line"], mutant["last"])
                fate = known.put(mutant["code"], trying.fate(path, mutant["code"], tests))
            results.append(_tried(path, mutant, fate))
        new = results[before:]
        survived = [one for one in new if one.fate is Fate.SURVIVED]
        print(f"{path}: {len(new)} of {len(found)} tried, {len(survived)} survived", flush=True)
        for one in survived:
            print(f"  {one.line} {one.operator}: {one.was}  =>  {one.now}", flush=True)
    if not chosen.paths:
        run = page.Run(
            tried=results,
            made=made,
            day=datetime.now(UTC).date().isoformat(),
            version=_version(chosen.maker),
            minutes=round((time.monotonic() - started) / 60),
            resumed=known.taken_over,
        )
        run.save()
        page.write(run)
    return _judged(results)


def _judged(results: Sequence[Tried]) -> int:
    unexplained = page.unexplained(results)
    for one in unexplained:
        print(f"unexplained: {one.path}:{one.line} {one.operator}: {one.was}  =>  {one.now}")
    return 1 if unexplained else 0


def _version(maker: str) -> str:
    code = "import importlib.metadata as m; print(m.version('cosmic-ray'))"
    done = subprocess.run([maker, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
