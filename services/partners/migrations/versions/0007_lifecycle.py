"""Amendments of what partners have read, the assessment that travels, repeated news, and capacity."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NEWS = ["endpoint_id", "onward_referral_id", "type"]


def upgrade() -> None:
    op.add_column("disclosure", sa.Column("assessment_version", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
        batch.drop_constraint("uq_delivery_news", type_="unique")
        batch.create_unique_constraint("uq_delivery_news", [*_NEWS, "number"])
    op.create_table(
        "case_content",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("changed_in", _codes(), nullable=False),
        sa.Column("assessment", _codes(), nullable=False),
        sa.Column("assessment_version", sa.Integer(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_table(
        "amendment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("onward_referral_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fields", _codes(), nullable=False),
        sa.Column("referral_version", sa.Integer(), nullable=False),
        sa.Column("assessment_version", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("fetched_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["onward_referral_id"], ["onward_referral.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("onward_referral_id", "number", name="uq_amendment_number"),
    )
    op.create_table(
        "capacity",
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=True),
        sa.Column("waiting_weeks", sa.Integer(), nullable=True),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("reported_at", UTCDateTime(), nullable=False),
        sa.Column("reported_by", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"]),
        sa.PrimaryKeyConstraint("service_id"),
    )


def _codes() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def downgrade() -> None:
    op.drop_table("capacity")
    op.drop_table("amendment")
    op.drop_table("case_content")
    # Of news that came more than once, the first alone fits.
    op.execute("DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE number > 0)")
    op.execute("DELETE FROM delivery WHERE number > 0")
    with op.batch_alter_table("delivery") as batch:
        batch.drop_constraint("uq_delivery_news", type_="unique")
        batch.create_unique_constraint("uq_delivery_news", _NEWS)
        batch.drop_column("number")
    op.drop_column("disclosure", "assessment_version")
