"""What a service is told apart by, which team is asked, what was shared on which basis, requests for access."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("also", "teams", "without_marker"):
        op.add_column("service", sa.Column(name, _codes(), nullable=False, server_default="[]"))
    op.add_column("service", sa.Column("route", sa.String(16), nullable=False, server_default="refer"))
    op.add_column("service", sa.Column("shares", sa.String(16), nullable=False, server_default="case_data"))
    op.add_column("service", sa.Column("transport", sa.String(64), nullable=True))
    op.add_column("service", sa.Column("listed_in", sa.String(80), nullable=True))
    op.add_column("service", sa.Column("follow_up", sa.String(80), nullable=True))
    op.add_column("onward_referral", sa.Column("team", sa.String(64), nullable=True))
    op.add_column("onward_referral", sa.Column("basis", sa.String(40), nullable=True))
    op.add_column("disclosure", sa.Column("what", sa.String(16), nullable=False, server_default="case_data"))
    op.create_index("ix_disclosure_case", "disclosure", ["case_id", "id"], unique=False)
    op.create_table(
        "access_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("requester", sa.String(64), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("held_by", sa.String(80), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(80), nullable=True),
        sa.Column("basis", sa.String(40), nullable=True),
        sa.Column("ground", sa.String(40), nullable=True),
        sa.Column("explanation", sa.LargeBinary(), nullable=True),
        sa.Column("decided_by", sa.String(80), nullable=True),
        sa.Column("approved_by", sa.String(80), nullable=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_access_request_case", "access_request", ["case_id", "id"], unique=False)


def _codes() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def downgrade() -> None:
    op.drop_table("access_request")
    op.drop_index("ix_disclosure_case", table_name="disclosure")
    op.drop_column("disclosure", "what")
    for name in ("team", "basis"):
        op.drop_column("onward_referral", name)
    for name in ("also", "teams", "without_marker", "route", "shares", "transport", "listed_in", "follow_up"):
        op.drop_column("service", name)
