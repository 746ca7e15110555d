"""Who refers, and how it reached the sender."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source_from", sa.String(100), nullable=True))
        batch_op.add_column(sa.Column("intake_method", sa.String(20), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.drop_column("intake_method")
        batch_op.drop_column("source_from")
