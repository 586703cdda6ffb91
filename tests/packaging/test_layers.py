"""The layers of the code: what may import what, and that a violation of each kind is caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"

# A module, the line that is planted in it, and what the linter says about it.
PLANTED = {
    "cds_service/core/times.py": (
        "import cds_service.fhir.values.elements",
        "cds_service.core.times -> cds_service.fhir.values.elements",
    ),
    "cds_service/fhir/values/moments.py": (
        "import cds_service.fhir.read.results",
        "cds_service.fhir.values.moments -> cds_service.fhir.read.results",
    ),
    "cds_service/trust/token.py": (
        "import cds_service.sources.prefetch",
        "cds_service.trust.token -> cds_service.sources.prefetch",
    ),
    "cds_service/newcomer.py": ("", "- cds_service.newcomer"),
    "hooks/newcomer.py": ("", "- hooks.newcomer"),
    "hooks/windows.py": ("import hooks.rules.iron", "hooks.windows -> hooks.rules.iron"),
    "hooks/wording.py": (
        "import cds_service.ops.logs",
        "hooks.wording -> cds_service.ops.logs",
    ),
    "cds_service/settings.py": ("import hooks.renal", "cds_service.settings -> hooks.renal"),
    "cds_service/engine/hook.py": ("import flask", "cds_service.engine.hook -> flask"),
    "cds_service/answer/cards.py": (
        "import fhir.resources",
        "cds_service.answer.cards -> fhir",
    ),
    "cds_service/audit/sealing.py": ("import requests", "cds_service.audit.sealing -> requests"),
}


def test_a_violation_of_each_kind_is_caught(tmp_path: Path) -> None:
    for package in ("cds_service", "hooks"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, (line, _) in PLANTED.items():
        path = tmp_path / name
        path.write_text((path.read_text("utf-8") if path.exists() else "") + f"\n{line}\n")

    ended = subprocess.run(
        [LINT, "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout
    unseen = [said for _, said in PLANTED.values() if said not in ended.stdout]
    assert not unseen, ended.stdout
    assert " 0 kept" in ended.stdout  # each contract has its violation


def test_medicine_may_import_three_packages_of_the_service_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    forbidden = next(
        set(one["forbidden_modules"])
        for one in contracts
        if one["source_modules" if "source_modules" in one else "name"] == ["hooks"]
    )
    there = {
        f"cds_service.{path.stem}"
        for path in (ROOT / "cds_service").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"cds_service.__init__"}
    assert there - forbidden == {
        "cds_service.core",
        "cds_service.engine",
        "cds_service.terminology",
    }


def test_at_most_five_modules_are_loose_in_the_package() -> None:
    loose = {path.stem for path in (ROOT / "cds_service").glob("*.py")} - {"__init__"}
    assert len(loose) <= 5, loose
