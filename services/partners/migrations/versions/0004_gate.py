"""Who gave a consent and how, what protects a case, safeguarding decisions, acknowledgements of withdrawals."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CONSENT = (
    ("purpose", sa.String(32)),
    ("giver", sa.String(16)),
    ("giver_note", sa.LargeBinary()),
    ("capacity", sa.String(16)),
    ("competence", sa.String(24)),
    ("language", sa.String(16)),
    ("interpreter", sa.String(16)),
    ("wording_version", sa.String(64)),
    ("taken_by", sa.String(64)),
)


def upgrade() -> None:
    op.add_column("partner", sa.Column("kept_from", _codes(), nullable=True))
    op.add_column("case_facts", sa.Column("markers", _codes(), nullable=True))
    op.add_column("case_facts", sa.Column("age", sa.Integer(), nullable=True))
    op.add_column("case_facts", sa.Column("source_organisation", sa.String(64), nullable=True))
    op.add_column("case_facts", sa.Column("restricted_to", _codes(), nullable=True))
    op.add_column("case_facts", _flag("safe_address"))
    for name, type in _CONSENT:
        op.add_column("consent", sa.Column(name, type, nullable=True))
    op.add_column("consent", _flag("best_interests"))
    op.add_column("consent", _flag("is_draft"))
    op.add_column("disclosure", sa.Column("safeguarding_id", sa.Uuid(), nullable=True))
    _case_protection()
    _safeguarding_decision()
    _withdrawal_acknowledgement()


def _case_protection() -> None:
    op.create_table(
        "case_protection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("restricted_to", _codes(), nullable=True),
        sa.Column("safe_address", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("decided_by", sa.String(80), nullable=False),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_case_protection_case", "case_protection", ["case_id", "id"], unique=False)


def _safeguarding_decision() -> None:
    op.create_table(
        "safeguarding_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("legal_ground", sa.String(48), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("data_categories", _codes(), nullable=False),
        sa.Column("person_told", sa.String(24), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(80), nullable=False),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=False),
        sa.Column("approved_by", sa.String(80), nullable=True),
        sa.Column("approving_client_id", sa.String(128), nullable=True),
        sa.Column("approved_at", UTCDateTime(), nullable=True),
        sa.Column("onward_referral_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_facts.case_id"]),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_safeguarding_decision_case", "safeguarding_decision", ["case_id", "id"], unique=False)
    op.create_index("ix_safeguarding_decision_onward", "safeguarding_decision", ["onward_referral_id"], unique=False)


def _withdrawal_acknowledgement() -> None:
    op.create_table(
        "withdrawal_acknowledgement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("onward_referral_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("statement", sa.String(24), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("client_id", sa.String(128), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("onward_referral_id"),
    )
    op.create_index("ix_withdrawal_acknowledgement_case", "withdrawal_acknowledgement", ["case_id", "id"], unique=False)
    op.create_index(
        "ix_withdrawal_acknowledgement_awaited",
        "withdrawal_acknowledgement",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("answered_at IS NULL"),
        sqlite_where=sa.text("answered_at IS NULL"),
    )


def _codes() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def downgrade() -> None:
    for table in ("withdrawal_acknowledgement", "safeguarding_decision", "case_protection"):
        op.drop_table(table)
    op.drop_column("disclosure", "safeguarding_id")
    for name in ("is_draft", "best_interests", *(name for name, _ in _CONSENT)):
        op.drop_column("consent", name)
    for name in ("safe_address", "restricted_to", "source_organisation", "age", "markers"):
        op.drop_column("case_facts", name)
    op.drop_column("partner", "kept_from")
