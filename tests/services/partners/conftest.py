from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubkit.clock import ManualClock
from hubkit.db import Database
from tests.services.partners.support import NOW, Running, World, database, running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        given: str = request.getfixturevalue("migrated_postgres_url")("services.partners")
        return given
    return f"sqlite+aiosqlite:///{tmp_path / 'partners.db'}"


@pytest.fixture
async def db(url: str, clock: ManualClock) -> AsyncIterator[Database]:
    async with database(url, clock) as made:
        yield made


@pytest.fixture
async def world(db: Database, clock: ManualClock) -> World:
    """Return partners without its doors, with one counselling partner."""
    made = World.make(db, clock)
    await made.add_partner("counselling")
    return made


@pytest.fixture
async def partners(url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """Run the application, with one counselling and one idva partner."""
    async with running(url, tmp_path) as made:
        await made.add_partner("counselling")
        await made.add_partner("idva")
        yield made
