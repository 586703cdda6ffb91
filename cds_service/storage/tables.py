"""The tables in SQLAlchemy Core. The migrations create them; a test compares the two.

Times are text in UTC with nine decimals (``2026-11-22T23:13:39.274000000Z``): nothing that a
client sends is rounded, they sort as text, and both databases treat them the same way.
No column has anything that identifies a patient.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from cds_service.core.identity import DEFAULT_SITE

metadata = MetaData()

ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite assigns row ids automatically only for the type INTEGER."""


def _feedback_columns() -> list[Column[Any]]:
    return [
        Column("id", ROW_ID, primary_key=True, autoincrement=True),
        Column("service", Text, nullable=False),
        Column("card", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("outcome_at", Text, nullable=False),
        Column("received_at", Text, nullable=False),
        # Null rule: a card that this service cannot have made, or of a rule that it never had.
        Column("rule", Text),
        Column("version", Text),
        Column("rule_tag", BigInteger),
        Column("digest", BigInteger),
        Column("suggestions", Text, nullable=False),
        Column("reason_system", Text),
        Column("reason_code", Text),
        Column("reason_display", Text),
        Column("comment", Text),
        # The caller: issuer and tenant of the token, empty where anybody may call.
        Column("issuer", Text, nullable=False, server_default=""),
        Column("tenant", Text, nullable=False, server_default=""),
        Column("site", Text, nullable=False, server_default=DEFAULT_SITE),
        # JSON list of {"system", "code", "display"}: the reasons after the first.
        Column("more_reasons", Text),
    ]


feedback = Table(
    "feedback",
    metadata,
    *_feedback_columns(),
    UniqueConstraint("card", "outcome", "outcome_at", name="feedback_once"),
    Index("feedback_digest", "digest", "rule_tag"),
    Index("feedback_received", "received_at"),
)
"""Feedback on cards of this service, recognised by their ids. A card belongs to one caller."""

unknown_feedback = Table(
    "unknown_feedback",
    metadata,
    *_feedback_columns(),
    # Anybody may name any card: feedback never replaces that of another caller.
    UniqueConstraint(
        "card", "outcome", "outcome_at", "issuer", "tenant", "site", name="unknown_feedback_once"
    ),
    Index("unknown_feedback_received", "received_at"),
)
"""Feedback on cards that this service did not make, or not for this caller: no rule counts it."""

rules_seen = Table(
    "rules_seen",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("rule_tag", BigInteger, nullable=False),
    Column("version_tag", Integer, nullable=False),
    Index("rules_seen_tags", "rule_tag", "version_tag"),
)

shown = Table(
    "shown",
    metadata,
    Column("service", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("cards", BigInteger, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("site", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("event", Text, primary_key=True),  # "shown" and the other events of `feedback.shown`
    Column("number", BigInteger, nullable=False),
)
"""Events of rules per site and day. ``shown`` has counts from before there were sites."""

denominators = Table(
    "denominators",
    metadata,
    Column("site", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # patient, encounter, clinician or order
    Column("digest", Text, primary_key=True),
)
"""Patients, encounters, clinicians and orders of a service per day, as keyed digests: what cards
are counted against."""

token_ids = Table(
    "token_ids",
    metadata,
    Column("client", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Index("token_ids_expires", "expires"),
)

kept_secrets = Table(
    "kept_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


earlier_card_keys = Table(
    "earlier_card_keys",
    metadata,
    Column("value", Text, primary_key=True),
    Column("until", Text, nullable=False),  # the last day on which ids made under it are valid
)

audit = Table(
    "audit",
    metadata,
    Column("record", Text, primary_key=True),  # 32 random hexadecimal digits
    Column("at", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("service", Text, nullable=False),
    # Keyed digests of the caller, the user and the patient.
    Column("caller", Text, nullable=False),
    Column("clinician", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON: rules, cards, limits, problems
    Column("sealed", LargeBinary),  # what the cards said, for the holder of the private key
    Index("audit_at", "at"),
)

audit_cards = Table(
    "audit_cards",
    metadata,
    Column("card", Text, primary_key=True),
    Column("record", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Index("audit_cards_at", "at"),
)


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that supports ON CONFLICT, for the database of ``connection``."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
