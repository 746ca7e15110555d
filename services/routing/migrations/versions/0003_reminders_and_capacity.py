"""When a partner is reminded, and whether services have room."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CAPACITY = ("capacity_open", "capacity_places", "capacity_waiting_weeks", "capacity_as_of")


def upgrade() -> None:
    with op.batch_alter_table("pathway", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chase_due_at", UTCDateTime(), nullable=True))
    is_set = sa.text("chase_due_at IS NOT NULL")
    op.create_index("ix_pathway_chase_due", "pathway", ["chase_due_at"], postgresql_where=is_set, sqlite_where=is_set)
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.add_column(sa.Column("capacity_open", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("capacity_places", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("capacity_waiting_weeks", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("capacity_as_of", UTCDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("listing", schema=None) as batch_op:
        for name in _CAPACITY:
            batch_op.drop_column(name)
    op.drop_index("ix_pathway_chase_due", table_name="pathway")
    with op.batch_alter_table("pathway", schema=None) as batch_op:
        batch_op.drop_column("chase_due_at")
