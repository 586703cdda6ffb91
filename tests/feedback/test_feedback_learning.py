"""Cards shown, the report, the chart, and quiet after an answer."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from test_feedback_answers import accepted, overridden

from cds_service.errors import Unavailable
from cds_service.feedback.card_ids import CardIds, RuleVersion
from cds_service.feedback.chart import MOST_WEEKS, trend_svg
from cds_service.feedback.database import Database, open_database
from cds_service.feedback.report import RuleReport, Week, report
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.shown import ShownCounters
from cds_service.feedback.snooze import HeldBack, SnoozeStore
from cds_service.feedback.store import FeedbackStore

SERVICE = "leg-cramps-patient-view"
MAGNESIUM = RuleVersion("low-magnesium", "1.2.0")
QUININE = RuleVersion("quinine-draft", "2.0.0")


def test_shown_cards_add_up_over_flushes_and_processes(database: Database) -> None:
    for _ in range(2):  # as two processes would
        counters = ShownCounters(database)
        counters.add(SERVICE, *MAGNESIUM, date(2026, 11, 22))
        counters.flush()
        counters.add(SERVICE, *MAGNESIUM, date(2026, 11, 22))
        counters.add(SERVICE, *MAGNESIUM, date(2026, 11, 30))
        counters.flush()
        counters.flush()
    [line] = report(database).rules
    assert line.shown == 6
    assert line.weeks == (Week("2026-W47", 4, 0, 0), Week("2026-W49", 2, 0, 0))


def test_counts_wait_in_memory_while_the_database_is_away(tmp_path) -> None:
    folder = tmp_path / "late"
    database = open_database(f"sqlite:///{folder / 'kept.db'}")
    counters = ShownCounters(database)
    counters.add(SERVICE, *MAGNESIUM)
    with pytest.raises(Unavailable):
        counters.flush()
    counters.add(SERVICE, *MAGNESIUM)
    folder.mkdir()
    counters.flush()
    assert report(database).rules[0].shown == 2
    database.close()


def _answer(store: FeedbackStore, card: str, minute: int, **changes: object) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(minutes=minute)
    made = overridden(card=card, outcomeTimestamp=at.isoformat()) | changes
    store.save(SERVICE, {"feedback": [made]})


def test_the_report_counts_everything_that_is_stored(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    card = card_ids.new(*MAGNESIUM, "p", "e")
    known = {"reason": {"code": "known", "system": "urn:x"}, "userComment": "Yes"}
    _answer(store, card, 1, overrideReason=known)
    _answer(store, card, 2, overrideReason={"reason": {"code": "known"}})
    _answer(store, card, 3, overrideReason={"reason": {"code": "away"}})
    store.save(SERVICE, {"feedback": [accepted(card=card), accepted(card="nobody's")]})
    ShownCounters(database).flush()
    counters = ShownCounters(database)
    counters.add(SERVICE, *MAGNESIUM, date(2026, 11, 16))
    counters.flush()
    made = report(database, [MAGNESIUM, QUININE])
    assert made.as_json() == {
        "rules": [
            {
                "rule": "low-magnesium",
                "version": "1.2.0",
                "shown": 1,
                "accepted": 1,
                "overridden": 3,
                "reasons": {"known": 2, "away": 1},
                "comments": 1,
                "weeks": [{"week": "2026-W47", "shown": 1, "accepted": 1, "overridden": 3}],
                "review": False,
            },
            {
                "rule": "quinine-draft",
                "version": "2.0.0",
                "shown": 0,
                "accepted": 0,
                "overridden": 0,
                "reasons": {},
                "comments": 0,
                "weeks": [],
                "review": False,
            },
        ],
        "total": 5,
        "unknown": 1,
    }
    assert json.loads(json.dumps(made.as_json())) == made.as_json()


def test_a_report_of_nothing(database: Database) -> None:
    made = report(database)
    assert made.as_json() == {"rules": [], "total": 0, "unknown": 0}
    assert made.as_rows()[1] == []


@pytest.mark.parametrize(
    ("accepted_count", "overridden_count", "review"),
    [
        pytest.param(0, 19, False, id="too few answers"),
        pytest.param(0, 20, True, id="just enough, all overridden"),
        pytest.param(2, 18, False, id="exactly 90 %"),
        pytest.param(2, 19, True, id="just above 90 %"),
        pytest.param(20, 0, False, id="all accepted"),
    ],
)
def test_a_rule_that_is_nearly_always_overridden_is_flagged(
    accepted_count: int, overridden_count: int, review: bool
) -> None:
    line = RuleReport("r", "1", accepted=accepted_count, overridden=overridden_count)
    assert line.review is review


def test_a_spreadsheet_runs_nothing_of_the_report(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    card = card_ids.new(*MAGNESIUM, "p", "e")
    _answer(store, card, 1, overrideReason={"reason": {"code": '=HYPERLINK("x"),1'}})
    _answer(store, card, 2, overrideReason={"reason": {"code": '=HYPERLINK("x"),1'}})
    rows = list(csv.DictReader(io.StringIO(report(database).as_csv())))
    assert rows == [
        {
            "rule": "low-magnesium",
            "version": "1.2.0",
            "shown": "0",
            "accepted": "0",
            "overridden": "2",
            "reasons": '\'=HYPERLINK("x"),1: 2',
            "comments": "0",
            "review": "",
        }
    ]


def test_the_table_leaves_out_rules_without_a_count_and_has_rates(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    _answer(store, card_ids.new(*MAGNESIUM, "p", "e"), 1)
    head, rows = report(database, [MAGNESIUM, QUININE]).as_rows()
    (row,) = (dict(zip(head, one, strict=True)) for one in rows)
    assert (row["rule"], row["version"]) == (MAGNESIUM.rule, MAGNESIUM.version)
    assert (row["overridden"], row["acceptance"]) == ("1", "0 %")


def test_the_chart_says_its_numbers_to_those_who_do_not_see_it() -> None:
    drawn = ElementTree.fromstring(trend_svg([Week("2026-W47", 10, 3, 5)], "Rule <a> & b"))
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.attrib["role"] == "img"
    assert drawn.findtext(f"{space}title") == "Rule <a> & b"
    assert drawn.findtext(f"{space}desc") == "2026-W47: shown 10, accepted 3, overridden 5"
    tall = [float(bar.attrib["height"]) for bar in drawn.iter(f"{space}rect")]
    assert tall == [36.0, 60.0, 24.0]


def test_the_chart_holds_the_last_weeks_and_nothing_too() -> None:
    weeks = [Week(f"20{year}-W01", 1, 0, 0) for year in range(10, 60)]
    drawn = trend_svg(weeks, "t")
    assert drawn.count("<rect") == 3 * MOST_WEEKS
    assert "2059-W01" in drawn
    assert "Nothing was shown" in trend_svg([], "t")


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _snooze(
    database: Database, made_with: CardIds, answer: dict[str, object], received: datetime = NOW
) -> SnoozeStore:
    store = FeedbackStore(database, RulesSeen([MAGNESIUM]), now=lambda: received)
    card = made_with.new(*MAGNESIUM, "p1", ["magnesium 0.5", "2026-11-01"])
    store.save(SERVICE, {"feedback": [answer | {"card": card}]})
    return SnoozeStore(database)


def _again(card_ids: CardIds) -> str:
    return card_ids.new(*MAGNESIUM, "p1", ["magnesium 0.5", "2026-11-01"])


OVERRIDDEN = overridden(outcomeTimestamp="2026-11-22T11:00:00Z")
ACCEPTED = accepted(outcomeTimestamp="2026-11-22T11:00:00Z")
ANSWERED = datetime(2026, 11, 22, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("indicator", "after", "quiet"),
    [
        pytest.param("info", timedelta(hours=1), True, id="info, an hour later"),
        pytest.param("info", timedelta(days=90, seconds=-1), True, id="info, just before 90 days"),
        pytest.param("info", timedelta(days=90), False, id="info, after 90 days"),
        pytest.param("warning", timedelta(days=30, seconds=-1), True, id="warning, before 30 days"),
        pytest.param("warning", timedelta(days=30), False, id="warning, after 30 days"),
        pytest.param("critical", timedelta(hours=1), False, id="critical always comes back"),
        pytest.param("hard-stop", timedelta(hours=1), False, id="an indicator not known"),
    ],
)
@pytest.mark.parametrize("answer", [OVERRIDDEN, ACCEPTED], ids=["overridden", "accepted"])
def test_an_answered_card_stays_away_for_its_time(
    sqlite_url: str,
    card_ids: CardIds,
    answer: dict[str, object],
    indicator: str,
    after: timedelta,
    quiet: bool,
) -> None:
    database = open_database(sqlite_url)
    snooze = _snooze(database, card_ids, answer)
    card = _again(card_ids)
    held = snooze.held_back([(card, indicator)], ANSWERED + after)
    assert (card in held) is quiet
    database.close()


def test_what_was_held_back_says_why_and_until_when(database: Database, card_ids: CardIds) -> None:
    snooze = _snooze(database, card_ids, OVERRIDDEN)
    first, other = _again(card_ids), card_ids.new(*MAGNESIUM, "p2", "e")
    held = snooze.held_back([(first, "info"), (other, "info"), ("no-uuid", "info")], NOW)
    until = ANSWERED + timedelta(days=90)
    assert held == {first: HeldBack("overridden", ANSWERED, until)}


@pytest.mark.parametrize(
    "again",
    [
        pytest.param((*MAGNESIUM, "p1", ["magnesium 0.4", "2026-11-20"]), id="new evidence"),
        pytest.param(
            ("low-magnesium", "1.3.0", "p1", ["magnesium 0.5", "2026-11-01"]), id="new version"
        ),
        pytest.param((*MAGNESIUM, "p2", ["magnesium 0.5", "2026-11-01"]), id="another patient"),
        pytest.param((*QUININE, "p1", ["magnesium 0.5", "2026-11-01"]), id="another rule"),
    ],
)
def test_another_card_is_not_held_back(
    sqlite_url: str, card_ids: CardIds, again: tuple[str, str, str, list[str]]
) -> None:
    database = open_database(sqlite_url)
    snooze = _snooze(database, card_ids, OVERRIDDEN)
    assert snooze.held_back([(card_ids.new(*again), "info")], NOW) == {}
    database.close()


def test_the_latest_answer_counts(database: Database, card_ids: CardIds) -> None:
    _snooze(database, card_ids, OVERRIDDEN)
    later = overridden(outcomeTimestamp="2026-11-22T11:30:00Z")
    snooze = _snooze(database, card_ids, later)
    _snooze(database, card_ids, overridden(outcomeTimestamp="2026-10-01T00:00:00Z"))
    [held] = snooze.held_back([(_again(card_ids), "info")], NOW).values()
    assert held.answered == ANSWERED + timedelta(minutes=30)


def test_a_client_whose_clock_runs_ahead_does_not_prolong_the_silence(
    database: Database, card_ids: CardIds
) -> None:
    snooze = _snooze(database, card_ids, overridden(outcomeTimestamp="2036-01-01T00:00:00Z"))
    [held] = snooze.held_back([(_again(card_ids), "info")], NOW).values()
    assert held.until == NOW + timedelta(days=90)


def test_an_answer_to_a_rule_never_known_holds_nothing_back(
    database: Database, card_ids: CardIds
) -> None:
    stranger = RuleVersion("stranger", "1")
    store = FeedbackStore(database, RulesSeen([MAGNESIUM]))
    card = card_ids.new(*stranger, "p1", "e")
    store.save(SERVICE, {"feedback": [overridden(card=card)]})
    assert SnoozeStore(database).held_back([(card, "info")], NOW) == {}


def test_a_database_that_is_away_holds_nothing_back(tmp_path, card_ids: CardIds) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'none' / 'kept.db'}")
    assert SnoozeStore(database).held_back([(_again(card_ids), "info")], NOW) == {}
    database.close()
