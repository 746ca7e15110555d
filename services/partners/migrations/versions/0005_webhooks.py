"""Endpoints are verified before anything is sent to them; a partner may be held to its own domains."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("challenge", sa.String(64), nullable=True))
    op.add_column("endpoint", sa.Column("verified_at", UTCDateTime(), nullable=True))
    op.create_table(
        "domain_rule",
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"]),
        sa.PrimaryKeyConstraint("partner_id", "domain"),
    )


def downgrade() -> None:
    op.drop_table("domain_rule")
    for name in ("challenge", "verified_at"):
        op.drop_column("endpoint", name)
