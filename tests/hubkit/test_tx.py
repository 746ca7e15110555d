"""Transactions: writes go together, a hopeful one is done again when somebody was quicker."""

import asyncio
import contextlib
import gc
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, select, update
from sqlalchemy import event as events
from sqlalchemy.exc import IntegrityError

from hubkit.clock import SystemClock
from hubkit.db import Database, Tx
from hubkit.messaging import add_messaging_tables

METADATA = MetaData()
add_messaging_tables(METADATA)
PARENT = Table("parent", METADATA, Column("id", Integer, primary_key=True), Column("name", String(20), unique=True))
CHILD = Table(
    "child", METADATA, Column("id", Integer, primary_key=True), Column("parent_id", ForeignKey("parent.id")),
    Column("note", String(20)),
)  # fmt: skip


@pytest.fixture
async def db(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_url, source="test", clock=SystemClock())
    async with database._writer.begin() as conn:
        await conn.run_sync(METADATA.create_all)
    yield database
    await database.aclose()


@pytest.fixture
def statements(db: Database) -> list[str]:
    said: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement.split()[0])

    events.listen(db._writer.sync_engine, "before_cursor_execute", note)
    return said


async def names(db: Database) -> list[str]:
    async with db.reading() as tx:
        return [row.name for row in await tx.rows(select(PARENT.c.name).order_by(PARENT.c.id))]


async def test_all_writes_of_a_transaction_are_one_statement(db: Database, statements: list[str]) -> None:
    async with db.hopeful() as tx:
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
        await tx.insert(CHILD, [{"id": 1, "parent_id": 1, "note": None}])
        await tx.insert(PARENT, [{"id": 2, "name": "b"}])
    assert statements == ["WITH"]
    assert await names(db) == ["a", "b"]


@pytest.mark.parametrize("kind", ["hopeful", "transaction"])
async def test_what_was_written_is_seen_by_what_is_read_after(db: Database, kind: str) -> None:
    async with getattr(db, kind)() as tx:
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
        assert len(await tx.rows(select(PARENT))) == 1
        await tx.update_each(PARENT, "id", [{"id": 1, "name": "b"}])
        await tx.update_each(PARENT, "id", [{"id": 1, "name": "c"}])
        assert [row.name for row in await tx.rows(select(PARENT))] == ["c"]
        await tx.run(update(PARENT).values(name="d"))
    assert await names(db) == ["d"]


@pytest.mark.parametrize("kind", ["hopeful", "transaction"])
async def test_failed_transaction_leaves_nothing_even_after_it_began(db: Database, kind: str) -> None:
    async def fail() -> None:
        async with getattr(db, kind)() as tx:
            await tx.insert(PARENT, [{"id": 1, "name": "a"}])
            await tx.run(update(PARENT).values(name="b"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await names(db) == []
    async with db.hopeful() as tx:  # the connection is fit for use
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
    assert await names(db) == ["a"]


@pytest.mark.parametrize("kind", ["hopeful", "transaction"])
async def test_new_rows_are_told_from_standing_ones(db: Database, kind: str) -> None:
    async with db.transaction() as tx:
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
    async with getattr(db, kind)() as tx:
        rows = [{"id": n, "name": name} for n, name in ((2, "a"), (3, "b"), (4, "b"), (5, None), (6, None))]
        new = await tx.insert_new(PARENT, rows, conflict=["name"], returning="id")
    assert new == {3, 5, 6}
    assert await names(db) == ["a", "b", None, None]


async def test_hopeful_transaction_that_came_second_changes_nothing(db: Database) -> None:
    async def hope() -> None:
        async with db.hopeful() as tx:
            rows = [{"id": 1, "name": "mine"}, {"id": 2, "name": "mine too"}]
            assert await tx.insert_new(PARENT, rows, conflict=["id"], returning="id") == {1, 2}
            async with db.transaction() as other:
                await other.insert(PARENT, [{"id": 2, "name": "theirs"}])

    with pytest.raises(IntegrityError):
        await hope()
    assert await names(db) == ["theirs"]


async def test_lock_in_a_hopeful_transaction_is_kept_to_its_end(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
    locked, order = asyncio.Event(), []

    async def holder() -> None:
        async with db.hopeful() as tx:
            assert await tx.rows(select(PARENT).with_for_update())
            locked.set()
            await asyncio.sleep(0.2)
            order.append("holder")

    async def waiter() -> None:
        await locked.wait()
        async with db.hopeful() as tx:
            await tx.rows(select(PARENT).with_for_update())
            order.append("waiter")

    await asyncio.gather(holder(), waiter())
    assert order == ["holder", "waiter"]


async def test_looking_for_something_to_lock_begins_nothing(db: Database, statements: list[str]) -> None:
    async with db.hopeful() as tx:
        assert await tx.rows(select(PARENT).where(PARENT.c.id == 1).with_for_update()) == []
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
        assert not tx._begun
    assert statements == ["SELECT", "INSERT"]


async def test_cancelled_transaction_is_rolled_back_and_its_connection_is_sound(db: Database) -> None:
    async def work(tx: Tx) -> None:
        await tx.insert(PARENT, [{"id": 1, "name": "a"}])
        await tx.run(update(PARENT).values(name="b"))
        await asyncio.sleep(10)

    async def hope() -> None:
        async with db.hopeful() as tx:
            await work(tx)

    task = asyncio.create_task(hope())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(10):
        async with db.hopeful() as tx:
            assert await tx.rows(select(PARENT)) == []


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_connection_that_is_cancelled_while_it_opens_is_closed(tmp_path: Path, turns: int) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'db'}", source="test", clock=SystemClock())
    opening = asyncio.create_task(database.ping())
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening
    await database.aclose()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        del database, opening
        gc.collect()
    assert [str(each.message) for each in said] == []
