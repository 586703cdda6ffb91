"""Data that arrived, or should have, and could not be used.

Recommendation: none in the source; a judgement of this project. Silence looks like an
all-clear on the clinician's screen, so a card says what could not be checked.

When (chart opened): the newest potassium, magnesium, sodium, creatinine, eGFR or haemoglobin of
the last 30 days could not be used (a result dated in the future counts; an undated one counts if
none of these days is usable, or if its value or flag is critical), or is given with a comparator
that leaves a rule open; or conditions, medications or laboratory results did not arrive complete
or could not be read; or a rule that does not need cramps sees its trigger and cannot tell; or
cramps are documented and anything relevant could not be used or fetched.
When (order selected): a rule that judges the class of a selected order cannot use what it needs,
or the selected order could not be read.
A record of another patient is always reported, and so is a rule that failed through a fault of
its own.
Then: each thing that could not be checked, why, and the resource; and the rules that could not
be asked because a whole kind of data is missing. A warning if the laboratory flagged a result as
critical or its value is, else info.
Does not cover: orders that no rule judges; optional prefetch keys that were simply not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cds_service.core.facts import Kind, Problem, Result, Source, State
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from cds_service.core.times import Window
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Finding,
    Indicator,
    Need,
    NotFired,
    Outcome,
    Rule,
    Tier,
    allergies,
    conditions,
    demographics,
    medications,
    orders,
    results,
    reviewing,
    rule,
)
from cds_service.engine.run import FAILED, judges, may_fire
from hooks.cramps import documented
from hooks.knowledge.files import analytes
from hooks.windows import ACT, YEAR
from hooks.wording import DONE, NO_SERVICE, NOT_APPLICABLE, fitting, headline, short_day

WATCHED = ("potassium", "magnesium", "sodium", "creatinine", "egfr", "hemoglobin")
"""Analytes whose newest result is never ignored silently."""
# Limits beyond which a value is critical.
_BELOW = {
    "potassium": "potassium.severe",
    "magnesium": "magnesium.severe",
    "sodium": "sodium.critical",
    "hemoglobin": "hemoglobin.critical",
}
_AT_LEAST = {"potassium": "potassium.critical"}
_WHY = {
    "undated": "no date",
    "future": "dated in the future",
    "no-unit": "no unit",
    "unknown-unit": "unknown unit",
    "ambiguous-unit": "unclear unit",
    "contradicting-range": "unit and range disagree",
    "implausible": "implausible value",
    "no-value": "no value",
    "not-a-number": "not a number",
    "comparator": "unclear comparator",
    "no-status": "status missing or unknown",
    "unknown-name": "unclear name",
    "other-quantity": "another quantity",
    "report": "only in a report",
    "specimen": "another specimen",
}
ESSENTIAL = (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS)
# An unreadable entry of these may be anything: a potassium result, or a drug.
_NEVER_SILENT = (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS)
_DRAFTS = "draft orders"
_MOST = 12  # lines in the detail
_NAMED = 3  # names in the summary
_WORDS = {
    Kind.RESULTS: "laboratory results",
    Kind.CONDITIONS: "conditions",
    Kind.MEDICATIONS: "medications",
    Kind.PATIENT: "age and sex",
}


def _review_chart(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say when a chart is opened what could not be checked."""
    awake = [one for one in outcomes if may_fire(one.rule, facts)]
    sought = _sought(tuple([one.rule for one in awake]))
    always = [one for one in awake if one.rule.tier is Tier.ALWAYS]
    triggered = [one for one in always if _cannot_tell(one) or _left_open(one, facts)]
    problems = [one for one in facts.record.problems if _matters(one, facts)]
    watched = _watched(facts, WATCHED)
    lines = {
        **{_line(problem): _name(problem.about) for problem in watched},
        **_not_obtained(facts, sought),
        **_unusable(facts, sought, outcomes),
        **_problems(problems),
        **_undecided(facts, triggered),
        **(failed := _failed(outcomes)),
    }
    if not lines:
        return NotFired("everything that arrived could be used")
    about_lists = any(_about_a_list(problem, facts) for problem in problems)
    if not (
        watched
        or documented(facts)
        or not facts.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)
        or not facts.availability(Kind.RESULTS).whole
        or facts.availability(Kind.PATIENT).state is State.UNAVAILABLE
        or about_lists
        or triggered
        or failed
        or _of_others(facts.record.problems)
    ):
        return NotFired("what could not be used does not matter without documented cramps")
    return _finding(lines, watched, facts, _not_asked(facts, always))


def _review_order(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say beside a selected order what its rules could not check."""
    judging = [one for one in outcomes if may_fire(one.rule, facts) and judges(one.rule, facts)]
    awake = tuple([outcome.rule for outcome in judging])
    sought = _sought(awake)
    refused = [
        problem
        for problem in _of_others(facts.record.problems)
        if awake or problem.source.origin.startswith("context")
    ]
    failed = _failed(outcomes)
    unread = _unread_drafts(facts)
    if not awake and not refused and not failed and not unread:
        return NotFired("no selected order is of a kind that a rule judges")
    about = {kind.value for kind in sought.kinds} | sought.windows.keys()
    watched = _watched(facts, [key for key in WATCHED if key in sought.windows])
    lines = {
        **_problems(unread),
        **{_line(problem): _name(problem.about) for problem in watched},
        **_not_obtained(facts, sought),
        **_unusable(facts, sought, outcomes),
        **_problems(p for p in facts.record.problems if p.about in about or p in refused),
        **_undecided(facts, filter(_cannot_tell, judging)),
        **failed,
    }
    if not lines:
        return NotFired("everything these orders need could be used")
    return _finding(lines, watched, facts, _not_asked(facts, judging))


def _watched(facts: Facts, keys: Iterable[str]) -> list[Problem]:
    """The newest results of some analytes in the last 30 days that could not be used.

    One with a date in the future counts. One without a date counts if none of these days can
    be used, or if it is critical. The worst come first.
    """
    found: list[Problem] = []
    for key in keys:
        newest = facts.newest(key, Worse.LOW)
        fresh = facts.within(newest.result, ACT)
        for problem in (
            *newest.unusable,
            *(one for one in facts.record.problems if one.about == key),
        ):
            if problem.about not in keys or problem in found or problem.kind == "sample":
                continue  # a remark on a sample is for the rules to weigh
            if problem.when is None:
                counts = not fresh or _critical(problem, facts)
            elif newest.result is not None and (
                problem.when < newest.result.when
                or (problem.kind == "other-quantity" and problem.when == newest.result.when)
            ):
                counts = False
            else:
                counts = facts.on_day(problem.when) >= ACT.start(facts.today)
            if counts:
                found.append(problem)
    return sorted(found, key=lambda problem: not _critical(problem, facts))


def _matters(problem: Problem, facts: Facts) -> bool:
    """Whether a problem is of the last 12 months and no newer result of its kind is usable."""
    if problem.when is None:
        return True
    if facts.on_day(problem.when) < YEAR.start(facts.today):
        return False
    usable = facts.series.get(problem.about)
    result = None if usable is None else facts.newest(problem.about, Worse.LOW).result
    return result is None or problem.when >= result.when


def _about_a_list(problem: Problem, facts: Facts) -> bool:
    """Whether it may be anything of a list; a laboratory's report only while it is fresh."""
    if problem.about not in _NEVER_SILENT:
        return False
    if problem.kind != "report" or problem.when is None:
        return True
    return facts.on_day(problem.when) >= ACT.start(facts.today)


def _critical(problem: Problem, facts: Facts) -> bool:
    """Whether its laboratory flagged it as critical, or its value is."""
    if problem.critical:
        return True
    value = problem.value
    if value is None:
        return False
    low, high = _BELOW.get(problem.about), _AT_LEAST.get(problem.about)
    return (low is not None and value.below(facts.limits.value(low)) is True) or (
        high is not None and value.at_least(facts.limits.value(high)) is True
    )


def _unread_drafts(facts: Facts) -> list[Problem]:
    """Selected orders that could not be read: they may be anything."""
    picked = {one.source.reference for one in facts.drafts.selected_medications}
    return [
        problem
        for problem in facts.record.problems
        if problem.source.origin.startswith("context")
        and (problem.about == _DRAFTS or problem.source.reference in picked)
    ]


@dataclass(frozen=True, slots=True)
class _Sought:
    """What some rules look for: the kinds of data, and how far back each analyte is read.

    ``asked`` are the kinds that are obtained for them, in their usual order.
    """

    kinds: frozenset[Kind]
    asked: tuple[Kind, ...]
    windows: Mapping[str, frozenset[Window]]


@lru_cache(maxsize=256)
def _sought(rules: tuple[Rule, ...]) -> _Sought:
    needs = [need for one in rules for need in one.needs]
    kinds = {need.kind for need in needs}
    # Statements are a second list of medications, the encounter a second one of conditions.
    second = {Kind.STATEMENTS: Kind.MEDICATIONS, Kind.ENCOUNTER: Kind.CONDITIONS}
    windows: dict[str, set[Window]] = {}
    for need in needs:
        if need.analyte and need.within:
            windows.setdefault(need.analyte, set()).add(need.within)
    return _Sought(
        kinds=frozenset(kinds),
        asked=tuple(kind for kind in Kind if kind in kinds or second.get(kind) in kinds),
        windows={analyte: frozenset(windows[analyte]) for analyte in sorted(windows)},
    )


def _not_obtained(facts: Facts, sought: _Sought) -> dict[str, str]:
    lines = {}
    for kind in sought.asked:
        available = facts.availability(kind)
        if available.whole:
            continue
        if available.state is State.ABSENT and kind not in ESSENTIAL:
            continue  # optional by itself: a site may never send it
        name = _WORDS.get(kind, kind.value)
        reason = quoted(available.reason or available.state.value)
        part = "all " if available.state is State.PARTIAL else ""
        lines[f"Could not check {part}{name}: {reason}"] = name
    return lines


def _unusable(facts: Facts, sought: _Sought, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Results that could not be used and are recent enough for some rule to have read them.

    A result with a remark on its sample is left to the rule that used it.
    """
    lines = {}
    for key, windows in sought.windows.items():
        for problem in facts.newest(key, Worse.LOW).unusable:
            earliest = min(window.start(facts.today) for window in windows)
            if problem.kind == "sample" and _used(problem.source, outcomes):
                continue
            if problem.when is None or facts.on_day(problem.when) >= earliest:
                # An eGFR may rest on creatinine: the result is called by its own name.
                lines[_line(problem)] = _name(problem.about)
    return lines


def _used(source: Source, outcomes: Sequence[Outcome]) -> bool:
    """Whether a rule that could answer rests on the result from this source."""
    return any(
        isinstance(line.fact, Result) and line.fact.source == source
        for outcome in outcomes
        if not isinstance(outcome.answer, CannotTell)
        for line in outcome.answer.evidence
    )


def _cannot_tell(outcome: Outcome) -> bool:
    return isinstance(outcome.answer, CannotTell) and outcome.answer.trigger


def _left_open(outcome: Outcome, facts: Facts) -> bool:
    """Whether a rule cannot tell because the newest recent result has a comparator."""
    if not isinstance(outcome.answer, CannotTell):
        return False
    for need in outcome.rule.needs:
        if need.analyte in WATCHED and _open(facts, need):
            result = facts.newest(need.analyte, Worse.LOW).result
            assert result is not None  # it is open
            if facts.within(result, ACT) and any(
                result.reported in reason for reason in outcome.answer.because
            ):
                return True
    return False


def _not_asked(facts: Facts, outcomes: Iterable[Outcome]) -> str:
    """The rules that lack a whole kind of data that they need, in words."""
    titles = [
        one.rule.title
        for one in outcomes
        if isinstance(one.answer, CannotTell)
        and any(need.required and not facts.obtained(need.kind) for need in one.rule.needs)
    ]
    return f"Rules that could not be asked: {'; '.join(titles)}" if titles else ""


def _undecided(facts: Facts, outcomes: Iterable[Outcome]) -> dict[str, str]:
    """What rules could not decide: a result has a comparator ("<50"), or gives no eGFR.

    A result that was never measured is not one that could not be used.
    """
    lines = {}
    for outcome in outcomes:
        answer = outcome.answer
        assert isinstance(answer, CannotTell)  # the callers ask about no others
        if answer.unjudged:
            for reason in answer.because:
                lines[f"Could not check {answer.unjudged}: {reason}"] = answer.unjudged
        if any(_open(facts, need) for need in outcome.rule.needs):
            title = outcome.rule.title
            lines.update({f"Could not check {title}: {reason}": title for reason in answer.because})
    return lines


def _failed(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """The rules that failed themselves, so that nobody looked for what they look for."""
    lines = {}
    for outcome in outcomes:
        answer, title = outcome.answer, outcome.rule.title
        if isinstance(answer, CannotTell) and answer.failed:
            lines.update({f"Could not check {title}: {reason}": title for reason in answer.because})
    return lines


def _open(facts: Facts, need: Need) -> bool:
    if not need.analyte or need.within is None:
        return False
    result = facts.newest(need.analyte, Worse.LOW).result
    return result is not None and facts.within(result, need.within) and not result.value.exact


_KIND_WORDS = {kind.value: words for kind, words in _WORDS.items()}


def _problems(problems: Iterable[Problem]) -> dict[str, str]:
    return {_line(problem): _name(problem.about) for problem in problems}


def _name(about: str) -> str:
    """What a clinician calls an analyte or a kind of data."""
    known = analytes().get(about)
    return known.name if known else _KIND_WORDS.get(about, about)


def _line(problem: Problem) -> str:
    what = quoted(_name(problem.about))
    if problem.value is not None:
        what += f" {quoted(problem.value.reported)}"
    if problem.critical:
        what += ", flagged critical"
    return (
        f"Could not check {what}: {quoted(problem.reason)} ({quoted(problem.source.reference, 80)})"
    )


def _of_others(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.kind == "wrong-patient"]


def _finding(
    lines: dict[str, str],
    watched: Sequence[Problem] = (),
    facts: Facts | None = None,
    not_asked: str = "",
) -> Finding:
    shown = list(lines)[:_MOST]
    rest = (f"and {len(lines) - _MOST} more",) if len(lines) > _MOST else ()
    critical = facts is not None and any(_critical(one, facts) for one in watched)
    advice = [
        "Look these up in the chart: the absence of other cards does not mean that they are normal."
    ]
    if facts is not None and not facts.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS):
        advice.append("No drug is drafted while a medication or condition cannot be read.")
    return Finding(
        indicator=Indicator.WARNING if critical else Indicator.INFO,
        summary=headline(_summary(list(dict.fromkeys(lines.values())), watched, facts)),
        advice=tuple(advice),
        missing=(*shown, *rest, *((not_asked,) if not_asked else ())),
        strength="This card is about the data, not about the patient.",
        overrides=(NOT_APPLICABLE, DONE, NO_SERVICE),
    )


def _summary(names: Sequence[str], watched: Sequence[Problem], facts: Facts | None) -> str:
    """What could not be checked, first; then what to do about it."""
    if facts is None or not watched:
        return fitting(f"Not checked: {_listed(names)}", ". Look in the chart")
    worst = watched[0]
    what = _name(worst.about)
    if worst.value is not None:
        what += f" {worst.value.reported}"
    elif worst.when is not None:
        what += f" of {short_day(facts.on_day(worst.when), facts.today)}"
    if worst.critical:
        what += ", flagged critical,"
    others = [name for name in names if name != _name(worst.about)]
    also = f" (also {_listed(others)})" if others else ""
    why = _WHY.get(worst.kind, "unreadable")
    return fitting(f"{what} could not be used: {why}{also}", ". Look at it")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")


def _rule(judged: Sequence[str] = ()) -> Rule:
    return rule(
        id="data-not-usable",
        title="Data that could not be used",
        version="2.2.0",
        changed="2026-11-27",
        tier=Tier.ALWAYS,
        references=["judgement"],
        minors=True,
        persistent=True,
        judges=judged,
        limits=[*_BELOW.values(), *_AT_LEAST.values()],
        overrides=(DONE, NOT_APPLICABLE, NO_SERVICE),
        needs=[
            *(results(analyte, YEAR).optional() for analyte in sorted(analytes())),
            conditions("leg_cramps").optional(),
            medications("magnesium").optional(),
            allergies(),
            orders(),
            demographics(),
        ],
    )(lambda facts: NotFired(""))


_UNKNOWN = _finding({f"Could not check the record: {FAILED}": "whether all data could be used"})

data_not_usable = reviewing(_rule(), _review_chart, _UNKNOWN)
data_not_usable_for_order = reviewing(_rule(), _review_order, _UNKNOWN)
