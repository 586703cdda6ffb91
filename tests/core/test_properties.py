"""Properties that hold for every value: units, monotonicity, and no effect of unrelated facts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cds_service.core.analytes import Analyte
from cds_service.core.quantities import Unit, rounded
from cds_service.engine.rule import Answer, Finding, Indicator
from hooks.knowledge.files import analytes, limits
from tests.testing.given import Given, Service
from tests.testing.given import given as patient
from tests.testing.thorough import examples

quick = settings(max_examples=examples(100), deadline=None, derandomize=True)

ABOVE, BELOW = Decimal("1.01"), Decimal("0.99")
UNITS = [
    pytest.param(analyte, name, id=f"{key} in {name}")
    for key, analyte in analytes().items()
    for name in dict.fromkeys(unit.name for unit in analyte.units.values())
    if name != analyte.canonical
]


def answers(case: Given) -> dict[tuple[str, Service], tuple[str, Indicator | None]]:
    """The outcome of every rule of all services, as far as it matters to a user."""
    return {
        (outcome.rule.id, service): (type(outcome.answer).__name__, _indicator(outcome.answer))
        for service in Service
        for outcome in case.outcomes(service)
    }


def _indicator(answer: Answer) -> Indicator | None:
    return answer.indicator if isinstance(answer, Finding) else None


def crowd() -> Given:
    """A patient for whom most rules have something to evaluate."""
    case = patient(age=70).cramps().has("rls").has("cirrhosis").takes("magnesium").takes("quinine")
    return case.ordering("magnesium").ordering("potassium").ordering("baclofen")


def spelled(analyte: Analyte, name: str) -> tuple[str, Unit]:
    return next((key, unit) for key, unit in analyte.units.items() if unit.name == name)


def values_of(analyte: Analyte) -> st.SearchStrategy[Decimal]:
    """Canonical values on both sides of the analyte's limits; without limits, all plausible ones.

    Hundredths, and clear of the ends of the plausible range, where rounding decides.
    """
    ends = [limit.value for limit in limits().values() if limit.key.split(".")[0] == analyte.key]
    low, high = (end * part for end, part in zip(analyte.plausible, (ABOVE, BELOW), strict=True))
    if ends:
        low, high = max(low, min(ends) / 2), min(high, max(ends) * 2)
    return st.integers(ceil(low * 100), floor(high * 100)).map(lambda number: Decimal(number) / 100)


def near_a_limit(analyte: Analyte, value: Decimal) -> bool:
    """Within 1 % of a limit, where rounding in the laboratory's unit may decide."""
    own = [limit for key, limit in limits().items() if key.split(".")[0] == analyte.key]
    return any(abs(value - limit.value) * 100 <= limit.value for limit in own)


@pytest.mark.parametrize(("analyte", "name"), UNITS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_another_unit_gives_the_same_answers(
    analyte: Analyte, name: str, data: st.DataObject
) -> None:
    value = data.draw(values_of(analyte))
    assume(not near_a_limit(analyte, value))
    spelling, unit = spelled(analyte, name)
    converted = rounded((Fraction(value) - unit.offset) / unit.factor, 6)
    canonical = crowd().result(analyte.key, f"{value:.6f} {analyte.canonical}")
    other = crowd().result(analyte.key, f"{converted} {spelling}")
    assert answers(canonical) == answers(other)


def urgency(case: Given, rule: str, service: Service = Service.PATIENT_VIEW) -> int:
    answer = case.ask(rule, service)
    return int(answer.indicator) if isinstance(answer, Finding) else 0


hundredths = st.integers(10, 1000).map(lambda number: Decimal(number) / 100)
days = st.sampled_from([0, 30, 31, 90, 91, 365, 366])


@quick
@given(first=hundredths, second=hundredths, days_ago=days, early=st.booleans())
def test_a_lower_magnesium_is_never_less_urgent(
    first: Decimal, second: Decimal, days_ago: int, early: bool
) -> None:
    def of(value: Decimal) -> int:
        case = patient().result(
            "magnesium", f"{value} mmol/L", days_ago=days_ago, preliminary=early
        )
        return urgency(case, "low-magnesium")

    assert of(min(first, second)) >= of(max(first, second))


@quick
@given(first=hundredths, second=hundredths, days_ago=days)
def test_a_lower_potassium_is_never_less_urgent(
    first: Decimal, second: Decimal, days_ago: int
) -> None:
    def of(value: Decimal) -> int:
        return urgency(
            patient().result("potassium", f"{value} mmol/L", days_ago=days_ago), "low-potassium"
        )

    assert of(min(first, second)) >= of(max(first, second))


@quick
@given(
    first=hundredths, second=hundredths, days_ago=days, raising=st.booleans(), cramps=st.booleans()
)
def test_a_higher_potassium_is_never_less_urgent(
    first: Decimal, second: Decimal, days_ago: int, raising: bool, cramps: bool
) -> None:
    def of(value: Decimal) -> int:
        case = patient().result("potassium", f"{value} mmol/L", days_ago=days_ago)
        if raising:
            case.takes("diuretic_potassium_sparing")
        if cramps:
            case.cramps()
        return urgency(case, "high-potassium")

    assert of(max(first, second)) >= of(min(first, second))


@quick
@given(first=st.integers(3, 130), second=st.integers(3, 130), days_ago=days)
@pytest.mark.parametrize(
    ("rule", "service"),
    [
        ("magnesium-in-renal-impairment", Service.PATIENT_VIEW),
        ("magnesium-ordered-renal-impairment", Service.ORDER_SELECT),
        ("potassium-ordered-hazard", Service.ORDER_SELECT),
        ("baclofen-ordered-renal-impairment", Service.ORDER_SELECT),
    ],
)
def test_a_lower_egfr_is_never_less_urgent(
    rule: str, service: Service, first: int, second: int, days_ago: int
) -> None:
    def of(value: int) -> int:
        case = patient().takes("magnesium").ordering("magnesium").ordering("baclofen")
        case.ordering("potassium").result("potassium", "4.2 mmol/L")
        return urgency(
            case.result("egfr", f"{value} mL/min/{{1.73_m2}}", days_ago=days_ago), rule, service
        )

    assert of(min(first, second)) >= of(max(first, second))


@quick
@given(first=st.integers(40, 900), second=st.integers(40, 900), sex=st.sampled_from(["male", ""]))
def test_a_higher_creatinine_is_never_less_urgent(first: int, second: int, sex: str) -> None:
    def of(value: int) -> int:
        case = patient(sex=sex).takes("magnesium")
        case.result("creatinine", f"{Decimal(value) / 100} mg/dL")
        return urgency(case, "magnesium-in-renal-impairment")

    assert of(max(first, second)) >= of(min(first, second))


HAZARDS = {
    "severe low magnesium": lambda: patient().result("magnesium", "0.4 mmol/L"),
    "severe low potassium": lambda: patient().result("potassium", "2.3 mmol/L"),
    "high potassium": lambda: patient().result("potassium", "6.2 mmol/L"),
    "magnesium on dialysis": lambda: patient().takes("magnesium").has("dialysis"),
    "quinine": lambda: patient().takes("quinine").ordering("quinine"),
    "magnesium ordered in AKI": lambda: patient().ordering("magnesium").has("aki"),
    "potassium ordered, K 5.4": lambda: (
        patient().ordering("potassium").result("potassium", "5.4 mmol/L")
    ),
    "baclofen ordered, eGFR 20": lambda: (
        patient().ordering("baclofen").result("egfr", "20 mL/min/{1.73_m2}")
    ),
}
UNRELATED = {
    "ferritin": lambda case: case.result("ferritin", "30 ng/mL"),
    "HbA1c": lambda case: case.result("hba1c", "6.1 %"),
    "cramps": lambda case: case.cramps(),
    "restless legs": lambda case: case.has("rls"),
    "claudication": lambda case: case.has("claudication"),
    "a condition nobody knows": lambda case: case.has("unknown_concept"),
    "a statin": lambda case: case.takes("statin"),
    "an inhaler": lambda case: case.takes("laba"),
    "a draft of iron": lambda case: case.ordering("iron"),
    "an ordered ferritin": lambda case: case.testing("ferritin"),
    "an unusable glucose": lambda case: case.unusable("glucose"),
    "an allergy": lambda case: case.allergic("penicillin"),
    "an old magnesium": lambda case: case.result("magnesium", "0.85 mmol/L", days_ago=300),
    "an old potassium": lambda case: case.result("potassium", "4.2 mmol/L", days_ago=300),
    "an old eGFR": lambda case: case.result("egfr", "90 mL/min/{1.73_m2}", days_ago=300),
}


def hazards(case: Given) -> dict[tuple[str, Service], Indicator]:
    return {
        key: indicator
        for key, (_, indicator) in answers(case).items()
        if indicator is not None and indicator > Indicator.INFO
    }


@pytest.mark.parametrize("hazard", HAZARDS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(added=st.lists(st.sampled_from(sorted(UNRELATED)), max_size=4, unique=True))
def test_unrelated_facts_never_remove_a_hazard_or_lower_its_severity(
    hazard: str, added: list[str]
) -> None:
    before = hazards(HAZARDS[hazard]())
    assert before
    case = HAZARDS[hazard]()
    for name in added:
        UNRELATED[name](case)
    after = hazards(case)
    assert all(after.get(key, 0) >= indicator for key, indicator in before.items())
