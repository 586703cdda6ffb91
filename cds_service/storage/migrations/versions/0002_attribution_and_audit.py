"""Attribution of feedback, unknown cards, counts by site, earlier card keys, the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feedback", sa.Column("issuer", sa.Text, nullable=False, server_default=""))
    op.add_column("feedback", sa.Column("tenant", sa.Text, nullable=False, server_default=""))
    op.add_column("feedback", sa.Column("site", sa.Text, nullable=False, server_default="default"))
    op.add_column("feedback", sa.Column("more_reasons", sa.Text))
    op.create_index("feedback_received", "feedback", ["received_at"])
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "unknown_feedback",
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
        sa.Column("issuer", sa.Text, nullable=False, server_default=""),
        sa.Column("tenant", sa.Text, nullable=False, server_default=""),
        sa.Column("site", sa.Text, nullable=False, server_default="default"),
        sa.Column("more_reasons", sa.Text),
        sa.UniqueConstraint(
            "card", "outcome", "outcome_at", "issuer", "tenant", "site",
            name="unknown_feedback_once",
        ),
    )  # fmt: skip
    op.create_index("unknown_feedback_received", "unknown_feedback", ["received_at"])
    op.create_table(
        "counts",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "earlier_card_keys",
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("until", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("record", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("clinician", sa.Text, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_index("audit_at", "audit", ["at"])
    op.create_table(
        "audit_cards",
        sa.Column("card", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_index("audit_cards_at", "audit_cards", ["at"])
    _append_only("audit")
    _append_only("audit_cards")


def _append_only(table: str) -> None:
    """Rows are added, and deleted after their retention; they are never changed."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION cds_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION cds_append_only()"
    )
