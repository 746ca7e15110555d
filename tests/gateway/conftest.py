"""A running gateway for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.support import Gateway, running, sqlite


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(sqlite(tmp_path)) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        sqlite(tmp_path) if request.param == "sqlite" else request.getfixturevalue("migrated_postgres_url")("gateway")
    )
