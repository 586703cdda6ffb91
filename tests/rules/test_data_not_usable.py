"""data-not-usable, of both services: tables of cases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cds_service.core.facts import Kind, Presence, Problem, Source, State
from cds_service.engine.rule import Answer, Finding, Indicator, NotFired, Rule, Tier
from cds_service.engine.run import FAILED, Engine
from hooks.cramps import documented
from hooks.knowledge.files import analytes
from hooks.unusable.problems import WATCHED
from hooks.wording import READ_AT_ONCE
from tests.testing.given import NOW, Given, Service, fired, given, offers, rules_by_service, silent

RULE = "data-not-usable"
CHART, ORDER = Service.PATIENT_VIEW, Service.ORDER_SELECT


def lines(case: Given, service: Service = CHART) -> str:
    return "\n".join(fired(case.ask(RULE, service)).missing)


def problem(about: str, kind: str = "unreadable", origin: str = "prefetch.conditions") -> Problem:
    return Problem(kind, about, "it cannot be read", Source("Condition/9", origin))


def with_problem(case: Given, *problems: Problem) -> Given:
    case.problems.extend(problems)
    return case


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(given().cramps().unusable("magnesium"), "Magnesium", id="unknown unit"),
        pytest.param(
            given().cramps().unusable("potassium", "implausible"), "Potassium", id="implausible"
        ),
        pytest.param(
            given().cramps().unusable("potassium", "undated", days_ago=None), "Potassium",
            id="undated",
        ),
        pytest.param(
            given().cramps().result("magnesium", "0.9 mmol/L", days_ago=9).unusable("magnesium"),
            "Magnesium",
            id="newer than a usable one",
        ),
        pytest.param(given().at(cramps_assumed=True).unusable("crp"), "C-reactive", id="assumed"),
        pytest.param(
            given().cramps().lacking(Kind.RESULTS, state=State.UNAVAILABLE, reason="server failed"),
            "Could not check laboratory results: server failed",
            id="results failed",
        ),
        pytest.param(
            given().cramps().lacking(Kind.RESULTS), "laboratory results: not sent", id="not sent"
        ),
        pytest.param(
            given().cramps().lacking(Kind.RESULTS, state=State.PARTIAL, reason="page cut"),
            "Could not check all laboratory results: page cut",
            id="page cut",
        ),
        pytest.param(
            given().cramps().lacking(Kind.ORDERS, state=State.UNAVAILABLE), "orders",
            id="orders failed",
        ),
        pytest.param(
            with_problem(given().cramps(), problem("potassium", "no-status")), "Potassium",
            id="a result without a status",
        ),
    ],
)  # fmt: skip
def test_with_cramps_unusable_data_are_reported(case: Given, expected: str) -> None:
    finding = fired(case.ask(RULE, CHART))
    assert finding.indicator is Indicator.INFO
    assert finding.suggestions == ()
    assert expected in "\n".join(finding.missing)
    assert len(finding.summary) <= READ_AT_ONCE


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().cramps(), id="nothing is wrong"),
        pytest.param(
            given().cramps().unusable("magnesium", days_ago=9).result("magnesium", "0.9 mmol/L"),
            id="older than a usable one",
        ),
        pytest.param(
            given().cramps().unusable("magnesium", days_ago=400), id="too old for any rule"
        ),
        pytest.param(given().unusable("ferritin"), id="no cramps, and nothing that is watched"),
        pytest.param(
            with_problem(
                given(),
                Problem(
                    "unknown-code",
                    Kind.RESULTS.value,
                    "unknown code",
                    Source("Observation/1"),
                    NOW - timedelta(days=400),
                ),
            ),
            id="an unknown code of long ago",
        ),
        pytest.param(
            given().result("egfr", ">60 mL/min/{1.73_m2}"), id="a comparator leaves nothing open"
        ),
        pytest.param(
            given().cramps(presence=Presence.SUSPECTED).unusable("ferritin"), id="suspected cramps"
        ),
        pytest.param(given().cramps().lacking(Kind.ORDERS), id="orders were not sent"),
        pytest.param(given().cramps().lacking(Kind.STATEMENTS), id="statements were not sent"),
        pytest.param(given().cramps().lacking(Kind.ALLERGIES), id="allergies were not sent"),
        pytest.param(given().cramps().lacking(Kind.ENCOUNTER), id="no encounter"),
        pytest.param(given().cramps().lacking(Kind.RESULTS, state=State.NONE), id="none on file"),
        pytest.param(given(deceased=True).cramps().unusable("magnesium"), id="deceased"),
        pytest.param(
            given().takes("diuretic_potassium_sparing"), id="never measured is not unusable"
        ),
        pytest.param(
            given()
            .takes("diuretic_potassium_sparing")
            .result("egfr", "90 mL/min/{1.73_m2}")
            .result("creatinine", "0.8 mg/dL"),
            id="nor with other exact results",
        ),
        pytest.param(given().cramps().unusable("crp", days_ago=31), id="a day too old"),
    ],
)
def test_nothing_is_reported(case: Given) -> None:
    silent(case.ask(RULE, CHART))


@pytest.mark.parametrize("analyte", WATCHED)
@pytest.mark.parametrize("age", [50, 10])
def test_an_unusable_newest_result_of_a_monitored_analyte_is_reported_without_cramps(
    analyte: str, age: int
) -> None:
    finding = fired(given(age).unusable(analyte).ask(RULE, CHART))
    assert finding.indicator is Indicator.INFO
    assert (
        f"{analytes()[analyte].name} of 22 Nov could not be used: unknown unit" in finding.summary
    )
    assert finding.summary.endswith(". Look at it")
    assert len(finding.summary) <= READ_AT_ONCE
    assert f"unknown-unit in {analyte}" in "\n".join(finding.missing)


K = ("potassium", "4.1 mmol/L")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().unusable("potassium", days_ago=30), id="the first of the 30 days"),
        pytest.param(given().unusable("potassium", "future", days_ago=-9), id="in the future"),
        pytest.param(
            given().unusable("potassium", "future", days_ago=-9).result(*K),
            id="in the future, beside a usable one",
        ),
        pytest.param(given().unusable("potassium", days_ago=1).result(*K, days_ago=2), id="newer"),
        pytest.param(given().unusable("potassium", "undated", days_ago=None), id="undated"),
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None).result(*K, days_ago=31),
            id="undated, and the usable one is old",
        ),
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None, critical=True).result(*K),
            id="undated and flagged critical, beside a usable one",
        ),
        *(
            pytest.param(
                given().unusable(analyte, "undated", days_ago=None, value=value).result(*known),
                id=f"undated {value}, beside a usable one",
            )
            for analyte, value, known in (
                ("potassium", "6.0 mmol/L", K),
                ("potassium", "2.4 mmol/L", K),
                ("magnesium", "0.49 mmol/L", ("magnesium", "0.9 mmol/L")),
                ("sodium", "119 mmol/L", ("sodium", "140 mmol/L")),
                ("hemoglobin", "6.9 g/dL", ("hemoglobin", "13 g/dL")),
            )
        ),
        pytest.param(
            with_problem(given().result(*K, days_ago=5), Problem(
                "no-status", "potassium", "no status", Source("Observation/9"), NOW)),
            id="without a status, newer than a usable one",
        ),
        pytest.param(
            given().lacking(Kind.RESULTS, state=State.UNAVAILABLE), id="all results failed"
        ),
        pytest.param(given().lacking(Kind.RESULTS), id="no results were sent"),
    ],
)  # fmt: skip
def test_is_reported_without_cramps(case: Given) -> None:
    fired(case.ask(RULE, CHART))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().unusable("potassium", days_ago=31), id="a day too old"),
        pytest.param(given().unusable("potassium", days_ago=5).result(*K), id="a newer usable one"),
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None).result(*K, days_ago=30),
            id="undated, beside a usable one",
        ),
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None, value="5.9 mmol/L").result(*K),
            id="undated and not critical, beside a usable one",
        ),
        pytest.param(
            given().unusable("creatinine", "undated", days_ago=None, value="9 mg/dL")
            .result("creatinine", "0.9 mg/dL"),
            id="undated, of an analyte without a critical limit",
        ),
        pytest.param(
            with_problem(given().result(*K, days_ago=1), Problem(
                "no-status", "potassium", "no status", Source("Observation/9"),
                NOW - timedelta(days=2))),
            id="without a status, older than a usable one",
        ),
        pytest.param(given(deceased=True).unusable("potassium"), id="deceased"),
    ],
)  # fmt: skip
def test_is_not_reported_without_cramps(case: Given) -> None:
    silent(case.ask(RULE, CHART))


@pytest.mark.parametrize(
    ("case", "indicator", "summary"),
    [
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None, critical=True,
                             value="7.0 mmol/L"),
            Indicator.WARNING,
            "Potassium 7.0 mmol/L, flagged critical, could not be used: no date. Look at it",
            id="flagged, with its value",
        ),
        pytest.param(
            given().unusable("sodium", "no-unit", critical=True), Indicator.WARNING,
            "Sodium of 22 Nov, flagged critical, could not be used: no unit. Look at it",
            id="flagged",
        ),
        pytest.param(
            given().unusable("potassium", "undated", days_ago=None, value="6.5 mmol/L"),
            Indicator.WARNING, "Potassium 6.5 mmol/L could not be used: no date. Look at it",
            id="critical by its value",
        ),
        pytest.param(
            given().unusable("potassium", "future", days_ago=-400, value="4.5 mmol/L"),
            Indicator.INFO,
            "Potassium 4.5 mmol/L could not be used: dated in the future. Look at it",
            id="in the future",
        ),
        pytest.param(
            given().unusable("potassium").unusable("hemoglobin", "no-unit", critical=True),
            Indicator.WARNING,
            "Haemoglobin of 22 Nov, flagged critical, could not be used: no unit (also Potassium)",
            id="the worst first",
        ),
        pytest.param(
            given().unusable("magnesium", days_ago=40, critical=True).cramps(), Indicator.INFO,
            "Not checked: Magnesium. Look in the chart", id="flagged long ago",
        ),
        pytest.param(
            given().lacking(Kind.RESULTS), Indicator.INFO,
            "Not checked: laboratory results. Look in the chart", id="a whole kind",
        ),
        pytest.param(
            given().ordering("magnesium").unusable("creatinine", critical=True), Indicator.WARNING,
            "Creatinine of 22 Nov, flagged critical, could not be used: unknown unit. Look at it",
            id="beside an order",
        ),
    ],
)  # fmt: skip
def test_the_summary_names_the_data_and_the_reason(
    case: Given, indicator: Indicator, summary: str
) -> None:
    service = ORDER if case.draft_medications else CHART
    finding = fired(case.ask(RULE, service))
    assert (finding.indicator, finding.summary) == (indicator, summary)


@pytest.mark.parametrize(
    ("analyte", "value", "title"),
    [
        ("potassium", "<6.8 mmol/L", "low potassium"),
        ("potassium", ">2.0 mmol/L", "low potassium"),
        ("magnesium", "<2.0 mmol/L", "low magnesium"),
        ("sodium", ">110 mmol/L", "metabolic cause"),
        ("hemoglobin", "<16 g/dL", "anaemia"),
    ],
)
def test_a_comparator_that_makes_a_rule_inconclusive_is_reported_without_cramps(
    analyte: str, value: str, title: str
) -> None:
    missing = "\n".join(fired(given().result(analyte, value).ask(RULE, CHART)).missing).lower()
    assert title in missing and value.split(maxsplit=1)[0] in missing
    silent(given().result(analyte, value, days_ago=40).ask(RULE, CHART))


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE])
@pytest.mark.parametrize("kind", [Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS])
def test_missing_data_name_the_rules_that_could_not_be_evaluated(kind: Kind, state: State) -> None:
    case = given().lacking(kind, state=state)
    titles = [
        outcome.rule.title
        for outcome in case.outcomes(CHART)
        if outcome.rule.tier is Tier.ALWAYS
        and any(n.required and n.kind is kind for n in outcome.rule.needs)
    ]
    not_evaluated = fired(case.ask(RULE, CHART)).missing[-1]
    assert [title for title in titles if title not in not_evaluated] == []
    assert not_evaluated.startswith("Rules that could not be evaluated: ") is bool(titles)


def test_incomplete_results_are_reported_without_cramps() -> None:
    case = given().lacking(Kind.RESULTS, state=State.PARTIAL, reason="page cut")
    assert fired(case.ask(RULE, CHART)).missing == (
        "Could not check all laboratory results: page cut",
    )


def test_no_drug_is_drafted_while_an_entry_cannot_be_read() -> None:
    case = given().result("potassium", "3.2 mmol/L").result("egfr", "92 mL/min/{1.73_m2}")
    assert "potassium_chloride" in offers(fired(case.ask("low-potassium")))
    with_problem(case, problem(Kind.MEDICATIONS.value, "no-code", "prefetch.medications"))
    finding = fired(case.ask("low-potassium"))
    assert "potassium_chloride" not in offers(finding)
    assert "No drug is drafted" in fired(case.ask(RULE, CHART)).advice[1]


@pytest.mark.parametrize(
    ("about", "kind", "reported"),
    [
        ("draft orders", "unreadable", True),
        ("draft orders", "unresolved-selection", True),
        (Kind.MEDICATIONS.value, "unresolved-medication", False),
    ],
)
def test_a_selected_draft_that_could_not_be_read_is_reported(
    about: str, kind: str, reported: bool
) -> None:
    case = with_problem(given(), problem(about, kind, "context.draftOrders"))
    assert isinstance(case.ask(RULE, ORDER), Finding) is reported


def test_a_selected_draft_whose_medication_was_not_sent_is_reported() -> None:
    case = given().ordering()
    [draft] = case.draft_medications
    case.problems.append(
        Problem("unresolved-medication", Kind.MEDICATIONS.value, "not sent", draft.source)
    )
    assert "not sent" in lines(case, ORDER)


@pytest.mark.parametrize("kind", [Kind.CONDITIONS, Kind.MEDICATIONS])
@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_lists_that_could_not_be_read_are_reported_without_cramps(kind: Kind, state: State) -> None:
    name = kind.value.removesuffix(" requests") + ("s" if kind is Kind.MEDICATIONS else "")
    assert name in lines(given().lacking(kind, state=state))


@pytest.mark.parametrize("state", [State.UNAVAILABLE, State.PARTIAL])
def test_statements_that_failed_are_reported_without_cramps(state: State) -> None:
    assert "medication statements" in lines(given().lacking(Kind.STATEMENTS, state=state))


@pytest.mark.parametrize("kind", [Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS])
def test_one_unreadable_entry_of_a_list_is_reported_without_cramps(kind: Kind) -> None:
    assert "Condition/9" in lines(with_problem(given(), problem(kind.value)))


def test_an_unreadable_entry_of_another_kind_matters_only_with_cramps() -> None:
    silent(with_problem(given(), problem(Kind.ALLERGIES.value)).ask(RULE, CHART))
    assert "Condition/9" in lines(with_problem(given().cramps(), problem(Kind.ALLERGIES.value)))


def test_data_that_a_site_never_sends_do_not_hide_a_later_failure() -> None:
    case = given().cramps().lacking(Kind.STATEMENTS)
    assert "allergies" in lines(case.lacking(Kind.ALLERGIES, state=State.UNAVAILABLE))


def test_a_result_on_the_first_day_of_its_window_is_reported() -> None:
    assert "C-reactive" in lines(given().cramps().unusable("crp", days_ago=30))


@pytest.mark.parametrize(
    ("about", "reported"),
    [
        (Kind.CONDITIONS.value, True),
        ("magnesium", True),
        ("ferritin", False),
        (Kind.ENCOUNTER.value, False),
    ],
)
def test_for_an_order_only_entries_that_its_rules_read_are_reported(
    about: str, reported: bool
) -> None:
    answer = with_problem(given().ordering("magnesium"), problem(about)).ask(RULE, ORDER)
    assert isinstance(answer, Finding) is reported


def test_a_record_of_another_patient_is_always_reported() -> None:
    case = with_problem(given(), problem(Kind.RESULTS.value, "wrong-patient"))
    assert "Condition/9" in lines(case)


def test_a_tier_a_rule_whose_trigger_is_present_is_reported_without_cramps() -> None:
    case = given().takes("magnesium").result("egfr", "80 mL/min/{1.73_m2}")
    silent(case.ask(RULE, CHART))
    assert "Magnesium in renal impairment" in lines(case.result("magnesium", "<2.0 mmol/L"))


def test_a_newer_unreadable_result_with_a_trigger_is_reported_without_cramps() -> None:
    case = given().takes("magnesium").result("egfr", "80 mL/min/{1.73_m2}", days_ago=9)
    text = lines(case.unusable("creatinine"))
    assert "Creatinine" in text
    assert "Magnesium in renal impairment" not in text  # not left inconclusive by a comparator


def test_a_creatinine_is_named_once_and_by_its_own_name() -> None:
    text = lines(given().cramps().unusable("creatinine"))
    assert text.count("unknown-unit in creatinine") == 1
    assert "eGFR" not in text


def test_a_creatinine_that_yields_no_egfr_is_reported_when_baclofen_is_taken() -> None:
    case = given(age=None).takes("baclofen").result("creatinine", "2.4 mg/dL")
    line = "Could not check renal function: creatinine 2.4 mg/dL without an eGFR"
    assert line in lines(case)


def test_each_line_names_the_resource_escaped() -> None:
    case = given().cramps()
    case.problems.append(Problem("x", "potassium", "unit <b>pints</b>", Source("Observation/<1>")))
    text = lines(case)
    assert "<" not in text
    assert "pints" in text
    case.problems.append(Problem("x", "sodium", "too long", Source("Observation/" + "7" * 80)))
    assert f"(Observation/{'7' * 67}…)" in lines(case)


def test_the_summary_counts_many_lines_and_names_a_few() -> None:
    case = given().cramps()
    for number in range(20):
        case.problems.append(Problem("x", "potassium", f"reason {number}", Source("Observation/1")))
    finding = fired(case.ask(RULE, CHART))
    assert len(finding.missing) == 13
    assert finding.missing[-1] == "and 8 more"
    for analyte in ("magnesium", "ferritin", "hemoglobin", "sodium", "platelets", "glucose"):
        case.unusable(analyte)
    assert "and more" in fired(case.ask(RULE, CHART)).summary


@pytest.mark.parametrize("more", [False, True])
def test_the_summary_names_up_to_three(more: bool) -> None:
    case = given().cramps()
    for analyte in ("crp", "ferritin", "hba1c"):
        case.unusable(analyte)
    if more:
        case.unusable("platelets")
    assert ("and more" in fired(case.ask(RULE, CHART)).summary) is more


def test_children_get_the_report_for_rules_that_fire_under_18() -> None:
    assert "Magnesium" in lines(given(age=10).cramps().unusable("magnesium"))
    silent(given(age=10).cramps().unusable("ferritin").ask(RULE, CHART))


def test_rules_that_are_switched_off_need_nothing() -> None:
    case = given().cramps().unusable("hba1c")
    assert "HbA1c" in lines(case)
    silent(case.at(rules_off=frozenset({"diabetes-not-screened"})).ask(RULE, CHART))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(given().ordering("magnesium").unusable("creatinine"), "Creatinine", id="eGFR"),
        pytest.param(given().ordering("magnesium").unusable("magnesium"), "Magnesium", id="level"),
        pytest.param(
            given().ordering("quinine").lacking(Kind.CONDITIONS), "conditions: not sent",
            id="quinine without conditions",
        ),
        pytest.param(
            given().ordering("potassium").lacking(Kind.RESULTS, state=State.UNAVAILABLE),
            "laboratory results",
            id="potassium without results",
        ),
        pytest.param(
            given(age=10).ordering("magnesium").unusable("magnesium"), "Magnesium", id="under 18"
        ),
    ],
)  # fmt: skip
def test_it_is_reported_with_an_order_that_a_rule_judges(case: Given, expected: str) -> None:
    assert expected in lines(case, ORDER)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().ordering("iron").unusable("magnesium"), id="no rule judges iron"),
        pytest.param(given().ordering().lacking(Kind.RESULTS), id="no class"),
        pytest.param(
            given().ordering("magnesium", selected=False).unusable("magnesium"), id="not selected"
        ),
        pytest.param(
            given().ordering("magnesium").unusable("ferritin"), id="no rule needs ferritin"
        ),
        pytest.param(given().ordering("magnesium"), id="nothing is wrong"),
        pytest.param(given(), id="no draft"),
        pytest.param(
            given().cramps().ordering("iron").lacking(Kind.CONDITIONS), id="cramps do not matter"
        ),
    ],
)
def test_it_is_not_reported_with_other_drafts(case: Given) -> None:
    silent(case.ask(RULE, ORDER))


def test_a_draft_of_another_patient_is_reported() -> None:
    case = with_problem(
        given(), problem("medication requests", "wrong-patient", "context.draftOrders")
    )
    assert "Condition/9" in lines(case, ORDER)


@pytest.mark.parametrize("service", [CHART, ORDER])
def test_a_site_can_switch_the_report_off(service: Service) -> None:
    case = given().cramps().ordering("magnesium").unusable("magnesium")
    assert isinstance(case.ask(RULE, service), Finding)
    off = case.at(rules_off=frozenset({RULE})).ask(RULE, service)
    assert isinstance(off, NotFired)


def _with_a_fault_in(rule_id: str, case: Given, service: Service) -> Answer:
    def failing(*_args: object) -> NotFired:
        raise ZeroDivisionError

    def faulty(rule: Rule) -> Rule:
        if rule.id != rule_id:
            return rule
        return replace(rule, review=failing) if rule.review else replace(rule, check=failing)

    rules = {service: [faulty(rule) for rule in rules_by_service()[service]]}
    outcomes = Engine(rules, documented, lambda _rule, _error: None).ask(service, case.facts())
    return outcomes[-1].answer


@pytest.mark.parametrize(
    ("rule_id", "case", "service", "title"),
    [
        pytest.param(
            "low-magnesium", given(), CHART, "Documented low magnesium", id="a rule of tier A"
        ),
        pytest.param(
            "first-line-measures", given().cramps(), CHART, "First", id="a rule of tier C"
        ),
        pytest.param(
            "quinine-ordered", given().ordering("quinine"), ORDER, "Quinine", id="of an order"
        ),
    ],
)
def test_a_rule_that_failed_is_reported(
    rule_id: str, case: Given, service: Service, title: str
) -> None:
    finding = fired(_with_a_fault_in(rule_id, case, service))
    (line,) = finding.missing
    assert line.startswith(f"Could not check {title}")
    assert line.endswith(FAILED)
    assert "does not mean that they are normal" in finding.advice[0]


@pytest.mark.parametrize("service", [CHART, ORDER])
def test_a_fault_while_reporting_a_fault_is_reported(service: Service) -> None:
    finding = fired(_with_a_fault_in(RULE, given(), service))
    assert finding.indicator is Indicator.INFO
    assert finding.missing == (f"Could not check the record: {FAILED}",)
    assert "does not mean that they are normal" in finding.advice[0]


def test_a_rule_that_does_not_apply_to_this_patient_cannot_fail() -> None:
    silent(_with_a_fault_in("quinine-ordered", given().ordering("antacid"), ORDER))
