"""Low calcium: total, as adjusted by the laboratory or corrected for albumin here, and ionised."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from msgspec import structs

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.core.quantities import Interval, rounded
from cds_service.core.series import NO_RESULTS
from cds_service.engine.rule import Evidence, Indicator, OrderTest
from hooks.metabolic_causes.cause import Cause, Judgement

_ALBUMIN_DAYS = 7  # days
_PER_GRAM = Fraction(2, 100)  # mmol/L of calcium for each g/L of albumin that is missing


def _compared(
    facts: Facts, result: Result, judged: Result, note: str
) -> tuple[Indicator | None, Evidence, bool]:
    """How low it is: against the laboratory's range or else the limit, and the critical limit."""
    key = result.analyte.key.removesuffix("_adjusted")
    limit, critical = facts.limits[f"{key}.low"], facts.limits[f"{key}.critical"]
    below_limit = judged.below_range(limit.value)
    is_critical = judged.below(critical.value) is True
    own_range = judged.range_low is not None and not is_critical
    evidence = Evidence(result, critical if is_critical else limit, own_range, note)
    if is_critical:
        return Indicator.CRITICAL, evidence, True
    return (Indicator.WARNING if below_limit else None), evidence, below_limit is not None


def low_total(facts: Facts, result: Result) -> Judgement:
    """Low total calcium, corrected for the albumin nearest to it if that is low."""
    indicator, evidence, conclusive = _compared(facts, result, result, "")
    if indicator is None and conclusive:
        return None, True  # the correction only raises it
    corrected, albumin, note = _corrected(facts, result)
    indicator, evidence, conclusive = _compared(facts, result, corrected, note)
    if indicator is None:
        return None, conclusive
    value = f"Calcium {corrected.reported}" + (" (corrected)" if albumin else "")
    return _calcium_cause(
        indicator,
        value,
        ""
        if albumin or corrected is not result
        else " No albumin within 7 days: this is the total value, not corrected.",
        (evidence, *((Evidence(albumin),) if albumin else ())),
        "calcium",
    )


def low_adjusted(facts: Facts, result: Result) -> Judgement:
    """Low calcium as the laboratory adjusted it for albumin."""
    indicator, evidence, conclusive = _compared(facts, result, result, "adjusted by the laboratory")
    if indicator is None:
        return None, conclusive
    value = f"Adjusted calcium {result.reported}"
    return _calcium_cause(indicator, value, "", (evidence,), "calcium")


def low_ionised(facts: Facts, result: Result) -> Judgement:
    """Low ionised calcium, which needs no correction."""
    indicator, evidence, conclusive = _compared(facts, result, result, "")
    if indicator is None:
        return None, conclusive
    value = f"Ionised calcium {result.reported}"
    return _calcium_cause(indicator, value, "", (evidence,), "calcium_ionized")


def _calcium_cause(
    indicator: Indicator, value: str, remark: str, evidence: tuple[Evidence, ...], key: str
) -> Judgement:
    urgent = "Assess today, with an ECG. " if indicator is Indicator.CRITICAL else ""
    return (
        Cause(
            indicator=indicator,
            value=value,
            words=f"{value} low",
            action="assess today, ECG" if urgent else "a cause of cramps; correct it",
            advice=f"{urgent}{value} is a cause of cramps: correct it together with the magnesium; "
            f"low calcium prolongs QT.{remark}",
            evidence=evidence,
            tests=(
                OrderTest(key, "repeat the low calcium"),
                OrderTest("magnesium", "low magnesium keeps calcium low"),
                *((OrderTest("ecg", "low calcium prolongs QT"),) if urgent else ()),
            ),
        ),
        True,
    )


def _corrected(facts: Facts, calcium: Result) -> tuple[Result, Result | None, str]:
    """Total calcium corrected for the nearest albumin within 7 days, that albumin, and a note."""
    albumin = _albumin_of(facts, calcium)
    if albumin is None or not calcium.value.exact or calcium.value.low is None:
        return calcium, None, "not corrected: no albumin within 7 days"
    measured = albumin.canonical_value()
    assert measured is not None  # only exact results are considered
    shortfall = Fraction(facts.limits.value("albumin.corrects")) - measured
    if shortfall <= 0:
        return calcium, albumin, ""
    exact = calcium.unit.to_canonical(calcium.value.low) + shortfall * _PER_GRAM
    unit = calcium.unit
    value = rounded((exact - unit.offset) / unit.factor, max(calcium.decimals, 1))
    corrected = structs.replace(
        calcium, value=Interval(value, value), decimals=max(calcium.decimals, 1)
    )
    return corrected, albumin, f"corrected for albumin: {corrected.reported}"


def _albumin_of(facts: Facts, calcium: Result) -> Result | None:
    candidates = [
        albumin
        for albumin in facts.series.get("albumin", NO_RESULTS).finals(
            since=calcium.when - timedelta(days=_ALBUMIN_DAYS + 2)
        )
        if abs((albumin.day - calcium.day).days) <= _ALBUMIN_DAYS and albumin.value.exact
    ]
    if not candidates:
        return None

    def distance(albumin: Result) -> tuple[timedelta, Fraction]:
        # Of two equally near, the higher counts: it corrects less, and so hides no low calcium.
        return abs(albumin.when - calcium.when), -(albumin.canonical_value() or Fraction(0))

    return min(candidates, key=distance)
