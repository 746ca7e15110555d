"""Full payloads: an endpoint's encryption key, what each attempt carried, and the webhook that carried a disclosure.

With it, whether the hub presents its certificate to an endpoint.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    jwk = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("endpoint", sa.Column("encryption_key", jwk, nullable=True))
    op.add_column("endpoint", sa.Column("mutual_tls", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("attempt", sa.Column("payload", sa.String(8), nullable=False, server_default="thin"))
    op.add_column("attempt", sa.Column("thin_because", sa.String(24), nullable=True))
    op.add_column("disclosure", sa.Column("delivery_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("disclosure", "delivery_id")
    op.drop_column("attempt", "thin_because")
    op.drop_column("attempt", "payload")
    op.drop_column("endpoint", "mutual_tls")
    op.drop_column("endpoint", "encryption_key")
