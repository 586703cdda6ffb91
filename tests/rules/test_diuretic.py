"""diuretic-ordered-with-cramps: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from cds_service.engine.rule import Answer, Indicator
from tests.testing.given import (
    CRAMPS,
    Given,
    fired,
    given,
    orders_offered,
    removed,
    silent,
    unknown,
)

RULE = "diuretic-ordered-with-cramps"
DIURETICS = ["diuretic_loop", "diuretic_thiazide", "diuretic_potassium_sparing"]


def cramped(
    potassium: str = "4.0 mmol/L", magnesium: str = "0.85 mmol/L", days_ago: int = 5
) -> Given:
    """Cramps documented, potassium and magnesium known; an empty text leaves one out."""
    case = given().cramps()
    for analyte, value in (("potassium", potassium), ("magnesium", magnesium)):
        if value:
            case.result(analyte, value, days_ago=days_ago)
    return case


def ask(case: Given, kind: str = "diuretic_loop") -> Answer:
    """The rule's answer when the diuretic is being ordered."""
    return case.ordering(kind, name="The diuretic").ask(RULE)


def detail_of(finding: object) -> str:
    """The whole detail of a card."""
    return " ".join((*finding.advice, *finding.missing, finding.strength))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "low"),
    [
        *(pytest.param(kind, "potassium", id=f"potassium, {kind}") for kind in DIURETICS[:2]),
        *(pytest.param(kind, "magnesium", id=f"magnesium, {kind}") for kind in DIURETICS),
    ],
)
def test_a_low_level_warns_and_the_draft_can_be_removed(kind: str, low: str) -> None:
    levels = {low: {"potassium": "3.0 mmol/L", "magnesium": "0.6 mmol/L"}[low]}
    finding = fired(ask(cramped(**levels), kind))
    assert removed(finding) == set(finding.about) != set()
    assert finding.indicator is Indicator.WARNING
    assert "Correct first" in finding.summary
    assert orders_offered(finding) == {low}


def test_a_potassium_sparing_diuretic_may_correct_a_low_potassium() -> None:
    sparing = "diuretic_potassium_sparing"
    assert "may correct" in silent(ask(cramped(potassium="3.0 mmol/L"), sparing)).because
    unchecked = fired(ask(cramped(potassium=""), sparing))
    assert unchecked.indicator is Indicator.INFO
    assert orders_offered(unchecked) == {"potassium"}
    cirrhotic = fired(ask(cramped(potassium="3.0 mmol/L").has("cirrhosis"), sparing))
    assert "may correct it" in detail_of(cirrhotic)
    assert "low potassium" not in cirrhotic.summary
    two_diuretics = cramped(potassium="3.0 mmol/L").ordering(sparing, "diuretic_thiazide").ask(RULE)
    assert "low potassium" in fired(two_diuretics).summary


@pytest.mark.parametrize(
    ("kind", "sodium", "fires"),
    [
        ("diuretic_thiazide", "129 mmol/L", True),
        ("diuretic_thiazide", "130 mmol/L", False),
        ("diuretic_loop", "125 mmol/L", False),
        ("diuretic_loop", "124 mmol/L", True),
        ("diuretic_potassium_sparing", "124 mmol/L", True),
        ("diuretic_potassium_sparing", "129 mmol/L", False),
    ],
)
def test_a_low_sodium_counts(kind: str, sodium: str, fires: bool) -> None:
    answer = ask(cramped().result("sodium", sodium), kind)
    if not fires:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.WARNING
    assert f"sodium {sodium}" in finding.summary
    assert "sodium" in orders_offered(finding)
    old = cramped().result("sodium", "115 mmol/L", days_ago=31)
    silent(ask(old, kind))


@pytest.mark.parametrize(
    ("potassium", "magnesium", "low"),
    [
        pytest.param("3.4 mmol/L", "0.85 mmol/L", "potassium", id="K just below 3.5"),
        pytest.param("3.5 mmol/L", "0.85 mmol/L", "", id="K at 3.5"),
        pytest.param("3.6 meq/L", "0.85 mmol/L", "", id="K just above 3.5"),
        pytest.param("13.6 mg/dL", "0.85 mmol/L", "potassium", id="K in mg/dL"),
        pytest.param("4.0 mmol/L", "0.69 mmol/L", "magnesium", id="Mg just below 0.70"),
        pytest.param("4.0 mmol/L", "0.70 mmol/L", "", id="Mg at 0.70"),
        pytest.param("4.0 mmol/L", "1.6 mg/dL", "magnesium", id="Mg 1.6 mg/dL"),
        pytest.param("4.0 mmol/L", "1.7 mg/dL", "", id="Mg 1.7 mg/dL"),
        pytest.param("4.0 mmol/L", "1.3 meq/L", "magnesium", id="Mg in mEq/L"),
    ],
)
def test_limits(potassium: str, magnesium: str, low: str) -> None:
    answer = ask(cramped(potassium, magnesium))
    if not low:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.WARNING
    assert f"low {low}" in finding.summary


def test_the_laboratorys_own_range_decides() -> None:
    case = cramped(potassium="").result("potassium", "3.6 mmol/L", low="3.7")
    assert fired(ask(case)).indicator is Indicator.WARNING


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        pytest.param(lambda: cramped(potassium=""), {"potassium"}, id="no potassium"),
        pytest.param(lambda: cramped(magnesium=""), {"magnesium"}, id="no magnesium"),
        pytest.param(lambda: cramped("", ""), {"potassium", "magnesium"}, id="neither"),
        pytest.param(lambda: cramped(days_ago=31), {"potassium", "magnesium"}, id="31 days ago"),
        pytest.param(
            lambda: cramped(potassium="2.9 mmol/L", days_ago=31),
            {"potassium", "magnesium"},
            id="low 31 days ago",
        ),
        pytest.param(lambda: cramped(potassium="<4.0 mmol/L"), {"potassium"}, id="K <4.0"),
        pytest.param(lambda: cramped().unusable("potassium"), {"potassium"}, id="K unreadable"),
        pytest.param(
            lambda: cramped(potassium="").result("potassium", "4 mmol/L", preliminary=True),
            {"potassium"},
            id="only a preliminary K",
        ),
    ],
)
def test_electrolytes_not_checked_for_thirty_days_are_an_info_card(
    case: object, missing: set[str]
) -> None:
    finding = fired(ask(case()))  # type: ignore[operator]
    assert finding.indicator is Indicator.INFO
    assert orders_offered(finding) == missing
    assert finding.missing


def test_thirty_days_ago_is_still_checked() -> None:
    silent(ask(cramped(days_ago=30)))


def test_an_old_low_level_is_shown_with_its_date() -> None:
    finding = fired(ask(cramped(potassium="2.9 mmol/L", days_ago=31)))
    assert "last 2.9 mmol/L on 2026-10-23, low then" in detail_of(finding)


def test_a_preliminary_low_level_warns_and_offers_only_its_repeat() -> None:
    case = cramped(magnesium="").result("potassium", "3.0 mmol/L", days_ago=0, preliminary=True)
    finding = fired(ask(case))
    assert finding.indicator is Indicator.WARNING
    assert "(preliminary)" in finding.summary
    assert orders_offered(finding) == {"potassium"}
    kept = cramped(potassium="3.0 mmol/L").result("potassium", "4.0 mmol/L", preliminary=True)
    assert fired(ask(kept)).indicator is Indicator.WARNING


def test_cirrhosis_warns_even_with_good_levels() -> None:
    finding = fired(ask(cramped().has("cirrhosis")))
    assert finding.indicator is Indicator.WARNING
    assert "in cirrhosis" in finding.summary
    assert "reduce or stop a diuretic rather than to add one." in detail_of(finding)
    assert orders_offered(finding) == set()
    silent(ask(cramped().has("cirrhosis", presence=Presence.SUSPECTED)))
    severe = given().cramps(words="incapacitating leg cramps").has("cirrhosis")
    text = detail_of(fired(ask(severe.takes("diuretic_loop", name="Old one"))))
    assert "described as incapacitating" in text
    assert "Old one" in text


def test_in_heart_failure_the_summary_does_not_advise_delaying_the_diuretic() -> None:
    case = cramped("4.2 mmol/L", "0.85 mmol/L").has("cirrhosis", "heart_failure")
    assert fired(ask(case)).summary.endswith("monitor potassium and magnesium")
    case = cramped("4.2 mmol/L", "0.85 mmol/L").has("cirrhosis")
    assert fired(ask(case)).summary.endswith("weigh stopping a diuretic against adding one")


def test_a_low_level_is_offered_as_one_repeat_and_not_as_a_first_check_too() -> None:
    finding = fired(ask(cramped(potassium="3.0 mmol/L")))
    assert orders_offered(finding) == {"potassium"}
    assert len(finding.suggestions) == 2
    assert "Check potassium" not in detail_of(finding)
    assert "is preliminary" not in detail_of(finding)
    assert finding.missing == ()
    early = cramped(potassium="").result("potassium", "3.0 mmol/L", preliminary=True)
    assert "A low result is preliminary" in detail_of(fired(ask(early)))


def test_only_tests_without_a_result_in_thirty_days_are_missing() -> None:
    good = fired(ask(cramped().has("cirrhosis")))
    assert good.missing == ()
    old = fired(ask(cramped(days_ago=31).has("cirrhosis")))
    assert [line.split(" (")[0] for line in old.missing] == [
        "potassium in the last 30 days",
        "magnesium in the last 30 days",
    ]
    newer = fired(ask(cramped().unusable("potassium")))
    assert [line.split(":")[0] for line in newer.missing] == [
        "a newer potassium result could not be used"
    ]
    unread = fired(ask(given().cramps().has("cirrhosis").lacking(Kind.RESULTS)))
    assert not any("in the last 30 days" in line for line in unread.missing)


def test_known_values_are_evidence_even_when_the_rest_is_unknown() -> None:
    case = cramped(magnesium="").lacking(Kind.RESULTS, state=State.PARTIAL)
    evidence = unknown(ask(case)).evidence
    assert [line.fact.source.reference for line in evidence] == ["Observation/potassium-2"]
    case = cramped().lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert len(unknown(ask(case)).evidence) == 2


def test_the_severity_of_another_condition_does_not_make_the_cramps_severe() -> None:
    pain = Reason(given=True, concepts=frozenset(), words="incapacitating back pain")
    finding = fired(ask(cramped().has("cirrhosis").encounter_for(pain)))
    assert "described as" not in detail_of(finding)
    cramps = Reason(given=True, concepts=CRAMPS.concepts, words="incapacitating leg cramps")
    finding = fired(ask(cramped().has("cirrhosis").encounter_for(cramps)))
    assert "described as incapacitating" in detail_of(finding)


def test_only_with_documented_cramps() -> None:
    silent(ask(given().has("cirrhosis")))
    fired(ask(given().encounter_for(CRAMPS)))
    fired(ask(given().at(cramps_assumed=True)))
    assert unknown(ask(given().lacking(Kind.CONDITIONS))).trigger


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_when_data_were_not_read(state: State) -> None:
    results = given().cramps().lacking(Kind.RESULTS, state=state)
    assert unknown(ask(results)).trigger
    liver = given().cramps().has("cirrhosis").lacking(Kind.RESULTS, state=state)
    assert "could not be checked" in detail_of(fired(ask(liver)))
    problems = cramped().lacking(Kind.CONDITIONS, state=state)
    assert unknown(ask(problems)).trigger
    low = cramped(potassium="3.0 mmol/L").lacking(Kind.CONDITIONS, state=state)
    assert fired(ask(low)).indicator is Indicator.WARNING


def test_minors_deceased_patients_unselected_drafts_and_other_drugs() -> None:
    silent(ask(given(age=12).cramps().has("cirrhosis")))
    silent(ask(given(deceased=True).cramps()))
    silent(given().cramps().ordering("diuretic_loop", selected=False).ask(RULE))
    silent(ask(given().cramps(), "statin"))


def test_one_card_names_all_drafts() -> None:
    two = (
        cramped("", "").ordering("diuretic_loop", name="A").ordering("diuretic_thiazide", name="B")
    )
    names = {evidence.fact.name for evidence in fired(two.ask(RULE)).evidence}  # type: ignore[union-attr]
    assert {"A", "B"} <= names
