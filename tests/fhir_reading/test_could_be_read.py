"""Whether the lists that can forbid a drug were read: complete, and every active entry named."""

from __future__ import annotations

import pytest

from cds_service.core.facts import Kind, State
from cds_service.core.patient import Facts, Site
from cds_service.fhir.read.reading import Reading
from hooks.knowledge.files import limits
from hooks.reading import lists_unread
from tests.fhir_reading.records import (
    AS_OF,
    CALL,
    SNOMED,
    condition,
    delivery,
    medication,
    reader,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

UNLISTED = {"coding": [{"system": "https://codes.example/local", "code": "4711"}]}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NOTHING = [
    pytest.param(None, id="no element"),
    pytest.param({}, id="empty"),
    pytest.param({"extension": [{"url": ABSENT, "valueCode": "unknown"}]}, id="absent, extension"),
    pytest.param(
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    "code": "unknown",
                    "display": "Unknown",
                }
            ]
        },
        id="absent, coding",
    ),
    pytest.param(
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
                    "code": "UNK",
                    "display": "unknown",
                }
            ]
        },
        id="null flavour",
    ),
    pytest.param({"text": "  "}, id="blank"),
    pytest.param({"text": "Unknown"}, id="the word unknown"),
    pytest.param({"text": "-"}, id="a dash"),
    pytest.param({"text": "See notes"}, id="a reference to notes"),
    pytest.param({"text": "Non-formulary medication"}, id="a phrase that a form offers"),
    pytest.param({"text": "Other."}, id="other"),
    pytest.param({"text": "12345"}, id="a number"),
    pytest.param({"text": "x"}, id="one letter"),
    pytest.param({"text": "спиронолактон 25 мг"}, id="another script"),
    pytest.param(
        {
            "coding": [{"system": "https://codes.example", "code": "K05..", "display": "K05.."}],
            "text": "k05..",
        },
        id="the code repeated as words",
    ),
    pytest.param(UNLISTED, id="only a code of an unlisted system"),
    pytest.param({"coding": [{"code": "198211"}]}, id="only a code of no system"),
    pytest.param(
        {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "00071-0155-23"}]}, id="NDC"
    ),
]


def facts_of(reading: Reading) -> Facts:
    return Facts(reading.record, reading.series, AS_OF, Site(limits=limits()))


def facts(**pages: object) -> Facts:
    """Facts of complete, empty lists, except for these pages: ``conditions=searchset(…)``."""
    given = {
        Kind[name]: delivery(Kind[name], pages.get(name.lower(), searchset()))
        for name in ("CONDITIONS", "MEDICATIONS", "STATEMENTS")
    }
    return facts_of(reader().read(given, CALL))


def test_complete_lists_of_named_entries_could_be_read() -> None:
    found = facts(
        conditions=searchset(condition(), condition(id="c2", code=UNLISTED | {"text": "Gout"})),
        medications=searchset(
            medication(),
            medication(id="m2", medicationCodeableConcept=UNLISTED | {"text": "Spironolactone"}),
            medication(id="m3", medicationCodeableConcept={"coding": [RXNORM_ONLY]}),
        ),
    )
    assert found.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)
    assert lists_unread(found) == ()


RXNORM_ONLY = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "29046"}


@pytest.mark.parametrize("code", NOTHING)
def test_a_list_with_an_active_medication_without_a_name_was_not_fully_read(code: object) -> None:
    found = facts(
        medications=searchset(medication(), medication(id="m2", medicationCodeableConcept=code))
    )
    [problem] = found.unread(Kind.MEDICATIONS)
    assert problem.source.reference == "MedicationRequest/m2"
    assert not found.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)
    assert found.could_be_read(Kind.CONDITIONS)


@pytest.mark.parametrize("code", NOTHING)
def test_a_list_with_an_active_condition_without_a_name_was_not_fully_read(code: object) -> None:
    found = facts(conditions=searchset(condition(), condition(id="c2", code=code)))
    [problem] = found.unread(Kind.CONDITIONS)
    assert problem.source.reference == "Condition/c2"
    assert found.could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Medication/none"},
        {"reference": "#none"},
        {"reference": "urn:uuid:9d1bd1a6-5b1a-4f5e-9b6a-1f2e3d4c5b6a"},
        {"identifier": {"value": "7"}},
        {"display": "unknown"},
    ],
    ids=str,
)
def test_a_dangling_reference_is_not_read(reference: object) -> None:
    request = medication(medicationCodeableConcept=None, medicationReference=reference)
    assert not facts(medications=searchset(request)).could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize("name", ["x", "7", "medication-request"])
def test_an_entry_whose_type_is_not_a_fhir_type_is_not_read(name: str) -> None:
    found = facts(medications=searchset(medication(), medication(id="m2") | {"resourceType": name}))
    assert not found.could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize("name", ["medicationrequest", "MedicationRequest ", "MEDICATIONREQUEST"])
def test_the_case_and_spaces_of_a_type_do_not_matter(name: str) -> None:
    found = facts(medications=searchset(medication(), medication(id="m2") | {"resourceType": name}))
    assert found.could_be_read(Kind.MEDICATIONS)
    assert len(found.record.medications) == 2


@pytest.mark.parametrize("words", ["5-HTP", "HbA1c", "B12", "K2", "Vitamin D3"])
def test_a_name_with_digits_is_a_name(words: str) -> None:
    code = {"coding": [{"system": "https://codes.example", "code": "x"}], "text": words}
    found = facts(medications=searchset(medication(medicationCodeableConcept=code)))
    assert found.could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize(
    ("stage", "concept"),
    [
        ([{"summary": {"text": "Stage 5"}}], "ckd_stage_4_5"),
        ([{"summary": {"coding": [{"code": "x", "display": "stage 4"}]}}], "ckd_stage_4_5"),
        ({"summary": {"text": "Stage 3a"}}, "ckd_stage_3"),
    ],
)
def test_a_condition_is_read_together_with_its_stage(stage: object, concept: str) -> None:
    staged = condition(code={"text": "Chronic kidney disease"}, stage=stage)
    (kidney_disease,) = facts(conditions=searchset(staged)).conditions(concept)
    assert kidney_disease.name == "Chronic kidney disease"


@pytest.mark.parametrize("stage", [[], [{"summary": {}}], [{"type": {"text": "5"}}], "5", None])
def test_a_condition_without_a_readable_stage_is_what_its_code_says(stage: object) -> None:
    staged = condition(code={"text": "Chronic kidney disease"}, stage=stage)
    assert facts(conditions=searchset(staged)).conditions("ckd_stage_4_5") == ()


def test_a_product_known_only_by_its_form_is_not_read() -> None:
    product = fhir.resource("Medication", id="p", form={"text": "Oral tablet"})
    request = medication(
        medicationCodeableConcept=None, medicationReference={"reference": "Medication/p"}
    )
    found = facts(medications=searchset(request, product))
    assert not found.could_be_read(Kind.MEDICATIONS)
    assert not found.record.medications[0].named


@pytest.mark.parametrize("status", [None, "", "unknown", "valid", 7])
def test_a_medication_without_a_status_is_not_read(status: object) -> None:
    found = facts(medications=searchset(medication(status=status)))
    [problem] = found.unread(Kind.MEDICATIONS)
    assert problem.kind == "no-status"


@pytest.mark.parametrize("key", ["medications", "statements", "conditions"])
def test_an_entry_without_a_resource_is_not_read(key: str) -> None:
    found = facts(**{key: searchset(entry=[{"fullUrl": "urn:uuid:1"}])})
    assert not found.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)


def test_a_statement_counts_as_an_entry_of_the_medications() -> None:
    nameless = fhir.statement(None, medicationCodeableConcept=None)
    found = facts(statements=searchset(nameless))
    [problem] = found.unread(Kind.MEDICATIONS)
    assert problem.source.reference == "MedicationStatement/s1"


@pytest.mark.parametrize(
    "entry",
    [
        medication(medicationCodeableConcept={}, status="stopped"),
        medication(medicationCodeableConcept={}, status="completed"),
        medication(medicationCodeableConcept={}, status="on-hold"),
        medication(medicationCodeableConcept={}, status="entered-in-error"),
        medication(medicationCodeableConcept={}, doNotPerform=True),
    ],
    ids=lambda entry: f"{entry['status']} {entry.get('doNotPerform', '')}",
)
def test_a_medication_that_is_not_taken_needs_no_name(entry: dict) -> None:
    assert facts(medications=searchset(entry)).could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize(
    "more",
    [
        {"clinicalStatus": {"coding": [{"code": "resolved"}]}},
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
    ],
    ids=str,
)
def test_a_condition_that_is_over_needs_no_name(more: dict) -> None:
    assert facts(conditions=searchset(condition(code=None, **more))).could_be_read(Kind.CONDITIONS)


def test_an_unknown_status_of_a_named_condition_does_not_make_the_list_unread() -> None:
    strange = condition(clinicalStatus={"coding": [{"code": "sleeping"}]})
    assert facts(conditions=searchset(strange)).could_be_read(Kind.CONDITIONS)


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
@pytest.mark.parametrize("kind", [Kind.CONDITIONS, Kind.MEDICATIONS])
def test_an_incomplete_list_does_not_count_as_read(kind: Kind, state: State) -> None:
    resource_of = {Kind.CONDITIONS: condition(), Kind.MEDICATIONS: medication()}
    pages = (searchset(resource_of[kind]),) if state is State.PARTIAL else ()
    found = facts_of(reader().read({kind: delivery(kind, *pages, state=state)}, CALL))
    [problem] = found.unread(kind)
    assert problem.kind == state.value
    assert not found.could_be_read(kind)
    assert "could not be checked" in lists_unread(found)[0]


def test_statements_are_missing_only_if_they_were_requested() -> None:
    given = {Kind.MEDICATIONS: delivery(Kind.MEDICATIONS, searchset())}
    assert facts_of(reader().read(given, CALL)).could_be_read(Kind.MEDICATIONS)
    given[Kind.STATEMENTS] = delivery(Kind.STATEMENTS, searchset(), state=State.PARTIAL)
    assert not facts_of(reader().read(given, CALL)).could_be_read(Kind.MEDICATIONS)


ICD = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    "coding",
    [
        {"system": SNOMED, "code": "19943007"},  # listed
        {"system": SNOMED, "code": "386661006", "display": "Fever"},
        {"system": ICD, "code": "R50.9"},  # of a classification, where classes are listed
        {"system": "http://hl7.org/fhir/sid/icd-10", "code": "R50.9"},
        {"system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "code": "R50.9"},
    ],
    ids=str,
)
def test_a_listed_or_classified_code_counts_as_a_name(coding) -> None:
    coded = condition(code={"coding": [coding]})
    assert facts(conditions=searchset(coded)).could_be_read(Kind.CONDITIONS)


@pytest.mark.parametrize(
    "coding",
    [
        {"system": SNOMED, "code": "386661006"},
        {"system": SNOMED, "code": "386661006", "display": "386661006"},
        {"system": f"{SNOMED}/83821000000107", "code": "999000"},
        {"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "571.5"},
    ],
    ids=str,
)
def test_an_unlisted_code_alone_could_be_any_disease_or_any_drug(coding) -> None:
    coded = condition(code={"coding": [coding]})
    assert not facts(conditions=searchset(coded)).could_be_read(Kind.CONDITIONS)
    past = coded | {"clinicalStatus": {"coding": [{"code": "resolved"}]}}
    assert facts(conditions=searchset(past)).could_be_read(Kind.CONDITIONS)


def pointing(kind: str, **more: object) -> dict:
    return fhir.resource(kind, **{"id": "x", "status": "current"} | more)


def lists(*items: object, **more: object) -> dict:
    return pointing("List", entry=[{"item": item} for item in items], **more)


def plan(**activity: object) -> dict:
    return pointing("CarePlan", activity=[activity])


STATED = fhir.statement("Spironolactone", id="s9", subject=None)
NOT_SENT = {"reference": "MedicationStatement/s9"}
POINTING = [
    lists(NOT_SENT),
    lists({"reference": "#s9"}, contained=[STATED]),
    lists({"reference": "#none"}),
    lists({"display": "Spironolactone 25 mg"}),
    lists({"identifier": {"value": "7"}}),
    lists({"reference": "urn:uuid:0f4a"}),
    lists({"reference": "https://ehr.example/fhir/MedicationRequest/7"}),
    plan(reference={"reference": "MedicationRequest/s9"}),
    plan(detail={"status": "in-progress", "productCodeableConcept": {"text": "Spironolactone"}}),
    plan(detail={"productReference": {"reference": "Medication/7"}}),
    plan(detail={"kind": "MedicationRequest", "code": {"text": "Spironolactone"}}),
    plan(plannedActivityReference={"reference": "MedicationRequest/s9"}),
    pointing("Composition", section=[{"section": [{"entry": [NOT_SENT]}]}]),
    pointing("RequestGroup", action=[{"action": [{"resource": NOT_SENT}]}]),
    pointing("RequestOrchestration", action=[{"resource": NOT_SENT}]),
    fhir.resource("Parameters", parameter=[{"name": "return", "resource": STATED}]),
    fhir.resource("DocumentReference", id="d", status="current"),
    fhir.resource("Binary", id="b", contentType="text/csv"),
    fhir.resource("Basic", id="b", code=fhir.concept("Spironolactone")),
    fhir.resource("Task", id="t", focus=NOT_SENT),
]


@pytest.mark.parametrize("resource", POINTING, ids=str)
@pytest.mark.parametrize("key", ["medications", "statements"])
def test_medicines_named_in_other_resources_are_reported(key, resource) -> None:
    given = {"medications": searchset(medication()), "statements": searchset()}
    given[key] = searchset(medication(), resource)
    found = facts(**given)
    assert not found.could_be_read(Kind.MEDICATIONS)
    assert found.taking("quinine")


@pytest.mark.parametrize(
    "resource",
    [
        lists(NOT_SENT, status="entered-in-error"),
        lists(NOT_SENT, status="retired"),
        lists(emptyReason={"text": "none"}),
        pointing("List", entry=[{"deleted": True, "item": NOT_SENT}]),
        lists({"reference": "MedicationRequest/m1"}),
        lists({"reference": "https://ehr.example/fhir/MedicationRequest/m1/_history/2"}),
        lists({"reference": "CareTeam/7"}, {"reference": "Practitioner/7"}),
        lists({"reference": "#p"}, contained=[fhir.resource("Patient", id="p")]),
        plan(detail={"status": "completed", "productCodeableConcept": {"text": "Quinine"}}),
        plan(detail={"status": "in-progress", "code": {"text": "Walk every day"}}),
        plan(reference={"reference": "ServiceRequest/7"}),
        pointing("Composition", section=[{"entry": [{"reference": "Immunization/7"}]}]),
        pointing("RequestGroup", action=[{"title": "nothing"}]),
        fhir.resource("Practitioner", id="p"),
        fhir.product("Spironolactone", "p"),
        fhir.resource("Provenance", id="p"),
    ],
    ids=str,
)
def test_resources_that_name_no_medicine_or_only_ones_that_were_sent_are_not_reported(
    resource,
) -> None:
    found = facts(medications=searchset(medication(), resource), statements=searchset())
    assert found.could_be_read(Kind.MEDICATIONS)


def test_a_list_that_refers_to_conditions_that_were_not_sent_is_reported() -> None:
    listing = lists({"reference": "Condition/7"})
    assert not facts(conditions=searchset(condition(), listing)).could_be_read(Kind.CONDITIONS)
    listing = lists({"reference": "Condition/c1"})
    assert facts(conditions=searchset(condition(), listing)).could_be_read(Kind.CONDITIONS)


def test_deeply_nested_sections_are_reported() -> None:
    section: dict = {"entry": [{"reference": "Practitioner/7"}]}
    for _ in range(40):
        section = {"section": [section]}
    composition = pointing("Composition", section=[section])
    found = facts(medications=searchset(medication(), composition))
    assert not found.could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize(
    "name",
    ["Unlisted drug", "Medication 1", "Drug X", "Compounded medication", "STUDY DRUG ABC123",
     "Investigational agent 12-B", "Med not in formulary", "PTA med", "Generic drug", "Test drug",
     "OTC supplement", "See med rec", "Unable to obtain", "Patient unsure of name", "Rx",
     "Custom compound"],
)  # fmt: skip
def test_a_placeholder_in_place_of_a_drug_name_is_reported(name) -> None:
    found = facts(medications=searchset(medication(name)))
    assert not found.could_be_read(Kind.MEDICATIONS)


@pytest.mark.parametrize(
    "name", ["Vitamin B12", "Compound W", "Generic Lipitor 20 mg", "No current medications",
             "Iron supplement", "Interleukin agent 2"]
)  # fmt: skip
def test_a_name_that_contains_more_than_a_placeholder_counts_as_a_name(name) -> None:
    assert facts(medications=searchset(medication(name))).could_be_read(Kind.MEDICATIONS)
