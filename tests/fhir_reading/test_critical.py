"""What the laboratory flagged as critical, and what is kept of a result without a usable date."""

from __future__ import annotations

import pytest

from tests.fhir_reading.records import concept, lab, newest, problem, result, results

V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def flag(code: str, system: str = V3) -> list[dict]:
    return [{"coding": [{"system": system, "code": code}]}]


FLAGGED = [
    flag("HH"),
    flag("LL"),
    flag("AA"),
    flag("H") + flag("HH"),
    flag("HH", "http://hl7.org/fhir/v2/0078"),
    flag("hh", ""),
    [{"text": "Critical high"}],
    [{"coding": [{"code": "X1", "display": "Critically low"}]}],
    flag("LL")[0],  # STU3: one, not a list
]


@pytest.mark.parametrize("interpretation", FLAGGED, ids=str)
def test_a_critical_flag_is_kept_whether_the_value_can_be_used_or_not(interpretation) -> None:
    assert result(lab(interpretation=interpretation)).critical
    assert problem(lab(interpretation=interpretation, unit="pints")).critical
    assert problem(lab(interpretation=interpretation, effectiveDateTime=None)).critical
    [unread] = results(lab(interpretation=interpretation, status=None)).record.problems
    assert unread.critical


@pytest.mark.parametrize(
    "interpretation",
    [None, flag("H"), flag("N"), [], 7, [{"text": "not critical"}], [{"text": "Non-critical"}]],
    ids=str,
)
def test_other_flags_are_not_critical(interpretation) -> None:
    assert not result(lab(interpretation=interpretation)).critical
    assert not problem(lab(interpretation=interpretation, unit="pints")).critical


@pytest.mark.parametrize("when", [None, "2026-03", "yesterday", "2027-03-09T08:00:00Z"])
def test_a_result_that_lacks_only_a_usable_date_keeps_its_value(when) -> None:
    found = problem(lab(value=7.1, effectiveDateTime=when))
    assert found.value is not None
    assert found.value.reported == "7.1 mmol/L"


def test_a_result_that_lacks_more_keeps_no_value() -> None:
    assert problem(lab(unit="pints", effectiveDateTime=None)).value is None


def test_a_result_without_a_known_status_keeps_its_day() -> None:
    [unread] = results(lab(status="odd")).record.problems
    assert (unread.kind, unread.about, str(unread.when)[:10]) == (
        "no-status",
        "potassium",
        "2026-03-09",
    )


def test_one_malformed_element_does_not_lose_the_flag() -> None:
    malformed = lab(interpretation=flag("HH"), method=7, code=concept("2823-3"), id=9)
    assert newest(results(malformed)).result.critical
