"""A migrated database of triage, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubkit.clock import ManualClock
from hubkit.db import Database
from tests.services.triage.support import NOW, Triage, running
from tests.support.migrated import migrated


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database, once on each."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/triage.db"
    return str(request.getfixturevalue("migrated_postgres_url")("services.triage"))


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """Return a migrated database."""
    await migrated("services.triage", url)
    database = Database(url, source="triage", clock=ManualClock(NOW))
    yield database
    await database.aclose()


@pytest.fixture
async def triage(tmp_path: Path) -> AsyncIterator[Triage]:
    """Return a running triage service."""
    async with running(tmp_path) as service:
        yield service
