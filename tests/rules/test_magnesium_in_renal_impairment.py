"""Magnesium and the kidney, on the medication list and in a draft: tables of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator, OrderTest
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

TAKEN = "magnesium-in-renal-impairment"
ORDERED = "magnesium-ordered-renal-impairment"
UNIT = "mL/min/{1.73_m2}"


def taking(egfr: str = "", **more: object) -> Given:
    case = given().takes("magnesium", name="Magnesium oxide 400 mg")
    return case.result("egfr", f"{egfr} {UNIT}", **more) if egfr else case  # type: ignore[arg-type]


def ordering(egfr: str = "", **more: object) -> Given:
    case = given().ordering("magnesium", name="Magnesium oxide 400 mg")
    return case.result("egfr", f"{egfr} {UNIT}", **more) if egfr else case  # type: ignore[arg-type]


LEVELS = [
    pytest.param("29", Indicator.CRITICAL, id="eGFR just below 30"),
    pytest.param("<15", Indicator.CRITICAL, id="eGFR below 15 by comparator"),
    pytest.param("30", Indicator.WARNING, id="eGFR at 30"),
    pytest.param("59", Indicator.WARNING, id="eGFR just below 60"),
    pytest.param("<50", Indicator.WARNING, id="below 50 is at least below 60"),
]


@pytest.mark.parametrize(("egfr", "indicator"), LEVELS)
def test_taken_in_renal_impairment(egfr: str, indicator: Indicator) -> None:
    finding = fired(taking(egfr).ask(TAKEN))
    assert finding.indicator is indicator
    assert offers(finding) == {"magnesium", "creatinine"}


@pytest.mark.parametrize(("egfr", "indicator"), LEVELS)
def test_ordered_in_renal_impairment(egfr: str, indicator: Indicator) -> None:
    finding = fired(ordering(egfr).ask(ORDERED))
    assert finding.indicator is indicator
    assert offers(finding) == {"MedicationRequest/draft-1", "magnesium", "creatinine"}


@pytest.mark.parametrize("egfr", ["60", ">60", "95"])
def test_silent_with_normal_renal_function(egfr: str) -> None:
    silent(taking(egfr).ask(TAKEN))
    silent(ordering(egfr).ask(ORDERED))


@pytest.mark.parametrize(
    ("concept", "indicator"),
    [
        ("ckd_stage_4_5", Indicator.CRITICAL),
        ("dialysis", Indicator.CRITICAL),
        ("aki", Indicator.CRITICAL),
        ("ckd_stage_3", Indicator.WARNING),
    ],
)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_a_diagnosis_counts_without_an_egfr_and_when_only_suspected(
    concept: str, indicator: Indicator, presence: Presence
) -> None:
    assert fired(taking().has(concept, presence=presence).ask(TAKEN)).indicator is indicator
    assert fired(ordering().has(concept, presence=presence).ask(ORDERED)).indicator is indicator


def test_a_past_kidney_injury_does_not_count() -> None:
    silent(taking("90").has("aki", presence=Presence.PAST).ask(TAKEN))
    silent(ordering("90").has("aki", presence=Presence.PAST).ask(ORDERED))


@pytest.mark.parametrize(
    ("value", "range_high", "fires"),
    [
        pytest.param("1.06 mmol/L", None, True, id="just above 1.05 mmol/L"),
        pytest.param("1.05 mmol/L", None, False, id="at 1.05 mmol/L"),
        pytest.param("2.7 mg/dL", None, True, id="2.7 mg/dL is above 2.6"),
        pytest.param("2.6 mg/dL", None, False, id="2.6 mg/dL"),
        pytest.param("1.00 mmol/L", "0.95", True, id="above the laboratory's own range"),
        pytest.param("1.08 mmol/L", "1.10", False, id="inside the laboratory's own range"),
    ],
)
def test_magnesium_above_range_fires(value: str, range_high: str, fires: bool) -> None:
    for case, rule in ((taking("90"), TAKEN), (ordering("90"), ORDERED)):
        answer = case.result("magnesium", value, high=range_high).ask(rule)
        if fires:
            finding = fired(answer)
            assert finding.indicator is (Indicator.INFO if rule == TAKEN else Indicator.WARNING)
            assert "toxic levels" not in " ".join(finding.advice)
        else:
            silent(answer)


@pytest.mark.parametrize(
    ("value", "egfr", "taken", "ordered"),
    [
        ("1.49 mmol/L", "90", Indicator.INFO, Indicator.WARNING),
        ("1.5 mmol/L", "90", Indicator.WARNING, Indicator.CRITICAL),
        ("1.99 mmol/L", "90", Indicator.WARNING, Indicator.CRITICAL),
        ("2.0 mmol/L", "90", Indicator.CRITICAL, Indicator.CRITICAL),
        ("1.2 mmol/L", "45", Indicator.WARNING, Indicator.CRITICAL),
        ("1.2 mmol/L", "25", Indicator.CRITICAL, Indicator.CRITICAL),
        ("1.2 mmol/L", "", Indicator.WARNING, Indicator.CRITICAL),
        ("0.6 mmol/L", "25", Indicator.WARNING, Indicator.WARNING),
    ],
)
def test_severity_depends_on_the_level_and_on_renal_function(
    value: str, egfr: str, taken: Indicator, ordered: Indicator
) -> None:
    assert fired(taking(egfr).result("magnesium", value).ask(TAKEN)).indicator is taken
    finding = fired(ordering(egfr).result("magnesium", value).ask(ORDERED))
    assert finding.indicator is ordered
    assert ("MedicationRequest/draft-1" in offers(finding)) is (value != "0.6 mmol/L")


INTRAVENOUS = "magnesium_intravenous"


def treatment(egfr: str = "") -> Given:
    case = given().ordering("magnesium", INTRAVENOUS, name="Magnesium sulfate 4 g IV")
    return case.result("egfr", f"{egfr} {UNIT}") if egfr else case


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        (lambda: treatment("25"), Indicator.WARNING),
        (lambda: treatment("45"), Indicator.WARNING),
        (treatment, Indicator.INFO),
        (lambda: treatment("25").result("magnesium", "3.5 mmol/L"), Indicator.WARNING),
        (lambda: treatment("25").result("magnesium", "3.6 mmol/L"), Indicator.CRITICAL),
        (lambda: treatment("90").result("magnesium", "8.6 mg/dL"), Indicator.CRITICAL),
        (lambda: treatment("90").has("myasthenia_gravis"), Indicator.WARNING),
        (lambda: treatment("90").has("heart_block"), Indicator.WARNING),
        (
            lambda: given().has("eclampsia").ordering("magnesium").has("dialysis"),
            Indicator.WARNING,
        ),
    ],
)
def test_the_treatment_of_a_deficit_is_never_obstructed(case: object, indicator: Indicator) -> None:
    finding = fired(case().ask(ORDERED))  # type: ignore[operator]
    assert finding.indicator is indicator
    assert "MedicationRequest/draft-1" not in offers(finding)
    text = " ".join(finding.advice)
    assert "before it is given" not in text
    assert "Do not give" not in text
    assert "reflexes" in text


def test_treatment_with_normal_renal_function_is_silent_and_in_impairment_is_a_warning() -> None:
    silent(treatment("90").ask(ORDERED))
    case = given().takes("magnesium", INTRAVENOUS, name="Magnesium infusion").has("dialysis")
    finding = fired(case.result("magnesium", "2.4 mmol/L").ask(TAKEN))
    assert finding.indicator is Indicator.WARNING
    assert "Therapy in progress" in " ".join(finding.advice)
    assert "stop" not in finding.summary


@pytest.mark.parametrize(
    ("days_ago", "indicator"), [(30, Indicator.CRITICAL), (31, Indicator.INFO)]
)
def test_an_old_high_magnesium_only_asks_for_a_repeat(days_ago: int, indicator: Indicator) -> None:
    for case, rule in ((taking("90"), TAKEN), (ordering("90"), ORDERED)):
        finding = fired(case.result("magnesium", "2.1 mmol/L", days_ago=days_ago).ask(rule))
        assert finding.indicator is indicator
        if indicator is Indicator.INFO:
            assert offers(finding) == {"magnesium"}
            assert "repeat first" in finding.summary


@pytest.mark.parametrize(("days_ago", "fires"), [(90, True), (91, True), (365, True), (367, False)])
def test_a_low_egfr_counts_as_a_hazard_for_twelve_months(days_ago: int, fires: bool) -> None:
    finding = fired(taking("25", days_ago=days_ago).ask(TAKEN))
    assert (finding.indicator is Indicator.CRITICAL) is fires


def test_with_unknown_renal_function_the_list_card_is_info_and_the_order_card_warns() -> None:
    taken = fired(taking().ask(TAKEN))
    assert taken.indicator is Indicator.INFO
    assert offers(taken) == {"creatinine"}
    ordered = fired(ordering().ask(ORDERED))
    assert ordered.indicator is Indicator.WARNING
    assert "renal function unknown" in ordered.summary
    assert offers(ordered) == {"MedicationRequest/draft-1", "magnesium", "creatinine"}


def test_unusable_renal_function_does_not_count_as_normal() -> None:
    assert fired(taking().unusable("egfr").ask(TAKEN)).indicator is Indicator.INFO
    assert fired(ordering().unusable("egfr").ask(ORDERED)).indicator is Indicator.WARNING
    newer = taking("90", days_ago=20).unusable("creatinine", days_ago=1)
    assert unknown(newer.ask(TAKEN)).trigger
    newer = ordering("90", days_ago=20).unusable("creatinine", days_ago=1)
    assert unknown(newer.ask(ORDERED)).trigger
    for case, rule in ((taking("90"), TAKEN), (ordering("90"), ORDERED)):
        answer = unknown(case.unusable("magnesium").ask(rule))
        assert [problem.about for problem in answer.problems] == ["magnesium"]
    severe_before = taking("25", days_ago=20).unusable("creatinine", days_ago=1)
    assert any("could not be used" in line for line in fired(severe_before.ask(TAKEN)).missing)


def test_results_not_fetched() -> None:
    assert unknown(taking().lacking(Kind.RESULTS).ask(TAKEN)).trigger
    finding = fired(ordering().lacking(Kind.RESULTS).ask(ORDERED))
    assert finding.indicator is Indicator.WARNING
    assert "could not be checked" in finding.summary


def test_lists_not_fetched() -> None:
    assert unknown(taking("90").lacking(Kind.CONDITIONS).ask(TAKEN)).trigger
    assert unknown(ordering("90").lacking(Kind.CONDITIONS).ask(ORDERED)).trigger
    fired(taking("25").lacking(Kind.CONDITIONS).ask(TAKEN))
    hidden = given().result("egfr", f"25 {UNIT}").lacking(Kind.MEDICATIONS)
    assert unknown(hidden.ask(TAKEN)).trigger
    assert not unknown(given().lacking(Kind.MEDICATIONS).ask(TAKEN)).trigger
    partial = given().result("egfr", f"25 {UNIT}")
    unknown(partial.lacking(Kind.STATEMENTS, state=State.PARTIAL).ask(TAKEN))
    known = given().result("egfr", f"25 {UNIT}").takes("magnesium", statement=True)
    fired(known.lacking(Kind.MEDICATIONS).ask(TAKEN))


def test_a_preliminary_value_raises_severity_and_offers_only_its_repeat() -> None:
    for case, rule in ((taking("70", days_ago=9), TAKEN), (ordering("70", days_ago=9), ORDERED)):
        finding = fired(case.result("egfr", f"25 {UNIT}", preliminary=True).ask(rule))
        assert finding.indicator is Indicator.CRITICAL
        assert offers(finding) == {"creatinine"}
        assert "preliminary" in finding.summary
    finding = fired(ordering("70").result("magnesium", "1.5 mmol/L", preliminary=True).ask(ORDERED))
    assert finding.indicator is Indicator.CRITICAL
    assert offers(finding) == {"magnesium"}


def test_a_preliminary_value_neither_clears_nor_lowers_severity() -> None:
    for early in ("90", "45"):
        case = taking("25", days_ago=5).result("egfr", f"{early} {UNIT}", preliminary=True)
        finding = fired(case.ask(TAKEN))
        assert finding.indicator is Indicator.CRITICAL
        assert offers(finding) == {"creatinine", "magnesium"}


@pytest.mark.parametrize("kind", ["magnesium_antacid_laxative", "magnesium_intravenous"])
def test_antacids_laxatives_and_infusions_count(kind: str) -> None:
    fired(given().takes("magnesium", kind).result("egfr", f"25 {UNIT}").ask(TAKEN))
    fired(given().ordering("magnesium", kind).result("egfr", f"25 {UNIT}").ask(ORDERED))


def test_cramps_in_advanced_renal_disease_without_magnesium_give_advice() -> None:
    def advanced() -> Given:
        return given().result("egfr", f"25 {UNIT}")

    finding = fired(advanced().cramps().ask(TAKEN))
    assert finding.indicator is Indicator.INFO
    assert offers(finding) == {"magnesium"}
    assert "over-the-counter" in finding.summary
    stale = given().cramps().result("egfr", f"25 {UNIT}", days_ago=120)
    assert offers(fired(stale.ask(TAKEN))) == {"magnesium", "creatinine"}
    fired(given().cramps().has("dialysis").ask(TAKEN))
    fired(advanced().at(cramps_assumed=True).ask(TAKEN))
    silent(advanced().ask(TAKEN))
    silent(given().cramps().result("egfr", f"45 {UNIT}").ask(TAKEN))
    silent(given().cramps().has("aki").ask(TAKEN))
    unknown(advanced().lacking(Kind.CONDITIONS).ask(TAKEN))


def test_a_high_magnesium_without_a_supplement_does_not_fire_this_rule() -> None:
    silent(given().result("magnesium", "1.4 mmol/L").result("egfr", f"90 {UNIT}").ask(TAKEN))


def test_a_statement_that_it_was_stopped_does_not_end_a_hazard() -> None:
    from cds_service.core.medications import Taking

    case = taking("25").takes(
        "magnesium",
        name="Magnesium oxide 400 mg",
        taking=Taking.STOPPED,
        statement=True,
        days_ago=1,
    )
    fired(case.ask(TAKEN))


def drug(rule: str) -> Given:
    return taking() if rule == TAKEN else ordering()


@pytest.mark.parametrize("rule", [TAKEN, ORDERED])
@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        pytest.param(lambda case: case.result("egfr", f"25 {UNIT}"), {"egfr"}, id="severe"),
        pytest.param(lambda case: case.result("egfr", f"45 {UNIT}"), {"egfr"}, id="moderate"),
        pytest.param(
            lambda case: case.result("egfr", f"45 {UNIT}").result("magnesium", "1.4 mmol/L"),
            {"egfr", "magnesium"},
            id="moderate, and magnesium high",
        ),
        pytest.param(
            lambda case: case.result("egfr", f"90 {UNIT}").result(
                "magnesium", "1.4 mmol/L", days_ago=31
            ),
            {"egfr", "magnesium"},
            id="magnesium high in the past",
        ),
        pytest.param(lambda case: case.has("dialysis", name="Dialysis"), {"Dialysis"}, id="HD"),
    ],
)
def test_the_evidence_lists_the_drug_and_the_hazard(
    rule: str, case: object, evidence: set[str]
) -> None:
    finding = fired(case(drug(rule)).ask(rule))  # type: ignore[operator]
    assert evidence_names(finding) == {"Magnesium oxide 400 mg", *evidence}


@pytest.mark.parametrize("rule", [TAKEN, ORDERED])
def test_only_missing_data_are_named(rule: str) -> None:
    renal, level = "renal function in the last 12 months", "magnesium in the last 12 months"
    assert fired(drug(rule).ask(rule)).missing == (renal, level)
    known = drug(rule).result("egfr", f"45 {UNIT}")
    assert fired(known.ask(rule)).missing == (level,)
    both = fired(known.result("magnesium", "0.8 mmol/L").ask(rule))
    assert both.missing == ()
    assert "Mg" not in both.summary
    unread = drug(rule).has("dialysis").lacking(Kind.RESULTS)
    assert fired(unread.ask(rule)).missing == (
        level,
        "laboratory results could not be checked: not sent",
    )
    with_comparator = drug(rule).result("egfr", f"45 {UNIT}").result("magnesium", "<1.5 mmol/L")
    assert "given with a comparator" in fired(with_comparator.ask(rule)).missing[0]
    newer = drug(rule).result("egfr", f"45 {UNIT}", days_ago=9).unusable("egfr")
    newer.result("magnesium", "0.8 mmol/L", days_ago=9).unusable("magnesium")
    lines = fired(newer.ask(rule)).missing
    assert lines[0].startswith("a newer renal function result could not be used")
    assert lines[-1].startswith("a newer magnesium result could not be used")


@pytest.mark.parametrize("rule", [TAKEN, ORDERED])
@pytest.mark.parametrize(
    ("egfr", "level", "repeats", "because"),
    [
        # eGFR and magnesium, each final, preliminary or unknown; and which tests only get a repeat.
        ("25", "", (), "eGFR 25"),
        ("25?", "", ("creatinine",), "eGFR 25 (preliminary)"),
        ("25?", "1.4?", ("creatinine", "magnesium"), "eGFR 25 (preliminary); Mg 1.4 mmol/L"),
        ("25?", "1.4", (), "eGFR 25 (preliminary); Mg 1.4 mmol/L"),
        ("25", "1.4?", (), "eGFR 25; Mg 1.4 mmol/L"),
        ("90", "1.4?", ("magnesium",), "Mg 1.4 mmol/L"),
        ("90", "1.4", (), "Mg 1.4 mmol/L"),
        ("45?", "", ("creatinine",), "eGFR 45 (preliminary)"),
    ],
)
def test_a_repeat_comes_first_only_if_every_hazard_is_preliminary(
    rule: str, egfr: str, level: str, repeats: tuple[str, ...], because: str
) -> None:
    case = drug(rule).result("egfr", f"{egfr.strip('?')} {UNIT}", preliminary="?" in egfr)
    if level:
        case.result("magnesium", f"{level.strip('?')} mmol/L", preliminary="?" in level)
    finding = fired(case.ask(rule))
    assert because in finding.summary
    assert ("repeat it before acting" in finding.advice[0]) is bool(repeats)
    tests = [
        suggestion.key for suggestion in finding.suggestions if isinstance(suggestion, OrderTest)
    ]
    assert set(tests) == set(repeats or ("creatinine", "magnesium"))


def test_with_a_diagnosis_a_preliminary_egfr_is_not_the_only_evidence() -> None:
    case = taking().has("dialysis").result("egfr", f"25 {UNIT}", preliminary=True)
    assert offers(fired(case.ask(TAKEN))) == {"creatinine", "magnesium"}


@pytest.mark.parametrize(
    ("case", "low"),
    [
        pytest.param(lambda: taking("25").result("magnesium", "0.6 mmol/L"), True, id="low"),
        pytest.param(lambda: taking("25").result("magnesium", "0.8 mmol/L"), False, id="normal"),
        pytest.param(
            lambda: taking("25").result("magnesium", "0.6 mmol/L", days_ago=31), False, id="old"
        ),
        pytest.param(
            lambda: taking("25").result("magnesium", "0.6 mmol/L", preliminary=True),
            False,
            id="early",
        ),
        pytest.param(lambda: taking("25"), False, id="unknown"),
    ],
)
def test_a_low_magnesium_in_renal_impairment_is_reported(case: object, low: bool) -> None:
    text = " ".join(fired(case().ask(TAKEN)).advice)  # type: ignore[operator]
    assert ("Magnesium is low nevertheless" in text) is low


@pytest.mark.parametrize(
    ("egfr", "taken", "ordered"),
    [
        ("25", "Review today whether it is still needed", "Do not give it without"),
        ("45", "Monitor magnesium and creatinine, and stop", "use a low dose and monitor"),
        ("", "no usable renal function from the last 12 months", "before it is given"),
    ],
)
def test_the_advice_depends_on_the_hazard(egfr: str, taken: str, ordered: str) -> None:
    assert taken in " ".join(fired(taking(egfr).ask(TAKEN)).advice)
    assert ordered in " ".join(fired(ordering(egfr).ask(ORDERED)).advice)
    if egfr:
        action = "toxic accumulation possible" if egfr == "25" else "monitor"
        assert fired(taking(egfr).ask(TAKEN)).summary.endswith(action)
    for case, rule in ((taking(egfr), TAKEN), (ordering(egfr), ORDERED)):
        signs_listed = "Signs of toxicity" in " ".join(fired(case.ask(rule)).advice)
        assert signs_listed is (egfr == "25")


def test_without_magnesium_only_missing_tests_are_offered_and_renal_function_is_evidence() -> None:
    case = given().cramps().has("dialysis", name="Dialysis").result("egfr", f"25 {UNIT}")
    finding = fired(case.result("magnesium", "0.8 mmol/L").ask(TAKEN))
    assert offers(finding) == set()
    assert evidence_names(finding) == {"Dialysis", "egfr", "magnesium"}
    high = given().result("magnesium", "1.4 mmol/L").lacking(Kind.MEDICATIONS)
    assert unknown(high.ask(TAKEN)).trigger
    once = given().result("magnesium", "1.4 mmol/L", days_ago=31).lacking(Kind.MEDICATIONS)
    assert not unknown(once.ask(TAKEN)).trigger


def test_only_selected_drafts_are_judged_and_one_card_names_all() -> None:
    silent(given().ordering("magnesium", selected=False).has("dialysis").ask(ORDERED))
    silent(given().ordering("potassium").has("dialysis").ask(ORDERED))
    case = given().ordering("magnesium", name="Slow-Mag").ordering("magnesium", name="Mag-Ox")
    finding = fired(case.has("dialysis").ask(ORDERED))
    assert {"MedicationRequest/draft-1", "MedicationRequest/draft-2"} < offers(finding)
    assert "Slow-Mag, Mag-Ox" in " ".join(finding.advice)
    assert finding.about == ("MedicationRequest/draft-1", "MedicationRequest/draft-2")


def test_both_fire_under_eighteen() -> None:
    child = given(age=9).takes("magnesium").result("egfr", f"20 {UNIT}")
    fired(child.ask(TAKEN))
    fired(given(age=9).ordering("magnesium").result("egfr", f"20 {UNIT}").ask(ORDERED))


def test_a_diagnosis_is_named_when_the_egfr_does_not_show_it() -> None:
    assert "CKD stage 4-5" in fired(ordering("75").has("ckd_stage_4_5").ask(ORDERED)).summary
    assert "CKD stage 3" in fired(ordering("75").has("ckd_stage_3").ask(ORDERED)).summary
    assert "eGFR 22" in fired(ordering("22").has("ckd_stage_4_5").ask(ORDERED)).summary
