"""Frozen means frozen: no module writes to a frozen object behind its back."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FORCED = frozenset({"__setattr__", "force_setattr"})


def forced(source: str) -> list[int]:
    """The lines that use ``object.__setattr__`` or msgspec's ``force_setattr``."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in _FORCED)
        or (isinstance(node, ast.Name) and node.id in _FORCED)
    ]


def test_nothing_is_written_to_a_frozen_object() -> None:
    writes = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("cds_service", "hooks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in forced(path.read_text(encoding="utf-8"))
    ]
    assert not writes, f"compute the value before the object is made: {', '.join(writes)}"


def test_a_forced_write_is_recognised() -> None:
    assert forced("object.__setattr__(self, 'same', True)") == [1]
    assert forced("put = object.__setattr__") == [1]
    assert forced("msgspec.structs.force_setattr(one, 'same', True)") == [1]
    assert forced("one.same = True") == []
