"""Data that were there, or should have been, and could not be used.

Recommendation: none of the source; a judgement of this project. Silence looks like an
all-clear on the clinician's screen, so a card says what could not be checked.

When (chart opened): relevant data could not be used or fetched, and cramps are documented, or
conditions or medications themselves could not be read, or a rule that speaks without cramps
sees its trigger and cannot tell. When (order picked): a rule that judges the class of a
selected order cannot use what it needs. A record of another patient is always said, and so
is a rule that failed by a fault of its own.
Then: each thing that could not be checked, why, and the resource.
Does not cover: orders that no rule judges; keys that are optional and were just not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cds_service.core.engine import FAILED, judges, speaks
from cds_service.core.facts import Kind, Problem, State
from cds_service.core.patient import Facts
from cds_service.core.rule import (
    Answer,
    CannotTell,
    Finding,
    Indicator,
    Need,
    NotFired,
    Outcome,
    Rule,
    Service,
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
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from cds_service.core.times import Window
from hooks.cramps import documented
from hooks.knowledge.files import analytes
from hooks.windows import YEAR
from hooks.wording import DONE, NO_SERVICE, NOT_APPLICABLE, headline

ESSENTIAL = (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS)
_LISTS = (Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS)
_MOST = 12  # lines in the detail
_NAMED = 4  # names in the summary
_WORDS = {
    Kind.RESULTS: "laboratory results",
    Kind.CONDITIONS: "conditions",
    Kind.MEDICATIONS: "medications",
    Kind.PATIENT: "age and sex",
}


def _review_chart(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say at the opened chart what could not be checked."""
    sought = _sought(tuple([one.rule for one in outcomes if speaks(one.rule, facts)]))
    triggered = [one for one in outcomes if one.rule.tier is Tier.ALWAYS and _cannot_tell(one)]
    lines = {
        **_not_obtained(facts, sought),
        **_unusable(facts, sought),
        **_problems(facts.record.problems),
        **_undecided(facts, triggered),
        **(failed := _failed(outcomes)),
    }
    if not lines:
        return NotFired("everything that was there could be used")
    lists_unread = any(
        not facts.availability(kind).whole for kind in (Kind.CONDITIONS, Kind.MEDICATIONS)
    ) or facts.availability(Kind.STATEMENTS).state in (State.UNAVAILABLE, State.PARTIAL)
    about_lists = any(problem.about in _LISTS for problem in facts.record.problems)
    if not (
        documented(facts)
        or lists_unread
        or about_lists
        or triggered
        or failed
        or _of_others(facts.record.problems)
    ):
        return NotFired("what could not be used does not matter without documented cramps")
    return _finding(lines)


def _review_order(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say beside a selected order what its rules could not check."""
    judging = [one for one in outcomes if speaks(one.rule, facts) and judges(one.rule, facts)]
    awake = tuple([outcome.rule for outcome in judging])
    sought = _sought(awake)
    refused = [
        problem
        for problem in _of_others(facts.record.problems)
        if awake or problem.source.origin.startswith("context")
    ]
    failed = _failed(outcomes)
    if not awake and not refused and not failed:
        return NotFired("no selected order is of a kind that a rule judges")
    about = {kind.value for kind in sought.kinds} | sought.windows.keys()
    lines = {
        **_not_obtained(facts, sought),
        **_unusable(facts, sought),
        **_problems(p for p in facts.record.problems if p.about in about or p in refused),
        **_undecided(facts, judging),
        **failed,
    }
    if not lines:
        return NotFired("everything these orders need could be used")
    return _finding(lines)


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


def _unusable(facts: Facts, sought: _Sought) -> dict[str, str]:
    """Results that could not be used and are not older than any rule would look."""
    lines = {}
    for key, windows in sought.windows.items():
        for problem in facts.newest(key, Worse.LOW).unusable:
            # An eGFR rests on creatinine: what could not be used is called by its own name.
            name = analytes()[problem.about if problem.about in analytes() else key].name
            earliest = min(window.start(facts.today) for window in windows)
            if problem.when is None or facts.on_day(problem.when) >= earliest:
                lines[_line(name, problem)] = name
    return lines


def _cannot_tell(outcome: Outcome) -> bool:
    return isinstance(outcome.answer, CannotTell) and outcome.answer.trigger


def _undecided(facts: Facts, outcomes: Iterable[Outcome]) -> dict[str, str]:
    """What rules could not decide because a result stands behind a comparator ("<50").

    A result that was never measured is no unusable datum.
    """
    lines = {}
    for outcome in outcomes:
        answer = outcome.answer
        if not isinstance(answer, CannotTell) or not _cannot_tell(outcome):
            continue
        if any(_open(facts, need) for need in outcome.rule.needs):
            title = outcome.rule.title
            lines.update({f"Could not check {title}: {reason}": title for reason in answer.because})
    return lines


def _failed(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """The rules that are at fault themselves: whatever they look for was not looked for."""
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
    lines = {}
    for problem in problems:
        known = analytes().get(problem.about)
        name = known.name if known else _KIND_WORDS.get(problem.about, problem.about)
        lines[_line(name, problem)] = name
    return lines


def _line(name: str, problem: Problem) -> str:
    return (
        f"Could not check {quoted(name)}: {quoted(problem.reason)} "
        f"({quoted(problem.source.reference, 80)})"
    )


def _of_others(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.kind == "wrong-patient"]


def _finding(lines: dict[str, str]) -> Finding:
    names = list(dict.fromkeys(lines.values()))
    listed = ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
    shown = list(lines)[:_MOST]
    rest = (f"and {len(lines) - _MOST} more",) if len(lines) > _MOST else ()
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(f"No card is no all-clear. Could not check: {listed}"),
        advice=("These could not be checked, so the absence of other cards is no all-clear.",),
        missing=(*shown, *rest),
        strength="A statement about the data, not about the patient.",
        overrides=(NOT_APPLICABLE, DONE, NO_SERVICE),
    )


def _rule(service: Service, judged: Sequence[str] = ()) -> Rule:
    return rule(
        id="data-not-usable",
        title="Data that could not be used",
        version="1.0.0",
        changed="2026-11-23",
        service=service,
        tier=Tier.ALWAYS,
        references=["judgement"],
        minors=True,
        persistent=True,
        judges=judged,
        needs=[
            results("magnesium", YEAR).optional(),
            conditions("leg_cramps").optional(),
            medications("magnesium").optional(),
            allergies(),
            orders(),
            demographics(),
        ],
    )(lambda facts: NotFired(""))


_UNKNOWN = _finding({f"Could not check the record: {FAILED}": "what the record lacks"})

data_not_usable = reviewing(_rule(Service.PATIENT_VIEW), _review_chart, _UNKNOWN)
data_not_usable_for_order = reviewing(_rule(Service.ORDER_SELECT), _review_order, _UNKNOWN)
