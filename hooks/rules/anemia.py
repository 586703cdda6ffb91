"""Anaemia in the blood count.

Recommendation: a complete blood count looks for anaemia, which may contribute to symptoms
(article, "Laboratory evaluation").

When: the newest haemoglobin of the last 12 months is below 13 g/dL in men, 12 in women and if
the sex is unknown, or 11 in pregnancy (the second trimester, for which WHO gives 10.5, is seldom
on record). A result of the last 30 days is a warning below 8 g/dL and critical below 7; also a
warning on quinine with platelets below 100 or a fall of 2 g/dL or more within 90 days. An older
result is info: repeat first.
Then: the value; if severe, urgent assessment for bleeding and haemolysis, and nothing about
cramps; else offers ferritin and transferrin saturation if none is recent; gives the platelets if
the patient takes quinine.
Does not cover: the cause of anaemia, children.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from msgspec import Struct

from cds_service.core.facts import Condition, Kind, Result
from cds_service.core.patient import Facts
from cds_service.core.series import NO_RESULTS, Worse
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Suggestion,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks.levels import newer_unusable
from hooks.windows import IRON, PLATELETS, RECENT, YEAR
from hooks.wording import FOR_TESTS, headline, short_day

_FALL_DAYS = 90  # days
_FALSELY_LOWERING = {"clotted", "contaminated"}  # remarks that could explain a low haemoglobin


@rule(
    id="anemia",
    title="Anaemia in the blood count",
    version="2.1.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["who-anaemia", "article", "general-knowledge"],
    limits=[
        "hemoglobin.men",
        "hemoglobin.women",
        "hemoglobin.pregnant",
        "hemoglobin.severe",
        "hemoglobin.critical",
        "fall.hemoglobin",
        "platelets.low",
    ],
    offers=["cbc", "ferritin", "transferrin_saturation"],
    overrides=FOR_TESTS,
    needs=[
        results("hemoglobin", YEAR),
        results("ferritin", IRON).optional(),
        results("transferrin_saturation", IRON).optional(),
        results("platelets", YEAR).optional(),
        conditions("pregnancy").optional(),
        medications("quinine").optional(),
        orders("hemoglobin", "platelets", "ferritin", "transferrin_saturation"),
        demographics().optional(),
    ],
)
def anemia(facts: Facts) -> Answer:
    """Haemoglobin below the limit for sex and pregnancy."""
    newest = facts.newest("hemoglobin", Worse.LOW)
    limit = facts.limits[_limit_key(facts)]
    result = newest.result if facts.within(newest.result, YEAR) else None
    tentative = newest.tentative if facts.within(newest.tentative, YEAR) else None
    if (
        tentative is not None
        and tentative.below(limit.value) is True
        and _tentative_counts(facts, tentative, result)
    ):
        result = tentative
    if result is None:
        unusable = newer_unusable(newest.unusable, "haemoglobin")
        return CannotTell(unusable or ("no haemoglobin in the last 12 months",), newest.unusable)
    low = result.below(limit.value)
    if low is None:
        return CannotTell((f"haemoglobin {result.reported} does not say whether it is low",))
    if not low:
        if newest.unusable:
            return CannotTell(newer_unusable(newest.unusable, "haemoglobin"), newest.unusable)
        return NotFired("haemoglobin is not below its limit", (Evidence(result, limit),))
    severity = _severity(facts, result)
    return Finding(
        indicator=severity.indicator,
        summary=headline(_summary(facts, result, severity)),
        advice=_advice(facts, result, severity),
        evidence=(
            Evidence(result, facts.limits[severity.limit or _limit_key(facts)], note=severity.note),
            *(Evidence(condition) for condition in _pregnancy(facts)),
            *(Evidence(medication) for medication in facts.taking("quinine", hazard=True)),
            *_platelets_on_quinine(facts),
            *((Evidence(severity.before, note="before the fall"),) if severity.before else ()),
        ),
        missing=(
            *newer_unusable(newest.unusable_except(result), "haemoglobin"),
            *_unchecked(facts),
        ),
        strength="WHO 2024 for the limits and for severe anaemia (in pregnancy below 7 g/dL); "
        "the critical limit and the effect of quinine are general knowledge.",
        suggestions=_suggestions(facts, result, severity),
        overrides=FOR_TESTS,
    )


class _Severity(Struct, frozen=True):
    """How severe and how recent the anaemia is; ``limit``: the key of the severe limit passed."""

    indicator: Indicator
    limit: str
    stale: bool
    note: str
    on_quinine: str  # what quinine may have caused, in words
    before: Result | None  # the haemoglobin from which it fell


def _tentative_counts(facts: Facts, tentative: Result, final: Result | None) -> bool:
    """Whether a preliminary low value counts: it must not hide a lower final value."""
    if final is None or final.below(facts.limits.value(_limit_key(facts))) is not True:
        return True
    fresher = facts.within(tentative, RECENT) and not facts.within(final, RECENT)
    return fresher or tentative.canonical_middle() < final.canonical_middle()


def _severity(facts: Facts, result: Result) -> _Severity:
    remarks = []
    if result.preliminary:
        remarks.append("preliminary")
    lowering_remarks = _FALSELY_LOWERING & set(result.remarks)
    remarks.extend(sorted(lowering_remarks))
    stale = not facts.within(result, RECENT)
    if stale:
        return _Severity(
            Indicator.INFO, "", True, ", ".join((*remarks, "older than 30 days")), "", None
        )
    severe, critical = "hemoglobin.severe", "hemoglobin.critical"
    note = ", ".join(remarks)
    if result.below(facts.limits.value(critical)) is True:
        indicator = Indicator.WARNING if lowering_remarks else Indicator.CRITICAL
        return _Severity(indicator, critical, False, note, "", None)
    if result.below(facts.limits.value(severe)) is True:
        return _Severity(Indicator.WARNING, severe, False, note, "", None)
    harm, before = _harm_by_quinine(facts, result)
    return _Severity(Indicator.WARNING if harm else Indicator.INFO, "", False, note, harm, before)


def _harm_by_quinine(facts: Facts, result: Result) -> tuple[str, Result | None]:
    """What quinine may have caused, in words, and the haemoglobin before a fall."""
    if not facts.taking("quinine", hazard=True):
        return "", None
    platelets = facts.newest("platelets", Worse.LOW)
    for count in (platelets.result, platelets.tentative):
        if count is None or not facts.within(count, PLATELETS):
            continue
        if _FALSELY_LOWERING & set(count.remarks):
            continue  # clotting or contamination lowers the count
        if count.below(facts.limits.value("platelets.low")) is True:
            return f"platelets {count.reported}", None
    before = _before_the_fall(facts, result)
    if before is None:
        return "", None
    return f"fallen from {before.reported} ({before.day.isoformat()})", before


def _before_the_fall(facts: Facts, result: Result) -> Result | None:
    fall = Fraction(facts.limits.value("fall.hemoglobin"))
    earlier = []
    since = result.when - timedelta(days=_FALL_DAYS + 2)  # exact days are counted below
    for haemoglobin in facts.series.get("hemoglobin", NO_RESULTS).finals(since):
        days = (result.day - haemoglobin.day).days
        if days > _FALL_DAYS:
            break
        if days >= 0 and haemoglobin.when <= result.when and haemoglobin is not result:
            earlier.append(haemoglobin)
    highest = max(earlier, key=Result.canonical_middle, default=None)
    if highest is None or highest.canonical_middle() - result.canonical_middle() < fall:
        return None
    return highest


def _limit_key(facts: Facts) -> str:
    if facts.patient.sex == "male":
        return "hemoglobin.men"
    # Only a documented pregnancy: a suspected one must not clear a value that is low in women.
    return "hemoglobin.pregnant" if facts.conditions("pregnancy") else "hemoglobin.women"


def _summary(facts: Facts, result: Result, severity: _Severity) -> str:
    value = f"Haemoglobin {result.reported}"
    when = short_day(result.day, facts.today)
    status = " (preliminary)" if result.preliminary else ""
    if severity.stale:
        return f"{value} on {when}{status}: anaemia then; repeat first"
    if severity.limit:
        return f"{value} on {when}{status}: assess urgently; bleeding or haemolysis?"
    if severity.on_quinine:
        return f"{value}{status} on quinine, {severity.on_quinine}: haemolysis or bleeding?"
    return f"{value} on {when}{status}: anaemia; look for the cause"


def _advice(facts: Facts, result: Result, severity: _Severity) -> tuple[str, ...]:
    lines = []
    if result.preliminary or _FALSELY_LOWERING & set(result.remarks):
        what = "preliminary" if result.preliminary else f"from a sample reported {severity.note}"
        lines.append(f"The result is {what}: repeat it now, before acting on it.")
    if severity.stale:
        return (f"The count is from {result.day.isoformat()}: repeat it before acting on it.",)
    if severity.limit:
        return (
            *lines,
            "Severe anaemia: assess urgently for bleeding and haemolysis; check pulse and blood "
            "pressure, ask about chest pain and breathlessness; repeat the count, group and save.",
            *_quinine_advice(facts),
        )
    if severity.on_quinine:
        return (
            *lines,
            f"Haemoglobin {result.reported}, {severity.on_quinine}, in a patient who takes "
            "quinine. Stop quinine and look today for haemolysis, microangiopathy and bleeding "
            "(blood film, LDH, bilirubin, creatinine).",
        )
    if result.preliminary:
        return tuple(lines)
    return (
        *lines,
        "Anaemia may contribute to leg symptoms: look for the cause; iron deficiency is the "
        "commonest.",
        *_quinine_advice(facts),
    )


def _quinine_advice(facts: Facts) -> tuple[str, ...]:
    if not facts.taking("quinine", hazard=True):
        return ()
    return (
        "The patient takes quinine, which can lower platelets and destroy red cells: check the "
        "platelets in the same count.",
    )


def _platelets_on_quinine(facts: Facts) -> tuple[Evidence, ...]:
    if not facts.taking("quinine", hazard=True):
        return ()
    newest = facts.newest("platelets", Worse.LOW)
    platelets = newest.result or newest.tentative
    if platelets is None or not facts.within(platelets, YEAR):
        return ()
    return (
        Evidence(platelets, note=", ".join(sorted(_FALSELY_LOWERING & set(platelets.remarks)))),
    )


def _pregnancy(facts: Facts) -> tuple[Condition, ...]:
    return () if facts.patient.sex == "male" else facts.conditions("pregnancy")


def _unchecked(facts: Facts) -> tuple[str, ...]:
    lines = []
    if not facts.patient.sex:
        lines.append("sex: the limit for women was used")
    if facts.patient.sex != "male" and not facts.could_be_read(Kind.CONDITIONS):
        lines.append("pregnancy: the problem list could not be checked")
    if facts.taking("quinine", hazard=True) and not _platelets_on_quinine(facts):
        lines.append("platelets in the last 12 months, in a patient who takes quinine")
    return tuple(lines)


def _suggestions(facts: Facts, result: Result, severity: _Severity) -> tuple[Suggestion, ...]:
    repeat = OrderTest("cbc", "repeat the count", ("hemoglobin",))
    if result.preliminary:
        return (OrderTest("cbc", "repeat the preliminary result", ("hemoglobin",)),)
    if severity.stale:
        return (repeat,)
    offers: list[Suggestion] = [repeat] if severity.indicator is not Indicator.INFO else []
    for analyte in ("ferritin", "transferrin_saturation"):
        newest = facts.newest(analyte, Worse.LOW).result
        if newest is None or not facts.within(newest, IRON):
            offers.append(OrderTest(analyte, "iron deficiency is the commonest cause"))
    return tuple(offers)
