"""The public directory: what is shown of partners and services, and what never is."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partner_listing",
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("document", _json(), nullable=False),
        sa.Column("modified_at", UTCDateTime(), nullable=False),
        sa.Column("feed", sa.String(200), nullable=True),
        sa.Column("feed_id", sa.String(64), nullable=True),
        sa.Column("seen", _json(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"]),
        sa.PrimaryKeyConstraint("partner_id"),
        sa.UniqueConstraint("feed", "feed_id", name="uq_partner_listing_feed"),
    )
    op.create_table(
        "service_listing",
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("document", _json(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kinds", _json(), nullable=False),
        sa.Column("areas", _json(), nullable=False),
        sa.Column("searched", sa.Text(), nullable=False),
        sa.Column("minimum_age", sa.Integer(), nullable=True),
        sa.Column("maximum_age", sa.Integer(), nullable=True),
        sa.Column("modified_at", UTCDateTime(), nullable=False),
        sa.Column("feed", sa.String(200), nullable=True),
        sa.Column("feed_id", sa.String(64), nullable=True),
        sa.Column("seen", _json(), nullable=False),
        sa.Column("missing_since", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"]),
        sa.PrimaryKeyConstraint("service_id"),
        sa.UniqueConstraint("feed", "feed_id", name="uq_service_listing_feed"),
    )
    op.create_index("ix_service_listing_modified", "service_listing", ["modified_at"], unique=False)
    op.create_table(
        "service_overlay",
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"]),
        sa.PrimaryKeyConstraint("service_id"),
    )


def _json() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def downgrade() -> None:
    for name in ("service_overlay", "service_listing", "partner_listing"):
        op.drop_table(name)
