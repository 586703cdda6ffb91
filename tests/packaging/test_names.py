"""One name for each thing: no two public classes or aliases of types share one (GLOSSARY.md)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAME_THING = {"Json"}
"""A decoded JSON object, wherever it is read or written."""


def named(node: ast.stmt) -> str:
    """The class or alias that a statement of a module defines; "" for anything else."""
    match node:
        case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return name if re.fullmatch(r"[A-Z]+[a-z]\w*", name) else ""
    return ""


def test_no_two_public_classes_have_the_same_name() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for folder in ("cds_service", "hooks", "tools"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                places[named(node)].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    del places[""]
    assert len(places) > 200
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert shared.keys() == SAME_THING, shared
