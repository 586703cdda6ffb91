"""quinine-active and quinine-ordered: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from cds_service.core.medications import Taking
from cds_service.engine.rule import Indicator, OrderTest
from tests.testing.given import (
    CRAMPS,
    NO_REASON,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    offers,
    silent,
    unknown,
)

ACTIVE, ORDERED = "quinine-active", "quinine-ordered"
BOTH = [ACTIVE, ORDERED]
MALARIA = Reason(given=True, concepts=frozenset({"malaria"}), words="malaria")
BABESIOSIS = Reason(given=True, concepts=frozenset({"babesiosis"}), words="babesiosis")
PLATELETS = "10*9/L"
EVERYTHING = (
    Kind.PATIENT,
    Kind.RESULTS,
    Kind.CONDITIONS,
    Kind.MEDICATIONS,
    Kind.STATEMENTS,
    Kind.ALLERGIES,
    Kind.ORDERS,
    Kind.ENCOUNTER,
)


def quinine(rule: str, case: Given | None = None, reason: Reason = NO_REASON) -> Given:
    """A patient who takes quinine, or for whom it is being ordered."""
    case = case or given()
    if rule == ACTIVE:
        return case.takes("quinine", name="Quinine sulfate 324 mg", reason=reason)
    return case.ordering("quinine", name="Quinine sulfate 324 mg", reason=reason)


def detail_of(finding: object) -> str:
    """The whole detail of a card."""
    return " ".join((*finding.advice, *finding.missing, finding.strength))  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    ("jurisdiction", "indicator", "reference"),
    [
        pytest.param("us", Indicator.CRITICAL, "fda-quinine", id="boxed warning in the US"),
        pytest.param("uk", Indicator.WARNING, "mhra-quinine", id="last resort in the UK"),
    ],
)
def test_quinine_without_malaria_fires_by_jurisdiction(
    rule: str, jurisdiction: str, indicator: Indicator, reference: str
) -> None:
    finding = fired(quinine(rule).at(jurisdiction=jurisdiction).ask(rule))
    assert finding.indicator is indicator
    assert finding.reference == reference
    assert ("boxed warning" in finding.advice[0]) is (jurisdiction == "us")
    assert ("last resort" in finding.summary) is (jurisdiction == "uk")
    assert {"cds-not-applicable", "recipient-disagrees-evidence"} <= set(finding.overrides)


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize("reason", [NO_REASON, CRAMPS, OTHER_REASON])
def test_no_other_reason_justifies_quinine(rule: str, reason: Reason) -> None:
    assert fired(quinine(rule, reason=reason).ask(rule)).indicator is Indicator.CRITICAL


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(lambda rule: quinine(rule, reason=MALARIA), id="malaria as the reason"),
        pytest.param(lambda rule: quinine(rule, reason=BABESIOSIS), id="babesiosis as the reason"),
        pytest.param(lambda rule: quinine(rule, given().has("malaria")), id="malaria is active"),
        pytest.param(lambda rule: quinine(rule, given().has("babesiosis")), id="babesiosis too"),
    ],
)
def test_malaria_and_babesiosis_justify_quinine(rule: str, case: object) -> None:
    assert "no platelet count" in silent(case(rule).ask(rule)).because  # type: ignore[operator]


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    "presence", [Presence.ASSUMED, Presence.SUSPECTED, Presence.PAST, Presence.REFUTED]
)
def test_malaria_that_is_not_recorded_as_active_does_not_justify_quinine(
    rule: str, presence: Presence
) -> None:
    finding = fired(quinine(rule, given().has("malaria", presence=presence)).ask(rule))
    assert ("does not justify" in detail_of(finding)) is (presence is not Presence.REFUTED)


CONTRAINDICATIONS = [
    "long_qt",
    "myasthenia_gravis",
    "optic_neuritis",
    "thrombocytopenia",
    "quinine_hypersensitivity",
]


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize("concept", CONTRAINDICATIONS)
@pytest.mark.parametrize("jurisdiction", ["us", "uk"])
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_contraindications_are_critical_even_for_malaria(
    rule: str, concept: str, jurisdiction: str, presence: Presence
) -> None:
    case = quinine(rule, given().has("malaria").has(concept, presence=presence))
    finding = fired(case.at(jurisdiction=jurisdiction).ask(rule))
    assert finding.indicator is Indicator.CRITICAL
    assert "contraindicated" in finding.summary
    assert "choose another drug" in detail_of(finding)
    assert finding.reference == "quinine-label"


@pytest.mark.parametrize("rule", BOTH)
def test_in_the_uk_a_contraindication_rules_out_use_as_a_last_resort(rule: str) -> None:
    case = quinine(rule, given().has("long_qt")).at(jurisdiction="uk")
    finding = fired(case.ask(rule))
    assert finding.indicator is Indicator.CRITICAL
    assert "Consider it only" not in detail_of(finding)


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    ("concept", "counts"),
    [
        pytest.param("thrombocytopenia", True, id="past thrombocytopenia"),
        pytest.param("myasthenia_gravis", True, id="myasthenia in remission"),
        pytest.param("quinine_hypersensitivity", True, id="past hypersensitivity"),
        pytest.param("long_qt", False, id="a past long QT interval"),
        pytest.param("optic_neuritis", False, id="resolved optic neuritis"),
    ],
)
def test_which_resolved_contraindications_still_count(
    rule: str, concept: str, counts: bool
) -> None:
    answer = quinine(rule, given().has("malaria").has(concept, presence=Presence.PAST)).ask(rule)
    (fired if counts else silent)(answer)


@pytest.mark.parametrize("rule", BOTH)
def test_a_refuted_contraindication_does_not_count(rule: str) -> None:
    case = given().has("malaria").has("thrombocytopenia", presence=Presence.REFUTED)
    silent(quinine(rule, case).ask(rule))


@pytest.mark.parametrize("rule", BOTH)
def test_an_allergy_counts_like_the_condition(rule: str) -> None:
    case = quinine(rule, given().allergic("quinine_hypersensitivity"), MALARIA)
    finding = fired(case.ask(rule))
    assert finding.indicator is Indicator.CRITICAL
    assert "hypersensitivity" in finding.summary


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    ("value", "days_ago", "counts"),
    [
        pytest.param(f"99 {PLATELETS}", 1, True, id="just below 100"),
        pytest.param(f"100 {PLATELETS}", 1, False, id="at 100"),
        pytest.param(f"101 {PLATELETS}", 1, False, id="just above 100"),
        pytest.param("99999 /uL", 1, True, id="per microlitre"),
        pytest.param("100000 /uL", 1, False, id="per microlitre at the limit"),
        pytest.param("99 10*3/uL", 1, True, id="thousands per microlitre"),
        pytest.param(f"<50 {PLATELETS}", 1, True, id="below by comparator"),
        pytest.param(f"99 {PLATELETS}", 90, True, id="90 days old"),
        pytest.param(f"99 {PLATELETS}", 91, False, id="91 days old"),
    ],
)
def test_low_platelets_contraindicate(rule: str, value: str, days_ago: int, counts: bool) -> None:
    case = quinine(rule, given().result("platelets", value, days_ago=days_ago), MALARIA)
    answer = case.ask(rule)
    if counts:
        assert "platelets" in fired(answer).summary
    else:
        silent(answer)


NO_COUNT = "no platelet count in the last 90 days"


@pytest.mark.parametrize(
    ("case", "unmeasured"),
    [
        pytest.param(given, True, id="none"),
        pytest.param(lambda: given().lacking(Kind.CONDITIONS), True, id="none, problems not sent"),
        pytest.param(lambda: given().lacking(Kind.RESULTS), False, id="results not sent"),
        pytest.param(lambda: given().result("platelets", f"200 {PLATELETS}"), False, id="one"),
        pytest.param(
            lambda: given().result("platelets", f"200 {PLATELETS}", preliminary=True),
            True,
            id="a preliminary normal one clears nothing",
        ),
    ],
)
def test_a_platelet_count_that_was_never_done_is_missing(case: object, unmeasured: bool) -> None:
    lines = fired(quinine(ORDERED, case()).ask(ORDERED)).missing  # type: ignore[operator]
    assert (NO_COUNT in lines) is unmeasured


def test_of_two_simultaneous_counts_the_lower_is_used_and_an_unusable_one_is_named() -> None:
    case = given().result("platelets", f"200 {PLATELETS}").result("platelets", f"80 {PLATELETS}")
    assert "platelets 80" in fired(quinine(ORDERED, case, MALARIA).ask(ORDERED)).summary
    unread = fired(quinine(ORDERED, given().unusable("platelets")).ask(ORDERED)).missing
    assert any(line.startswith("a newer platelet result could not") for line in unread)


@pytest.mark.parametrize("rule", BOTH)
def test_preliminary_platelets_can_raise_severity_but_never_clear(rule: str) -> None:
    low = given().result("platelets", f"200 {PLATELETS}", days_ago=3)
    low.result("platelets", f"80 {PLATELETS}", preliminary=True)
    finding = fired(quinine(rule, low, MALARIA).ask(rule))
    assert any(evidence.note == "preliminary" for evidence in finding.evidence)
    assert finding.advice[0] == "The platelet count was preliminary: repeat it before acting."
    (repeat,) = finding.suggestions
    assert isinstance(repeat, OrderTest)
    assert repeat.parts == ("platelets",)
    for_cramps = given().result("platelets", f"80 {PLATELETS}", preliminary=True)
    unjustified = fired(quinine(rule, for_cramps).ask(rule))
    removed = [
        offered for offered in offers(unjustified) if offered.startswith("MedicationRequest/")
    ]
    assert len(removed) == (rule == ORDERED)
    assert "preliminary" in finding.summary
    assert offers(finding) == {"cbc"}
    kept = given().result("platelets", f"80 {PLATELETS}", days_ago=3)
    kept.result("platelets", f"200 {PLATELETS}", preliminary=True)
    fired(quinine(rule, kept, MALARIA).ask(rule))


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            lambda: given().has("long_qt").result("platelets", f"200 {PLATELETS}"),
            id="one hazard beside a normal count",
        ),
        pytest.param(
            lambda: given().has("long_qt").result("platelets", f"80 {PLATELETS}", preliminary=True),
            id="another hazard beside a preliminary count",
        ),
        pytest.param(
            lambda: (
                given()
                .result("platelets", f"80 {PLATELETS}", days_ago=3)
                .result("platelets", f"60 {PLATELETS}", preliminary=True)
            ),
            id="a final low count before a preliminary one",
        ),
    ],
)
def test_a_settled_contraindication_does_not_wait_for_a_repeat(rule: str, case: object) -> None:
    finding = fired(quinine(rule, case(), MALARIA).ask(rule))  # type: ignore[operator]
    assert "preliminary" not in finding.summary
    assert "repeat it before acting" not in detail_of(finding)
    removed = {
        offered for offered in offers(finding) if offered.startswith("MedicationRequest/draft-")
    }
    assert len(removed) == (rule == ORDERED)


@pytest.mark.parametrize("rule", BOTH)
def test_contraindications_are_evidence(rule: str) -> None:
    case = given().has("long_qt", name="Long QT syndrome").allergic("quinine_hypersensitivity")
    names = {
        evidence.fact.name  # type: ignore[union-attr]
        for evidence in fired(quinine(rule, case).ask(rule)).evidence
    }
    assert {"Long QT syndrome", "quinine_hypersensitivity"} <= names


@pytest.mark.parametrize("rule", BOTH)
def test_the_justification_and_the_cautions_are_evidence(rule: str) -> None:
    case = given().has("malaria", name="Malaria").has("g6pd_deficiency", name="G6PD deficiency")
    assert {"Malaria", "G6PD deficiency"} <= evidence_names(fired(quinine(rule, case).ask(rule)))


@pytest.mark.parametrize("rule", BOTH)
def test_another_drug_is_advised_only_when_malaria_is_the_reason(rule: str) -> None:
    cramps = detail_of(fired(quinine(rule, given().has("long_qt")).ask(rule)))
    assert "choose another drug" not in cramps
    assert "Avoid quinine for leg cramps" in cramps
    malaria = detail_of(fired(quinine(rule, given().has("long_qt"), MALARIA).ask(rule)))
    assert "choose another drug" in malaria
    assert "Avoid quinine for leg cramps" not in malaria


@pytest.mark.parametrize("rule", BOTH)
def test_merely_suspected_malaria_is_not_mentioned_when_malaria_is_the_reason(
    rule: str,
) -> None:
    case = given().has("long_qt").has("malaria", presence=Presence.SUSPECTED)
    assert "only as suspected" not in detail_of(fired(quinine(rule, case, MALARIA).ask(rule)))


@pytest.mark.parametrize("rule", BOTH)
def test_with_a_caution_unknown_data_are_reported(rule: str) -> None:
    case = quinine(rule, given().has("g6pd_deficiency"), MALARIA).lacking(Kind.ALLERGIES)
    lines = fired(case.ask(rule)).missing
    assert lines[0].startswith("allergies could not be checked")
    assert lines[1:] == ("no platelet count in the last 90 days",)


@pytest.mark.parametrize("rule", BOTH)
def test_active_malaria_is_considered_only_when_malaria_is_not_the_reason(rule: str) -> None:
    missing = fired(quinine(rule, given().has("long_qt")).ask(rule)).missing
    assert not any(line.startswith("whether malaria") for line in missing)
    for reason, asked in ((MALARIA, False), (NO_REASON, True)):
        case = given().allergic("quinine_hypersensitivity").lacking(Kind.CONDITIONS)
        lines = fired(quinine(rule, case, reason).ask(rule)).missing
        assert any(line.startswith("whether malaria or babesiosis") for line in lines) is asked


def test_a_blood_count_is_offered_for_haemoglobin_and_platelets() -> None:
    (count,) = fired(quinine(ACTIVE).ask(ACTIVE)).suggestions
    assert isinstance(count, OrderTest)
    assert count.parts == ("hemoglobin", "platelets")


@pytest.mark.parametrize("kind", [Kind.ALLERGIES, Kind.CONDITIONS, Kind.RESULTS])
@pytest.mark.parametrize(
    ("reason", "expected"), [("HTTP 503", "HTTP 503"), ("", State.UNAVAILABLE.value)]
)
def test_a_list_that_was_not_read_is_named_with_the_reason(
    kind: Kind, reason: str, expected: str
) -> None:
    case = given().lacking(kind, state=State.UNAVAILABLE, reason=reason)
    lines = fired(quinine(ORDERED, case).ask(ORDERED)).missing
    assert any("could not be checked" in line and expected in line for line in lines)


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    ("case", "why"),
    [
        pytest.param(
            lambda: given().result("platelets", f"<150 {PLATELETS}"), "platelets <150", id="<150"
        ),
        pytest.param(lambda: given().unusable("platelets"), "platelet", id="unreadable platelets"),
        pytest.param(lambda: given().lacking(Kind.CONDITIONS), "problem list", id="no problems"),
        pytest.param(lambda: given().lacking(Kind.ALLERGIES), "allergies", id="no allergies"),
        pytest.param(lambda: given().lacking(Kind.RESULTS), "laboratory", id="no results"),
    ],
)
def test_for_malaria_it_cannot_tell_when_contraindications_were_not_read(
    rule: str, case: object, why: str
) -> None:
    answer = unknown(quinine(rule, case(), MALARIA).ask(rule))  # type: ignore[operator]
    assert answer.trigger
    assert "Quinine sulfate 324 mg" in {
        getattr(evidence.fact, "name", "") for evidence in answer.evidence
    }
    assert why in " ".join(answer.because)
    cramps = fired(quinine(rule, case()).ask(rule))  # type: ignore[operator]
    assert why in " ".join(cramps.missing)


@pytest.mark.parametrize("rule", BOTH)
def test_g6pd_deficiency_is_a_caution_for_malaria_and_a_remark_otherwise(rule: str) -> None:
    finding = fired(quinine(rule, given().has("g6pd_deficiency"), MALARIA).ask(rule))
    assert finding.indicator is Indicator.WARNING
    assert "caution" in finding.summary
    assert finding.reference == "quinine-label"
    tests = {"cbc", "potassium", "magnesium"} if rule == ORDERED else {"cbc"}
    assert offers(finding) == tests
    assert not any(offered.startswith("MedicationRequest/") for offered in offers(finding))
    assert "G6PD" in detail_of(fired(quinine(rule, given().has("g6pd_deficiency")).ask(rule)))
    worse = given().has("g6pd_deficiency").has("long_qt")
    assert fired(quinine(rule, worse, MALARIA).ask(rule)).indicator is Indicator.CRITICAL


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize("age", [12, None])
def test_it_fires_at_every_age(rule: str, age: int | None) -> None:
    assert fired(quinine(rule, given(age=age)).ask(rule)).indicator is Indicator.CRITICAL


@pytest.mark.parametrize("rule", BOTH)
def test_no_card_for_deceased_patients_or_from_a_disabled_rule(rule: str) -> None:
    silent(quinine(rule, given(deceased=True)).ask(rule))
    silent(quinine(rule).at(rules_off=frozenset({rule})).ask(rule))


def test_active_quinine_offers_a_blood_count() -> None:
    finding = fired(quinine(ACTIVE).ask(ACTIVE))
    assert offers(finding) == {"cbc"}
    assert finding.evidence[0].note == ""


@pytest.mark.parametrize("taking", [Taking.STOPPED, Taking.NOT_TAKEN, Taking.IGNORED])
def test_quinine_that_is_not_taken_is_silent(taking: Taking) -> None:
    silent(given().takes("quinine", taking=taking).ask(ACTIVE))
    silent(given().takes("statin").ask(ACTIVE))


def test_a_newer_statement_that_quinine_was_stopped_is_reported_but_still_fires() -> None:
    case = given().takes("quinine", name="Quinine", days_ago=30)
    case.takes("quinine", name="Quinine", taking=Taking.STOPPED, statement=True, days_ago=2)
    finding = fired(case.ask(ACTIVE))
    assert "stopped" in finding.evidence[0].note


def test_cannot_tell_when_the_medication_list_was_not_read() -> None:
    assert "medication list" in unknown(given().lacking(Kind.MEDICATIONS).ask(ACTIVE)).because[0]
    fired(quinine(ACTIVE).lacking(Kind.MEDICATIONS).ask(ACTIVE))


def test_a_quinine_order_offers_its_removal_and_tests_without_a_recent_result() -> None:
    case = quinine(ORDERED).result("potassium", "4.0 mmol/L", days_ago=30)
    case.result("magnesium", "0.8 mmol/L", days_ago=31)
    assert offers(fired(case.ask(ORDERED))) == {"MedicationRequest/draft-1", "magnesium"}
    preliminary = quinine(ORDERED).result("potassium", "4.0 mmol/L", preliminary=True)
    assert "potassium" in offers(fired(preliminary.ask(ORDERED)))
    unread = quinine(ORDERED).result("potassium", "4.0 mmol/L", days_ago=3).unusable("potassium")
    assert "potassium" in offers(fired(unread.ask(ORDERED)))


def test_it_fires_for_an_order_even_when_no_data_were_obtained() -> None:
    finding = fired(quinine(ORDERED).lacking(*EVERYTHING).ask(ORDERED))
    assert finding.indicator is Indicator.CRITICAL
    assert len(finding.missing) == 4
    assert "malaria or babesiosis" in finding.missing[-1]


def test_only_selected_quinine_is_judged_and_one_card_names_all_of_it() -> None:
    silent(given().ordering("quinine", selected=False).ask(ORDERED))
    silent(given().ordering("statin").ask(ORDERED))
    two = given().ordering("quinine", name="A").ordering("quinine", name="B")
    two.ordering("quinine", name="C", reason=MALARIA)
    finding = fired(two.ask(ORDERED))
    removed = {offered for offered in offers(finding) if offered.startswith("MedicationRequest/")}
    assert removed == {"MedicationRequest/draft-1", "MedicationRequest/draft-2"}
    assert {evidence.fact.name for evidence in finding.evidence} >= {"A", "B"}  # type: ignore[union-attr]


def test_summaries_fit_and_quote_no_text_from_the_record() -> None:
    case = given().ordering("quinine", name="<b>Evil</b>")
    for concept in CONTRAINDICATIONS:
        case.has(concept, name="<b>Evil</b>")
    finding = fired(case.result("platelets", f"20 {PLATELETS}").ask(ORDERED))
    assert len(finding.summary) <= 139
    assert "Evil" not in finding.summary
    assert "<b>" not in detail_of(finding)


QT = ("qt_prolonging", "Amiodarone 200 MG Oral Tablet")
OTHERS = [QT, ("mefloquine", "Mefloquine"), ("digoxin", "Digoxin"), ("warfarin", "Warfarin")]


@pytest.mark.parametrize(("concept", "name"), OTHERS)
@pytest.mark.parametrize("rule", ["quinine-active", "quinine-ordered"])
def test_interactions_are_named_in_every_case(rule: str, concept: str, name: str) -> None:
    case = given().takes(concept, name=name)
    case = case.takes("quinine") if rule == "quinine-active" else case.ordering("quinine")
    finding = fired(case.ask(rule))
    assert finding.indicator is Indicator.CRITICAL
    assert f"**Interactions:** {name} (" in " ".join(finding.advice)


@pytest.mark.parametrize(("concept", "name"), OTHERS)
def test_with_malaria_an_interaction_is_a_warning_or_info_card_without_a_removal(
    concept: str, name: str
) -> None:
    case = given().has("malaria").takes(concept, name=name).ordering("quinine")
    finding = fired(case.ask("quinine-ordered"))
    avoided = concept in ("qt_prolonging", "mefloquine")
    assert finding.indicator is (Indicator.WARNING if avoided else Indicator.INFO)
    assert name.split(maxsplit=1)[0].lower() in finding.summary
    assert not any("/" in offered for offered in offers(finding))


def test_quinine_does_not_interact_with_itself() -> None:
    case = given().has("malaria").takes("quinine", "qt_prolonging").ordering("quinine")
    silent(case.ask("quinine-ordered"))


def test_with_malaria_cirrhosis_is_reported() -> None:
    finding = fired(
        given().has("malaria").has("cirrhosis").ordering("quinine").ask("quinine-ordered")
    )
    assert finding.indicator is Indicator.INFO
    assert "raises exposure" in finding.advice[0]
    assert not any("/" in offered for offered in offers(finding))


@pytest.mark.parametrize(
    ("value", "days_ago", "against"),
    [
        ("500 ms", 5, True),
        ("0.51 s", 5, True),
        ("499 ms", 5, False),
        ("520 ms", 30, True),
        ("520 ms", 31, False),
    ],
)
def test_a_qtc_of_500_is_a_contraindication_with_malaria_too(
    value: str, days_ago: int, against: bool
) -> None:
    case = given().has("malaria").result("qtc_interval", value, days_ago=days_ago)
    answer = case.ordering("quinine").ask("quinine-ordered")
    if not against:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.CRITICAL
    assert "QTc" in finding.summary
    assert any("/" in offered for offered in offers(finding))
