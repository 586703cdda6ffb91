"""A database as release 1 left it, made with its own statements and no code of today."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

SERIAL = {"sqlite": "INTEGER NOT NULL PRIMARY KEY", "postgresql": "BIGSERIAL PRIMARY KEY"}
STATEMENTS = """
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))
INSERT INTO alembic_version VALUES ('0001')
CREATE TABLE feedback (id {serial}, service TEXT NOT NULL, card TEXT NOT NULL,
    outcome TEXT NOT NULL, outcome_at TEXT NOT NULL, received_at TEXT NOT NULL, rule TEXT,
    version TEXT, rule_tag BIGINT, digest BIGINT, suggestions TEXT NOT NULL, reason_system TEXT,
    reason_code TEXT, reason_display TEXT, comment TEXT,
    CONSTRAINT feedback_once UNIQUE (card, outcome, outcome_at))
CREATE INDEX feedback_digest ON feedback (digest, rule_tag)
CREATE TABLE rules_seen (rule TEXT NOT NULL, version TEXT NOT NULL, rule_tag BIGINT NOT NULL,
    version_tag INTEGER NOT NULL, PRIMARY KEY (rule, version))
CREATE INDEX rules_seen_tags ON rules_seen (rule_tag, version_tag)
CREATE TABLE shown (service TEXT NOT NULL, rule TEXT NOT NULL, version TEXT NOT NULL,
    day TEXT NOT NULL, cards BIGINT NOT NULL, PRIMARY KEY (service, rule, version, day))
CREATE TABLE token_ids (client TEXT NOT NULL, digest TEXT NOT NULL, expires BIGINT NOT NULL,
    PRIMARY KEY (client, digest))
CREATE INDEX token_ids_expires ON token_ids (expires)
CREATE TABLE kept_secrets (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name))
INSERT INTO kept_secrets VALUES ('card_key', '{key}')
INSERT INTO rules_seen VALUES ('low-magnesium', '1.2.0', 1010215597, 30283)
INSERT INTO shown VALUES ('leg-cramps-patient-view', 'low-magnesium', '1.2.0', '2026-11-20', 9)
INSERT INTO token_ids VALUES ('https://ehr.example', '{digest}', 9000000000)
INSERT INTO feedback (service, card, outcome, outcome_at, received_at, rule, version, rule_tag,
    digest, suggestions, reason_system, reason_code, comment) VALUES
    ('leg-cramps-patient-view', '3c368aac-764b-8e66-85f8-5ff368000001', 'overridden',
    '2026-11-20T10:00:00.000000000Z', '2026-11-20T10:00:01.000000000Z', 'low-magnesium', '1.2.0',
    1010215597, 4053174432194406, '[]', 'urn:x', 'known', 'Known for years')
INSERT INTO feedback (service, card, outcome, outcome_at, received_at, suggestions) VALUES
    ('leg-cramps-patient-view', 'made up', 'accepted', '2026-11-20T10:00:00.000000000Z',
    '2026-11-20T10:00:01.000000000Z', '["a"]')
"""
KEY = "ab" * 32
DIGEST = "cd" * 32


def make(url: str) -> None:
    """Fill the empty database at ``url`` (SQLite or PostgreSQL)."""
    read = make_url(url)
    name = read.get_backend_name()
    if name == "postgresql":
        read = read.set(drivername="postgresql+psycopg")
    engine = create_engine(read)
    text = STATEMENTS.format(serial=SERIAL[name], key=KEY, digest=DIGEST)
    with engine.begin() as connection:
        for statement in text.replace("\n    ", " ").strip().splitlines():
            connection.exec_driver_sql(statement)
    engine.dispose()
