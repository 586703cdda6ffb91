"""The wheel carries all data, and works where there is no source folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.testing.thorough import thorough

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("cds_service", "hooks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _sources() -> set[str]:
    files = {
        path.relative_to(CHECKOUT).as_posix()
        for package in PACKAGES
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # What the wheel takes from elsewhere in the checkout: the rules' pages, the demo's patients.
    patients = (CHECKOUT / "fixtures" / "patients").iterdir()
    files |= {f"hooks/patients/{path.name}" for path in patients}
    return files | {"cds_service/reference/rules.md"}


def test_holds_every_file_of_both_packages_and_no_other(names: set[str]) -> None:
    # The commit is known only where there is a repository.
    without_commit = names - {"cds_service/commit.txt"}
    assert {name for name in without_commit if ".dist-info/" not in name} == _sources()


@pytest.mark.parametrize(
    ("folder", "ending"),
    [
        ("cds_service/calls/schemas/", ".json"),
        ("cds_service/", "py.typed"),
        ("hooks/knowledge/codelists/", ".csv"),
        ("hooks/rules/", ".py"),
        ("cds_service/storage/migrations/", ".py"),
    ],
)
def test_holds(names: set[str], folder: str, ending: str) -> None:
    assert [name for name in names if name.startswith(folder) and name.endswith(ending)]


def test_holds_the_licence(names: set[str]) -> None:
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


@pytest.fixture(scope="module")
def outside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; a path file lends it the dependencies.

    pip reads no path files of a lent folder, so an editable install there stays unseen.
    """
    home = tmp_path_factory.mktemp("outside")
    venv.create(home / "env", with_pip=False)
    python = home / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)],
        check=True,
        capture_output=True,
    )
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return home


def _run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("CDS_", "PYTHON", "COV_"))}
    return subprocess.run(
        [str(home / "env" / "bin" / command[0]), *command[1:]],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_outside_the_source_folder_the_rules_are_listed(outside: Path) -> None:
    location = _run(outside, "python", "-c", "import cds_service; print(cds_service.__file__)")
    assert location.stdout.startswith(str(outside))
    rules = _run(outside, "cds-service", "rules")
    assert (rules.returncode, rules.stderr) == (0, "")
    for rule in ("low-magnesium", "quinine-ordered", "data-not-usable"):
        assert rule in rules.stdout


@thorough
@pytest.mark.slow
def test_outside_the_source_folder_the_settings_are_listed(outside: Path) -> None:
    settings = _run(outside, "cds-service", "settings")
    assert (settings.returncode, settings.stderr) == (0, "")
    assert "CDS_DATABASE_URL" in settings.stdout
