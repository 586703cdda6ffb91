"""Data that arrived, or should have, and could not be used.

Recommendation: none in the source; a judgement of this project. Silence looks like an
all-clear on the clinician's screen, so a card says what could not be checked.

When (chart opened): the newest potassium, magnesium, sodium, creatinine, eGFR or haemoglobin of
the last 30 days could not be used (a result dated in the future counts; an undated one counts if
none of these days is usable, or if its value or flag is critical), or is given with a comparator
that leaves a rule open; or conditions, medications or laboratory results did not arrive complete
or could not be read; or a rule that applies without documented cramps is triggered and cannot
tell; or cramps are documented and anything relevant could not be used or fetched.
When (order selected): a rule that judges the class of a selected order cannot use what it needs,
or the selected order could not be read.
A record of another patient is always reported, and so is a rule that failed through a fault of
its own.
Then: each thing that could not be checked, why, and the resource; and the rules that could not
be evaluated because a whole kind of data is missing. A warning if the laboratory flagged a result
as critical or its value is, else info.
Does not cover: orders that no rule judges; optional prefetch keys that were simply not sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.core.facts import Kind, Problem, State
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    Finding,
    Indicator,
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
from hooks.unusable.lines import lines_of, name_of
from hooks.unusable.problems import (
    LIMITS,
    WATCHED,
    could_be_any_entry,
    is_critical,
    matters,
    of_other_patients,
    unread_drafts,
    watched_problems,
)
from hooks.unusable.unchecked import (
    cannot_tell,
    data_needed_by,
    failed_rules,
    kinds_not_obtained,
    left_open,
    rules_not_asked,
    undecided,
    unusable_results,
)
from hooks.windows import YEAR
from hooks.wording import DONE, NO_SERVICE, NOT_APPLICABLE, append_if_short, headline, short_day

_REASONS = {
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
_MOST_LINES = 12  # lines in the detail
_MOST_NAMES = 3  # names in the summary


def _review_chart(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say, when a chart is opened, what could not be checked."""
    applicable = [outcome for outcome in outcomes if may_fire(outcome.rule, facts)]
    needed = data_needed_by(tuple([outcome.rule for outcome in applicable]))
    without_complaint = [outcome for outcome in applicable if outcome.rule.tier is Tier.ALWAYS]
    triggered = [
        outcome
        for outcome in without_complaint
        if cannot_tell(outcome) or left_open(outcome, facts)
    ]
    problems = [problem for problem in facts.record.problems if matters(problem, facts)]
    watched = watched_problems(facts, WATCHED)
    lines = {
        **lines_of(watched),
        **kinds_not_obtained(facts, needed),
        **unusable_results(facts, needed, outcomes),
        **lines_of(problems),
        **undecided(facts, triggered),
        **(failed := failed_rules(outcomes)),
    }
    if not lines:
        return NotFired("everything that arrived could be used")
    unknown_entries = any(could_be_any_entry(problem, facts) for problem in problems)
    if not (
        watched
        or documented(facts)
        or not facts.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)
        or not facts.availability(Kind.RESULTS).whole
        or facts.availability(Kind.PATIENT).state is State.UNAVAILABLE
        or unknown_entries
        or triggered
        or failed
        or of_other_patients(facts.record.problems)
    ):
        return NotFired("what could not be used does not matter without documented cramps")
    return _finding(lines, watched, facts, rules_not_asked(facts, without_complaint))


def _review_order(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say, for a selected order, what its rules could not check."""
    judging = [
        outcome
        for outcome in outcomes
        if may_fire(outcome.rule, facts) and judges(outcome.rule, facts)
    ]
    rules = tuple([outcome.rule for outcome in judging])
    needed = data_needed_by(rules)
    other_patients = [
        problem
        for problem in of_other_patients(facts.record.problems)
        if rules or problem.source.origin.startswith("context")
    ]
    failed = failed_rules(outcomes)
    unread = unread_drafts(facts)
    if not rules and not other_patients and not failed and not unread:
        return NotFired("no selected order is of a kind that a rule judges")
    relevant = {kind.value for kind in needed.kinds} | needed.windows.keys()
    watched = watched_problems(facts, [key for key in WATCHED if key in needed.windows])
    lines = {
        **lines_of(unread),
        **lines_of(watched),
        **kinds_not_obtained(facts, needed),
        **unusable_results(facts, needed, outcomes),
        **lines_of(
            problem
            for problem in facts.record.problems
            if problem.about in relevant or problem in other_patients
        ),
        **undecided(facts, filter(cannot_tell, judging)),
        **failed,
    }
    if not lines:
        return NotFired("everything these orders need could be used")
    return _finding(lines, watched, facts, rules_not_asked(facts, judging))


def _finding(
    lines: dict[str, str],
    watched: Sequence[Problem] = (),
    facts: Facts | None = None,
    not_asked: str = "",
) -> Finding:
    shown = list(lines)[:_MOST_LINES]
    rest = (f"and {len(lines) - _MOST_LINES} more",) if len(lines) > _MOST_LINES else ()
    critical = facts is not None and any(is_critical(problem, facts) for problem in watched)
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
        return append_if_short(f"Not checked: {_listed(names)}", ". Look in the chart")
    worst = watched[0]
    what = name_of(worst.about)
    if worst.value is not None:
        what += f" {worst.value.reported}"
    elif worst.when is not None:
        what += f" of {short_day(facts.on_day(worst.when), facts.today)}"
    if worst.critical:
        what += ", flagged critical,"
    others = [name for name in names if name != name_of(worst.about)]
    also = f" (also {_listed(others)})" if others else ""
    reason = _REASONS.get(worst.kind, "unreadable")
    return append_if_short(f"{what} could not be used: {reason}{also}", ". Look at it")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (" and more" if len(names) > _MOST_NAMES else "")


def _rule() -> Rule:
    return rule(
        id="data-not-usable",
        title="Data that could not be used",
        version="2.2.1",
        changed="2026-11-28",
        tier=Tier.ALWAYS,
        references=["judgement"],
        minors=True,
        persistent=True,
        limits=LIMITS,
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


_RECORD_NOT_CHECKED = _finding(
    {f"Could not check the record: {FAILED}": "whether all data could be used"}
)

data_not_usable = reviewing(_rule(), _review_chart, _RECORD_NOT_CHECKED)
data_not_usable_for_order = reviewing(_rule(), _review_order, _RECORD_NOT_CHECKED)
