"""wider services, what a case's pathways wait for, and what staff asked for"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.add_column(sa.Column("route", sa.String(20), server_default="refer", nullable=False))
        batch_op.add_column(sa.Column("shares", sa.String(20), server_default="case_data", nullable=False))
        batch_op.add_column(sa.Column("is_wide", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.create_index(batch_op.f("ix_listing_is_wide"), ["is_wide"], unique=False)
    # The services of kind `other` are for any need from now on.
    op.execute(sa.text("UPDATE listing SET is_wide = true WHERE kind = 'other'"))
    with op.batch_alter_table("case_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("markers", json, server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("choices", json, server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("lead_service_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("reviewed", json, server_default="[]", nullable=False))
    with op.batch_alter_table("pathway", schema=None) as batch_op:
        batch_op.add_column(sa.Column("requested_version", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("pathway", schema=None) as batch_op:
        batch_op.drop_column("requested_version")
    with op.batch_alter_table("case_facts", schema=None) as batch_op:
        for name in ("reviewed", "lead_service_id", "choices", "markers"):
            batch_op.drop_column(name)
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_listing_is_wide"))
        for name in ("is_wide", "shares", "route"):
            batch_op.drop_column(name)
