"""The running frame of a deployable."""

import asyncio
import sqlite3
from pathlib import Path
from typing import ClassVar

import pytest
from fastapi import FastAPI

from hubkit import migrations
from hubkit.bus import LocalBus
from hubkit.config import Settings, SettingsError
from hubkit.db import whole
from hubkit.service import Ports, Service


class _Settings(Settings):
    PREFIX: ClassVar[str] = "SOME_"


async def test_a_deployable_without_a_broker_says_which_setting_is_missing() -> None:
    service = Service("services.some", _Settings(database_url="sqlite+aiosqlite://"), None)
    with pytest.raises(SettingsError, match=r"^SOME_AMQP_URL is needed$"):
        service.messages({})


async def test_a_service_that_is_stopped_while_it_starts_lets_nobody_wait_for_a_connection(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/some.db"
    await migrations.upgrade("gateway", url)
    service = Service("gateway", _Settings(database_url=url), Ports(bus=LocalBus()))

    async def write() -> None:
        async with service.db.transaction():
            pass

    async def write_whole() -> None:
        await whole(write())

    service.loop("first", write)  # opens the connection, and is cancelled in it
    service.loop("second", write_whole)  # waits for that connection, and is let finish
    async with asyncio.timeout(10), service.lifespan(FastAPI()):
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_migrated_file_is_in_the_mode_in_which_readers_and_the_writer_do_not_wait_for_one_another(
    tmp_path: Path,
) -> None:
    await migrations.upgrade("gateway", f"sqlite+aiosqlite:///{tmp_path}/some.db")
    connection = sqlite3.connect(tmp_path / "some.db")
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()
