"""The first tables: feedback, rules seen, cards shown, token ids, kept secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "feedback",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("outcome_at", sa.Text, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("rule", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("rule_tag", sa.BigInteger),
        sa.Column("digest", sa.BigInteger),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("reason_system", sa.Text),
        sa.Column("reason_code", sa.Text),
        sa.Column("reason_display", sa.Text),
        sa.Column("comment", sa.Text),
        sa.UniqueConstraint("card", "outcome", "outcome_at", name="feedback_once"),
    )
    op.create_index("feedback_digest", "feedback", ["digest", "rule_tag"])
    op.create_table(
        "rules_seen",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("rule_tag", sa.BigInteger, nullable=False),
        sa.Column("version_tag", sa.Integer, nullable=False),
    )
    op.create_index("rules_seen_tags", "rules_seen", ["rule_tag", "version_tag"])
    op.create_table(
        "shown",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("cards", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "token_ids",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("token_ids_expires", "token_ids", ["expires"])
    op.create_table(
        "kept_secrets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
