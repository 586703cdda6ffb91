"""Names and headlines as every card has them."""

import pytest

from cds_service.core.facts import Condition, KnownDesignation, Presence, Source
from hooks.wording import headline, named
from tests.testing.given import fired, given


def condition(name: str) -> Condition:
    return Condition(frozenset(), KnownDesignation(name), Presence.ACTIVE, Source("Condition/1"))


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


RAISED = "The sample was reported haemolysed: that raises the value."
HIDDEN = "The sample was reported haemolysed: the true value is lower still."
WRONG = "The sample was reported contaminated or in the wrong tube: repeat the test first."
FATTY = "The sample was reported lipaemic."
CLOTTED = "The sample was reported clotted."


@pytest.mark.parametrize(
    ("rule", "analyte", "value", "remark", "sentence"),
    [
        pytest.param(
            "high-potassium", "potassium", "6.6 mmol/L", "haemolysed", RAISED, id="raised"
        ),
        pytest.param(
            "low-potassium", "potassium", "2.9 mmol/L", "haemolysed", HIDDEN, id="K hidden"
        ),
        pytest.param(
            "low-magnesium", "magnesium", "0.4 mmol/L", "haemolysed", HIDDEN, id="Mg hidden"
        ),
        pytest.param(
            "high-potassium", "potassium", "6.6 mmol/L", "contaminated", WRONG, id="K wrong"
        ),
        pytest.param("low-potassium", "potassium", "2.9 mmol/L", "contaminated", WRONG, id="low K"),
        pytest.param(
            "low-magnesium", "magnesium", "0.4 mmol/L", "contaminated", WRONG, id="Mg wrong"
        ),
        pytest.param("high-potassium", "potassium", "6.6 mmol/L", "lipaemic", FATTY, id="lipaemic"),
        pytest.param("low-magnesium", "magnesium", "0.4 mmol/L", "clotted", CLOTTED, id="clotted"),
    ],
)
def test_a_remark_on_the_sample_is_reported(
    rule: str, analyte: str, value: str, remark: str, sentence: str
) -> None:
    finding = fired(given().result(analyte, value, remarks=(remark,)).ask(rule))
    assert sentence in finding.advice


def test_potassium_is_not_offered_for_a_contaminated_sample() -> None:
    case = given().result("potassium", "2.9 mmol/L", remarks=("contaminated",))
    case.result("egfr", "90 mL/min/{1.73_m2}")
    assert "contaminated" in " ".join(fired(case.ask("low-potassium")).advice)


def test_the_summary_of_a_high_potassium_says_that_the_sample_was_contaminated() -> None:
    case = given().result("potassium", "6.6 mmol/L", remarks=("contaminated",))
    assert "sample contaminated" in fired(case.ask("high-potassium")).summary
