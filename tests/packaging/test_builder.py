"""Tests build their FHIR JSON with `tests/testing/fhir.py`."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
MOST = 3  # members, the type among them: enough for what is malformed or bare


def test_resources_come_from_the_one_builder() -> None:
    literals = {
        f"{file.relative_to(TESTS)}:{node.lineno}"
        for file in TESTS.rglob("*.py")
        if "testing" not in file.parts and '"resourceType"' in (text := file.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Dict) and len(node.keys) > MOST
        and any(isinstance(key, ast.Constant) and key.value == "resourceType" for key in node.keys)
    }  # fmt: skip
    assert not literals, f"build these with tests/testing/fhir.py: {', '.join(sorted(literals))}"
