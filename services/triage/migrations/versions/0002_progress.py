"""What has been done with a case, the whole plan of a contact, and attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _filled(name: str, type_: sa.types.TypeEngine[Any], value: str) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False, server_default=sa.text(value))


def upgrade() -> None:
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.add_column(sa.Column("case_status", sa.String(40), nullable=True))
        batch_op.add_column(_filled("progress", _JSON, "'{}'"))
        batch_op.add_column(_filled("outputs", _JSON, "'{}'"))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    found = "jsonb_build_object('assessed_needs', assessed_needs)"
    if not is_postgresql:
        found = "json_object('assessed_needs', json(assessed_needs))"
    op.execute(f"UPDATE case_record SET progress = {found} WHERE assessed_needs IS NOT NULL")  # noqa: S608 - no values
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.drop_column("assessed_needs")

    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("basis", sa.String(40), nullable=True))
        batch_op.add_column(sa.Column("by_unit", _JSON, nullable=True))
        batch_op.add_column(_filled("details", _JSON, "'{}'"))

    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unit", sa.String(40), nullable=True))
        batch_op.add_column(sa.Column("at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("clock_start", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("clock_amount", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("clock_unit", sa.String(20), nullable=True))
        batch_op.add_column(_filled("automated", sa.Boolean(), "false"))
        batch_op.add_column(_filled("content", _JSON, "'[]'"))
        batch_op.add_column(_filled("on_behalf_of", _JSON, "'[]'"))
        batch_op.add_column(_filled("method_decided_by", _JSON, "'[]'"))
        batch_op.add_column(_filled("ends_with_offer", sa.Boolean(), "false"))
        batch_op.add_column(sa.Column("message_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("settled_at", UTCDateTime(), nullable=True))
        _index(batch_op, "ix_contact_message", "message_id", "message_id IS NOT NULL")
        _index(batch_op, "ix_contact_unsent", "at", "automated AND message_id IS NULL AND settled_at IS NULL")

    op.create_table(
        "contact_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(80), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("contact_attempt", schema=None) as batch_op:
        batch_op.create_index("ix_contact_attempt_case", ["case_id", "id"], unique=False)


def _index(batch_op: BatchOperations, name: str, column: str, where: str) -> None:
    condition = sa.text(where)
    batch_op.create_index(name, [column], unique=False, postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    op.drop_table("contact_attempt")
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index("ix_contact_unsent")
        batch_op.drop_index("ix_contact_message")
        for name in (
            "settled_at", "message_id", "ends_with_offer", "method_decided_by", "on_behalf_of", "content", "automated",
            "clock_unit", "clock_amount", "clock_start", "at", "unit",
        ):  # fmt: skip
            batch_op.drop_column(name)
    with op.batch_alter_table("decision", schema=None) as batch_op:
        for name in ("details", "by_unit", "basis"):
            batch_op.drop_column(name)
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.add_column(sa.Column("assessed_needs", _JSON, nullable=True))
    found = "progress -> 'assessed_needs'"
    op.execute(f"UPDATE case_record SET assessed_needs = {found}")  # noqa: S608 - no values
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        for name in ("outputs", "progress", "case_status"):
            batch_op.drop_column(name)
