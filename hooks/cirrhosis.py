"""Cirrhosis: when to stop a diuretic, what to correct first, and whether to consider baclofen."""

from __future__ import annotations

import re

from cds_service.core.facts import Result
from cds_service.core.immutable import immutable
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import Evidence
from hooks import cramps, levels
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import renal
from hooks.windows import ACT
from hooks.wording import day, drugs, named

DIURETICS = ("diuretic_loop", "diuretic_thiazide", "diuretic_potassium_sparing")
CHECKED_FIRST = ("potassium", "magnesium", "sodium", "creatinine")
SEDATING = ("sedative", "opioid", "gabapentinoid")
_OVER = re.compile(r"\b(history of|hx of|h/o|previous|prior|past|resolved)\b")


@immutable
class Stopping:
    """Reasons to stop diuretics in a patient with cirrhosis, for a summary and as advice."""

    any: bool
    summary: str
    advice: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def stopping(facts: Facts, diuretics: tuple[Medication, ...]) -> Stopping:
    """The reasons to discontinue diuretics that are on record; none without a diuretic."""
    if not diuretics:
        return Stopping(False, "", (), ())
    reasons: list[str] = []
    evidence: list[Evidence] = []
    limit = facts.limits["sodium.diuretic"]
    sodium = _lower(facts, "sodium")
    if sodium is not None and sodium.below(limit.value) is True:
        early = " (preliminary)" if sodium.preliminary else ""
        reasons.append(f"sodium {_number(sodium)}{early}")
        evidence.append(Evidence(sodium, limit, note="preliminary" if early else ""))
    if acute := facts.hazards("aki"):
        reasons.append("acute kidney injury")
        evidence.extend(Evidence(one) for one in acute)
    elif risen := renal(facts).acute:
        reasons.append(risen.words)
        evidence += [Evidence(risen.newest), Evidence(risen.before, note="before")]
    if severe := cramps.severe(facts):
        reasons.append(f"{severe} cramps")
    potassium_stops = _by_potassium(facts, diuretics)
    evidence.extend(line for _, _, line in potassium_stops)
    confused = tuple(
        one for one in facts.hazards("hepatic_encephalopathy") if not _OVER.search(one.words)
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
            for value, stopped, _ in potassium_stops
        )
    if confused:
        advice.append(
            f"{named(confused)}: discontinue the diuretics if it is worsening (the record "
            "cannot tell)."
        )
    return Stopping(
        any=bool(reasons or potassium_stops or confused),
        summary=_summary(reasons, potassium_stops, bool(confused), diuretics),
        advice=tuple(advice),
        evidence=tuple(evidence),
    )


_Stop = tuple[str, tuple[Medication, ...], Evidence]


def _summary(
    reasons: list[str],
    by_potassium: list[_Stop],
    confused: bool,
    diuretics: tuple[Medication, ...],
) -> str:
    if reasons:
        return f"Cirrhosis, {', '.join(reasons)}: discontinue diuretics ({drugs(diuretics)})"
    if by_potassium:
        value, stopped, _ = by_potassium[0]
        return f"Cirrhosis, potassium {value}: discontinue {drugs(stopped)}"
    if confused:
        return "Cirrhosis, hepatic encephalopathy: stop the diuretic if this is worsening"
    return ""


def _by_potassium(facts: Facts, diuretics: tuple[Medication, ...]) -> list[_Stop]:
    found: list[_Stop] = []
    urgent, critical = facts.limits["potassium.urgent"], facts.limits["potassium.critical"]
    loop = tuple(one for one in diuretics if "diuretic_loop" in one.classes)
    low = _lower(facts, "potassium")
    if loop and low is not None and low.below(urgent.value) is True:
        found.append((_said(low), loop, Evidence(low, urgent)))
    sparing = tuple(one for one in diuretics if "diuretic_potassium_sparing" in one.classes)
    high = _extreme(facts, "potassium", Worse.HIGH)
    if sparing and high is not None and high.above(critical.value) is True:
        found.append((_said(high), sparing, Evidence(high, critical)))
    return found


def _lower(facts: Facts, analyte: str) -> Result | None:
    return _extreme(facts, analyte, Worse.LOW)


def _extreme(facts: Facts, analyte: str, worse: Worse) -> Result | None:
    """The newest result of the last 30 days; the worse of a final and a newer preliminary one."""
    newest = facts.newest(analyte, worse)
    both = [one for one in (newest.result, newest.tentative) if one and facts.within(one, ACT)]
    if len(both) < 2:
        return both[0] if both else None
    pick = min if worse is Worse.LOW else max
    return pick(both, key=Result.canonical_middle)


def _number(result: Result) -> str:
    return result.reported.split(" ")[0]


def _said(result: Result) -> str:
    return _number(result) + (" (preliminary)" if result.preliminary else "")


@immutable
class Electrolytes:
    """Potassium and magnesium: what is low, what is not known and what is normal."""

    pressing: bool
    summary: str
    advice: str
    evidence: tuple[Evidence, ...]
    early: frozenset[str]


def electrolytes(facts: Facts) -> Electrolytes:
    """What to correct or check first; normal values are given with their date."""
    low: list[levels.Level] = []
    high: list[levels.Level] = []
    unknown: list[str] = []
    rest: list[str] = []
    evidence: list[Evidence] = []
    for analyte in ("potassium", "magnesium"):
        level = levels.low(facts, analyte)
        above = _above(facts, analyte)
        if level.beyond is True:
            low.append(level)
            evidence.append(level.evidence())
        elif level.result is None or level.stale or level.unusable or level.beyond is None:
            unknown.append(analyte)
        elif above.beyond is True and above.result is not None:
            high.append(above)
            rest.append(f"{analyte} {above.result.reported} is high ({day(above.result)})")
            evidence.append(above.evidence())
        else:
            rest.append(f"{analyte} {level.result.reported} was normal on {day(level.result)}")
            evidence.append(level.evidence())
    function = renal(facts)
    kidney = f", with care ({function.phrase()})" if function.severe else ""
    sentences = []
    now = [level for level in low if not level.repeat_only]
    again = [level for level in low if level.repeat_only]
    if now:
        sentences.append(f"Correct first{kidney}: {', '.join(map(_value, now))}.")
    if again:
        sentences.append(f"Repeat first: {', '.join(map(_value, again))}.")
    if unknown:
        sentences.append(
            f"Check first: {' and '.join(unknown)} (not known for 30 days: no reliable result)."
        )
    sentences.extend(f"{line[0].upper()}{line[1:]}." for line in rest)
    return Electrolytes(
        pressing=any(not level.stale for level in low),
        summary=_first(low, high, unknown),
        advice=" ".join(sentences),
        evidence=tuple(evidence),
        early=frozenset(level.analyte.key for level in low if level.preliminary),
    )


def _above(facts: Facts, analyte: str) -> levels.Level:
    """The level against the end of normal: for potassium 5.0 mmol/L, whichever the laboratory."""
    if analyte == "potassium":
        return levels.at_least(facts, "potassium", "potassium.caution")
    return levels.high(facts, analyte)


def _numbers(found: list[levels.Level]) -> str:
    return " and ".join(
        f"{level.analyte.name.lower()} {_number(level.result)}"
        for level in found
        if level.result is not None
    )


def _first(low: list[levels.Level], high: list[levels.Level], unknown: list[str]) -> str:
    fresh = [level for level in low if not level.stale]
    if fresh:
        return f"correct low {_numbers(fresh)} first"
    if high:
        return f"{_numbers(high)} is high"
    open_ = [*(level.analyte.name.lower() for level in low), *unknown]
    if open_:
        return f"check {' and '.join(dict.fromkeys(open_))} first"
    return "potassium and magnesium not low; see the next steps"


def _value(level: levels.Level) -> str:
    assert level.result is not None  # low, so there is one
    value = f"{level.analyte.name.lower()} {level.result.reported}"
    if level.preliminary:
        return f"{value} (preliminary)"
    return f"{value} (from {day(level.result)})" if level.stale else value


def baclofen(facts: Facts) -> str:
    """Whether baclofen is an option, or why it is not."""
    taken = facts.taking("baclofen", hazard=True)
    stop = " The patient takes it: review it, but never stop it abruptly." if taken else ""
    against = against_baclofen(facts)
    if against:
        return f"Baclofen is not advised: {against}.{stop}"
    unknown = unknown_for_baclofen(facts)
    if unknown:
        return f"Baclofen is not named as an option: {unknown}.{stop}"
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    falls = " At 65 or older, sedation and falls are more likely." if older else ""
    return (
        "An option for the clinician to weigh: baclofen 10 mg/day, weekly steps of 10 mg to "
        f"30 mg/day; watch for sedation and encephalopathy.{falls}"
    )


def against_baclofen(facts: Facts) -> str:
    """What is known to make baclofen inadvisable in this patient with cirrhosis, or empty."""
    function = renal(facts)
    if past := facts.ever("hepatic_encephalopathy"):
        return named(past)
    if function.severe or function.moderate:
        return function.phrase()
    sodium = _lower(facts, "sodium")
    if sodium is not None and sodium.below(facts.limits.value("sodium.diuretic")) is not False:
        return f"sodium {sodium.reported}"
    if facts.hazards("pregnancy"):
        return "pregnancy"
    if sedating := (*facts.taking(*SEDATING, hazard=True), *facts.drafted(*SEDATING)):
        return f"together with {named(sedating)}"
    return ""


def unknown_for_baclofen(facts: Facts) -> str:
    """What is not known and must be before baclofen is an option; empty if everything is."""
    if conditions_unread(facts):
        return "the problem list could not be read"
    if medications_unread(facts):
        return "medications could not be read"
    if not renal(facts).fresh_normal:
        return "renal function is not known to be normal within 90 days"
    sodium = facts.newest("sodium", Worse.LOW)
    if sodium.unusable or not facts.within(sodium.result, ACT):
        return "sodium is not known for 30 days (no reliable result)"
    return ""
