"""Feedback is stored completely or not at all, once, and without a patient."""

from __future__ import annotations

from typing import Any

import pytest
from patients import patient
from sqlalchemy import Table, select
from test_feedback_answers import accepted, overridden

from cds_service.core.identity import Origin
from cds_service.errors import BadRequest
from cds_service.feedback.card_ids import CardIds, RuleVersion, read_card_id
from cds_service.feedback.rules_seen import UNKNOWN_VERSION, RulesSeen
from cds_service.feedback.store import FeedbackStore, SavedFeedback
from cds_service.storage.database import Database
from cds_service.storage.tables import feedback, metadata, unknown_feedback

KEY = b"a key for tests only"
SERVICE = "leg-cramps-patient-view"


def _rows(database: Database, table: Table = feedback) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def _card(card_ids: CardIds, rule: str = "low-magnesium", version: str = "1.2.0") -> str:
    return card_ids.new(rule, version, patient("canary-patient"), "canary-evidence")


def test_feedback_is_stored(store: FeedbackStore, database: Database, card_ids: CardIds) -> None:
    card = _card(card_ids)
    reason = {"reason": {"code": "x", "system": "urn:x"}, "userComment": "Known for years"}
    body = {"feedback": [overridden(card=card.upper(), overrideReason=reason)]}
    assert store.save(SERVICE, body) == SavedFeedback(1, 0, 0, ("overridden",))
    [row] = _rows(database)
    assert (row.service, row.card, row.outcome) == (SERVICE, card, "overridden")
    assert (row.rule, row.version) == ("low-magnesium", "1.2.0")
    assert row.digest == (read_card_id(card) or 0).digest
    assert (row.reason_system, row.reason_code) == ("urn:x", "x")
    assert row.comment == "Known for years"
    assert row.outcome_at == "2026-11-22T23:13:39.274000000Z"


def test_accepted_suggestions_are_stored(store: FeedbackStore, database: Database) -> None:
    store.save(SERVICE, {"feedback": [accepted(acceptedSuggestions=[{"id": "a"}, {"id": "b"}])]})
    assert _rows(database, unknown_feedback)[0].suggestions == '["a", "b"]'


def test_empty_feedback_is_accepted(store: FeedbackStore, database: Database) -> None:
    assert store.save(SERVICE, {"feedback": []}) == SavedFeedback(0, 0, 0)
    assert _rows(database) == []


def test_one_bad_element_refuses_the_whole_body(store: FeedbackStore, database: Database) -> None:
    with pytest.raises(BadRequest):
        store.save(SERVICE, {"feedback": [accepted(), overridden(outcomeTimestamp="yesterday")]})
    assert _rows(database) == []


def test_a_repeat_is_stored_once(store: FeedbackStore, database: Database) -> None:
    once = accepted(outcomeTimestamp="2026-11-22T23:13:39Z")
    elsewhere = accepted(outcomeTimestamp="2026-11-23T00:13:39+01:00")
    saved = store.save(SERVICE, {"feedback": [once, once, elsewhere]})
    assert saved == SavedFeedback(1, 2, 3, ("accepted",) * 3)
    assert store.save(SERVICE, {"feedback": [once]}) == SavedFeedback(0, 1, 1, ("accepted",))
    assert len(_rows(database, unknown_feedback)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb"},
        {"outcome": "overridden"},
        {"outcomeTimestamp": "2026-11-22T23:13:39.275Z"},
    ],
    ids=lambda change: f"another {next(iter(change))}",
)
def test_different_feedback_on_the_same_card_is_stored_as_well(
    store: FeedbackStore, change: dict[str, Any]
) -> None:
    store.save(SERVICE, {"feedback": [accepted()]})
    assert store.save(SERVICE, {"feedback": [accepted(**change)]}).stored == 1


@pytest.mark.parametrize(
    "card",
    [
        pytest.param("no-uuid-at-all", id="not a UUID"),
        pytest.param("4e0a2fb1-6e4b-4f0e-8f5d-3e9f0c6a1b2c", id="somebody else's UUID"),
        pytest.param(
            CardIds(b"k" * 16).new("low-magnesium", "1.2.0", patient(), "e"), id="another key"
        ),
        pytest.param(
            CardIds(KEY).new("low-magnesium", "1.2.0", patient(origin=Origin("b")), "e"),
            id="another caller's",
        ),
        pytest.param(
            CardIds(KEY).new("gone-rule", "1", patient(), "e"), id="a rule that never existed"
        ),
    ],
)
def test_feedback_on_unknown_cards_is_stored_and_marked(
    store: FeedbackStore, database: Database, card: str
) -> None:
    assert store.save(SERVICE, {"feedback": [accepted(card=card)]}).unknown == 1
    [row] = _rows(database, unknown_feedback)
    assert row.card == card
    assert row.rule is None
    assert _rows(database) == []


def test_feedback_on_an_older_version_is_counted_for_it(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    RulesSeen([RuleVersion("low-magnesium", "1.1.0"), RuleVersion("old-rule", "1")]).record(
        database
    )
    for rule, version in [("low-magnesium", "1.1.0"), ("old-rule", "1"), ("low-magnesium", "0.9")]:
        store.save(SERVICE, {"feedback": [accepted(card=_card(card_ids, rule, version))]})
    assert [(row.rule, row.version) for row in _rows(database)] == [
        ("low-magnesium", "1.1.0"),
        ("old-rule", "1"),
        ("low-magnesium", UNKNOWN_VERSION),
    ]


def test_rules_are_recorded_once(database: Database) -> None:
    seen = RulesSeen([RuleVersion("a", "1"), RuleVersion("b", "1")])
    seen.record(database)
    seen.record(database)
    with database.read() as connection:
        rows = connection.execute(select(metadata.tables["rules_seen"])).all()
    assert [(row.rule, row.version) for row in rows] == [("a", "1"), ("b", "1")]


def test_no_column_identifies_the_patient(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    store.save(SERVICE, {"feedback": [accepted(card=_card(card_ids))]})
    with database.read() as connection:
        everything = [
            str(connection.execute(select(table)).all()) for table in metadata.tables.values()
        ]
    assert "low-magnesium" in "".join(everything)
    assert "canary" not in "".join(everything)


def test_text_in_any_language_is_stored(store: FeedbackStore, database: Database) -> None:
    words = "Krämpfe — nachts; 筋痙攣 🦵"
    store.save(SERVICE, {"feedback": [overridden(overrideReason={"userComment": words})]})
    assert _rows(database, unknown_feedback)[0].comment == words


def test_feedback_names_its_site_and_tenant(
    store: FeedbackStore, database: Database, card_ids: CardIds
) -> None:
    north, south = Origin("https://ehr", "north", "a"), Origin("https://ehr", "south", "b")
    card = card_ids.new("low-magnesium", "1.2.0", patient(origin=north), "e")
    body = {"feedback": [overridden(card=card)]}
    assert store.save(SERVICE, body, south).unknown == 1
    assert store.save(SERVICE, body, Origin("https://b")).unknown == 1
    # The answer of the card's own caller is neither taken for a repeat of theirs nor lost.
    assert store.save(SERVICE, body, north) == SavedFeedback(1, 0, 0, ("overridden",))
    [row] = _rows(database)
    assert (row.issuer, row.tenant, row.site) == north
    strangers = _rows(database, unknown_feedback)
    assert [(row.issuer, row.tenant, row.site) for row in strangers] == [
        south,
        Origin("https://b"),
    ]
