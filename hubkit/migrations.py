"""Alembic migrations for each deployable, run the same way everywhere: `python -m hubkit.migrations services.intake`.

A deployable's migrations stand in its `migrations/` folder and are made from the metadata of its `tables` room:
`python -m hubkit.migrations services.intake --make "what changes"`. A deployable refuses to start on a stale schema.
"""

import argparse
import asyncio
import hashlib
import importlib
import logging
import sys
from pathlib import Path
from typing import Literal

from sqlalchemy import JSON, Connection, MetaData, pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import AutoString, UTCDateTime

from hubkit.config import Settings

_log = logging.getLogger(__name__)


class StaleSchemaError(Exception):
    """The database does not stand at the newest migration."""


def folder(module: str) -> Path:
    """Return the migrations folder of a deployable such as `services.intake`."""
    origin = importlib.import_module(module).__file__
    return Path(str(origin)).parent / "migrations"


def newest(module: str) -> str:
    """Return the newest revision: the file names carry their order (`0002_…`)."""
    return sorted(path.stem for path in folder(module).glob("versions/[0-9]*.py"))[-1].split("_")[0]


async def check_current(module: str, url: str) -> None:
    """Raise `StaleSchemaError` unless the database stands at the newest migration."""
    engine = create_async_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    try:
        async with engine.connect() as conn:
            found = (await conn.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except DBAPIError as error:
        if error.connection_invalidated or "alembic_version" not in str(error.orig):
            raise
        found = None
    finally:
        await engine.dispose()
    if found != newest(module):
        raise StaleSchemaError(
            f"{module}: the database stands at migration {found}, the code needs {newest(module)}: run `onward migrate`"
        )


async def upgrade(module: str, url: str, *, make: str | None = None) -> None:
    """Bring a database to the newest migration, one process at a time; or, with `make`, write a new migration."""
    engine = create_async_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    try:
        async with engine.connect() as conn:
            if engine.dialect.name == "postgresql":
                key = int.from_bytes(hashlib.sha256(f"migrate {module}".encode()).digest()[:8], "big", signed=True)
                await conn.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
            else:
                # Kept in the file. Connections that each switch to it while they open would lock one another out.
                await conn.execute(text("PRAGMA journal_mode=WAL"))
            await conn.commit()
            await conn.run_sync(_alembic, module, make)
            await conn.commit()
    finally:
        await engine.dispose()


def _alembic(connection: Connection, module: str, make: str | None) -> None:
    # Imported here: a running deployable has no use for Alembic and its templates.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder(module)))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = _metadata(module) if make else None
    if make:
        versions = folder(module) / "versions"
        number = len(list(versions.glob("[0-9]*.py"))) + 1
        command.revision(config, message=make, autogenerate=True, rev_id=f"{number:04d}")
    else:
        command.upgrade(config, "head")


def _metadata(module: str) -> MetaData:
    tables = importlib.import_module(f"{module}.tables")
    metadata = tables.METADATA
    if not isinstance(metadata, MetaData):
        raise TypeError(f"{module}.tables.METADATA is not a MetaData")
    return metadata


def run_env() -> None:
    """Do what Alembic's `env.py` does; every deployable's `migrations/env.py` calls this."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes["metadata"],
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        compare_type=True,
        render_item=_render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


def _render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write types that Alembic renders wrongly or by a private path."""
    if kind == "type" and isinstance(item, JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if kind == "type" and isinstance(item, UTCDateTime):
        return "UTCDateTime()"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    return False


def settings_class(module: str) -> type[Settings]:
    """Return the settings class of a deployable."""
    settings = importlib.import_module(f"{module}.settings")
    found = [
        c for c in vars(settings).values() if isinstance(c, type) and issubclass(c, Settings) and c is not Settings
    ]
    return found[0]


async def _main(module: str, make: str | None, url: str | None) -> None:
    where = url or settings_class(module).load().database_url
    for attempt in range(30):
        try:
            await upgrade(module, where, make=make)
        except (OSError, DBAPIError) as error:
            if attempt == 29 or (isinstance(error, DBAPIError) and not error.connection_invalidated):
                raise
            await asyncio.sleep(1)
        else:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m hubkit.migrations", description=__doc__)
    parser.add_argument("module", help="services.intake, …, gateway")
    parser.add_argument("--make", metavar="TEXT", help="write a migration from the difference to the tables")
    parser.add_argument("--url", help="database, instead of the one in the deployable's settings")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(_main(arguments.module, arguments.make, arguments.url)))
