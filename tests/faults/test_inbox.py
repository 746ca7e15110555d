"""What an inbox has in hand when one of its loops dies is not lost: the broker would not send it again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import InterfaceError

from hubkit.bus import LocalBus, Message
from hubkit.clock import SystemClock
from hubkit.contracts import Event, ReferralReceivedV1
from hubkit.contracts.envelope import encode, pack
from hubkit.contracts.referral import CrimeFacts
from hubkit.db import Database, Tx
from hubkit.ids import new_id
from hubkit.inbox import Inbox
from hubkit.messaging import _metadata


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/inbox.db", source="triage", clock=SystemClock())
    async with database._writer.begin() as conn:
        await conn.run_sync(_metadata.create_all)
    yield database
    await database.aclose()


AWAY = InterfaceError("select", {}, Exception("connection is closed"))


class Desk:
    """An inbox to which one event has come; `away` says how often its effect finds no database."""

    def __init__(self, database: Database, *, away: int = 0) -> None:
        self.tried, self.acknowledged = asyncio.Event(), asyncio.Event()
        self.effects: list[Any] = []
        self._away = away
        bus = LocalBus()
        self.inbox = Inbox("triage", database, bus, {ReferralReceivedV1: self._take})
        data = ReferralReceivedV1(
            referral_id=new_id(), version=1, source_organisation="police", channel="police_automatic",
            received_at=datetime.now(UTC), crime=CrimeFacts(category="burglary.residential"),
        )  # fmt: skip
        envelope = encode(id=new_id(), source="intake", subject="s", time=datetime.now(UTC), data=data)
        bus._sinks[data.TYPE][0](Message(data.TYPE, pack([envelope]), self._ack))

    async def _take(self, _tx: Tx, events: list[Event[Any]]) -> None:
        self.tried.set()
        if self._away:
            self._away -= 1
            raise AWAY
        self.effects += [event.id for event in events]

    async def _ack(self) -> None:
        self.acknowledged.set()


async def test_events_in_hand_survive_the_end_of_the_loop(database: Database) -> None:
    desk = Desk(database, away=1)
    first = asyncio.create_task(desk.inbox.run())
    await asyncio.wait_for(desk.tried.wait(), 5)
    await ended(first)
    assert not desk.acknowledged.is_set()

    second = asyncio.create_task(desk.inbox.run())
    await asyncio.wait_for(desk.acknowledged.wait(), 5)
    assert len(desk.effects) == 1
    await ended(second)


async def test_retries_wait_for_the_database_without_ending_what_is_in_hand(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(database, away=1)
    looks = 0

    async def away() -> float:
        nonlocal looks
        looks += 1
        raise AWAY

    monkeypatch.setattr(desk.inbox, "_retry_due", away)
    running = asyncio.create_task(desk.inbox.run())
    await asyncio.wait_for(desk.acknowledged.wait(), 5)
    assert looks
    assert not running.done()
    await ended(running)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
