"""The feedback report: how often the cards of each rule and version were shown and answered."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from statistics import NormalDist
from typing import Any

from sqlalchemy import ColumnElement, Subquery, Table, func, select
from sqlalchemy.engine import Connection

from cds_service.core.identity import DEFAULT_SITE
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.denominators import Totals, of_site, totals
from cds_service.feedback.shown import CALL, CANNOT_TELL, SHOWN, WOULD_SHOW
from cds_service.storage.database import Database
from cds_service.storage.tables import counts, feedback, shown, unknown_feedback

REVIEW_SHARE = 0.9
REVIEW_ANSWERS = 20


@dataclass(frozen=True)
class Week:
    """One ISO week (``2026-W47``): cards shown, and feedback by the client's timestamp."""

    week: str
    shown: int
    accepted: int
    overridden: int


@dataclass(frozen=True)
class RuleReport:
    """One rule at one version. ``weeks`` has only weeks with cards or feedback.

    ``calls`` and the four fields after it count for the services of the rule, whatever its
    version: a patient, an encounter or an order counts once, a clinician once a day.
    """

    id: str
    version: str
    topic: str = ""
    """The key of its topic; "" where no topic that is served has the rule any more."""
    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    comments: int = 0
    weeks: tuple[Week, ...] = ()
    would_show: int = 0
    cannot_tell: int = 0
    calls: int = 0
    patients: int = 0
    encounters: int = 0
    clinician_days: int = 0
    orders: int = 0

    @property
    def fired(self) -> int:
        """Cards shown, and cards that a silent rule would have shown."""
        return self.shown + self.would_show

    @property
    def has_counts(self) -> bool:
        """Whether anything was counted for this rule at this version."""
        return bool(self.weeks or self.would_show or self.cannot_tell)

    @property
    def shown_or_answered(self) -> bool:
        """Whether its card was shown, or feedback on it was stored."""
        return bool(self.weeks)

    @property
    def only_cannot_tell(self) -> bool:
        """Whether it had no card, shown or silent, and sometimes could not tell."""
        return bool(self.cannot_tell and not self.weeks and not self.would_show)

    @property
    def rates(self) -> dict[str, float | None]:
        """Cards shown or silent per 100 calls, per patient, per clinician-day, per 100 orders.

        None where there was nothing to count against.
        """
        return self.rates_of(self.fired)

    def rates_of(self, cards: int) -> dict[str, float | None]:
        """The rates of `rates` for a number of cards."""
        return {
            "per_100_calls": _rate(cards, self.calls, 100),
            "per_patient": _rate(cards, self.patients),
            "per_clinician_day": _rate(cards, self.clinician_days),
            "per_100_orders": _rate(cards, self.orders, 100),
        }

    @property
    def review(self) -> bool:
        """More than 90 % of at least 20 responses overrode it: the rule needs a review."""
        answers = self.accepted + self.overridden
        return answers >= REVIEW_ANSWERS and self.overridden > REVIEW_SHARE * answers


@dataclass(frozen=True)
class Report:
    """All rules; ``total`` is the number of stored feedback rows, ``unknown`` of them for cards
    that this service did not make."""

    rules: tuple[RuleReport, ...]
    total: int
    unknown: int

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, ready for a JSON writer."""
        rules = [
            {
                "rule": line.id,
                **{name: value for name, value in asdict(line).items() if name != "id"},
                "weeks": [asdict(week) for week in line.weeks],
                "review": line.review,
                "rates": line.rates,
            }
            for line in self.rules
        ]
        return {"rules": rules, "total": self.total, "unknown": self.unknown}

    def as_csv(self) -> str:
        """One line per rule and version; reasons as ``code: count; code: count``."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*_HEADS, "topic"])
        for line in self.rules:
            writer.writerow([_no_formula(cell) for cell in (*_cells(line), line.topic)])
        return out.getvalue()

    def as_rows(self) -> tuple[list[str], list[list[str]]]:
        """The column names and rows of a table for people: rules with any count, with rates."""
        rows = [
            [*_cells(line), interval(line.accepted, line.accepted + line.overridden)]
            for line in self.rules
            if line.fired or line.cannot_tell or line.accepted or line.overridden or line.comments
        ]
        return [*_HEADS, "acceptance"], rows


def interval(part: int, whole: int) -> str:
    """A share in per cent with its 95 % interval (Wilson score); empty where nothing was counted.

    Source: Wilson EB. J Am Stat Assoc 1927;22:209-212.
    """
    if not whole:
        return ""
    z, share = NormalDist().inv_cdf(0.975), part / whole
    middle = share + z * z / (2 * whole)
    half = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    low, high = ((middle + sign * half) / (1 + z * z / whole) for sign in (-1, 1))
    return f"{100 * share:.0f} % ({100 * max(low, 0):.0f} to {100 * min(high, 1):.0f})"


_HEADS = [
    "rule", "version", "shown", "would show", "cannot tell", "per 100 calls", "per patient",
    "per clinician-day", "per 100 orders", "accepted", "overridden", "reasons", "comments",
    "review",
]  # fmt: skip


def _cells(line: RuleReport) -> list[str]:
    reasons = "; ".join(f"{code}: {n}" for code, n in line.reasons.items())
    counts = [str(line.shown), str(line.would_show), str(line.cannot_tell)]
    rates = ["" if rate is None else f"{rate:.2f}" for rate in line.rates.values()]
    answers = [str(line.accepted), str(line.overridden)]
    review = "review" if line.review else ""
    return [line.id, line.version, *counts, *rates, *answers, reasons, str(line.comments), review]


def _rate(cards: int, against: int, per: int = 1) -> float | None:
    return round(per * cards / against, 4) if against else None


def _no_formula(cell: str) -> str:
    # Reason codes come from clients; a spreadsheet must not run one as a formula.
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@"} else cell


def report(
    database: Database,
    rules: Iterable[RuleVersion] = (),
    site: str | None = None,
    services: Mapping[str, frozenset[str]] | None = None,
    topic_of: Mapping[str, str] | None = None,
) -> Report:
    """Count everything stored, for all sites except the demo page, or for one site.

    ``rules`` are listed even where nothing was counted for them. By rule id, ``services`` are the
    ids of the services of each rule, and ``topic_of`` is its topic. The last feedback on a card
    counts: a card with two is one card. Raises Unavailable.
    """
    last = _last_answers(site)
    with database.read() as connection:
        cards = _shown(connection, site)
        would, unknowing = (
            _counted(connection, event, site) for event in (WOULD_SHOW, CANNOT_TELL)
        )
        against = {
            some: (_calls(connection, some, site), totals(connection, some, site))
            for some in set((services or {}).values())
        }
        answers = _answers(connection, last)
        reasons = _reasons(connection, last)
        comments = _comments(connection, last)
        stored = _rows(connection, feedback, site)
        unknown = _rows(connection, unknown_feedback, site)
        unknown += _rows(connection, feedback, site, feedback.c.rule.is_(None))
        total = stored + _rows(connection, unknown_feedback, site)
    known = {RuleVersion(*rule) for rule in rules} | cards.keys() | answers.keys()
    known |= would.keys() | unknowing.keys()
    lines = []
    for rule in sorted(known):
        per_day, per_answer = cards.get(rule, Counter()), answers.get(rule, Counter())
        lines.append(
            RuleReport(
                id=rule.id,
                version=rule.version,
                topic=(topic_of or {}).get(rule.id, ""),
                shown=per_day.total(),
                accepted=_sum(per_answer, "accepted"),
                overridden=_sum(per_answer, "overridden"),
                reasons=dict(reasons.get(rule, Counter()).most_common()),
                comments=comments.get(rule, 0),
                weeks=_weeks(per_day, per_answer),
                would_show=would.get(rule, 0),
                cannot_tell=unknowing.get(rule, 0),
                **_against(against.get((services or {}).get(rule.id, frozenset()))),
            )
        )
    return Report(tuple(lines), total, unknown)


def _against(found: tuple[int, Totals] | None) -> dict[str, int]:
    return {} if found is None else {"calls": found[0], **found[1]._asdict()}


def _calls(connection: Connection, services: frozenset[str], site: str | None) -> int:
    query = select(func.sum(counts.c.number)).where(
        counts.c.event == CALL, counts.c.service.in_(sorted(services)), of_site(counts.c.site, site)
    )
    return int(connection.execute(query).scalar_one() or 0)


def _counted(connection: Connection, event: str, site: str | None) -> dict[RuleVersion, int]:
    of = (counts.c.rule, counts.c.version)
    conditions = (counts.c.event == event, of_site(counts.c.site, site))
    query = select(*of, func.sum(counts.c.number)).where(*conditions).group_by(*of)
    rows = connection.execute(query)
    return {RuleVersion(rule, version): int(number) for rule, version, number in rows}


OutcomesByDay = Counter[tuple[str, str]]
"""(outcome, day) → count."""


def _shown(connection: Connection, site: str | None) -> dict[RuleVersion, Counter[str]]:
    day = (counts.c.rule, counts.c.version, counts.c.day)
    conditions = (counts.c.event == SHOWN, of_site(counts.c.site, site))
    query = select(*day, func.sum(counts.c.number)).where(*conditions).group_by(*day)
    by_rule: defaultdict[RuleVersion, Counter[str]] = defaultdict(Counter)
    for rule, version, on, cards in connection.execute(query):
        by_rule[RuleVersion(rule, version)][on] += int(cards)
    if site in {None, DEFAULT_SITE}:  # counted before there were sites
        before = (shown.c.rule, shown.c.version, shown.c.day)
        for rule, version, on, cards in connection.execute(
            select(*before, func.sum(shown.c.cards)).group_by(*before)
        ):
            by_rule[RuleVersion(rule, version)][on] += int(cards)
    return by_rule


def _rows(
    connection: Connection, table: Table, site: str | None, *also: ColumnElement[bool]
) -> int:
    query = select(func.count()).select_from(table).where(of_site(table.c.site, site), *also)
    return int(connection.execute(query).scalar_one())


def _last_answers(site: str | None) -> Subquery:
    """The feedback that counts: the last on each card, by the client's clock."""
    order = (feedback.c.outcome_at.desc(), feedback.c.id.desc())
    place = func.row_number().over(partition_by=feedback.c.card, order_by=order).label("place")
    conditions = (feedback.c.rule.is_not(None), of_site(feedback.c.site, site))
    ranked = select(feedback, place).where(*conditions).subquery()
    return select(ranked).where(ranked.c.place == 1).subquery()


def _answers(connection: Connection, last: Subquery) -> dict[RuleVersion, OutcomesByDay]:
    of, day = (last.c.rule, last.c.version), func.substr(last.c.outcome_at, 1, 10)
    query = select(*of, last.c.outcome, day, func.count()).group_by(*of, last.c.outcome, day)
    by_rule: defaultdict[RuleVersion, OutcomesByDay] = defaultdict(Counter)
    for rule, version, outcome, on, count in connection.execute(query):
        by_rule[RuleVersion(rule, version)][(outcome, on)] = count
    return by_rule


def _reasons(connection: Connection, last: Subquery) -> dict[RuleVersion, Counter[str]]:
    of, code = (last.c.rule, last.c.version), last.c.reason_code
    query = select(*of, code, func.count()).where(code.is_not(None)).group_by(*of, code)
    by_rule: defaultdict[RuleVersion, Counter[str]] = defaultdict(Counter)
    for rule, version, reason, count in connection.execute(query.order_by(code)):
        by_rule[RuleVersion(rule, version)][reason] = count
    more = select(*of, last.c.more_reasons).where(last.c.more_reasons.is_not(None))
    for rule, version, others in connection.execute(more):
        # Counted by code alone; a reason given twice for one card counts once.
        codes = dict.fromkeys(reason["code"] for reason in json.loads(others))
        by_rule[RuleVersion(rule, version)].update(codes.keys())
    return by_rule


def _comments(connection: Connection, last: Subquery) -> dict[RuleVersion, int]:
    of = (last.c.rule, last.c.version)
    query = select(*of, func.count(last.c.comment)).group_by(*of)
    return {RuleVersion(rule, version): n for rule, version, n in connection.execute(query)}


def _sum(answers: OutcomesByDay, outcome: str) -> int:
    return sum(count for (given, _), count in answers.items() if given == outcome)


def _week(day: str) -> str:
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year:04}-W{week:02}"


def _weeks(per_day: Counter[str], answers: OutcomesByDay) -> tuple[Week, ...]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for day, cards in per_day.items():
        counts[_week(day)]["shown"] += cards
    for (outcome, day), count in answers.items():
        counts[_week(day)][outcome] += count
    return tuple(
        Week(week, numbers["shown"], numbers["accepted"], numbers["overridden"])
        for week, numbers in sorted(counts.items())
    )
