"""What image and gate install is locked: each package at one version, with its hashes."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["postgres"],
]
DEV = [*RUNTIME, *PROJECT["dependency-groups"]["dev"]]
BUILD = [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["image"]]
_LINE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


def _locked(name: str) -> dict[str, list[str]]:
    """The versions of each name (several where a marker chooses)."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "locks" / f"{name}.txt").read_text("utf-8").splitlines():
        if read := _LINE.match(line):
            found.setdefault(canonicalize_name(read[1]), []).append(read[2])
    return found


@pytest.mark.parametrize(("lock", "wanted"), [("runtime", RUNTIME), ("dev", DEV), ("build", BUILD)])
def test_every_requirement_is_locked_within_its_range(lock: str, wanted: list[str]) -> None:
    """`make lock` rewrites the files."""
    locked = _locked(lock)
    stale = [
        text
        for text in wanted
        for read in [Requirement(text)]
        if not any(
            read.specifier.contains(Version(one))
            for one in locked.get(canonicalize_name(read.name), ())
        )
    ]
    assert stale == []


@pytest.mark.parametrize("lock", ["runtime", "dev", "build"])
def test_every_locked_package_has_a_hash_and_no_fixed_index(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.txt").read_text("utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    assert len(blocks) == sum(map(len, _locked(lock).values()))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_the_development_set_tests_the_versions_that_run() -> None:
    dev = _locked("dev")
    assert {name: versions for name, versions in _locked("runtime").items()
            if dev.get(name) != versions} == {}  # fmt: skip


def test_every_third_party_import_is_declared() -> None:
    """Not only because another package happens to need it."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    named = [*DEV, *(text for extra in extras for text in extra)]
    declared = {canonicalize_name(Requirement(text).name) for text in named}
    names = {
        "jwt": "pyjwt", "markdown_it": "markdown-it-py", "fhir": "fhir-resources",
        "flask_cors": "flask-cors", "prometheus_client": "prometheus-client",
        "pydantic_settings": "pydantic-settings",
    }  # fmt: skip
    # Promised by what is declared: by flask werkzeug and markupsafe, by pydantic-settings pydantic,
    # by pyjwt[crypto] cryptography.
    promised = {"werkzeug", "markupsafe", "pydantic", "cryptography"}
    imported = set()
    for path in [*(ROOT / "cds_service").rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    imported.discard("_typeshed")  # of the type checker
    own = {"cds_service", "hooks", *sys.stdlib_module_names}
    foreign = {canonicalize_name(names.get(one, one)) for one in imported - own}
    assert foreign - declared - promised == set()
