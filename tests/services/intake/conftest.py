from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubkit.db import Database
from tests.services.intake.support import Intake, database, running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        given: str = request.getfixturevalue("migrated_postgres_url")("services.intake")
        return given
    return f"sqlite+aiosqlite:///{tmp_path / 'intake.db'}"


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    async with database(url) as made:
        yield made


@pytest.fixture
async def intake(url: str, tmp_path: Path) -> AsyncIterator[Intake]:
    async with running(url, tmp_path) as made:
        yield made
