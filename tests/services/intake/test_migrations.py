"""The migrations make exactly the tables of the tables room."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from hubkit.db import Database
from services.intake.tables import METADATA


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, METADATA))


async def test_the_migrations_make_the_tables(db: Database) -> None:
    async with db.reading() as tx:
        assert await (await tx.connection()).run_sync(differences) == []
