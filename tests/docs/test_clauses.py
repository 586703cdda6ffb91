"""Clauses of the specification: each conformance test opens with its own, and each clarification
links to one. What these pages and the architecture name exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.test_named_tests import CONFORMANCE, rows

ROOT = Path(__file__).parents[2]
STRENGTH = r"(?:SHALL(?: NOT)?|SHOULD|MAY|Practice|Client)"
OPENS = re.compile(rf"{STRENGTH}(?:, {STRENGTH})* \(([^)]+); ([^);]+)\): ")


def test_each_conformance_test_opens_with_its_clause() -> None:
    """Its strength, its section, and the rows of docs/conformance.md that it shows."""
    known = {row[0] for row in CONFORMANCE}
    without = []
    for file in sorted((ROOT / "tests/conformance").glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                opening = OPENS.match(" ".join((ast.get_docstring(node) or "").split()))
                named = re.findall(r"[A-Z]\d+", opening[2]) if opening else []
                if not named or set(named) - known:
                    without.append(f"{file.name}::{node.name}")
    assert without == []


def test_each_clarification_links_to_its_clause_and_names_what_exists() -> None:
    page = rows("docs/explanation/clarifications.md")
    assert len(page) >= 15
    for clause, *_, where in page:
        link = re.fullmatch(r"\[.+\]\((https://\S+)\)", clause)
        assert link is not None, clause
        assert "#" in link[1] or "/hooks/" in link[1], clause
        named = re.findall(r"((?:`\w+`(?: and )?)+) in `([\w/.-]+)`", where)
        assert where.count(" in `") == len(named) >= 1, where
        for names, path in named:
            text = (ROOT / "cds_service" / path).read_text("utf-8")
            for name in re.findall(r"\w+", names.replace(" and ", " ")):
                assert re.search(rf'^(?:class|def) {name}\b|"{name}":', text, re.M), (name, path)


def test_what_the_architecture_names_exists() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    paths = {path for path in re.findall(r"`([\w./-]+(?:\.py|/))`", text) if path != "/healthz"}
    assert len(paths) > 40
    assert [path for path in sorted(paths) if not exists(path)] == []


def exists(path: str) -> bool:
    """Whether it is there; a path without its package is one of the service."""
    if "/" not in path:
        return any((ROOT / "cds_service").rglob(path))
    return any((folder / path).exists() for folder in (ROOT, ROOT / "cds_service"))
