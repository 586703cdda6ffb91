"""What rules look for and could not check: it was not obtained, not usable, or left open.

Lines of a card are the keys of a dictionary; its values are the names that a summary uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cds_service.core.facts import Kind, Result, Source, State
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from cds_service.core.times import Window
from cds_service.engine.not_checked import with_comparator
from cds_service.engine.rule import CannotTell, Outcome, Rule
from hooks.unusable.lines import WORDS, line_about, name_of
from hooks.unusable.problems import WATCHED
from hooks.windows import RECENT

ESSENTIAL = (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS)


@dataclass(frozen=True, slots=True)
class DataNeeds:
    """What some rules look for: the kinds of data, and how far back each analyte is read.

    ``requested`` are the kinds that are obtained for them, in their usual order.
    """

    kinds: frozenset[Kind]
    requested: tuple[Kind, ...]
    windows: Mapping[str, frozenset[Window]]


@lru_cache(maxsize=256)
def data_needed_by(rules: tuple[Rule, ...]) -> DataNeeds:
    """What these rules look for."""
    needs = [need for rule in rules for need in rule.needs]
    kinds = {need.kind for need in needs}
    # Statements are a second list of medications, the encounter a second one of conditions.
    second_source = {Kind.STATEMENTS: Kind.MEDICATIONS, Kind.ENCOUNTER: Kind.CONDITIONS}
    windows: dict[str, set[Window]] = {}
    for need in needs:
        if need.analyte and need.within:
            windows.setdefault(need.analyte, set()).add(need.within)
    return DataNeeds(
        kinds=frozenset(kinds),
        requested=tuple(kind for kind in Kind if kind in kinds or second_source.get(kind) in kinds),
        windows={analyte: frozenset(windows[analyte]) for analyte in sorted(windows)},
    )


def kinds_not_obtained(facts: Facts, needed: DataNeeds) -> dict[str, str]:
    """The kinds of data that did not arrive, or arrived incomplete, and why."""
    lines = {}
    for kind in needed.requested:
        availability = facts.availability(kind)
        if availability.whole:
            continue
        if availability.state is State.ABSENT and kind not in ESSENTIAL:
            continue  # optional: a site may never send it
        name = WORDS.get(kind, kind.value)
        reason = quoted(availability.reason or availability.state.value)
        part = "all " if availability.state is State.PARTIAL else ""
        lines[f"Could not check {part}{name}: {reason}"] = name
    return lines


def unusable_results(
    facts: Facts, needed: DataNeeds, outcomes: Sequence[Outcome]
) -> dict[str, str]:
    """Results that could not be used and are recent enough for some rule to have read them.

    A result with a remark on its sample is left to the rule that used it.
    """
    lines = {}
    for key, windows in needed.windows.items():
        for problem in facts.newest(key, Worse.LOW).unusable:
            earliest = min(window.start(facts.today) for window in windows)
            if problem.kind == "sample" and _used(problem.source, outcomes):
                continue
            if problem.when is None or facts.on_day(problem.when) >= earliest:
                # An eGFR may rest on creatinine: the line names the result that was unusable.
                lines[line_about(problem)] = name_of(problem.about)
    return lines


def _used(source: Source, outcomes: Sequence[Outcome]) -> bool:
    """Whether a rule that could answer rests on the result from this source."""
    return any(
        isinstance(evidence.fact, Result) and evidence.fact.source == source
        for outcome in outcomes
        if not isinstance(outcome.answer, CannotTell)
        for evidence in outcome.answer.evidence
    )


def cannot_tell(outcome: Outcome) -> bool:
    """Whether a rule sees its trigger and cannot tell."""
    return isinstance(outcome.answer, CannotTell) and outcome.answer.trigger


def left_open(outcome: Outcome, facts: Facts) -> bool:
    """Whether a rule cannot tell because the newest recent result has a comparator."""
    if not isinstance(outcome.answer, CannotTell):
        return False
    for need in outcome.rule.needs:
        result = with_comparator(need, facts) if need.analyte in WATCHED else None
        if (
            result is not None
            and facts.within(result, RECENT)
            and any(result.reported in reason for reason in outcome.answer.because)
        ):
            return True
    return False


def rules_not_asked(facts: Facts, outcomes: Iterable[Outcome]) -> str:
    """The rules that lack a whole kind of data that they need, in words."""
    titles = [
        outcome.rule.title
        for outcome in outcomes
        if isinstance(outcome.answer, CannotTell)
        and any(need.required and not facts.obtained(need.kind) for need in outcome.rule.needs)
    ]
    return f"Rules that could not be evaluated: {'; '.join(titles)}" if titles else ""


def undecided(facts: Facts, outcomes: Iterable[Outcome]) -> dict[str, str]:
    """What rules could not decide: a result has a comparator ("<50"), or gives no eGFR.

    A result that was never measured is not one that could not be used.
    """
    lines = {}
    for outcome in outcomes:
        answer = outcome.answer
        assert isinstance(answer, CannotTell)  # callers pass no other outcomes
        if answer.unjudged:
            for reason in answer.because:
                lines[f"Could not check {answer.unjudged}: {reason}"] = answer.unjudged
        if any(with_comparator(need, facts) for need in outcome.rule.needs):
            title = outcome.rule.title
            lines.update({f"Could not check {title}: {reason}": title for reason in answer.because})
    return lines


def failed_rules(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """The rules that failed, so that what they look for went unchecked."""
    lines = {}
    for outcome in outcomes:
        answer, title = outcome.answer, outcome.rule.title
        if isinstance(answer, CannotTell) and answer.failed:
            lines.update({f"Could not check {title}: {reason}": title for reason in answer.because})
    return lines
