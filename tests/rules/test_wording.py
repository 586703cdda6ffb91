"""Names and headlines as every card has them."""

import pytest

from cds_service.core.facts import Condition, Presence, Source
from hooks.wording import headline, named


def condition(name: str) -> Condition:
    return Condition(frozenset(), name, Presence.ACTIVE, Source("Condition/1"))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, "C1"),
        (4, "C1, C2, C3, C4"),
        (5, "C1, C2, C3, C4 and 1 more"),
        (7, "C1, C2, C3, C4 and 3 more"),
    ],
)
def test_four_names_are_listed_and_the_rest_counted(count: int, expected: str) -> None:
    assert named(condition(f"C{number}") for number in range(1, count + 1)) == expected


def test_a_name_is_listed_once_escaped_and_as_many_as_asked_for() -> None:
    assert named([condition("A"), condition("A"), condition("<b>")]) == "A, &lt;b&gt;"
    assert named([condition("A"), condition("B"), condition("C")], most=2) == "A, B and 1 more"


def test_a_headline_is_one_line_of_at_most_139_characters() -> None:
    assert headline("x" * 139) == "x" * 139
    assert headline("x" * 140) == "x" * 138 + "…"
    assert headline("a\n b") == "a b"
