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
    versions: dict[str, list[str]] = {}
    for line in (ROOT / "locks" / f"{name}.txt").read_text("utf-8").splitlines():
        if match := _LINE.match(line):
            versions.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return versions


@pytest.mark.parametrize(
    ("lock", "requirements"), [("runtime", RUNTIME), ("dev", DEV), ("build", BUILD)]
)
def test_every_requirement_is_locked_within_its_range(lock: str, requirements: list[str]) -> None:
    """`make lock` rewrites the files."""
    locked = _locked(lock)
    stale = [
        text
        for text in requirements
        for requirement in [Requirement(text)]
        if not any(
            requirement.specifier.contains(Version(version))
            for version in locked.get(canonicalize_name(requirement.name), ())
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
    """It does not rely on another package that happens to need it."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    named = [*DEV, *(text for extra in extras for text in extra)]
    declared = {canonicalize_name(Requirement(text).name) for text in named}
    names = {
        "jwt": "pyjwt", "markdown_it": "markdown-it-py", "fhir": "fhir-resources",
        "flask_cors": "flask-cors", "prometheus_client": "prometheus-client",
        "pydantic_settings": "pydantic-settings",
    }  # fmt: skip
    # Installed with what is declared: flask brings werkzeug and markupsafe, pydantic-settings
    # brings pydantic, and pyjwt[crypto] brings cryptography.
    brought_in = {"werkzeug", "markupsafe", "pydantic", "cryptography"}
    imported = set()
    for path in [*(ROOT / "cds_service").rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    imported.discard("_typeshed")  # of the type checker
    own = {"cds_service", "hooks", *sys.stdlib_module_names}
    foreign = {canonicalize_name(names.get(module, module)) for module in imported - own}
    assert foreign - declared - brought_in == set()
