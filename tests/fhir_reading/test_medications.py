"""Medications: which drug, whether it is taken, how much, and the drafts of a call."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from cds_service.core.facts import Kind, State
from cds_service.core.medications import Ingredient, Taking
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.strengths import ingredients_of
from tests.fhir_reading.records import (
    RXNORM,
    calling,
    delivery,
    kinds,
    medication,
    read,
    reader,
    signing,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

QUININE = {"coding": [{"system": RXNORM, "code": "312762"}], "text": "Quinine 130 MG Oral Tablet"}


def medications(*resources: object):
    return read({Kind.MEDICATIONS: searchset(*resources)})


def only_medication(**members: object):
    [found] = medications(medication(**members)).record.medications
    return found


@pytest.mark.parametrize(
    ("members", "taking"),
    [
        ({"status": "active"}, Taking.ACTIVE),
        ({"status": "Active"}, Taking.ACTIVE),
        ({"status": "on-hold"}, Taking.NOT_TAKEN),
        ({"doNotPerform": True}, Taking.NOT_TAKEN),
        ({"status": "completed"}, Taking.STOPPED),
        ({"status": "stopped"}, Taking.STOPPED),
        ({"status": "cancelled"}, Taking.STOPPED),
        ({"status": "ended"}, Taking.STOPPED),
        ({"status": "draft"}, Taking.DRAFT),
        ({"status": "entered-in-error"}, Taking.IGNORED),
        ({"status": "unknown"}, Taking.IGNORED),
    ],
    ids=str,
)
def test_whether_a_requested_medication_is_taken(members, taking) -> None:
    assert only_medication(**members).taking is taking


@pytest.mark.parametrize("status", [None, "prescribed", 7])
def test_a_medication_without_a_known_status_does_not_count_and_is_reported(status) -> None:
    reading = medications(medication(status=status))
    assert reading.record.medications[0].taking is Taking.IGNORED
    assert kinds(reading) == [("no-status", "MedicationRequest/m1")]


def statement(**more: object) -> dict:
    return fhir.statement("Quinine Sulfate 324 MG Oral Capsule", **{"id": "m1"} | more)


@pytest.mark.parametrize(
    ("members", "taking"),
    [
        ({}, Taking.ACTIVE),
        ({"status": "intended"}, Taking.ACTIVE),
        ({"status": "not-taken"}, Taking.NOT_TAKEN),
        ({"status": "completed"}, Taking.STOPPED),
        ({"effectivePeriod": {"start": "2020-01-01", "end": "2026-03-09"}}, Taking.STOPPED),
        ({"effectivePeriod": {"start": "2020-01-01", "end": "2026-03-10"}}, Taking.ACTIVE),
        ({"effectivePeriod": {"start": "2020-01-01"}}, Taking.ACTIVE),
        ({"status": "recorded"}, Taking.ACTIVE),
        ({"status": "recorded", "adherence": {"code": {"coding": [{"code": "taking"}]}}},
         Taking.ACTIVE),
        ({"status": "recorded", "adherence": {"code": {"coding": [{"code": "not-taking"}]}}},
         Taking.NOT_TAKEN),
        ({"status": "recorded", "adherence": {"code": {"coding": [{"code": "stopped"}]}}},
         Taking.STOPPED),
        ({"taken": "n"}, Taking.NOT_TAKEN),
        ({"taken": "y"}, Taking.ACTIVE),
        ({"wasNotTaken": True}, Taking.NOT_TAKEN),
        ({"resourceType": "MedicationUsage", "status": "recorded"}, Taking.ACTIVE),
    ],
    ids=str,
)  # fmt: skip
def test_whether_a_stated_medication_is_taken(members, taking) -> None:
    reading = read({Kind.STATEMENTS: searchset(statement(**members))})
    [found] = reading.record.medications
    assert (found.taking, found.statement) == (taking, True)
    assert reading.record.problems == ()


@pytest.mark.parametrize(
    ("resource", "when"),
    [
        (medication(authoredOn="2026-01-05T08:00:00Z"), "2026-01-05T08:00:00+00:00"),
        (medication(authoredOn="2026-01-05"), "2026-01-05T23:59:59.999999+00:00"),
        (medication(authoredOn="2026-01"), None),
        (medication(authoredOn=None, dateWritten="2026-01-05T08:00:00Z"),
         "2026-01-05T08:00:00+00:00"),
        (statement(dateAsserted="2026-01-05T08:00:00Z"), "2026-01-05T08:00:00+00:00"),
        (statement(effectiveDateTime="2026-01-05T08:00:00Z"), "2026-01-05T08:00:00+00:00"),
        (statement(effectivePeriod={"start": "2026-01-05T08:00:00Z"}), "2026-01-05T08:00:00+00:00"),
    ],
)  # fmt: skip
def test_when_a_medication_was_ordered_or_stated(resource, when) -> None:
    [found] = medications(resource).record.medications
    assert (found.when.isoformat() if found.when else None) == when


# --- what it is --------------------------------------------------------------------------

PRODUCT = fhir.resource("Medication", id="q", code=QUININE)


@pytest.mark.parametrize(
    "members",
    [
        {"medicationCodeableConcept": QUININE},
        {"medication": {"concept": QUININE}},
        {"medication": QUININE},
        {"medicationReference": {"reference": "#q"}, "contained": [PRODUCT]},
        {"medicationReference": {"reference": "#q"}, "contained": [PRODUCT | {"id": "#q"}]},
        {"medicationReference": {"reference": "Medication/q"}},
        {"medicationReference": {"reference": "https://ehr.example/fhir/Medication/q"}},
        {"medicationReference": {"reference": "urn:uuid:77"}},
        {"medication": {"reference": {"reference": "Medication/q"}}},
        {"medication": {"reference": "Medication/q"}},
        {"medicationReference": {"reference": "Medication/no", "display": "Quinine 130 mg"}},
        {"medicationReference": {"display": "Quinine 130 mg"}},
    ],
    ids=str,
)
def test_the_medication_is_found_wherever_the_record_names_it(members) -> None:
    request = medication(**({"medicationCodeableConcept": None} | members))
    page = searchset(request, PRODUCT)
    page["entry"][1]["fullUrl"] = "urn:uuid:77"
    reading = read({Kind.MEDICATIONS: page})
    [found] = reading.record.medications
    assert found.named
    assert "quinine" in found.classes
    assert found.ingredients[0].amount == Decimal(130)
    assert reading.record.problems == ()


@pytest.mark.parametrize(
    "reference",
    [
        "Medication/77",
        "https://ehr.example/fhir/Medication/77",
        "https://ehr.example/fhir/Medication/77/_history/2",
        "Medication/q",
    ],
)
def test_a_reference_can_be_the_full_url_of_an_entry(reference) -> None:
    request = medication(
        medicationCodeableConcept=None, medicationReference={"reference": reference}
    )
    page = searchset(request, PRODUCT)
    page["entry"][1]["fullUrl"] = "https://ehr.example/fhir/Medication/77"
    reading = read({Kind.MEDICATIONS: page})
    assert "quinine" in reading.record.medications[0].classes


def test_references_are_resolved_in_the_same_bundle_first() -> None:
    other = PRODUCT | {"code": {"text": "Baclofen 10 MG Oral Tablet"}}
    request = medication(
        medicationCodeableConcept=None, medicationReference={"reference": "Medication/q"}
    )
    reading = read(
        {Kind.STATEMENTS: searchset(other), Kind.MEDICATIONS: searchset(request, PRODUCT)}
    )
    assert "quinine" in reading.record.medications[0].classes


@pytest.mark.parametrize(
    ("members", "problems"),
    [
        ({}, ["no-code"]),
        ({"medicationCodeableConcept": {}}, ["no-code"]),
        ({"medicationCodeableConcept": {"coding": [{}]}}, ["no-code"]),
        ({"medicationCodeableConcept": 7}, ["no-code"]),
        ({"medicationCodeableConcept": {}, "status": "on-hold"}, []),
        ({"medicationReference": {"reference": "Medication/none"}}, ["unresolved-medication"]),
        ({"medicationReference": {"reference": "#none"}}, ["unresolved-medication"]),
        ({"medicationReference": 7}, ["unresolved-medication"]),
        ({"medicationReference": {"reference": "Condition/c1"}}, ["unresolved-medication"]),
        (
            {
                "medicationReference": {"reference": "#x"},
                "contained": [fhir.resource("Condition", id="x", code=QUININE)],
            },
            ["unresolved-medication"],
        ),
        ({"medicationReference": {"reference": "Medication/none"}, "status": "stopped"}, []),
    ],
    ids=str,
)
def test_a_medication_without_a_name_has_no_classes(members, problems) -> None:
    reading = medications(medication(**({"medicationCodeableConcept": None} | members)))
    [found] = reading.record.medications
    assert (found.named, found.classes, found.name) == (False, frozenset(), "")
    assert [problem.kind for problem in reading.record.problems] == problems


def test_medications_are_identified_by_normalised_codes() -> None:
    oid = {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.88", "code": " 312762 "}, {}]}
    assert only_medication(medicationCodeableConcept=oid).identity == frozenset(
        {(RXNORM, "312762")}
    )


def test_ingredients_of_a_product_count_with_their_strengths() -> None:
    product = fhir.product("Mixture", "x") | {
        "ingredient": [
            {
                "itemCodeableConcept": {"text": "Quinine sulfate"},
                "strength": {
                    "numerator": {"value": 324, "unit": "MG"},
                    "denominator": {"value": 1, "unit": "capsule"},
                },
            },
            {"itemReference": {"reference": "#s"}, "amount": {"numerator": {"value": 5}}},
            {"itemCodeableConcept": {"text": "Baclofen"}, "isActive": False},
            {"item": {"concept": {"text": "Magnesium oxide"}},
             "strengthRatio": {"numerator": {"value": 400, "unit": "mg"},
                               "denominator": {"value": 5, "code": "mL"}}},
        ],
        "contained": [
            fhir.resource("Substance", id="s", code=fhir.concept("Potassium chloride"))
        ],
    }  # fmt: skip
    request = medication(
        medicationCodeableConcept=None,
        medicationReference={"reference": "Medication/x"},
    )
    reading = medications(request, product)
    [found] = reading.record.medications
    assert found.ingredients == (
        Ingredient("Quinine sulfate", Decimal(324), "mg"),
        Ingredient("Potassium chloride", Decimal(5), ""),
        Ingredient("Magnesium oxide", Decimal(80), "mg/ml"),
    )
    assert {"quinine", "potassium", "magnesium"} <= found.classes
    assert "baclofen" not in found.classes
    assert "quinine sulfate" in found.words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Magnesium Oxide 400 MG Oral Tablet", [("Magnesium Oxide", "400", "mg")]),
        ("Baclofen 10 MG / Quinine 20 MG Oral Tablet",
         [("Baclofen", "10", "mg"), ("Quinine", "20", "mg")]),
        ("24 HR Potassium Chloride 20 MEQ Extended Release Oral Tablet",
         [("Potassium Chloride", "20", "meq")]),
        ("Magnesium Hydroxide 80 MG/ML Oral Suspension",
         [("Magnesium Hydroxide", "80", "mg/ml")]),
        ("Baclofen 10 mg/5 mL oral solution", [("Baclofen", "2", "mg/ml")]),
        ("5 ML Baclofen 0.5 MG/ML Injection", [("Baclofen", "0.5", "mg/ml")]),
        ("Quinine sulfate 324mg capsule", [("Quinine sulfate", "324", "mg")]),
        ("Levothyroxine 0.025 mg", [("Levothyroxine", "0.025", "mg")]),
        ("Cyanocobalamin 1,000 mcg tablet", [("Cyanocobalamin", "1000", "mcg")]),
        ("magnesium oxide 400 mg (241.3 mg magnesium) tablet",
         [("magnesium oxide", "400", "mg")]),
        ("400 mg magnesium oxide tablet", [("magnesium oxide tablet", "400", "mg")]),
        ("Albumin Human, USP 25 % Injectable Solution", [("Albumin Human, USP", "25", "%")]),
        ("potassium chloride 1.5 g powder [Klor-Con]", [("potassium chloride", "1.5", "g")]),
        ("12 HR Magnesium Chloride 535 MG", [("Magnesium Chloride", "535", "mg")]),
        ("Magnesium oxide", []),
        ("Quinine 200 mg or 300 mg", []),
        ("{10 (Quinine 300 MG Oral Tablet) } Pack", []),
        ("Vitamin B12 tablet", []),
        ("", []),
        ("x" * 600 + " 10 MG", []),
    ],
)  # fmt: skip
def test_strengths_from_product_names(name, expected) -> None:
    assert ingredients_of(name) == tuple(Ingredient(n, Decimal(a), u) for n, a, u in expected)


# --- dosage ------------------------------------------------------------------------------


def dose(value: object = 1, unit: str = "tablet", **timing: object) -> dict:
    fields: dict[str, object] = {"doseAndRate": [{"doseQuantity": {"value": value, "unit": unit}}]}
    return fields | ({"timing": {"repeat": timing}} if timing else {})


@pytest.mark.parametrize(
    ("repeat", "per_day"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, Fraction(3)),
        ({"frequency": 1, "frequencyMax": 4, "period": 1, "periodUnit": "d"}, Fraction(4)),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, Fraction(3)),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, Fraction(1, 2)),
        ({"frequency": 2, "period": 1, "periodUnit": "wk"}, Fraction(2, 7)),
        ({"period": 1, "periodUnit": "d"}, Fraction(1)),
        ({"timeOfDay": ["08:00:00", "20:00:00"]}, Fraction(2)),
        ({"when": ["MORN", "NOON", "HS"]}, Fraction(3)),
        ({"when": "HS"}, Fraction(1)),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}, Fraction(1)),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "thu"]},
         Fraction(4, 7)),
        ({"dayOfWeek": ["mon", "wed", "fri"]}, Fraction(3, 7)),
    ],
    ids=str,
)  # fmt: skip
def test_how_often_from_repeat(repeat, per_day) -> None:
    [found] = read_dosages([dose(**repeat)])
    assert (found.per_day, found.unread) == (per_day, "")
    assert (found.amount, found.amount_unit) == (Decimal(1), "tablet")


@pytest.mark.parametrize(
    ("code", "per_day"),
    [
        ({"coding": [{"code": "QD"}]}, Fraction(1)),
        ({"coding": [{"code": "BID"}]}, Fraction(2)),
        ({"text": "tid"}, Fraction(3)),
        ({"text": "q.i.d."}, Fraction(4)),
        ({"coding": [{"code": "QHS"}]}, Fraction(1)),
        ({"coding": [{"code": "HS"}]}, Fraction(1)),
        ({"coding": [{"code": "BED"}]}, Fraction(1)),
        ({"coding": [{"code": "QOD"}]}, Fraction(1, 2)),
        ({"coding": [{"code": "Q4H"}]}, Fraction(6)),
        ({"text": "every 8 hours"}, Fraction(3)),
        ({"coding": [{"code": "AM"}]}, Fraction(1)),
        ("PM", Fraction(1)),
        ({"text": "twice daily"}, Fraction(2)),
    ],
    ids=str,
)
def test_how_often_from_a_code(code, per_day) -> None:
    [found] = read_dosages([dose() | {"timing": {"code": code}}])
    assert (found.per_day, found.unread) == (per_day, "")


@pytest.mark.parametrize(
    ("value", "amount", "unit"),
    [
        (dose(2), "2", "tablet"),
        ({"doseAndRate": {"doseQuantity": {"value": 10, "code": "mg"}}}, "10", "mg"),
        ({"doseAndRate": [{"doseQuantity": {"value": 1, "code": "{pill}"}}]}, "1", "pill"),
        ({"doseAndRate": [{"doseRange": {"low": {"value": 1, "unit": "Tablet"},
                                         "high": {"value": 2, "unit": "Tablet"}}}]}, "2", "tablet"),
        ({"doseAndRate": [{"doseRange": {"low": {"value": 1, "unit": "mL"}}}]}, "1", "ml"),
        ({"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}},
                          {"doseQuantity": {"value": 10, "unit": "mg"}}]}, "10", "mg"),
    ],
    ids=str,
)  # fmt: skip
def test_how_much_at_a_time(value, amount, unit) -> None:
    [found] = read_dosages([value])
    assert (found.amount, found.amount_unit) == (Decimal(amount), unit)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"text": "1 tablet at night"}, "in words only"),
        ("1 tablet at night", "not an instruction"),
        (7, "not an instruction"),
        (["x"], "not an instruction"),
        ({"timing": {"code": {"text": "as told"}}, "text": "2 daily"}, "in words only"),
        (dose("1"), "not a number"),
        (dose(-1), "not a number"),
        (dose(0), "not a number"),
        (dose(1, frequency="3", period=1, periodUnit="d"), "the frequency"),
        (dose(1, frequency=3, period=0, periodUnit="d"), "the frequency"),
        (dose(1, frequency=3, period=1, periodUnit="fortnight"), "the frequency"),
        (dose(1, frequency=3), "the frequency"),
        (dose(1), "the frequency"),
        (dose(1) | {"timing": 7}, "the frequency"),
        (dose(1) | {"timing": {"code": {"coding": [{"code": "Q0H"}]}}}, "the frequency"),
        ({"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}},
                          {"doseQuantity": {"value": 1, "unit": "tablet"}}]}, "different units"),
        (dose(1, when=["HS"]) | {"maxDosePerPeriod": {"numerator": {"value": 4}}}, "maximum dose"),
    ],
    ids=str,
)  # fmt: skip
def test_a_dosage_that_cannot_be_converted_to_numbers_says_why(value, words) -> None:
    [found] = read_dosages(value if isinstance(value, list) else [value])
    assert words in found.unread


def test_an_as_needed_dosage_counts_with_its_largest_dose() -> None:
    value = dose(1) | {
        "asNeededBoolean": True,
        "maxDosePerPeriod": {
            "numerator": {"value": 4, "unit": "Tablet"},
            "denominator": {"value": 2, "unit": "days"},
        },
        "route": {"coding": [{"display": "Oral"}]},
    }
    [found] = read_dosages(value)
    assert found.as_needed
    assert (found.max_per_day, found.max_unit) == (Fraction(2), "tablet")
    assert found.route == "oral"


@pytest.mark.parametrize(("stated", "step"), [(2, 2), (None, None), ("2", None), (True, None)])
def test_the_step_of_a_stepwise_order(stated, step) -> None:
    [found] = read_dosages([dose() | {"sequence": stated}])
    assert found.sequence == step


def test_dosages_of_older_and_newer_versions() -> None:
    older = medication(
        resourceType="MedicationOrder",
        subject=None,
        patient={"reference": "Patient/p1"},
        dosageInstruction=[
            {
                "doseQuantity": {"value": 2, "unit": "tablet"},
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnits": "d"}},
                "asNeededCodeableConcept": {"text": "cramps"},
            }
        ],
    )
    stated = statement(id="m2", dosage=[{"quantityQuantity": {"value": 3, "unit": "ml"}}])
    newer = medication(id="m3", dosageInstruction={"asNeeded": True, **dose(4, when=["HS"])})
    first, third, second = medications(older, stated, newer).record.medications
    assert (first.dosages[0].amount, first.dosages[0].per_day) == (Decimal(2), Fraction(1))
    assert first.dosages[0].as_needed
    assert second.dosages[0].amount == Decimal(3)
    assert (third.dosages[0].amount, third.dosages[0].as_needed) == (Decimal(4), True)
    assert first.source.reference == "MedicationOrder/m1"


# --- drafts ------------------------------------------------------------------------------


def drafts(bundle_: object, *selections: str):
    call = calling(bundle_, *selections)
    return reader().read({}, call)


def draft(**more: object) -> dict:
    return medication(**({"id": "d1", "status": "draft"} | more))


@pytest.mark.parametrize(
    "selection",
    [
        "MedicationRequest/d1",
        "d1",
        "https://ehr.example/fhir/MedicationRequest/d1",
        "MedicationRequest/d1/_history/1",
        "urn:uuid:4711",
        " MedicationRequest/d1 ",
    ],
)
def test_a_selected_draft(selection) -> None:
    entries = [{"fullUrl": "urn:uuid:4711", "resource": draft()}, {"resource": draft(id="d2")}]
    reading = drafts(searchset(entry=entries), selection)
    first, second = reading.record.drafts.medications
    assert first.selected and not second.selected
    assert first.taking is Taking.DRAFT
    assert first.source.reference == "MedicationRequest/d1"
    assert first.source.origin == "context.draftOrders"
    assert "quinine" in first.classes
    assert reading.record.problems == ()
    assert reading.record.medications == ()
    assert reading.resources("MedicationRequest/d1") is not None


@pytest.mark.parametrize("selection", ["MedicationRequest/x", "MedicationRequest/d11", "1"])
def test_a_selection_that_matches_no_draft_is_a_problem(selection) -> None:
    reading = drafts(searchset(draft()), selection)
    assert reading.record.drafts.selected_medications == ()
    assert kinds(reading) == [("unresolved-selection", selection)]


@pytest.mark.parametrize(
    "shape",
    [
        searchset(draft()),
        {"entry": [{"resource": draft()}]},
        searchset(entry={"resource": draft()}),
        searchset(entry=[draft()]),
        [draft()],
        draft(),
        [searchset(draft())],
        searchset(searchset(draft())),
        {"response": {"status": "200"}, "resource": searchset(draft())},
        {"data": draft(), "headers": {}},
        searchset(draft(status=None)),
        searchset(draft(status="active")),
        searchset(draft(subject=None)),
    ],
    ids=str,
)
def test_drafts_in_any_wrapping(shape) -> None:
    reading = drafts(shape, "MedicationRequest/d1")
    assert len(reading.record.drafts.selected_medications) == 1
    assert reading.record.problems == ()


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "revoked"])
def test_a_withdrawn_draft_does_not_count(status) -> None:
    reading = drafts(searchset(draft(status=status)), "MedicationRequest/d1")
    assert reading.record.drafts.medications == ()
    assert reading.record.problems == ()


def test_drafts_nested_too_deeply_are_reported_and_not_lost() -> None:
    page: object = draft()
    was_read = []
    for _ in range(7):
        page = searchset(page)
        reading = drafts(page, "MedicationRequest/d1")
        was_read.append(bool(reading.record.drafts.selected_medications))
        too_deep = [problem for problem in reading.record.problems if "too deep" in problem.reason]
        assert bool(too_deep) is not was_read[-1]
        assert reading.record.drafts.orders == ()
    assert was_read[:2] == [True, True]
    assert not was_read[-1]


def test_another_patients_draft_is_refused_and_reported() -> None:
    theirs = draft(subject={"reference": "Patient/p2"})
    call = calling(searchset(theirs), "MedicationRequest/d1")
    pages = {Kind.MEDICATIONS: delivery(Kind.MEDICATIONS, searchset())}
    reading = reader().read(pages, call)
    assert reading.record.availability[Kind.MEDICATIONS].state is State.NONE
    assert reading.record.drafts.medications == ()
    assert kinds(reading) == [("wrong-patient", "MedicationRequest/d1")]


OUTCOME = fhir.outcome()


@pytest.mark.parametrize(
    "shape",
    [
        "x", 7, True, [7], {"entry": [7]}, {"entry": [{"id": "x"}]}, {"entry": [{}]},
        searchset(None), searchset(OUTCOME), OUTCOME,
        {"resourceType": "Bundle", "total": 2}, {"resourceType": "Bundle", "Entry": [draft()]},
        {"resourceType": "Bundle", "entries": [{"resource": draft()}]},
        fhir.resource("Parameters", parameter=[{"resource": searchset(draft())}]),
    ],
    ids=lambda shape: str(shape)[:60],
)  # fmt: skip
def test_what_is_not_a_draft_is_a_problem(shape) -> None:
    reading = drafts(shape)
    assert reading.record.drafts.medications == ()
    assert [problem.kind for problem in reading.record.problems] == ["unreadable"]


@pytest.mark.parametrize("shape", [None, {}, [], {"entry": None}, searchset(), searchset(total=0)])
def test_no_draft_is_not_a_problem(shape) -> None:
    reading = drafts(shape)
    assert reading.record.problems == ()


def test_drafts_of_tests_and_of_other_kinds() -> None:
    test = fhir.order("Serum potassium", id="s", subject=None)
    device = fhir.resource("DeviceRequest", id="v", codeCodeableConcept=fhir.concept("x"))
    person = fhir.resource("Practitioner", id="y")
    found = drafts(searchset(test, device, person), "ServiceRequest/s").record.drafts
    assert [order.source.reference for order in found.orders] == [
        "ServiceRequest/s",
        "DeviceRequest/v",
    ]
    assert [order.selected for order in found.orders] == [True, False]
    assert "potassium" in found.orders[0].covers
    assert found.orders[1].covers == frozenset()
    assert all(order.draft for order in found.orders)


def test_a_drafts_medication_may_be_another_entry_or_in_prefetch() -> None:
    draft_order = draft(
        medicationCodeableConcept=None, medicationReference={"reference": "Medication/q"}
    )
    [found] = drafts(searchset(draft_order, PRODUCT)).record.drafts.medications
    assert "quinine" in found.classes
    call = calling(searchset(draft_order))
    pages = {Kind.MEDICATIONS: delivery(Kind.MEDICATIONS, searchset(PRODUCT))}
    [found] = reader().read(pages, call).record.drafts.medications
    assert "quinine" in found.classes


def test_many_drafts_and_selections_do_not_take_quadratic_time() -> None:
    many = searchset(*(draft(id=f"d{n}") for n in range(3000)))
    names = [f"MedicationRequest/d{n}" for n in range(3001)]
    started = time.perf_counter()
    reading = drafts(many, *names)
    assert time.perf_counter() - started < 5
    assert len(reading.record.drafts.selected_medications) == 3000
    assert kinds(reading) == [("unresolved-selection", "MedicationRequest/d3000")]


def test_ingredients_of_the_oldest_version() -> None:
    product = fhir.resource("Medication", id="x") | {
        "product": {
            "form": {"text": "Tablet"},
            "ingredient": [
                {
                    "item": {"reference": "Substance/q"},
                    "amount": {"numerator": {"value": 200, "code": "mg"}},
                },
                {"item": {"concept": {"text": "Starch"}, "reference": None}},
                {"item": {"text": "Baclofen"}, "strengthQuantity": {"value": 10, "unit": "mg"}},
                "none",
            ],
        },
    }
    substance = fhir.resource("Substance", id="q", code=fhir.concept("Quinine"))
    request = medication(
        medicationCodeableConcept=None, medicationReference={"reference": "Medication/x"}
    )
    [found] = medications(request, product, substance).record.medications
    assert found.name == "Quinine"
    assert found.ingredients == (
        Ingredient("Quinine", Decimal(200), "mg"),
        Ingredient("Starch"),
        Ingredient("Baclofen", Decimal(10), "mg"),
    )
    assert {"quinine", "baclofen"} <= found.classes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Potassium Chloride 20 MEQ/L Oral Solution", [("Potassium Chloride", "0.02", "meq/ml")]),
        ("Magnesium Oxide 5 MG/0 ML", []),
        ("Magnesium Oxide 0 MG", []),
    ],
)
def test_strengths_per_litre_and_invalid_strengths(name, expected) -> None:
    ingredients = [(i.name, str(i.amount), i.unit) for i in ingredients_of(name)]
    assert [(n.split(" Oral")[0], a, u) for n, a, u in ingredients] == expected


def test_missing_or_contradictory_largest_doses() -> None:
    def bound(value: int, unit: str) -> dict[str, object]:
        return {
            "numerator": {"value": value, "unit": unit},
            "denominator": {"value": 1, "unit": "d"},
        }

    [dosage] = read_dosages([{"maxDosePerPeriod": [None, {}, bound(3, "tablet")]}])
    assert (dosage.max_per_day, dosage.max_unit) == (3, "tablet")
    [dosage] = read_dosages([{"maxDosePerPeriod": [bound(3, "tablet"), bound(30, "mg")]}])
    assert dosage.max_per_day is None
    assert "different units" in dosage.unread


LOCAL_ONLY = {"coding": [{"system": "urn:oid:1.2.840.114350.1", "code": "26224"}]}


@pytest.mark.parametrize(
    ("code", "at_selection", "at_signing"),
    [
        (LOCAL_ONLY, ["unknown-code"], ["unknown-code"]),
        ({"text": "See notes"}, [], ["no-code"]),
        (None, [], ["no-code"]),
        ({}, [], ["no-code"]),
        (LOCAL_ONLY | {"text": "Baclofen 10 mg tablet"}, [], []),
    ],
    ids=str,
)
def test_a_draft_that_does_not_say_what_it_is_is_reported(code, at_selection, at_signing) -> None:
    page = searchset(draft(medicationCodeableConcept=code))
    for selections, expected in ((("MedicationRequest/d1",), at_selection), (None, at_signing)):
        call = replace(calling(page), selections=selections)
        problems = reader().read({}, call).record.problems
        assert [(problem.kind, problem.source.reference) for problem in problems] == [
            (kind, "MedicationRequest/d1") for kind in expected
        ]


def test_a_draft_that_was_not_selected_needs_no_name() -> None:
    page = searchset(draft(medicationCodeableConcept=LOCAL_ONLY), draft(id="d2"))
    assert kinds(drafts(page, "MedicationRequest/d2")) == []


@pytest.mark.parametrize(
    "kind", ["RequestGroup", "MedicationDispense", "CarePlan", "Basic", "RequestOrchestration"]
)
def test_a_signed_resource_that_is_not_read_as_an_order_is_reported(kind: str) -> None:
    drafts = searchset(fhir.resource(kind, id="d", status="draft"), medication(id="m"))
    reading = read({}, signing(drafts))
    assert kinds(reading) == [("unreadable", f"{kind}/d")]
    assert len(reading.record.drafts.medications) == 1
    reading = read({}, calling(drafts, "MedicationRequest/m"))
    assert kinds(reading) == []


@pytest.mark.parametrize("kind", ["Task", "Medication", "Practitioner", "Encounter"])
def test_other_resources_sent_with_signed_orders_are_not_reported(kind: str) -> None:
    drafts = searchset(fhir.resource(kind, id="d", status="draft"), medication(id="m"))
    assert kinds(read({}, signing(drafts))) == []
