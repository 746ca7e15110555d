"""Partners are asked about rectifications and erasures too: more than once about one onward referral."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE = "withdrawal_acknowledgement"
_NUMBERED = "uq_withdrawal_acknowledgement_number"
#: SQLite keeps no name for the first constraint; it is called as PostgreSQL called it, so that it can be dropped.
_NAMES = {"uq": "%(table_name)s_%(column_0_name)s_key"}
_FIRST = f"{_TABLE}_onward_referral_id_key"


def upgrade() -> None:
    with op.batch_alter_table(_TABLE, naming_convention=_NAMES) as table:
        table.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
        table.drop_constraint(_FIRST, type_="unique")
        table.create_unique_constraint(_NUMBERED, ["onward_referral_id", "number"])
    op.create_index("ix_onward_referral_referral", "onward_referral", ["referral_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_onward_referral_referral", table_name="onward_referral")
    op.execute(sa.text(f"DELETE FROM {_TABLE} WHERE number > 0"))  # noqa: S608 - a constant name
    with op.batch_alter_table(_TABLE, naming_convention=_NAMES) as table:
        table.drop_constraint(_NUMBERED, type_="unique")
        table.create_unique_constraint(_FIRST, ["onward_referral_id"])
        table.drop_column("number")
