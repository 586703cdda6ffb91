"""Units, rounding and comparators: exact, in the laboratory's own unit."""

from decimal import Decimal
from fractions import Fraction

import pytest

from cds_service.core.facts import Result
from cds_service.core.quantities import Interval, Unit, decimals_of, printed_unit, rounded
from hooks.knowledge.files import analytes, limits
from tests.testing.given import given


def measured(analyte: str, text: str) -> Result:
    result = given().result(analyte, text).facts().series[analyte].newest
    from cds_service.core.series import Worse

    found = result(Worse.LOW).result
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("analyte", "unit", "reported", "canonical"),
    [
        pytest.param("magnesium", "mg/dL", "2.4305", "1", id="magnesium mg/dL / 2.4305"),
        pytest.param("magnesium", "meq/L", "2", "1", id="magnesium mEq/L / 2, the valence"),
        pytest.param("magnesium", "mEq/L", "1.5", "0.75", id="everyday spelling of mEq/L"),
        pytest.param("potassium", "meq/L", "4.1", "4.1", id="potassium mEq/L x 1"),
        pytest.param("potassium", "mg/dL", "3.90983", "1", id="potassium mg/dL / 3.90983"),
        pytest.param("ferritin", "ng/mL", "50", "50", id="ferritin ng/mL x 1"),
        pytest.param("ferritin", "pmol/L", "2.247", "1", id="ferritin pmol/L / 2.247"),
        pytest.param("ferritin", "mcg/L", "50", "50", id="ferritin mcg/L"),
        pytest.param("hemoglobin", "g/L", "130", "13", id="haemoglobin g/L / 10"),
        pytest.param("hemoglobin", "mmol/L", "10", "16.114", id="haemoglobin monomer x 1.6114"),
        pytest.param("creatinine", "umol/L", "88.40", "1", id="creatinine umol/L / 88.40"),
        pytest.param("creatinine", "µmol/L", "88.40", "1", id="creatinine with the micro sign"),
        pytest.param("creatinine", "μmol/L", "88.40", "1", id="creatinine with the Greek mu"),
        pytest.param("egfr", "mL/min", "58", "58", id="eGFR in plain mL/min"),
        pytest.param("egfr", "mL/min/1.73m2", "58", "58", id="eGFR as laboratories spell it"),
        pytest.param("platelets", "10*3/uL", "150", "150", id="platelets 10*3/uL x 1"),
        pytest.param("platelets", "K/uL", "150", "150", id="platelets K/uL x 1"),
        pytest.param("platelets", "/uL", "150000", "150", id="platelets /uL / 1000"),
        pytest.param("transferrin_saturation", "1", "0.19", "19", id="saturation as a fraction"),
        pytest.param("transferrin_saturation", "%", "19", "19", id="saturation in percent"),
        pytest.param("sodium", "meq/L", "140", "140", id="sodium mEq/L x 1"),
        pytest.param("glucose", "mg/dL", "18.016", "1", id="glucose mg/dL / 18.016"),
        pytest.param("hba1c", "mmol/mol", "100", "11.300", id="HbA1c IFCC: 9.148 + 2.152"),
        pytest.param("crp", "mg/dL", "1", "10", id="CRP mg/dL x 10"),
    ],
)
def test_factors_are_exact(analyte: str, unit: str, reported: str, canonical: str) -> None:
    known = analytes()[analyte].units[unit]
    assert known.to_canonical(Decimal(reported)) == Fraction(canonical)


@pytest.mark.parametrize(
    ("analyte", "spelling"),
    [
        pytest.param("magnesium", "MMOL/L", id="UCUM is case-sensitive: no folding"),
        pytest.param("magnesium", "mmol", id="not a concentration"),
        pytest.param("egfr", "mL/s", id="another unit of time"),
        pytest.param("platelets", "g/L", id="grams are not a count"),
        pytest.param("transferrin_saturation", "", id="no unit"),
    ],
)
def test_unlisted_unit_spellings_are_unknown(analyte: str, spelling: str) -> None:
    assert spelling not in analytes()[analyte].units


@pytest.mark.parametrize(
    ("analyte", "text", "limit", "below"),
    [
        pytest.param("magnesium", "1.7 mg/dL", "magnesium.low", False, id="1.7 mg/dL is normal"),
        pytest.param("magnesium", "1.6 mg/dL", "magnesium.low", True, id="1.6 mg/dL is low"),
        pytest.param("magnesium", "1.70 mg/dL", "magnesium.low", False, id="1.70 mg/dL is normal"),
        pytest.param("magnesium", "1.69 mg/dL", "magnesium.low", True, id="1.69 mg/dL is low"),
        pytest.param(
            "magnesium", "2 mg/dL", "magnesium.low", False, id="no decimals: at least one"
        ),
        pytest.param("magnesium", "1.2 mg/dL", "magnesium.severe", False, id="1.2 not below 0.50"),
        pytest.param("magnesium", "1.1 mg/dL", "magnesium.severe", True, id="1.1 below 0.50"),
        pytest.param(
            "magnesium", "1.20 mg/dL", "magnesium.severe", True, id="1.20 has two decimals"
        ),
        pytest.param("magnesium", "1.22 mg/dL", "magnesium.severe", False, id="0.50 is 1.22 mg/dL"),
        pytest.param(
            "magnesium", "0.699 mmol/L", "magnesium.low", True, id="canonical: not rounded"
        ),
        pytest.param("ferritin", "112 pmol/L", "ferritin.low", True, id="50 ug/L is 112.4 pmol/L"),
        pytest.param("hemoglobin", "119 g/L", "hemoglobin.women", True, id="119 g/L below 12 g/dL"),
        pytest.param(
            "hemoglobin", "120 g/L", "hemoglobin.women", False, id="120 g/L is at 12 g/dL"
        ),
        pytest.param(
            "hemoglobin", "7.4 mmol/L", "hemoglobin.women", False, id="12 g/dL is 7.4 mmol/L"
        ),
        pytest.param(
            "hemoglobin", "7.3 mmol/L", "hemoglobin.women", True, id="7.3 mmol/L is below"
        ),
    ],
)
def test_a_limit_is_rounded_to_the_reported_decimals(
    analyte: str, text: str, limit: str, below: bool
) -> None:
    assert measured(analyte, text).below(limits().value(limit)) is below


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (Fraction(5, 100), 1, "0.1"),
        (Fraction(-5, 100), 1, "-0.1"),
        (Fraction(49, 1000), 1, "0.0"),
        (Fraction(25, 10), 0, "3"),
        (Fraction(1, 3), 4, "0.3333"),
        (Fraction(2, 3), 4, "0.6667"),
        (Fraction(10**40 + 5, 10**41), 1, "0.1"),
        (Fraction(0), 1, "0.0"),
    ],
)
def test_rounding_is_half_up_and_exact(value: Fraction, decimals: int, expected: str) -> None:
    assert str(rounded(value, decimals)) == expected


def test_rounding_never_rounds_twice() -> None:
    # Just below one half, beyond the 28 digits of the default decimal context.
    assert rounded(Fraction(5, 10) - Fraction(1, 10**40), 0) == 0
    assert rounded(Fraction(5, 10), 0) == 1


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("1.20", 2), ("1.2", 1), ("5", 0), ("0.500", 3), ("1E+2", 0), ("1.5E-7", 8), ("NaN", 0)],
)
def test_decimals_are_counted_as_written(text: str, decimals: int) -> None:
    assert decimals_of(Decimal(text)) == decimals


def interval(comparator: str, value: str) -> Interval:
    return Interval.compared(comparator, Decimal(value))


@pytest.mark.parametrize(
    ("comparator", "value", "below_30"),
    [
        pytest.param(">", "60", False, id=">60 clears <30"),
        pytest.param("<", "15", True, id="<15 fires <30"),
        pytest.param("<", "50", None, id="<50 cannot tell"),
        pytest.param("<", "30", True, id="<30 is below 30"),
        pytest.param("<=", "30", None, id="<=30 may be 30"),
        pytest.param("<=", "29", True, id="<=29 is below 30"),
        pytest.param(">", "30", False, id=">30 is not below"),
        pytest.param(">=", "30", False, id=">=30 is not below"),
        pytest.param(">", "15", None, id=">15 cannot tell"),
        pytest.param("", "29", True, id="29 is below"),
        pytest.param("", "30", False, id="30 is not below"),
    ],
)
def test_comparators_are_intervals(comparator: str, value: str, below_30: bool | None) -> None:
    value_range, limit = interval(comparator, value), Decimal(30)
    assert value_range.below(limit) is below_30
    assert value_range.at_least(limit) is (None if below_30 is None else not below_30)


@pytest.mark.parametrize(
    ("comparator", "value", "above_30"),
    [
        (">", "30", True),
        (">=", "30", None),
        (">=", "31", True),
        ("<=", "30", False),
        ("<", "30", False),
        ("<", "40", None),
        ("", "30", False),
        ("", "31", True),
    ],
)
def test_above_mirrors_below(comparator: str, value: str, above_30: bool | None) -> None:
    value_range, limit = interval(comparator, value), Decimal(30)
    assert value_range.above(limit) is above_30
    assert value_range.at_most(limit) is (None if above_30 is None else not above_30)


def test_an_unknown_comparator_is_an_error() -> None:
    with pytest.raises(ValueError, match="ad"):
        interval("ad", "3")


@pytest.mark.parametrize(
    ("text", "reported", "canonical"),
    [
        ("1.20 mg/dL", "1.20 mg/dL", "0.49 mmol/L"),
        ("<0.50 mmol/L", "<0.50 mmol/L", ""),
        (">=0.50 mmol/L", "≥0.50 mmol/L", ""),
        ("<=0.50 mmol/L", "≤0.50 mmol/L", ""),
        (">0.50 mmol/L", ">0.50 mmol/L", ""),
        ("0.50 mmol/l", "0.50 mmol/L", ""),
    ],
)
def test_a_value_is_printed_as_reported(text: str, reported: str, canonical: str) -> None:
    result = measured("magnesium", text)
    assert result.reported == reported
    assert result.canonical == canonical


def test_units_are_printed_as_people_write_them() -> None:
    assert printed_unit("mL/min/{1.73_m2}") == "mL/min/1.73 m²"
    assert printed_unit("10*9/L") == "10^9/L"


def test_a_value_with_a_comparator_has_no_exact_canonical_value() -> None:
    assert measured("potassium", "<3.0 mmol/L").canonical_value() is None
    assert measured("potassium", "3.0 mmol/L").canonical_value() == 3


def test_the_micro_sign_is_accepted_in_both_code_points_everywhere() -> None:
    for analyte in analytes().values():
        for spelling in analyte.units:
            assert spelling.replace("µ", "μ") in analyte.units
            assert spelling.replace("μ", "µ") in analyte.units


def test_every_canonical_unit_is_a_spelling_of_itself_with_factor_one() -> None:
    for analyte in analytes().values():
        unit = analyte.units[analyte.canonical]
        assert (unit.factor, unit.offset) == (1, 0)


def test_conversion_round_trips() -> None:
    unit = Unit("x", Fraction(9148, 100000), Fraction(2152, 1000))
    assert unit.from_canonical(Decimal("11.3"), 3) == Decimal("100.000")


def test_a_unit_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Unit("x").factor = Fraction(2)  # type: ignore[misc]


def test_a_unit_converts_by_its_factor_alone_unless_an_offset_is_given() -> None:
    assert Unit("x", Fraction(10)).to_canonical(Decimal("1.5")) == 15
    assert Unit("x").to_canonical(Decimal("1.5")) == Fraction(3, 2)
    assert Unit("x", Fraction(10)).from_canonical(Decimal(15), 1) == Decimal("1.5")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param(Unit("x"), "0.755", id="the canonical unit: as it is, not rounded"),
        pytest.param(Unit("x", Fraction(2)), "0.4", id="twice as large: rounded"),
        pytest.param(Unit("x", offset=Fraction(1)), "-0.2", id="only an offset: rounded"),
        pytest.param(Unit("x", offset=Fraction(-1)), "1.8", id="only a negative offset: rounded"),
    ],
)
def test_a_limit_is_rounded_only_if_it_is_converted(unit: Unit, expected: str) -> None:
    assert str(unit.from_canonical(Decimal("0.755"), 1)) == expected


def test_an_unbounded_interval_is_not_exact_and_has_no_weight() -> None:
    everything = Interval(None, None)
    assert not everything.exact
    assert everything.middle() == 0
    assert everything.below(Decimal(0)) is everything.above(Decimal(0)) is None
