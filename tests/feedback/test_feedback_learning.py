"""Cards shown, the report, the chart, and cards that are snoozed after an answer."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from patients import patient
from test_feedback_answers import accepted, overridden

from cds_service.answer.cards import ProposedCard
from cds_service.core.identity import Identity, Origin
from cds_service.errors import Unavailable
from cds_service.feedback.card_ids import CardIds, RuleVersion
from cds_service.feedback.card_keys import CardKeys
from cds_service.feedback.chart import MOST_WEEKS, trend_svg
from cds_service.feedback.denominators import CLINICIAN, ORDER, PATIENT, Denominator, Denominators
from cds_service.feedback.report import RuleReport, Week, interval, report
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.shown import CALL, CANNOT_TELL, WOULD_SHOW, ShownCounters
from cds_service.feedback.snooze import SnoozedCard, SnoozeStore
from cds_service.feedback.store import FeedbackStore
from cds_service.storage.database import Database, open_database

SERVICE = "leg-cramps-patient-view"
MAGNESIUM = RuleVersion("low-magnesium", "1.2.0")
QUININE = RuleVersion("quinine-draft", "2.0.0")


NO_RATES = dict.fromkeys(("per_100_calls", "per_patient", "per_clinician_day", "per_100_orders"))


def test_counts_of_shown_cards_add_up_over_flushes_and_processes(database: Database) -> None:
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


def test_counts_wait_in_memory_while_the_database_is_down(tmp_path) -> None:
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
    element = overridden(card=card, outcomeTimestamp=at.isoformat()) | changes
    store.save(SERVICE, {"feedback": [element]})


def test_the_report_counts_everything_that_is_stored(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    card, other = (card_ids.new(*MAGNESIUM, patient(name), "e") for name in ("p", "q"))
    known = {"reason": {"code": "known", "system": "urn:x"}, "userComment": "Yes"}
    # Answered twice, by the client's clock in another order: one card, the last answer.
    _answer(store, card, 3, overrideReason=known)
    _answer(store, card, 2, overrideReason={"reason": {"code": "away"}})
    _answer(store, other, 1, overrideReason={"reason": {"code": "away"}})
    store.save(SERVICE, {"feedback": [accepted(card=other), accepted(card="nobody's")]})
    ShownCounters(database).flush()
    counters = ShownCounters(database)
    counters.add(SERVICE, *MAGNESIUM, date(2026, 11, 16))
    counters.flush()
    made_report = report(database, [MAGNESIUM, QUININE])
    assert made_report.as_json() == {
        "rules": [
            {
                "rule": "low-magnesium",
                "version": "1.2.0",
                "topic": "",
                "shown": 1,
                "accepted": 1,
                "overridden": 1,
                "reasons": {"known": 1},
                "comments": 1,
                "weeks": [{"week": "2026-W47", "shown": 1, "accepted": 1, "overridden": 1}],
                "would_show": 0,
                "cannot_tell": 0,
                "calls": 0,
                "patients": 0,
                "encounters": 0,
                "clinician_days": 0,
                "orders": 0,
                "review": False,
                "rates": NO_RATES,
            },
            {
                "rule": "quinine-draft",
                "version": "2.0.0",
                "topic": "",
                "shown": 0,
                "accepted": 0,
                "overridden": 0,
                "reasons": {},
                "comments": 0,
                "weeks": [],
                "would_show": 0,
                "cannot_tell": 0,
                "calls": 0,
                "patients": 0,
                "encounters": 0,
                "clinician_days": 0,
                "orders": 0,
                "review": False,
                "rates": NO_RATES,
            },
        ],
        "total": 5,
        "unknown": 1,
    }
    assert json.loads(json.dumps(made_report.as_json())) == made_report.as_json()


def test_a_report_without_data(database: Database) -> None:
    made_report = report(database)
    assert made_report.as_json() == {"rules": [], "total": 0, "unknown": 0}
    assert made_report.as_rows()[1] == []


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


def test_the_report_contains_no_spreadsheet_formulas(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    card = card_ids.new(*MAGNESIUM, patient("p"), "e")
    _answer(store, card, 1, overrideReason={"reason": {"code": '=HYPERLINK("x"),1'}})
    rows = list(csv.DictReader(io.StringIO(report(database).as_csv())))
    assert rows == [
        {
            "rule": "low-magnesium",
            "version": "1.2.0",
            "shown": "0",
            "would show": "0",
            "cannot tell": "0",
            "per 100 calls": "",
            "per patient": "",
            "per clinician-day": "",
            "per 100 orders": "",
            "accepted": "0",
            "overridden": "1",
            "reasons": '\'=HYPERLINK("x"),1: 1',
            "comments": "0",
            "review": "",
            "topic": "",
        }
    ]


def test_the_table_leaves_out_rules_without_a_count_and_has_rates(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    _answer(store, card_ids.new(*MAGNESIUM, patient("p"), "e"), 1)
    head, rows = report(database, [MAGNESIUM, QUININE]).as_rows()
    (row,) = (dict(zip(head, cells, strict=True)) for cells in rows)
    assert (row["rule"], row["version"]) == (MAGNESIUM.id, MAGNESIUM.version)
    assert (row["overridden"], row["acceptance"]) == ("1", "0 % (0 to 79)")


def test_the_chart_has_its_numbers_as_text_for_screen_readers() -> None:
    chart = ElementTree.fromstring(trend_svg([Week("2026-W47", 10, 3, 5)], "Rule <a> & b"))
    space = "{http://www.w3.org/2000/svg}"
    assert chart.attrib["role"] == "img"
    assert chart.findtext(f"{space}title") == "Rule <a> & b"
    assert chart.findtext(f"{space}desc") == "2026-W47: shown 10, accepted 3, overridden 5"
    heights = [float(bar.attrib["height"]) for bar in chart.iter(f"{space}rect")]
    assert heights == [36.0, 60.0, 24.0]


def test_the_chart_shows_the_last_weeks_even_without_data() -> None:
    weeks = [Week(f"20{year}-W01", 1, 0, 0) for year in range(10, 60)]
    chart = trend_svg(weeks, "t")
    assert chart.count("<rect") == 3 * MOST_WEEKS
    assert "2059-W01" in chart
    assert "Nothing was shown" in trend_svg([], "t")


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


EVIDENCE = ("magnesium 0.5", "2026-11-01")


def _snooze(
    database: Database,
    keys: CardKeys,
    answer: dict[str, object],
    received: datetime = NOW,
    identity: Identity = patient(),  # noqa: B008  # immutable
) -> SnoozeStore:
    store = FeedbackStore(database, RulesSeen([MAGNESIUM]), keys, now=lambda: received)
    card = keys.ids.new(*MAGNESIUM, identity, EVIDENCE)
    store.save(SERVICE, {"feedback": [answer | {"card": card}]}, identity.origin)
    return SnoozeStore(database, keys.ids)


def _same_card(indicator: str = "info", evidence: tuple[str, ...] = EVIDENCE) -> ProposedCard:
    return ProposedCard(*MAGNESIUM, indicator, evidence)


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
        pytest.param("hard-stop", timedelta(hours=1), False, id="an unknown indicator"),
    ],
)
@pytest.mark.parametrize("answer", [OVERRIDDEN, ACCEPTED], ids=["overridden", "accepted"])
def test_an_answered_card_is_snoozed_for_its_period(
    sqlite_tables_url: str,
    keys: CardKeys,
    answer: dict[str, object],
    indicator: str,
    after: timedelta,
    quiet: bool,
) -> None:
    database = open_database(sqlite_tables_url)
    snooze = _snooze(database, keys, answer)
    held_back = snooze.held_back([_same_card(indicator)], patient(), ANSWERED + after)
    assert (MAGNESIUM.id in held_back) is quiet
    database.close()


def test_a_snoozed_card_states_why_and_until_when(database: Database, keys: CardKeys) -> None:
    snooze = _snooze(database, keys, OVERRIDDEN)
    proposed = [
        _same_card(),
        ProposedCard(*QUININE, "info", EVIDENCE),
        ProposedCard("x", "1", "info", ()),
    ]
    held_back = snooze.held_back(proposed, patient(), NOW)
    until = ANSWERED + timedelta(days=90)
    assert held_back == {MAGNESIUM.id: SnoozedCard("overridden", ANSWERED, until)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_same_card(evidence=("magnesium 0.4", "2026-11-20")), id="new evidence"),
        pytest.param(ProposedCard("low-magnesium", "1.3.0", "info", EVIDENCE), id="new version"),
        pytest.param(ProposedCard(*QUININE, "info", EVIDENCE), id="another rule"),
    ],
)
def test_another_card_is_not_snoozed(
    sqlite_tables_url: str, keys: CardKeys, other: ProposedCard
) -> None:
    database = open_database(sqlite_tables_url)
    snooze = _snooze(database, keys, OVERRIDDEN)
    assert snooze.held_back([other], patient(), NOW) == {}
    database.close()


HERE = Identity(Origin("https://ehr.example", "north", "a"), "https://fhir.example", "p1")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(HERE._replace(patient="p2"), id="another patient"),
        pytest.param(HERE._replace(fhir_server="https://b.example"), id="another FHIR server"),
        pytest.param(HERE._replace(fhir_server=""), id="no FHIR server named"),
        *(
            pytest.param(HERE._replace(origin=HERE.origin._replace(**{name: "b"})), id=name)
            for name in Origin._fields
        ),
    ],
)
def test_no_other_callers_card_is_snoozed(
    sqlite_tables_url: str, keys: CardKeys, other: Identity
) -> None:
    database = open_database(sqlite_tables_url)
    snooze = _snooze(database, keys, OVERRIDDEN, identity=HERE)
    assert MAGNESIUM.id in snooze.held_back([_same_card()], HERE, NOW)
    assert snooze.held_back([_same_card()], other, NOW) == {}
    database.close()


def test_feedback_counts_under_the_previous_key(database: Database, keys: CardKeys) -> None:
    snooze = _snooze(database, keys, OVERRIDDEN)
    keys.ids.use(b"another key entirely", [b"a key for tests only"])
    assert MAGNESIUM.id in snooze.held_back([_same_card()], patient(), NOW)
    keys.ids.use(b"another key entirely")
    assert snooze.held_back([_same_card()], patient(), NOW) == {}


def test_the_latest_feedback_counts(database: Database, keys: CardKeys) -> None:
    _snooze(database, keys, OVERRIDDEN)
    later = overridden(outcomeTimestamp="2026-11-22T11:30:00Z")
    snooze = _snooze(database, keys, later)
    _snooze(database, keys, overridden(outcomeTimestamp="2026-10-01T00:00:00Z"))
    [snoozed] = snooze.held_back([_same_card()], patient(), NOW).values()
    assert snoozed.answered == ANSWERED + timedelta(minutes=30)


def test_a_client_whose_clock_is_fast_does_not_prolong_the_snooze(
    database: Database, keys: CardKeys
) -> None:
    snooze = _snooze(database, keys, overridden(outcomeTimestamp="2036-01-01T00:00:00Z"))
    [snoozed] = snooze.held_back([_same_card()], patient(), NOW).values()
    assert snoozed.until == NOW + timedelta(days=90)


def test_feedback_on_a_made_up_card_snoozes_nothing(database: Database, keys: CardKeys) -> None:
    store = FeedbackStore(database, RulesSeen([MAGNESIUM]), keys)
    for card in (
        keys.ids.new("stranger", "1", patient(), EVIDENCE),
        CardIds(b"another key entirely").new(*MAGNESIUM, patient(), EVIDENCE),
    ):
        store.save(SERVICE, {"feedback": [overridden(card=card)]})
    proposed = [_same_card(), ProposedCard("stranger", "1", "info", EVIDENCE)]
    assert SnoozeStore(database, keys.ids).held_back(proposed, patient(), NOW) == {}


def test_an_unavailable_database_snoozes_nothing(tmp_path, keys: CardKeys) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'none' / 'kept.db'}")
    assert SnoozeStore(database, keys.ids).held_back([_same_card()], patient(), NOW) == {}
    database.close()


def test_a_report_of_one_site_counts_that_site(database: Database, keys: CardKeys) -> None:
    store = FeedbackStore(database, RulesSeen([MAGNESIUM]), keys)
    counters = ShownCounters(database)
    for site, answers in (("a", 1), ("b", 2)):
        origin = Origin("https://ehr", "", site)
        counters.add(SERVICE, *MAGNESIUM, site=site)
        for number in range(answers):
            card = keys.ids.new(*MAGNESIUM, patient(str(number), origin=origin), "e")
            store.save(SERVICE, {"feedback": [overridden(card=card)]}, origin)
        store.save(SERVICE, {"feedback": [overridden(card="made up")]}, origin)
    counters.add(SERVICE, *MAGNESIUM, event="would show")
    counters.flush()
    for site, shown, answers in (("a", 1, 1), ("b", 1, 2), (None, 2, 3)):
        site_report = report(database, site=site)
        [line] = site_report.rules
        assert (line.shown, line.overridden) == (shown, answers)
        assert site_report.total - site_report.unknown == answers
    assert report(database, site="c").as_json() == {"rules": [], "total": 0, "unknown": 0}


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, ""),
        (0, 10, "0 % (0 to 28)"),
        (5, 10, "50 % (24 to 76)"),
        (10, 10, "100 % (72 to 100)"),
        (81, 263, "31 % (26 to 37)"),
    ],
)
def test_a_rate_has_its_interval(part: int, whole: int, text: str) -> None:
    assert interval(part, whole) == text


def test_rates_count_each_patient_order_and_clinician_day_once(database: Database) -> None:
    counters, denominators = ShownCounters(database), Denominators(database)
    first, second = date(2026, 11, 16), date(2026, 11, 17)
    for day in (first, second):
        for site, number in (("north", 3), ("south", 1)):
            for _ in range(number):
                counters.add(SERVICE, "", "", day, site=site, event=CALL)
        counters.add(SERVICE, *MAGNESIUM, day, site="north")
        counters.add(SERVICE, *MAGNESIUM, day, site="north", event=WOULD_SHOW)
        counters.add(SERVICE, *MAGNESIUM, day, site="south", event=CANNOT_TELL)
        denominators.add(
            [
                Denominator("north", SERVICE, day, PATIENT, "p"),
                Denominator("north", SERVICE, day, CLINICIAN, "c"),
                Denominator("north", SERVICE, day, ORDER, "o"),
                Denominator("south", SERVICE, day, PATIENT, "q"),
            ]
        )
    counters.flush()
    denominators.flush()
    denominators.flush()
    services = {MAGNESIUM.id: frozenset({SERVICE}), QUININE.id: frozenset({"another"})}

    (north,) = report(database, site="north", services=services).rules
    assert (north.shown, north.would_show, north.cannot_tell) == (2, 2, 0)
    assert (north.calls, north.patients, north.clinician_days, north.orders) == (6, 1, 2, 1)
    assert north.rates == {
        "per_100_calls": 66.6667,
        "per_patient": 4.0,
        "per_clinician_day": 2.0,
        "per_100_orders": 400.0,
    }
    (both,) = report(database, services=services).rules
    assert (both.calls, both.patients, both.cannot_tell) == (8, 2, 2)
    (south,) = (row for row in report(database, [MAGNESIUM], "south", services).rules)
    assert (south.fired, south.cannot_tell, south.rates["per_patient"]) == (0, 2, 0.0)
