"""Every card: its override reasons, few and fitting, each once, and its strength.

Codes of http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes.
"""

from decimal import Decimal
from fractions import Fraction

import pytest

from cds_service.core.facts import Kind, Reason
from cds_service.core.medications import Dosage
from tests.testing.given import CRAMPS, Given, Service, fired, given

DONE, ELSEWHERE = "action-completed", "cds-not-applicable"
TESTS = {DONE, ELSEWHERE, "not-convenient-feasible", "patient-refuses"}
DRUGS = {DONE, ELSEWHERE, "recipient-disagrees-evidence", "does-not-align-preferences"}
HAZARDS = {DONE, ELSEWHERE, "recipient-disagrees-evidence", "cds-suboptimal-context"}
ADVICE = {DONE, ELSEWHERE, "cds-suboptimal-context", "does-not-align-preferences"}
AGAINST = {"patient-contraindication"}
DEARLY = {"too-costly-uncovered"}
UNIT = "mL/min/{1.73_m2}"
MALARIA = Reason(given=True, concepts=frozenset({"malaria"}), words="malaria")
A_LITTLE = Dosage(Decimal(100), "mg", Fraction(1))
ABOUT_BENEFIT = DRUGS - {DONE}  # no action is advised when a card only denies a benefit


def failing(case: Given) -> Given:
    return case.result("egfr", f"25 {UNIT}")


def once_high(case: Given) -> Given:
    return case.result("egfr", f"90 {UNIT}").result("magnesium", "1.4 mmol/L", days_ago=31)


@pytest.mark.parametrize(
    ("rule", "case", "reasons"),
    [
        (
            "albumin-ordered-without-cirrhosis",
            given().ordering("albumin", reason=CRAMPS),
            DRUGS | DEARLY,
        ),
        (
            "analgesic-use",
            given(age=70).cramps().takes("nsaid"),
            ADVICE | {"recipient-disagrees-evidence"},
        ),
        (
            "analgesic-ordered-for-cramps",
            given(age=70).ordering("nsaid", reason=CRAMPS),
            DRUGS,
        ),
        ("anemia", given().result("hemoglobin", "8 g/dL"), TESTS),
        (
            "baclofen-ordered-dose",
            given(age=70).ordering("baclofen", reason=CRAMPS),
            DRUGS | {"recipient-concerns-outcomes"},
        ),
        (
            "baclofen-ordered-renal-impairment",
            failing(given().ordering("baclofen")),
            HAZARDS | AGAINST,
        ),
        (
            "baclofen-ordered-encephalopathy",
            given().ordering("baclofen").has("cirrhosis"),
            HAZARDS | AGAINST,
        ),
        ("cirrhosis-cramps", given().cramps().has("cirrhosis"), ADVICE | AGAINST),
        ("cramp-inducing-medication", given().cramps().takes("statin"), ADVICE),
        (
            "data-not-usable",
            given().cramps().unusable("potassium"),
            {ELSEWHERE, DONE, "service-not-available"},
        ),
        ("diabetes-not-screened", given(age=70).cramps(), TESTS),
        (
            "diuretic-ordered-with-cramps",
            given().cramps().ordering("diuretic_loop"),
            TESTS,
        ),
        (
            "dopaminergic-ordered-for-cramps",
            given().ordering("dopaminergic", reason=CRAMPS),
            DRUGS,
        ),
        ("electrolytes-not-checked", given().cramps(), TESTS | DEARLY),
        ("first-line-measures", given().cramps(), ADVICE | {"patient-refuses"}),
        ("high-potassium", given().result("potassium", "6.4 mmol/L"), TESTS | AGAINST),
        ("low-ferritin", given().result("ferritin", "20 ng/mL"), TESTS | AGAINST),
        ("low-magnesium", given().result("magnesium", "0.6 mmol/L"), TESTS | AGAINST),
        ("low-potassium", given().result("potassium", "3.2 mmol/L"), TESTS | AGAINST),
        (
            "magnesium-not-indicated",
            given().cramps().takes("magnesium").result("magnesium", "0.85 mmol/L"),
            DRUGS,
        ),
        (
            "magnesium-ordered-normal-level",
            given().ordering("magnesium", reason=CRAMPS).result("magnesium", "0.85 mmol/L"),
            ABOUT_BENEFIT,
        ),
        (
            "magnesium-ordered-dose",
            given()
            .ordering("magnesium", name="magnesium oxide", dosages=(A_LITTLE,))
            .result("magnesium", "0.6 mmol/L")
            .result("egfr", f"90 {UNIT}"),
            ABOUT_BENEFIT,
        ),
        ("magnesium-ordered-level-unknown", given().ordering("magnesium", reason=CRAMPS), TESTS),
        (
            "magnesium-in-renal-impairment",
            failing(given().takes("magnesium")),
            HAZARDS | AGAINST,
        ),
        ("magnesium-in-renal-impairment", once_high(given().takes("magnesium")), HAZARDS),
        ("magnesium-in-renal-impairment", given().takes("magnesium"), HAZARDS),
        ("magnesium-in-renal-impairment", failing(given().cramps()), ADVICE),
        (
            "magnesium-ordered-renal-impairment",
            failing(given().ordering("magnesium")),
            HAZARDS | AGAINST,
        ),
        ("magnesium-ordered-renal-impairment", once_high(given().ordering("magnesium")), HAZARDS),
        ("neuropathy-mimic", given().cramps().has("neuropathy"), ADVICE),
        ("claudication-mimic", given().cramps().has("pad"), TESTS),
        (
            "potassium-ordered-hazard",
            failing(given().ordering("potassium")),
            HAZARDS | AGAINST,
        ),
        (
            "quinine-ordered",
            given().ordering("quinine"),
            HAZARDS | {"does-not-align-preferences"},
        ),
        (
            "quinine-ordered",
            given().ordering("quinine", reason=MALARIA).has("g6pd_deficiency"),
            HAZARDS,
        ),
        ("specialist-referral", given().cramps(severe=True), TESTS),
        (
            "extensive-workup-ordered",
            given().testing("imaging_leg_spine", reason=CRAMPS, selected=True),
            ADVICE | AGAINST,
        ),
        ("ferritin-not-checked", given().has("rls"), TESTS),
        ("restless-legs-mimic", given().cramps().has("rls"), ADVICE),
    ],
)
def test_a_card_offers_each_fitting_override_reason_once_and_states_its_strength(
    rule: str, case: Given, reasons: set[str]
) -> None:
    service = Service.PATIENT_VIEW if rule == "data-not-usable" else None
    finding = fired(case.ask(rule, service))
    assert set(finding.overrides) == reasons
    assert len(finding.overrides) == len(reasons)
    assert finding.strength


def test_an_unread_list_changes_no_reason() -> None:
    case = given().ordering("quinine").lacking(Kind.CONDITIONS)
    assert set(fired(case.ask("quinine-ordered")).overrides) == HAZARDS | {
        "does-not-align-preferences"
    }
