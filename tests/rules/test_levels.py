"""Magnesium and potassium levels, and what counts as documented cramps."""

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from hooks import cramps, levels
from tests.testing.given import CRAMPS, NO_REASON, OTHER_REASON, Given, given


@pytest.mark.parametrize(
    ("case", "normal"),
    [
        pytest.param(given().result("magnesium", "0.85 mmol/L"), True, id="between the limits"),
        pytest.param(given().result("magnesium", "0.70 mmol/L"), True, id="at the lower limit"),
        pytest.param(given().result("magnesium", "1.05 mmol/L"), True, id="at the upper limit"),
        pytest.param(given().result("magnesium", "1.06 mmol/L"), False, id="above"),
        pytest.param(given().result("magnesium", "0.69 mmol/L"), False, id="below"),
        pytest.param(given().result("magnesium", "1.08 mmol/L", high="1.10"), True, id="own range"),
        pytest.param(given().result("magnesium", "0.85 mmol/L", days_ago=90), True, id="90 days"),
        pytest.param(given().result("magnesium", "0.85 mmol/L", days_ago=91), None, id="91 days"),
        pytest.param(given().result("magnesium", "0.60 mmol/L", days_ago=91), None, id="low, old"),
        pytest.param(given(), None, id="none"),
        pytest.param(given().result("magnesium", "1.20 mmol/L", days_ago=91), None, id="high, old"),
        pytest.param(given().result("magnesium", "<0.90 mmol/L"), None, id="open below"),
        pytest.param(given().result("magnesium", ">0.80 mmol/L"), None, id="open above"),
        pytest.param(given().result("magnesium", "0.85 mmol/L", preliminary=True), None, id="raw"),
        pytest.param(
            given().result("magnesium", "0.85 mmol/L", days_ago=5).unusable("magnesium"), None,
            id="a newer one unusable",
        ),
        pytest.param(
            given()
            .result("magnesium", "0.85 mmol/L", days_ago=5)
            .result("magnesium", "0.60 mmol/L", preliminary=True),
            False,
            id="a preliminary low one",
        ),
        pytest.param(
            given()
            .result("magnesium", "0.85 mmol/L", day_only=True)
            .result("magnesium", "1.30 mmol/L", day_only=True),
            False,
            id="one of the same day is high",
        ),
    ],
)  # fmt: skip
def test_a_normal_level_is_neither_low_nor_high(case: Given, normal: bool | None) -> None:
    assert levels.normal(case.facts(), "magnesium") is normal


@pytest.mark.parametrize(
    ("days_ago", "stale", "checked"),
    [(30, False, True), (31, True, True), (90, True, True), (91, True, False), (365, True, False)],
)
def test_a_level_is_acted_on_for_thirty_days_and_counts_as_checked_for_ninety(
    days_ago: int, stale: bool, checked: bool
) -> None:
    level = levels.low(
        given().result("potassium", "3.0 mmol/L", days_ago=days_ago).facts(), "potassium"
    )
    assert (level.stale, level.checked, level.beyond) == (stale, checked, True)


def test_after_a_year_there_is_no_level() -> None:
    case = given().result("potassium", "3.0 mmol/L", days_ago=366)
    level = levels.low(case.facts(), "potassium")
    assert (level.result, level.beyond) == (None, None)
    assert levels.undecided(level) == ("no potassium result in the last 12 months",)


def test_two_simultaneous_results_can_be_both_low_and_high() -> None:
    case = given().result("potassium", "3.2 mmol/L").result("potassium", "5.8 mmol/L")
    facts = case.facts()
    assert levels.low(facts, "potassium").beyond is True
    assert levels.at_least(facts, "potassium", "potassium.high").beyond is True


@pytest.mark.parametrize(
    ("early", "final", "preliminary"),
    [
        ("2.4 mmol/L", "4.0 mmol/L", True),
        ("2.4 mmol/L", "3.2 mmol/L", True),
        ("3.4 mmol/L", "3.2 mmol/L", False),
        ("4.0 mmol/L", "3.2 mmol/L", False),
        ("3.2 mmol/L", "3.2 mmol/L", False),
        ("12.5 mg/dL", "3.3 mmol/L", True),
    ],
)
def test_a_preliminary_level_can_raise_severity_but_never_lower_it(
    early: str, final: str, preliminary: bool
) -> None:
    case = given().result("potassium", final, days_ago=5)
    level = levels.low(case.result("potassium", early, preliminary=True).facts(), "potassium")
    assert level.preliminary is preliminary


def test_a_recent_preliminary_level_outranks_a_stale_final_one_that_was_worse() -> None:
    case = given().result("potassium", "2.8 mmol/L", days_ago=40)
    level = levels.low(
        case.result("potassium", "3.2 mmol/L", preliminary=True).facts(), "potassium"
    )
    assert (level.preliminary, level.stale, level.checked) == (True, False, True)


def test_a_preliminary_level_below_its_range_outranks_a_final_one_within_its_range() -> None:
    case = given().result("potassium", "3.3 mmol/L", low="3.2", days_ago=5)
    early = case.result("potassium", "3.4 mmol/L", low="3.5", preliminary=True)
    level = levels.low(early.facts(), "potassium")
    assert (level.preliminary, level.beyond, level.own_range) == (True, True, True)


def test_the_higher_of_two_high_levels_counts() -> None:
    case = given().result("potassium", "5.6 mmol/L", days_ago=5)
    higher = case.result("potassium", "6.6 mmol/L", preliminary=True).facts()
    assert levels.at_least(higher, "potassium", "potassium.high").preliminary
    for early in ("5.6 mmol/L", "6.6 mmol/L"):
        case = given().result("potassium", "6.6 mmol/L", days_ago=5)
        facts = case.result("potassium", early, preliminary=True).facts()
        assert not levels.at_least(facts, "potassium", "potassium.high").preliminary


@pytest.mark.parametrize(("own", "expected"), [("0.95", True), (None, False)])
def test_an_upper_limit_alone_counts_as_the_laboratorys_own_range(
    own: str | None, expected: bool
) -> None:
    level = levels.high(given().result("magnesium", "1.2 mmol/L", high=own).facts(), "magnesium")
    assert (level.beyond, level.own_range) == (True, expected)


def test_a_preliminary_level_more_than_a_year_old_does_not_count() -> None:
    case = given().result("potassium", "2.4 mmol/L", preliminary=True, days_ago=366)
    assert levels.low(case.facts(), "potassium").result is None


def test_the_reason_for_an_unknown_level_is_that_the_result_could_not_be_used() -> None:
    (line,) = levels.undecided(levels.low(given().unusable("potassium").facts(), "potassium"))
    assert line.startswith("a newer potassium result could not be used")


def test_without_a_result_nothing_is_stale_checked_or_preliminary() -> None:
    level = levels.low(given().facts(), "potassium")
    assert not (level.stale or level.checked or level.preliminary or level.own_range)


@pytest.mark.parametrize(
    ("days_ago", "preliminary", "note"),
    [
        (1, False, ""),
        (1, True, "preliminary"),
        (31, False, "older than 30 days"),
        (31, True, "preliminary, older than 30 days"),
    ],
)
def test_the_evidence_says_how_reliable_a_level_is(
    days_ago: int, preliminary: bool, note: str
) -> None:
    case = given().result("potassium", "3.0 mmol/L", days_ago=days_ago, preliminary=preliminary)
    evidence = levels.low(case.facts(), "potassium").evidence()
    assert evidence.note == note
    assert evidence.limit is not None
    assert evidence.limit.key == "potassium.low"


def test_a_preliminary_level_over_thirty_days_old_is_stale_and_needs_a_repeat() -> None:
    case = given().result("potassium", "2.4 mmol/L", preliminary=True, days_ago=31)
    level = levels.low(case.facts(), "potassium")
    assert level.beyond
    assert level.stale
    assert level.repeat_only
    assert not level.checked


@pytest.mark.parametrize(
    ("case", "documented"),
    [
        pytest.param(given(), False, id="nothing on file"),
        pytest.param(given().cramps(), True, id="condition"),
        pytest.param(given().cramps(presence=Presence.SUSPECTED), False, id="suspected"),
        pytest.param(given().encounter_for(CRAMPS), True, id="encounter"),
        pytest.param(given().testing("magnesium", reason=CRAMPS), True, id="reason of a draft"),
        pytest.param(given().at(cramps_assumed=True), True, id="assumed"),
        pytest.param(given().lacking(Kind.CONDITIONS), None, id="conditions not sent"),
        pytest.param(
            given().lacking(Kind.CONDITIONS, state=State.PARTIAL), None, id="conditions in part"
        ),
        pytest.param(
            given().cramps().lacking(Kind.CONDITIONS, state=State.PARTIAL), True,
            id="in the part that came",
        ),
        pytest.param(
            given().lacking(Kind.ENCOUNTER, state=State.UNAVAILABLE), None, id="encounter failed"
        ),
    ],
)  # fmt: skip
def test_whether_cramps_are_documented(case: Given, documented: bool | None) -> None:
    assert cramps.documented(case.facts()) is documented


@pytest.mark.parametrize(
    ("reason", "case", "expected"),
    [
        pytest.param(CRAMPS, given(), True, id="cramps as the reason"),
        pytest.param(OTHER_REASON, given().cramps(), False, id="another reason"),
        pytest.param(NO_REASON, given().cramps(), True, id="none, cramps documented"),
        pytest.param(NO_REASON, given(), False, id="none, no cramps"),
        pytest.param(NO_REASON, given().lacking(Kind.CONDITIONS), None, id="none, nothing known"),
        pytest.param(NO_REASON, given().at(cramps_assumed=True), True, id="none, cramps assumed"),
    ],
)
def test_whether_an_order_is_for_cramps(reason: Reason, case: Given, expected: bool | None) -> None:
    assert cramps.is_indication(case.facts(), reason) is expected
