"""The layers of the code: what may import what, and that a violation of each kind is caught."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

from cds_service.engine.hook import HOOKS
from hooks import TOPIC

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
    "cds_service/trust/keys.py": (
        "import cds_service.sources.prefetch",
        "cds_service.trust.keys -> cds_service.sources.prefetch",
    ),
    "cds_service/newcomer.py": ("", "- cds_service.newcomer"),
    "hooks/newcomer.py": ("", "- hooks.newcomer"),
    "hooks/windows.py": ("import hooks.levels", "hooks.windows -> hooks.levels"),
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
    "cds_service/trust/token.py": ("import httpx", "cds_service.trust.token -> httpx"),
    "cds_service/core/text.py": (
        "import cds_service.core.patient",
        "cds_service.core.text -> cds_service.core.patient",
    ),
    "cds_service/engine/rule.py": (
        "import cds_service.engine.run",
        "cds_service.engine.rule -> cds_service.engine.run",
    ),
    "cds_service/engine/newcomer.py": ("", "- cds_service.engine.newcomer"),
    "cds_service/answer/evidence.py": (
        "import cds_service.answer.answering",
        "cds_service.answer.evidence -> cds_service.answer.answering",
    ),
    "cds_service/commands/listing.py": (
        "import cds_service.commands.serve",
        "cds_service.commands.listing -> cds_service.commands.serve",
    ),
    "hooks/rules/iron.py": (
        "import hooks.rules.anemia",
        "hooks.rules.iron -> hooks.rules.anemia",
    ),
    "cds_service/outbound/transport.py": (
        "import cds_service.outbound.servers",
        "No cycles are allowed in cds_service.outbound.",
    ),
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

    process = subprocess.run(
        [LINT, "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1, process.stdout
    undetected = [message for _, message in PLANTED.values() if message not in process.stdout]
    assert not undetected, process.stdout
    assert " 0 kept" in process.stdout  # each contract has its violation


def test_medicine_may_import_three_packages_of_the_service_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    forbidden = next(
        set(contract["forbidden_modules"])
        for contract in contracts
        if contract["source_modules" if "source_modules" in contract else "name"] == ["hooks"]
    )
    packages = {
        f"cds_service.{path.stem}"
        for path in (ROOT / "cds_service").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"cds_service.__init__"}
    assert packages - forbidden == {
        "cds_service.core",
        "cds_service.engine",
        "cds_service.terminology",
    }


def test_the_package_has_at_most_five_top_level_modules() -> None:
    loose = {path.stem for path in (ROOT / "cds_service").glob("*.py")} - {"__init__"}
    assert len(loose) <= 5, loose


# What facts, terms, rules and medicine may import besides each other: nothing that reads files by
# itself, starts a process, or uses the web, a database or another library.
PURE = {
    *("__future__", "calendar", "collections", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "itertools", "msgspec", "operator", "re", "types", "typing"),
    *("unicodedata", "cds_service", "hooks"),
}
# Those that read knowledge files are given their text, or a folder inside a package.
ALSO = {
    "cds_service/engine/analyte_blocks.py": {"tomllib"},
    "cds_service/engine/knowledge_files.py": {"tomllib", "importlib.resources"},
    "cds_service/terminology/codelists.py": {"csv", "io"},
    # Each thread and each process has its own memory of texts.
    "cds_service/terminology/call_texts.py": {"contextlib", "hashlib", "os", "threading"},
    "hooks/dose.py": {"tomllib", "importlib.resources"},
    "hooks/knowledge/files.py": {"importlib.resources"},
}
BY_NAME = ("import_module", "__import__", "exec", "eval", "runpy", "pkgutil")
# Where a module is loaded by a name that is computed; nowhere else.
LOADERS = {
    "cds_service/commands/lacking.py",
    "cds_service/fhir/models.py",
    "cds_service/population/tables.py",
    "cds_service/serving/server.py",
}
# The standard library's modules for the network, and who may use them.
NETWORK = {
    "socket",
    "ssl",
    "http",
    "asyncio",
    "urllib.request",
    "smtplib",
    "ftplib",
    "socketserver",
}
ON_THE_NETWORK = ("outbound/", "sources/fetch/", "serving/", "storage/watch.py")


def imported(text: str) -> Iterator[str]:
    """Every module that a file imports, also inside functions, and each way to load one by name."""
    for node in nodes(text):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in BY_NAME:
                yield name
        elif isinstance(node, ast.Constant) and node.value in BY_NAME:
            yield str(node.value)


def wrong(name: str, text: str) -> set[str]:
    """The imports of a file that its place does not allow."""
    names = set(imported(text))
    loads = names & {*BY_NAME, "importlib.import_module"}
    names -= loads
    loads -= {"import_module", "importlib.import_module"} if name in LOADERS else set()
    if name.startswith("hooks/") or name.split("/")[1] in ("core", "terminology", "engine"):
        allowed = PURE | ALSO.get(name, set())
        return loads | {
            module
            for module in names
            if not any(module == one or module.startswith(f"{one}.") for one in allowed)
        } - ({"importlib"} if "importlib.resources" in allowed else set())
    path = name.removeprefix("cds_service/")
    roots = {module.partition(".")[0] for module in names}
    online = {
        module for module in names if module in NETWORK or module.partition(".")[0] in NETWORK
    }
    foreign = roots & {"hooks", "tests", "tools"}
    return loads | foreign | (set() if path.startswith(ON_THE_NETWORK) else online)


@cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    """What a file is made of: three tests ask for it."""
    return tuple(ast.walk(ast.parse(text)))


def test_each_file_imports_only_what_its_place_allows() -> None:
    files = [*(ROOT / "cds_service").rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]
    names = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    assert {name: found for name, text in names.items() if (found := wrong(name, text))} == {}


def test_what_the_linter_cannot_see_is_caught() -> None:
    for name, line in (
        ("hooks/dose.py", "import werkzeug"),
        ("hooks/rules/iron.py", "def x():\n    import sqlite3"),
        ("hooks/rules/iron.py", "from urllib.request import urlopen"),
        ("hooks/rules/iron.py", "import subprocess"),
        ("cds_service/core/text.py", "import json"),
        ("cds_service/engine/run.py", "import prometheus_client"),
        ("cds_service/terminology/codes.py", "import threading"),
        ("cds_service/answer/cards.py", "import urllib.request"),
        ("cds_service/answer/cards.py", "from http.client import HTTPSConnection"),
        ("cds_service/core/text.py", "import csv"),
        ("cds_service/core/text.py", "import tomllib"),
        ("cds_service/core/text.py", "from importlib import resources"),
        ("cds_service/core/times.py", "import importlib"),
        ("cds_service/api/ops.py", "import importlib; importlib.import_module('hooks.renal')"),
        ("cds_service/core/times.py", "importlib.import_module('cds_service.api.ops')"),
        ("hooks/dose.py", "from importlib import import_module"),
        ("hooks/dose.py", "import importlib.util"),
        ("hooks/dose.py", "__import__('cds_service.api.ops')"),
        ("hooks/rules/iron.py", "load = __builtins__.__import__"),
        ("hooks/dose.py", "getattr(importlib, 'import_module')"),
        ("cds_service/api/ops.py", "from importlib import import_module as load"),
        ("cds_service/api/ops.py", "import runpy"),
        ("cds_service/fhir/models.py", "__import__('hooks')"),
        ("cds_service/answer/cards.py", "exec('import hooks')"),
        ("cds_service/api/ops.py", "from tests.testing.given import given"),
        ("cds_service/api/ops.py", "import tools"),
    ):
        assert wrong(name, line), (name, line)
    assert (
        wrong("cds_service/api/ops.py", "from urllib.parse import urlsplit\nimport json") == set()
    )
    assert wrong("cds_service/outbound/transport.py", "import ssl") == set()


def test_the_service_contains_no_medicine() -> None:
    """No text of the service is the key of a concept, analyte, limit, rule or order of a topic."""
    known = TOPIC.knowledge
    keys = known.analytes.keys() | known.limits(None, "").keys() | known.orderables.keys()
    keys |= {rule.id for rule in TOPIC.rules} | {service.id for service in TOPIC.services}
    for field in fields(known.vocabularies):
        keys |= getattr(known.vocabularies, field.name).all_concepts
    medical_texts = {
        (str(file.relative_to(ROOT)), node.value)
        for file in (ROOT / "cds_service").rglob("*.py")
        for node in nodes(file.read_text(encoding="utf-8"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in keys
    }
    assert medical_texts == set()


def test_nothing_but_the_hooks_themselves_compares_their_names() -> None:
    """No text of the service is the name of a hook, where `HOOKS` and `Hook` are defined."""
    hook_names = {
        (str(file.relative_to(ROOT)), node.value)
        for file in (ROOT / "cds_service").rglob("*.py")
        if file != ROOT / "cds_service" / "engine" / "hook.py"
        for node in nodes(file.read_text(encoding="utf-8"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in HOOKS
    }
    assert hook_names == set()
