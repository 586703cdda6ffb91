"""The tables, as SQLAlchemy Core sees them. The migrations make them; a test compares the two.

Times are text in UTC with nine decimals (``2026-11-22T23:13:39.274000000Z``): nothing a
client sends is rounded, they sort as text, and both databases read them the same way.
No column holds anything that says who a patient is.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

metadata = MetaData()

ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only for the type INTEGER."""

feedback = Table(
    "feedback",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("service", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("outcome_at", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    # Null rule: a card this service cannot have made, or of a rule it has never known.
    Column("rule", Text),
    Column("version", Text),
    Column("rule_tag", BigInteger),
    Column("digest", BigInteger),
    Column("suggestions", Text, nullable=False),
    Column("reason_system", Text),
    Column("reason_code", Text),
    Column("reason_display", Text),
    Column("comment", Text),
    UniqueConstraint("card", "outcome", "outcome_at", name="feedback_once"),
    Index("feedback_digest", "digest", "rule_tag"),
)

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


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, for the database behind ``connection``."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
