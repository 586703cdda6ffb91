"""Conditions and medications in the shapes found in records, and those without a usable name."""

from __future__ import annotations

import pytest

from cds_service.core.facts import Presence
from cds_service.core.medications import Taking
from tests.fhir_reading.records import concept, condition, medication
from tests.fhir_reading.test_clinical import conditions
from tests.fhir_reading.test_medications import medications

SNOMED = "http://snomed.info/sct"


def concepts(**more):
    return conditions(condition(**more)).record.conditions[0].concepts


CKD = {"text": "Chronic kidney disease"}


@pytest.mark.parametrize(
    "more",
    [
        {"stage": [{"summary": concept("433146000", SNOMED)}]},
        {"stage": [{"summary": concept("431857002", SNOMED)}]},
        {"stage": [{"type": {"text": "KDIGO G5"}}]},
        {"stage": [{"summary": {"text": "Stage 4"}}]},
        {"severity": {"text": "stage 4"}},
        {"severity": {"text": "Stage 5"}},
    ],
    ids=str,
)
def test_a_stage_is_read_wherever_it_is_given(more) -> None:
    assert "ckd_stage_4_5" in concepts(code=CKD, **more)


@pytest.mark.parametrize("more", [{}, {"severity": {"text": "moderate"}}], ids=str)
def test_without_a_stage_none_is_read(more) -> None:
    assert "ckd_stage_4_5" not in concepts(code=CKD, **more)


@pytest.mark.parametrize(
    ("words", "over"),
    [
        ("ongoing", False),
        ("not resolved", False),
        ("still present", False),
        ("resolved", True),
        ("spring 2019", True),
    ],
)
def test_an_abatement_in_words(words, over) -> None:
    ckd = condition(code=CKD, clinicalStatus=None, abatementString=words)
    presence = conditions(ckd).record.conditions[0].presence
    assert (presence is Presence.PAST) is over


@pytest.mark.parametrize("words", ["schwer", "schwergradig", "Severe", "grave"])
def test_severe_in_other_words(words) -> None:
    found = conditions(condition(severity={"text": words})).record.conditions[0]
    assert found.severe


@pytest.mark.parametrize(
    ("words", "concept"),
    [
        ("Father on dialysis", "dialysis"),
        ("Awaiting dialysis", "dialysis"),
        ("Referred for dialysis", "dialysis"),
        ("Dialysis catheter removed", "dialysis"),
        ("CKD stage 5 (resolved after transplant)", "ckd_stage_4_5"),
        ("Exclude acute kidney injury", "aki"),
        ("AKI risk", "aki"),
        ("Waiting list for dialysis", "dialysis"),
        ("Will need dialysis", "dialysis"),
        ("Family member with dialysis", "dialysis"),
        ("Risk of AKI", "aki"),
    ],
)
def test_words_that_do_not_confirm_the_condition(words, concept) -> None:
    assert concept not in concepts(code={"text": words})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("On dialysis", "dialysis"),
        ("Dialysis via catheter", "dialysis"),
        ("CKD stage 5", "ckd_stage_4_5"),
        ("CKD 3-4", "ckd_any"),
        ("Acute kidney injury", "aki"),
    ],
)
def test_words_that_confirm_the_condition(words, expected) -> None:
    assert expected in concepts(code={"text": words})


@pytest.mark.parametrize(
    "words",
    [
        "Unspecified condition",
        "See letter",
        "Unbekannt",
        "Problem list",
        "Diagnose",
        "k.A.",
    ],
)
def test_a_condition_without_usable_words_has_no_name(words) -> None:
    reading = conditions(condition(code={"text": words}))
    assert [problem.kind for problem in reading.record.problems] == ["no-code"]


@pytest.mark.parametrize("stated", [True, "true", "True"])
def test_do_not_perform_counts_as_text_too(stated) -> None:
    [found] = medications(medication(doNotPerform=stated)).record.medications
    assert found.taking is Taking.NOT_TAKEN


@pytest.mark.parametrize(
    "words",
    [
        "On hold: quinine",
        "Discontinued: quinine 300 mg",
        "Quinine - do not give",
        "STOPPED: quinine sulfate 300 mg",
        "Quinine (discontinued)",
        "Quinine [stopped 2024]",
        "Do not give quinine",
    ],
)
def test_an_entry_that_says_the_drug_is_not_given_does_not_count(words) -> None:
    [found] = medications(medication(words)).record.medications
    assert "quinine" not in found.classes


@pytest.mark.parametrize(
    "words", ["Quinine - do not crush", "Discontinued: magnesium; started quinine 300 mg"]
)
def test_an_entry_that_says_the_drug_is_given_counts(words) -> None:
    [found] = medications(medication(words)).record.medications
    assert "quinine" in found.classes


def test_a_body_site_that_names_a_route_counts_as_a_route() -> None:
    site = [{"text": "1 daily", "site": {"text": "Intrathecal pump"}}]
    [found] = medications(medication("Baclofen", dosageInstruction=site)).record.medications
    assert "baclofen" not in found.classes
    arm = [{"text": "1 daily", "site": {"text": "Left arm"}}]
    [found] = medications(medication("Baclofen", dosageInstruction=arm)).record.medications
    assert "baclofen" in found.classes


@pytest.mark.parametrize(
    "words",
    [
        "Medication, unspecified", "Free text medication", "See scanned list", "Unbekannt",
        "nil known", "Custom", "Study drug / placebo", "blood pressure pill", "water tablet",
        "Medication NOS", "medication - see list", "Unknown tablets", "Patient's own drugs",
        "Study medication (blinded)", "Medikament", "TBA", "OTC",
    ],
)  # fmt: skip
def test_a_medication_without_usable_words_has_no_name(words) -> None:
    reading = medications(medication(words))
    assert [problem.kind for problem in reading.record.problems] == ["no-code"]


@pytest.mark.parametrize(
    "words", ["Water for injection", "Heart failure", "Kidney disease", "Pain", "Fluid overload"]
)
def test_a_name_that_contains_such_words_is_a_name(words) -> None:
    assert conditions(condition(code={"text": words})).record.problems == ()
