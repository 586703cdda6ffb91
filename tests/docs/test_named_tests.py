"""Documents of evidence: each row names a test that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
REQUIREMENTS = {
    "G": 7,
    "D": 11,
    "P": 7,
    "R": 14,
    "C": 17,
    "F": 6,
    "A": 11,
    "V": 13,
    "B": 23,
    "O": 4,
}
"""Families of requirements and how many each has; C starts at 0. See the page's own legend."""
STRENGTHS = {"SHALL", "SHALL NOT", "SHOULD", "MAY", "practice", "client"}
ATTACKS_AT_LEAST = 30


def rows(document: str, heading: str = "") -> list[list[str]]:
    """The cells of each table row of a document below ``heading``, without header rows."""
    text = (ROOT / document).read_text(encoding="utf-8")
    if heading:
        text = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        for line in block.splitlines()[2:]:
            table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
    return table


FOREIGN = rows("docs/conformance.md", "By the numbering of others")
CONFORMANCE = rows("docs/conformance.md")[: -len(FOREIGN)]
ATTACKS = rows("SECURITY.md", "Attacks")


@cache
def functions_of(path: str) -> frozenset[str]:
    """The names of the test functions of a file, without running it."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def unproved(shown_by: str, excuse: str = "") -> Iterator[str]:
    """What is wrong with the last cell of a row; empty if its tests exist."""
    tests = NAMED.findall(shown_by)
    excused = bool(excuse) and shown_by.startswith(excuse) and len(shown_by) > len(excuse) + 10
    if not tests and not excused:
        yield "names neither a test nor a reason"
    if shown_by.count("::") != len(tests):
        yield "names a test in another form than `tests/file.py::test_name`"
    for path, name in tests:
        if name not in functions_of(path):
            yield f"names {path}::{name}, which does not exist"


def test_every_requirement_has_its_test_or_its_reason() -> None:
    for identity, requirement, strength, version, shown_by in CONFORMANCE:
        assert re.fullmatch(r"[A-Z]\d+[a-z]?", identity)
        assert len(requirement) > 10, identity
        assert strength in STRENGTHS, identity
        assert version in {"both", "2.0.1", "3.0"}, identity
        assert list(unproved(shown_by, "not applicable because ")) == [], identity


def test_no_requirement_is_left_out_or_listed_twice() -> None:
    listed = [row[0] for row in CONFORMANCE]
    assert len(listed) == len(set(listed))
    expected = {
        f"{family}{number}"
        for family, count in REQUIREMENTS.items()
        for number in (range(count) if family == "C" else range(1, count + 1))
    }
    assert expected - {re.sub(r"[a-z]$", "", identity) for identity in listed} == set()


def numbers(*spans: int | tuple[int, int]) -> set[int]:
    """All numbers of some spans, both ends included."""
    return {
        number
        for span in spans
        for number in ([span] if isinstance(span, int) else range(span[0], span[1] + 1))
    }


SHEET = numbers(
    (1, 14), 16, (27, 29), (34, 36), 52, (54, 61), (74, 78), (80, 85), (87, 90), (92, 96),
    (98, 100), (103, 113), (115, 125), (127, 136), (138, 142), (144, 148), 168, (175, 177), 179,
    195, (199, 201), 203, (205, 208), (210, 220),
)  # fmt: skip
"""Rows of Inferno's sheet of CDS Hooks 2.0 whose actor is the service, alone or with others."""
LIBRARY = numbers(4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 73, 77, 81, 85,
                  89, 93)  # fmt: skip
"""The same of the hook library 1.0.1."""
INVARIANTS = {
    *(f"cds-r-{number}" for number in (1, 2)),
    *(f"cds-resp-{number}" for number in range(1, 8)),
    *(f"cds-fb-{number}" for number in (1, 2, 3)),
}


def test_every_foreign_row_has_its_row_its_test_or_its_reason() -> None:
    rows = {row[0] for row in CONFORMANCE}
    for identity, about, shown_by in FOREIGN:
        assert about, identity
        if named := re.fullmatch(r"row ([A-Z]\d+[a-z]?)", shown_by):
            assert named[1] in rows, identity
        else:
            assert list(unproved(shown_by, "not applicable because ")) == [], identity


def test_no_foreign_row_is_left_out_or_listed_twice() -> None:
    listed = [row[0] for row in FOREIGN]
    expected = {f"S{n}" for n in SHEET} | {f"L{n}" for n in LIBRARY} | INVARIANTS
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    assert (len(SHEET), len(LIBRARY), len(INVARIANTS)) == (120, 23, 12)


def test_every_attack_has_its_test() -> None:
    for number, attack, defence, shown_by in ATTACKS:
        assert attack, number
        modules = re.findall(r"`(cds_service/[\w/]+\.py)`", defence)
        assert modules, f"{number}: the defence names no module"
        assert [module for module in modules if not (ROOT / module).is_file()] == [], number
        assert list(unproved(shown_by)) == [], number


def test_the_table_of_attacks_is_long_enough() -> None:
    assert [row[0] for row in ATTACKS] == [str(n) for n in range(1, len(ATTACKS) + 1)]
    assert len(ATTACKS) >= ATTACKS_AT_LEAST


@pytest.mark.parametrize(
    ("shown_by", "flaws"),
    [
        ("`tests/docs/test_named_tests.py::test_the_table_of_attacks_is_long_enough`", 0),
        ("not applicable because the client does it", 0),
        ("not applicable because ", 1),
        ("", 1),
        ("`tests/docs/test_named_tests.py::test_nothing`", 1),
        ("`tests/docs/no_such_file.py::test_nothing`", 1),
        ("tests/docs/test_named_tests.py::test_nothing", 2),
    ],
)
def test_a_row_without_proof_is_detected(shown_by: str, flaws: int) -> None:
    assert len(list(unproved(shown_by, "not applicable because "))) == flaws
