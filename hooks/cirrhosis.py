"""Cirrhosis: when to stop a diuretic, what to correct first, and whether to consider baclofen."""

from __future__ import annotations

import re

from msgspec import Struct

from cds_service.core.facts import Result
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import Evidence
from hooks import cramps, levels
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import renal_function
from hooks.windows import RECENT
from hooks.wording import day, drugs, named

DIURETICS = ("diuretic_loop", "diuretic_thiazide", "diuretic_potassium_sparing")
CHECKED_FIRST = ("potassium", "magnesium", "sodium", "creatinine")
SEDATING = ("sedative", "opioid", "gabapentinoid")
_RESOLVED = re.compile(r"\b(history of|hx of|h/o|previous|prior|past|resolved)\b")


class ReasonsToStop(Struct, frozen=True):
    """Reasons to stop diuretics in a patient with cirrhosis, for a summary and as advice."""

    present: bool
    summary: str
    advice: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def reasons_to_stop(facts: Facts, diuretics: tuple[Medication, ...]) -> ReasonsToStop:
    """The reasons to discontinue diuretics that are on record; none without a diuretic."""
    if not diuretics:
        return ReasonsToStop(False, "", (), ())
    reasons: list[str] = []
    evidence: list[Evidence] = []
    limit = facts.limits["sodium.diuretic"]
    sodium = _recent_lower(facts, "sodium")
    if sodium is not None and sodium.below(limit.value) is True:
        status = " (preliminary)" if sodium.preliminary else ""
        reasons.append(f"sodium {_number(sodium)}{status}")
        evidence.append(Evidence(sodium, limit, note="preliminary" if status else ""))
    if aki := facts.hazards("aki"):
        reasons.append("acute kidney injury")
        evidence.extend(Evidence(condition) for condition in aki)
    elif injury := renal_function(facts).injury:
        reasons.append(injury.words)
        evidence += [Evidence(injury.newest), Evidence(injury.baseline, note="before")]
    if severe := cramps.severe(facts):
        reasons.append(f"{severe} cramps")
    by_potassium = _potassium_reasons(facts, diuretics)
    evidence.extend(line for _, _, line in by_potassium)
    encephalopathy = tuple(
        condition
        for condition in facts.hazards("hepatic_encephalopathy")
        if not _RESOLVED.search(condition.words)
    )
    advice: list[str] = []
    if reasons:
        advice.append(
            f"Discontinue diuretics ({named(diuretics)}): {', '.join(reasons)}. Discuss with "
            "hepatology today."
        )
    else:
        advice.extend(
            f"Discontinue {named(stopped)}: potassium {value}."
            for value, stopped, _ in by_potassium
        )
    if encephalopathy:
        advice.append(
            f"{named(encephalopathy)}: discontinue the diuretics if it is worsening (the record "
            "cannot tell)."
        )
    return ReasonsToStop(
        present=bool(reasons or by_potassium or encephalopathy),
        summary=_summary(reasons, by_potassium, bool(encephalopathy), diuretics),
        advice=tuple(advice),
        evidence=tuple(evidence),
    )


_PotassiumReason = tuple[str, tuple[Medication, ...], Evidence]


def _summary(
    reasons: list[str],
    by_potassium: list[_PotassiumReason],
    encephalopathy: bool,
    diuretics: tuple[Medication, ...],
) -> str:
    if reasons:
        return f"Cirrhosis, {', '.join(reasons)}: discontinue diuretics ({drugs(diuretics)})"
    if by_potassium:
        value, stopped, _ = by_potassium[0]
        return f"Cirrhosis, potassium {value}: discontinue {drugs(stopped)}"
    if encephalopathy:
        return "Cirrhosis, hepatic encephalopathy: stop the diuretic if this is worsening"
    return ""


def _potassium_reasons(facts: Facts, diuretics: tuple[Medication, ...]) -> list[_PotassiumReason]:
    reasons: list[_PotassiumReason] = []
    urgent, critical = facts.limits["potassium.urgent"], facts.limits["potassium.critical"]
    loop = tuple(diuretic for diuretic in diuretics if "diuretic_loop" in diuretic.classes)
    low = _recent_lower(facts, "potassium")
    if loop and low is not None and low.below(urgent.value) is True:
        reasons.append((_number_with_status(low), loop, Evidence(low, urgent)))
    sparing = tuple(
        diuretic for diuretic in diuretics if "diuretic_potassium_sparing" in diuretic.classes
    )
    high = _recent_worse(facts, "potassium", Worse.HIGH)
    if sparing and high is not None and high.above(critical.value) is True:
        reasons.append((_number_with_status(high), sparing, Evidence(high, critical)))
    return reasons


def _recent_lower(facts: Facts, analyte: str) -> Result | None:
    """The newest result of the last 30 days; the lower of a final and a newer preliminary one."""
    return _recent_worse(facts, analyte, Worse.LOW)


def _recent_worse(facts: Facts, analyte: str, worse: Worse) -> Result | None:
    """The newest result of the last 30 days; the worse of a final and a newer preliminary one."""
    newest = facts.newest(analyte, worse)
    recent = [
        result
        for result in (newest.result, newest.tentative)
        if result and facts.within(result, RECENT)
    ]
    if len(recent) < 2:
        return recent[0] if recent else None
    pick = min if worse is Worse.LOW else max
    return pick(recent, key=Result.canonical_middle)


def _number(result: Result) -> str:
    return result.reported.split(" ")[0]


def _number_with_status(result: Result) -> str:
    return _number(result) + (" (preliminary)" if result.preliminary else "")


class Electrolytes(Struct, frozen=True):
    """Potassium and magnesium: what is low, what is not known and what is normal.

    ``preliminary`` are the analytes whose low result is not final.
    """

    recently_low: bool
    summary: str
    advice: str
    evidence: tuple[Evidence, ...]
    preliminary: frozenset[str]


def electrolytes(facts: Facts) -> Electrolytes:
    """What to correct or check first; normal values are given with their date."""
    low: list[levels.Level] = []
    high: list[levels.Level] = []
    unknown: list[str] = []
    not_low: list[str] = []
    evidence: list[Evidence] = []
    for analyte in ("potassium", "magnesium"):
        level = levels.low(facts, analyte)
        upper = _against_upper_limit(facts, analyte)
        if level.beyond is True:
            low.append(level)
            evidence.append(level.evidence())
        elif level.result is None or level.stale or level.unusable or level.beyond is None:
            unknown.append(analyte)
        elif upper.beyond is True and upper.result is not None:
            high.append(upper)
            not_low.append(f"{analyte} {upper.result.reported} is high ({day(upper.result)})")
            evidence.append(upper.evidence())
        else:
            not_low.append(f"{analyte} {level.result.reported} was normal on {day(level.result)}")
            evidence.append(level.evidence())
    renal = renal_function(facts)
    care = f", with care ({renal.phrase()})" if renal.severe else ""
    sentences = []
    to_correct = [level for level in low if not level.repeat_only]
    to_repeat = [level for level in low if level.repeat_only]
    if to_correct:
        sentences.append(f"Correct first{care}: {', '.join(map(_value_with_status, to_correct))}.")
    if to_repeat:
        sentences.append(f"Repeat first: {', '.join(map(_value_with_status, to_repeat))}.")
    if unknown:
        sentences.append(
            f"Check first: {' and '.join(unknown)} (no reliable result in the last 30 days)."
        )
    sentences.extend(f"{line[0].upper()}{line[1:]}." for line in not_low)
    return Electrolytes(
        recently_low=any(not level.stale for level in low),
        summary=_correct_or_check(low, high, unknown),
        advice=" ".join(sentences),
        evidence=tuple(evidence),
        preliminary=frozenset(level.analyte.key for level in low if level.preliminary),
    )


def _against_upper_limit(facts: Facts, analyte: str) -> levels.Level:
    """The level against its upper limit; for potassium always 5.0 mmol/L, not the laboratory's."""
    if analyte == "potassium":
        return levels.at_least(facts, "potassium", "potassium.caution")
    return levels.high(facts, analyte)


def _numbers(found: list[levels.Level]) -> str:
    return " and ".join(
        f"{level.analyte.name.lower()} {_number(level.result)}"
        for level in found
        if level.result is not None
    )


def _correct_or_check(low: list[levels.Level], high: list[levels.Level], unknown: list[str]) -> str:
    fresh = [level for level in low if not level.stale]
    if fresh:
        return f"correct low {_numbers(fresh)} first"
    if high:
        return f"{_numbers(high)} is high"
    to_check = [*(level.analyte.name.lower() for level in low), *unknown]
    if to_check:
        return f"check {' and '.join(dict.fromkeys(to_check))} first"
    return "potassium and magnesium not low; see the next steps"


def _value_with_status(level: levels.Level) -> str:
    assert level.result is not None  # low, so there is one
    value = f"{level.analyte.name.lower()} {level.result.reported}"
    if level.preliminary:
        return f"{value} (preliminary)"
    return f"{value} (from {day(level.result)})" if level.stale else value


def baclofen_advice(facts: Facts) -> str:
    """Whether baclofen is an option, or why it is not."""
    taken = facts.taking("baclofen", hazard=True)
    review = " The patient takes it: review it, but never stop it abruptly." if taken else ""
    contraindication = contraindication_to_baclofen(facts)
    if contraindication:
        return f"Baclofen is not advised: {contraindication}.{review}"
    unknown = unknown_before_baclofen(facts)
    if unknown:
        return f"Baclofen is not suggested: {unknown}.{review}"
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    falls = " At 65 or older, sedation and falls are more likely." if older else ""
    return (
        "An option for the clinician to weigh: baclofen 10 mg/day, weekly steps of 10 mg to "
        f"30 mg/day; watch for sedation and encephalopathy.{falls}"
    )


def contraindication_to_baclofen(facts: Facts) -> str:
    """Why baclofen is not advisable in this patient with cirrhosis; empty if no reason is known."""
    renal = renal_function(facts)
    if encephalopathy := facts.ever("hepatic_encephalopathy"):
        return named(encephalopathy)
    if renal.severe or renal.moderate:
        return renal.phrase()
    sodium = _recent_lower(facts, "sodium")
    if sodium is not None and sodium.below(facts.limits.value("sodium.diuretic")) is not False:
        return f"sodium {sodium.reported}"
    if facts.hazards("pregnancy"):
        return "pregnancy"
    if sedating := (*facts.taking(*SEDATING, hazard=True), *facts.drafted(*SEDATING)):
        return f"together with {named(sedating)}"
    return ""


def unknown_before_baclofen(facts: Facts) -> str:
    """What must be known before baclofen is an option, and is not; empty if all of it is known."""
    if conditions_unread(facts):
        return "the problem list could not be read"
    if medications_unread(facts):
        return "medications could not be read"
    if not renal_function(facts).fresh_normal:
        return "renal function is not known to be normal within 90 days"
    sodium = facts.newest("sodium", Worse.LOW)
    if sodium.unusable or not facts.within(sodium.result, RECENT):
        return "no reliable sodium result in the last 30 days"
    return ""
