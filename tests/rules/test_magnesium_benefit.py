"""Magnesium for cramps without a deficiency, taken and ordered: tables of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from cds_service.core.medications import Taking
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    offers,
    silent,
    unknown,
)

TAKEN = "magnesium-not-indicated"
NORMAL = "magnesium-ordered-normal-level"
UNKNOWN = "magnesium-ordered-level-unknown"

VALUES = [
    pytest.param("0.70 mmol/L", None, True, id="at the lower limit"),
    pytest.param("0.69 mmol/L", None, False, id="just below it"),
    pytest.param("1.7 mg/dL", None, True, id="1.7 mg/dL"),
    pytest.param("1.6 mg/dL", None, False, id="1.6 mg/dL"),
    pytest.param("1.05 mmol/L", None, True, id="at the upper limit"),
    pytest.param("1.06 mmol/L", None, False, id="just above it"),
    pytest.param("0.72 mmol/L", "0.75", False, id="below the laboratory's own range"),
    pytest.param("1.6 mEq/L", None, True, id="mEq/L"),
]


def taken(value: str = "0.85 mmol/L", **more: object) -> Given:
    case = given().cramps().takes("magnesium", name="Magnesium citrate")
    return case.result("magnesium", value, **more)  # type: ignore[arg-type]


def ordered(value: str = "0.85 mmol/L", **more: object) -> Given:
    case = given().cramps().ordering("magnesium", name="Magnesium citrate")
    return case.result("magnesium", value, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "low", "fires"), VALUES)
def test_only_a_normal_magnesium_fires(value: str, low: str | None, fires: bool) -> None:
    for case, rule in ((taken(value, low=low), TAKEN), (ordered(value, low=low), NORMAL)):
        answer = case.ask(rule)
        if fires:
            finding = fired(answer)
            assert finding.indicator is Indicator.INFO
            assert "−0.18" in " ".join(finding.advice)
            assert offers(finding) == set()
        else:
            silent(answer)


@pytest.mark.parametrize(("days_ago", "fires"), [(90, True), (91, False)])
def test_a_normal_magnesium_counts_for_ninety_days(days_ago: int, fires: bool) -> None:
    for case, rule in (
        (taken(days_ago=days_ago), TAKEN),
        (ordered(days_ago=days_ago), NORMAL),
    ):
        answer = case.ask(rule)
        if fires:
            fired(answer)
        else:
            unknown(answer)
    answer = ordered(days_ago=days_ago).ask(UNKNOWN)
    if fires:
        silent(answer)
    else:
        assert offers(fired(answer)) == {"magnesium"}


def test_what_is_taken_needs_documented_cramps() -> None:
    silent(given().takes("magnesium").result("magnesium", "0.85 mmol/L").ask(TAKEN))
    assumed = given().takes("magnesium").result("magnesium", "0.85 mmol/L").at(cramps_assumed=True)
    fired(assumed.ask(TAKEN))
    suspected = given().has("leg_cramps", presence=Presence.SUSPECTED).takes("magnesium")
    silent(suspected.result("magnesium", "0.85 mmol/L").ask(TAKEN))


def test_an_order_is_for_cramps_by_its_reason_or_else_by_the_problem_list() -> None:
    def case(reason: Reason | None = None) -> Given:
        more = {} if reason is None else {"reason": reason}
        return given().ordering("magnesium", **more).result("magnesium", "0.85 mmol/L")

    fired(case(CRAMPS).ask(NORMAL))
    fired(case().cramps().ask(NORMAL))
    silent(case().ask(NORMAL))
    silent(case(OTHER_REASON).cramps().ask(NORMAL))
    fired(given().ordering("magnesium", reason=CRAMPS).ask(UNKNOWN))
    silent(given().ordering("magnesium").ask(UNKNOWN))
    silent(given().cramps().ordering("magnesium", reason=OTHER_REASON).ask(UNKNOWN))


@pytest.mark.parametrize("kind", ["magnesium_antacid_laxative", "magnesium_intravenous"])
def test_antacids_laxatives_and_infusions_are_ignored(kind: str) -> None:
    case = given().cramps().takes("magnesium", kind).ordering("magnesium", kind, reason=CRAMPS)
    silent(case.ask(UNKNOWN))
    case.result("magnesium", "0.85 mmol/L")
    silent(case.ask(TAKEN))
    silent(case.ask(NORMAL))


@pytest.mark.parametrize("use", ["arrhythmia", "eclampsia", "hypomagnesemia"])
def test_a_more_likely_use_silences_the_rule_for_an_order_without_a_reason(use: str) -> None:
    silent(taken().has(use).ask(TAKEN))
    silent(ordered().has(use).ask(NORMAL))
    silent(given().cramps().ordering("magnesium").has(use).ask(UNKNOWN))
    explicit = given().ordering("magnesium", reason=CRAMPS).has(use)
    fired(explicit.result("magnesium", "0.85 mmol/L").ask(NORMAL))


def test_pregnancy_silences_all_of_these_rules() -> None:
    silent(taken().has("pregnancy").ask(TAKEN))
    silent(ordered().has("pregnancy", presence=Presence.SUSPECTED).ask(NORMAL))
    silent(given().cramps().ordering("magnesium").has("pregnancy").ask(UNKNOWN))


def test_stopped_magnesium_or_one_with_another_reason_is_not_taken_for_cramps() -> None:
    ended = taken().takes(
        "magnesium", name="Magnesium citrate", taking=Taking.STOPPED, statement=True, days_ago=1
    )
    silent(ended.ask(TAKEN))
    case = given().cramps().result("magnesium", "0.85 mmol/L")
    silent(case.takes("magnesium", reason=OTHER_REASON).ask(TAKEN))
    fired(case.takes("magnesium", name="another", reason=CRAMPS).ask(TAKEN))


def test_a_preliminary_or_unreadable_result_does_not_count_as_checked() -> None:
    early = given().cramps().takes("magnesium").ordering("magnesium")
    early.result("magnesium", "0.85 mmol/L", preliminary=True)
    unknown(early.ask(TAKEN))
    unknown(early.ask(NORMAL))
    fired(early.ask(UNKNOWN))
    unread = given().cramps().ordering("magnesium").unusable("magnesium")
    unknown(unread.ask(NORMAL))
    assert any("could not be used" in line for line in fired(unread.ask(UNKNOWN)).missing)
    newer = ordered(days_ago=20).unusable("magnesium", days_ago=1)
    assert unknown(newer.ask(NORMAL)).trigger
    assert unknown(ordered("<1.50 mmol/L").ask(NORMAL)).trigger
    low_early = ordered(days_ago=20).result("magnesium", "0.6 mmol/L", preliminary=True)
    silent(low_early.ask(NORMAL))
    high_early = given().cramps().ordering("magnesium")
    silent(high_early.result("magnesium", "1.3 mmol/L", preliminary=True).ask(NORMAL))


NONE = "no magnesium result in the last 90 days"
OPEN = "the magnesium result does not say whether it is in range"
NEWER = "a newer magnesium result could not be used"


@pytest.mark.parametrize(
    ("case", "because"),
    [
        pytest.param(lambda: taken(days_ago=91), NONE, id="too old"),
        pytest.param(lambda: taken("<1.50 mmol/L"), OPEN, id="left open by a comparator"),
        pytest.param(lambda: taken(days_ago=9).unusable("magnesium"), NEWER, id="a newer unusable"),
        pytest.param(
            lambda: taken(days_ago=91).unusable("magnesium"),
            NEWER,
            id="only an unusable one",
        ),
    ],
)
def test_the_reason_why_it_cannot_tell_is_given(case: object, because: str) -> None:
    answer = unknown(case().ask(TAKEN))  # type: ignore[operator]
    assert answer.trigger
    assert len(answer.because) == 1
    assert answer.because[0].startswith(because)


def test_the_evidence_lists_the_drug_and_the_level() -> None:
    finding = fired(taken().ask(TAKEN))
    assert evidence_names(finding) == {"Magnesium citrate", "magnesium"}
    assert "review whether it is still wanted" in finding.advice[1]
    assert evidence_names(fired(ordered().ask(NORMAL))) == {"Magnesium citrate", "magnesium"}
    old = fired(ordered(days_ago=91).ask(UNKNOWN))
    assert evidence_names(old) == {"Magnesium citrate", "magnesium"}
    assert old.missing == ("a final magnesium result of the last 90 days",)


def test_data_that_were_not_obtained_differ_from_unknown_values() -> None:
    for rule in (NORMAL, UNKNOWN):
        case = given().ordering("magnesium", reason=CRAMPS)
        assert unknown(case.lacking(Kind.RESULTS).ask(rule)).trigger
        problems = given().ordering("magnesium").lacking(Kind.CONDITIONS)
        assert unknown(problems.ask(rule)).trigger
        pregnant = given().ordering("magnesium", reason=CRAMPS).lacking(Kind.CONDITIONS)
        assert unknown(pregnant.ask(rule)).trigger
    cut = given().cramps().ordering("magnesium").lacking(Kind.RESULTS, state=State.PARTIAL)
    unknown(cut.ask(UNKNOWN))
    unknown(given().cramps().lacking(Kind.MEDICATIONS).result("magnesium", "0.9 mmol/L").ask(TAKEN))
    unknown(taken().lacking(Kind.RESULTS).ask(TAKEN))


@pytest.mark.parametrize("draft", [True, False])
def test_nothing_is_reported_when_magnesium_is_already_ordered(draft: bool) -> None:
    case = given().cramps().ordering("magnesium").testing("magnesium", draft=draft)
    silent(case.ask(UNKNOWN))
    old = given().cramps().ordering("magnesium").testing("magnesium", draft=False, days_ago=31)
    fired(old.ask(UNKNOWN))


def test_only_selected_drafts_are_judged() -> None:
    case = given().cramps().ordering("magnesium", selected=False).ordering("potassium")
    silent(case.ask(UNKNOWN))


def test_silent_under_eighteen() -> None:
    child = given(age=17).cramps().takes("magnesium").ordering("magnesium")
    silent(child.ask(UNKNOWN))
    child.result("magnesium", "0.85 mmol/L")
    silent(child.ask(TAKEN))
    silent(child.ask(NORMAL))


def test_conditions_that_cannot_be_read_could_be_a_cause_of_persistent_loss() -> None:
    for case, rule in ((taken(), TAKEN), (ordered(), NORMAL)):
        assert unknown(case.lacking(Kind.CONDITIONS).ask(rule)).trigger


def test_with_a_cause_of_persistent_loss_no_card_advises_against_magnesium() -> None:
    for case, rule in ((taken(), TAKEN), (ordered(), NORMAL)):
        assert "lasting loss" in silent(case.has("magnesium_loss").ask(rule)).because
