"""The database: one async layer over PostgreSQL and SQLite, with transactions that carry their events.

An action gets a `Tx`, never commits, and says what happened with `tx.emit`; the events are stored in the same
transaction and handed to the relay once it has committed.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Executable, Row, Table, any_, bindparam, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.sql.dml import Update
from sqlalchemy.sql.selectable import Select
from sqlmodel import SQLModel

from hubkit import bulk
from hubkit.clock import Clock
from hubkit.contracts.envelope import Contract, encode
from hubkit.ids import new_id
from hubkit.messaging import OUTBOX
from hubkit.telemetry import current_traceparent

M = TypeVar("M", bound=SQLModel)
T = TypeVar("T")
Model = Table | type[SQLModel]
Rows = Sequence[Mapping[str, Any]]


def _dump(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


#: Parameters never reach an error message; JSON columns are written by the fast encoder.
_OPTIONS: dict[str, Any] = {"hide_parameters": True, "json_serializer": _dump, "json_deserializer": orjson.loads}
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")


def table_of(model: Model) -> Table:
    """Return the Core table behind a model class."""
    return model if isinstance(model, Table) else cast(Table, model.__table__)  # type: ignore[attr-defined]


def is_disconnect(error: BaseException) -> bool:
    """Whether the database was away, so that the same work may succeed when it is back."""
    if isinstance(error, (PoolTimeoutError, InterfaceError, OSError, asyncio.TimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_shutting_down(error)
    # asyncpg raises these unwrapped while it is connecting
    return type(error).__module__.startswith("asyncpg") and _is_shutting_down(error)


def _is_shutting_down(error: BaseException) -> bool:
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    return state.startswith(("08", "57P", "53")) or (
        isinstance(error, OperationalError) and "locked" in str(error.orig)
    )


class Tx:
    """One transaction: queries, writes, and the events that it causes.

    Attributes
    ----------
    now
        When it began, in UTC, by the injected clock; every row of it carries the same time.
    """

    __slots__ = ("_after", "_conn", "_session", "_source", "_writes", "events", "is_postgresql", "now")

    def __init__(self, conn: AsyncConnection, now: datetime, source: str) -> None:
        self._conn = conn
        self.now = now
        self.is_postgresql = conn.dialect.name == "postgresql"
        self.events: list[dict[str, Any]] = []
        self._after: list[Callable[[], None]] = []
        self._source = source
        self._session: AsyncSession | None = None
        self._writes: dict[bulk.Write, list[Mapping[str, Any]]] = {}

    async def connection(self) -> AsyncConnection:
        """Return the connection, with everything written that has been asked for."""
        await self._flush()
        return self._conn

    async def _flush(self) -> None:
        if self._writes:
            writes, self._writes = self._writes, {}
            rows = {f"rows_{number}": bulk.encode(given) for number, given in enumerate(writes.values())}
            await self._conn.execute(bulk.together(tuple(writes)), rows)

    async def _write(self, write: bulk.Write, rows: Rows) -> None:
        """Put off a write until something is read or the transaction ends: all that is waiting goes in one statement.

        Of one table there is one write at a time; only inserts of the same columns are joined.
        """
        is_more = write.key is None and write in self._writes
        if not is_more and any(other.table is write.table for other in self._writes):
            await self._flush()
        self._writes.setdefault(write, []).extend(rows)

    async def run(self, statement: Executable, params: Mapping[str, Any] | Rows | None = None) -> CursorResult[Any]:
        """Execute a statement, once or (given a list) for every row of parameters."""
        return await (await self.connection()).execute(statement, params)

    async def rows(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return all rows of a query."""
        return (await (await self.connection()).execute(statement, params)).all()

    async def row(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Row[Any] | None:
        """Return the first row of a query, or None."""
        return (await (await self.connection()).execute(statement, params)).first()

    async def models(self, statement: Select[M]) -> list[M]:
        """Return model instances of a `select(Model)`; for reading alone, changes to them are not written."""
        conn = await self.connection()
        if self._session is None:
            self._session = AsyncSession(bind=conn, expire_on_commit=False, autoflush=False)
        found = await self._session.execute(statement, execution_options={"populate_existing": True})
        return list(found.scalars().all())

    async def model(self, statement: Select[M]) -> M | None:
        """Return the first model instance of a `select(Model)`, or None."""
        found = await self.models(statement)
        return found[0] if found else None

    async def insert(self, model: Model, rows: Rows) -> None:
        """Insert rows, which all have the same columns; nothing when there are none."""
        if not rows:
            return
        table = table_of(model)
        if self.is_postgresql:
            await self._write(bulk.Write(table, tuple(rows[0])), rows)
        else:
            await self._conn.execute(table.insert(), list(rows))

    async def insert_new(self, model: Model, rows: Rows, *, conflict: Sequence[str], returning: str) -> set[Any]:
        """Insert the rows that do not stand yet and return `returning` of those that were new.

        A concurrent transaction that inserts the same key is waited for.
        """
        if not rows:
            return set()
        table = table_of(model)
        if self.is_postgresql:
            new = bulk.insert_new(table, tuple(rows[0]), tuple(conflict), returning)
            conn = await self.connection()
            return set((await conn.execute(new, {"rows": bulk.encode(rows)})).scalars())
        inserted = sqlite_insert(table).on_conflict_do_nothing(index_elements=list(conflict))
        return set((await self._conn.execute(inserted.returning(table.c[returning]), list(rows))).scalars())

    async def update_each(self, model: Model, key: str, rows: Rows) -> None:
        """Update one row for each mapping, found by `key`; all mappings have the same columns."""
        if not rows:
            return
        table = table_of(model)
        names = [name for name in rows[0] if name != key]
        if self.is_postgresql:
            await self._write(bulk.Write(table, tuple(names), key), rows)
            return
        statement: Update = table.update().where(table.c[key] == bindparam("_key"))
        statement = statement.values({name: bindparam(f"_{name}") for name in names})
        await self._conn.execute(
            statement, [{"_key": row[key], **{f"_{name}": row[name] for name in names}} for row in rows]
        )

    def among(self, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """Return the condition that a column has one of these values.

        On PostgreSQL they are one array parameter, so that the statement is the same for any number of them.
        """
        if self.is_postgresql:
            return column == any_(bindparam(None, list(values), type_=postgresql.ARRAY(column.type)))
        return column.in_(list(values))

    def emit(self, data: Contract, subject: UUID | str) -> UUID:
        """Say what happened: stored with this transaction, published after it. Returns the event's id."""
        event_id = new_id()
        body = encode(
            id=event_id,
            source=self._source,
            subject=str(subject),
            time=self.now,
            data=data,
            traceparent=current_traceparent(),
        )
        self.events.append(
            {"id": event_id, "type": data.TYPE, "subject": str(subject), "body": body.decode(), "created_at": self.now}
        )
        return event_id

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once this transaction has committed; not at all when it fails."""
        self._after.append(callback)

    async def _finish(self) -> None:
        if self.events:
            await self.insert(OUTBOX, self.events)
        await self._flush()

    def _committed(self) -> None:
        for callback in self._after:
            callback()


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
        self._threads: list[threading.Thread] = []
        #: Called with the outbox rows of each committed transaction.
        self.on_events: Callable[[list[dict[str, Any]]], None] = lambda _rows: None
        if self.is_postgresql:
            self._writer = self._reader = _postgresql_engine(url, pool_size, source)
        else:
            # One writer connection: SQLite has one writer, and a pool of one queues fairly where its own lock polls.
            self._writer = _sqlite_engine(url, self._threads, size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, self._threads, size=4, begin="BEGIN")

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
    async def reading(self) -> AsyncIterator[Tx]:
        """Open a connection for queries alone."""
        async with self._reader.connect() as conn:
            if self.is_postgresql:
                # Each statement is its own snapshot: no BEGIN and COMMIT round trips for a read.
                conn = await conn.execution_options(isolation_level="AUTOCOMMIT")
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
        if self._reader is not self._writer:
            await self._reader.dispose()
        for thread in self._threads:
            # One whose query was cancelled still answers to the loop; it must not find the loop closed.
            await asyncio.to_thread(thread.join, 5)


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


def _sqlite_engine(url: str, threads: list[threading.Thread], *, size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, pool_size=size, max_overflow=0, pool_timeout=30, **_OPTIONS
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions by itself
        threads.append(connection.driver_connection._thread)
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Yield `items` in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
