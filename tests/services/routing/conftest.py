"""A migrated database of routing, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hubkit.clock import ManualClock
from hubkit.db import Database
from tests.services.routing.support import NOW, World
from tests.support.migrated import migrated


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database, once on each."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/routing.db"
    return str(request.getfixturevalue("migrated_postgres_url")("services.routing"))


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """Return routing without its doors, in a hub that has no time for an answer."""
    async with _world(url) as made:
        yield made


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[World]:
    """Return the same, for tests that go through many cases."""
    async with _world(f"sqlite+aiosqlite:///{tmp_path}/routing.db") as made:
        yield made


@asynccontextmanager
async def _world(url: str) -> AsyncIterator[World]:
    await migrated("services.routing", url)
    clock = ManualClock(NOW)
    database = Database(url, source="routing", clock=clock)
    yield World(database, clock)
    await database.aclose()
