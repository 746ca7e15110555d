"""Objections, and the register of victim information requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "objection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("method", sa.String(16), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("ground", sa.String(40), nullable=True),
        sa.Column("consent_id", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.String(80), nullable=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("objected_at", UTCDateTime(), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_objection_case", "objection", ["case_id", "id"], unique=False)
    op.create_table(
        "information_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("requesting_body", sa.String(120), nullable=False),
        sa.Column("officer_reference", sa.LargeBinary(), nullable=False),
        sa.Column("written_request_held", sa.Boolean(), nullable=False),
        sa.Column("asked", _codes(), nullable=False),
        sa.Column("is_blanket", sa.Boolean(), nullable=False),
        sa.Column("information", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("line_of_enquiry", sa.LargeBinary(), nullable=False),
        sa.Column("notified_at", UTCDateTime(), nullable=True),
        sa.Column("notified_how", sa.String(24), nullable=True),
        sa.Column("not_notified_because", sa.String(40), nullable=True),
        sa.Column("counselling", sa.Boolean(), nullable=False),
        sa.Column("rebuttal", sa.LargeBinary(), nullable=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_information_request_case", "information_request", ["case_id", "id"], unique=False)
    op.create_table(
        "information_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("released", _codes(), nullable=False),
        sa.Column("ground", sa.String(40), nullable=True),
        sa.Column("decided_by", sa.String(80), nullable=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["information_request.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id"),
    )
    op.create_index("ix_information_decision_case", "information_decision", ["case_id", "id"], unique=False)


def _codes() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def downgrade() -> None:
    for name in ("information_decision", "information_request", "objection"):
        op.drop_index(f"ix_{name}_case", table_name=name)
        op.drop_table(name)
