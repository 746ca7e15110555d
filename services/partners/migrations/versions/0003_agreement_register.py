"""Agreements with all that they say, who drafted and who approved them, and every version."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

from hubkit.ids import new_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = (
    "purposes",
    "data_categories",
    "crimes_excluded",
    "lawful_basis",
    "starts_on",
    "ends_on",
)


def upgrade() -> None:
    with op.batch_alter_table("agreement") as agreement:
        agreement.add_column(sa.Column("reference", sa.String(64), nullable=True))
        agreement.add_column(sa.Column("hops", _codes(), nullable=False, server_default='["hub_to_partner"]'))
        agreement.add_column(sa.Column("fields", _codes(), nullable=True))
        agreement.add_column(sa.Column("delivery", sa.String(16), nullable=False, server_default="thin"))
        agreement.add_column(sa.Column("review_on", sa.Date(), nullable=True))
        agreement.add_column(sa.Column("ended_on", sa.Date(), nullable=True))
        agreement.add_column(sa.Column("document", _codes(), nullable=False, server_default="{}"))
        agreement.add_column(sa.Column("drafted_by", sa.String(80), nullable=True))
        agreement.add_column(sa.Column("approved_by", sa.String(80), nullable=True))
        agreement.add_column(sa.Column("proposed", _codes(), nullable=True))
        agreement.create_unique_constraint("uq_agreement_reference", ["reference"])
    op.create_table(
        "agreement_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("acts", _codes(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("terms", _codes(), nullable=False),
        sa.Column("proposed", _codes(), nullable=True),
        sa.Column("drafted_by", sa.String(80), nullable=True),
        sa.Column("approved_by", sa.String(80), nullable=True),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("agreement_id", "version", name="uq_agreement_version"),
    )
    _keep_what_stands()


def _keep_what_stands() -> None:
    """Make the first row of each agreement's history, and give each the reference by which it is imported."""
    bind = op.get_bind()
    agreement, version = _tables()
    for row in bind.execute(sa.select(agreement)).all():
        ended_on = row.changed_at.date() if row.status == "ended" else None
        known = {"reference": str(row.id), "ended_on": ended_on}
        bind.execute(agreement.update().where(agreement.c.id == row.id).values(**known))
        terms = json.loads(json.dumps({name: getattr(row, name) for name in _COLUMNS}, default=str))
        values = {
            "id": new_id(),
            "agreement_id": row.id,
            "version": row.version,
            "acts": ["migrated"],
            "status": row.status,
            "terms": terms,
            "by": "migration",
            "client_id": "migration",
            "made_at": row.changed_at,
        }
        bind.execute(version.insert().values(**values))


def _tables() -> tuple[sa.TableClause, sa.TableClause]:
    agreement = sa.table(
        "agreement",
        sa.column("id", sa.Uuid()),
        sa.column("version", sa.Integer()),
        sa.column("status", sa.String()),
        sa.column("reference", sa.String()),
        sa.column("lawful_basis", sa.String()),
        *(sa.column(name, _codes()) for name in ("purposes", "data_categories", "crimes_excluded")),
        *(sa.column(name, sa.Date()) for name in ("starts_on", "ends_on", "ended_on")),
        sa.column("changed_at", UTCDateTime()),
    )
    version = sa.table(
        "agreement_version",
        sa.column("id", sa.Uuid()),
        sa.column("agreement_id", sa.Uuid()),
        sa.column("version", sa.Integer()),
        *(sa.column(name, _codes()) for name in ("acts", "terms")),
        *(sa.column(name, sa.String()) for name in ("status", "by", "client_id")),
        sa.column("made_at", UTCDateTime()),
    )
    return agreement, version


def _codes() -> Any:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def downgrade() -> None:
    op.drop_table("agreement_version")
    with op.batch_alter_table("agreement") as agreement:
        agreement.drop_constraint("uq_agreement_reference", type_="unique")
        for name in ("reference", "hops", "fields", "delivery", "review_on", "ended_on", "document", "drafted_by",
                     "approved_by", "proposed"):  # fmt: skip
            agreement.drop_column(name)
