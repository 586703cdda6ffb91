"""What is known about a kind of data is in one table: no other module lists kinds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.core.facts import Kind
from cds_service.core.kinds import KIND_OF, KINDS

ROOT = Path(__file__).parents[2]
TABLE = "cds_service/core/kinds.py"
MOST = 2  # two kinds are a distinction, three are a table
ALLOWED = {
    "cds_service/demo/chart.py": "pairs four lists of facts with headings: what a page shows",
}


def listed(source: str) -> Iterator[int]:
    """The lines of literals that name more than `MOST` kinds as keys, values or elements."""
    for node in ast.walk(ast.parse(source if "Kind." in source else "")):  # parsing takes longest
        if isinstance(node, ast.Dict):
            parts = [*node.keys, *node.values]
        elif isinstance(node, ast.Set | ast.Tuple | ast.List):
            parts = [*node.elts]
        else:
            continue
        kinds = {name for part in parts if part is not None for name in named(part)}
        if len(kinds) > MOST:
            yield node.lineno


def named(part: ast.expr) -> Iterator[str]:
    """The kinds that an element names, itself or in literals inside it."""
    if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name | ast.Attribute):
        owner = part.value.id if isinstance(part.value, ast.Name) else part.value.attr
        if owner == "Kind" and part.attr in Kind.__members__:
            yield part.attr
    elif isinstance(part, ast.Tuple | ast.List | ast.Set):
        for element in part.elts:
            yield from named(element)


def test_no_module_but_the_table_lists_kinds() -> None:
    tables = {
        f"{name}:{line}"
        for path in sorted((ROOT / "cds_service").rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) != TABLE and name not in ALLOWED
        for line in listed(path.read_text(encoding="utf-8"))
    }
    assert not tables, f"derive this from KINDS in {TABLE}: {', '.join(sorted(tables))}"


@pytest.mark.parametrize("name", ALLOWED)
def test_every_exception_is_still_needed(name: str) -> None:
    assert list(listed((ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "{Kind.PATIENT: 1, Kind.RESULTS: 2, Kind.ORDERS: 3}",
        "{'a': Kind.PATIENT, 'b': Kind.RESULTS, 'c': facts.Kind.ORDERS}",
        "frozenset({Kind.PATIENT, Kind.RESULTS, Kind.ORDERS})",
        "kind in (Kind.PATIENT, Kind.RESULTS, Kind.ORDERS)",
        "[('a', Kind.PATIENT), ('b', Kind.RESULTS), ('c', Kind.ORDERS)]",
        "{'a': (Kind.PATIENT,), 'b': (Kind.RESULTS, Kind.ORDERS)}",
    ],
)
def test_a_table_is_recognised_however_it_is_written(source: str) -> None:
    assert 1 in listed(source)


@pytest.mark.parametrize(
    "source",
    [
        "kind in (Kind.PATIENT, Kind.ENCOUNTER)",
        "{Kind.PATIENT: 1}",
        "(A.PATIENT, A.RESULTS, A.ORDERS)",
    ],
)
def test_a_distinction_between_two_kinds_is_not_a_table(source: str) -> None:
    assert not list(listed(source))


def test_every_kind_has_its_row_and_no_type_belongs_to_two() -> None:
    assert list(KINDS) == list(Kind)
    assert len(KIND_OF) == sum(len(row.types) for row in KINDS.values())
    assert len({row.key for row in KINDS.values()}) == len(KINDS)
