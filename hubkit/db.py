"""The database: one async layer over PostgreSQL and SQLite, with transactions that carry their events.

An action gets a `Tx`, never commits, and says what happened with `tx.emit`; the events are stored in the same
transaction and handed to the relay once it has committed.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import aiosqlite
import orjson
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from hubkit.clock import Clock
from hubkit.tx import Model, Rows, Tx, table_of

T = TypeVar("T")


def _dump(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


#: Parameters never reach an error message; JSON columns are written by the fast encoder.
_OPTIONS: dict[str, Any] = {"hide_parameters": True, "json_serializer": _dump, "json_deserializer": orjson.loads}
__all__ = ["Database", "Model", "Rows", "Tx", "is_disconnect", "table_of", "whole"]

_SQLITE_PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def is_disconnect(error: BaseException) -> bool:
    """Whether the database was away, so that the same work may succeed when it is back."""
    if isinstance(error, (PoolTimeoutError, InterfaceError, OSError, asyncio.TimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_shutting_down(error)
    # asyncpg's own, unwrapped, while it is connecting and where we speak to it directly
    is_driver = type(error).__module__.startswith("asyncpg")
    return is_driver and (type(error).__name__ == "InterfaceError" or _is_shutting_down(error))


def _is_shutting_down(error: BaseException) -> bool:
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    return state.startswith(("08", "57P", "53")) or (
        isinstance(error, OperationalError) and "locked" in str(error.orig)
    )


class Database:
    """A deployable's own database.

    Parameters
    ----------
    url
        `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`.
    source
        The deployable's name, which becomes the source of its events.
    """

    def __init__(self, url: str, *, source: str, clock: Clock, pool_size: int = 8) -> None:
        self.url = url
        self.source = source
        self.clock = clock
        self.is_postgresql = url.startswith("postgresql")
        #: SQLite's connections, so that none is left open that its pool has lost.
        self._opened: list[aiosqlite.Connection] = []
        #: Called with the outbox rows of each committed transaction.
        self.on_events: Callable[[list[dict[str, Any]]], None] = lambda _rows: None
        if self.is_postgresql:
            self._writer = _postgresql_engine(url, pool_size, source)
            # Of the same pool: each statement is a transaction of its own, unless a BEGIN is sent before it.
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")
        else:
            # One writer connection: SQLite has one writer, and a pool of one queues fairly where its own lock polls.
            self._writer = _sqlite_engine(url, self._opened, size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, self._opened, size=4, begin="BEGIN")

    async def open(self) -> None:
        """Open SQLite's one connection for writing, before anybody wants it.

        Who is cancelled while the pool opens its only connection leaves the others waiting for it until they give up.
        """
        if not self.is_postgresql:
            async with self._writer.connect():
                pass

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Open a transaction; it commits at the end of the block, with its events, and rolls back on an error."""
        async with self._writer.begin() as conn:
            tx = Tx(conn, self.clock.now(), self.source)
            yield tx
            await tx._finish()
        if tx.events:
            self.on_events(tx.events)
        tx._committed()

    @contextlib.asynccontextmanager
    async def hopeful(self) -> AsyncIterator[Tx]:
        """Open a transaction for work that is usually new and undisputed; it is cheaper by several round trips.

        It looks whether rows stand instead of making the database wait for who inserts them first. When somebody else
        was quicker it fails with `IntegrityError`, having changed nothing: the work is then done again in an ordinary
        transaction. On SQLite, which has one writer, it is an ordinary one.
        """
        if not self.is_postgresql:
            async with self.transaction() as tx:
                yield tx
            return
        async with self._reader.connect() as conn:
            tx = Tx(conn, self.clock.now(), self.source, hopeful=True)
            try:
                yield tx
                await tx._finish()
            except BaseException:
                await tx._abandon()
                raise
        if tx.events:
            self.on_events(tx.events)
        tx._committed()

    async def hopefully(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Do `work` in a hopeful transaction, and again in an ordinary one when somebody else was quicker."""
        try:
            async with self.hopeful() as tx:
                return await work(tx)
        except IntegrityError:
            async with self.transaction() as tx:
                return await work(tx)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """Open a connection for queries alone."""
        async with self._reader.connect() as conn:
            yield Tx(conn, self.clock.now(), self.source)

    async def ping(self) -> None:
        """Ask for nothing; raises when the database is away."""
        async with self.reading() as tx:
            await tx.run(text("SELECT 1"))

    async def check_durability(self) -> None:
        """Raise when the server would acknowledge a commit that a crash can lose."""
        if not self.is_postgresql:
            return
        async with self.reading() as tx:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                row = await tx.row(text(f"SHOW {name}"))
                if row is not None and row[0] == "off":
                    raise RuntimeError(f"PostgreSQL has {name} off: an acknowledged referral could be lost")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        if not self.is_postgresql:
            await self._reader.dispose()
        for connection in self._opened:
            # One whose work was cancelled may be lost to its pool, or still answer to the loop: it must not find the
            # loop closed.
            with contextlib.suppress(ValueError, sqlite3.Error):
                await connection.close()
            await asyncio.to_thread(connection._thread.join, 5)


#: A service finds rows by their keys, a batch at a time. Plans are kept with the connection and must not depend on
#: what the statistics of a young table said when it was opened.
_PLANNING = {"jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


async def whole(transaction: Coroutine[Any, Any, T]) -> T:
    """Finish a transaction although the loop around it is cancelled.

    A connection that is dropped in the middle of one is lost to its pool, and SQLite's pool of writers has one.
    """
    task = asyncio.ensure_future(transaction)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains; the loop that is started next does it again
        raise


def _postgresql_engine(url: str, pool_size: int, source: str) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        **_OPTIONS,
        connect_args={
            "timeout": 5,
            "command_timeout": 15,
            "server_settings": {"application_name": f"onward-{source}", "statement_timeout": "10000", **_PLANNING},
        },
    )


def _sqlite_engine(url: str, opened: list[aiosqlite.Connection], *, size: int, begin: str) -> AsyncEngine:
    path = make_url(url).database or ""

    def _open() -> Any:
        connection = aiosqlite.connect(path, isolation_level=None)  # the driver must not open transactions by itself
        connection._thread.daemon = True
        opened.append(connection)
        return connection

    engine = create_async_engine(
        url,
        async_creator=_open,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=30,
        **_OPTIONS,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
