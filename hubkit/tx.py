"""A transaction: queries, writes, and the events that it causes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Row, Table, any_, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Update
from sqlalchemy.sql.selectable import Select, SelectBase
from sqlmodel import SQLModel

from hubkit import bulk
from hubkit.contracts.envelope import Contract, encode
from hubkit.ids import new_id
from hubkit.messaging import OUTBOX
from hubkit.telemetry import current_traceparent

M = TypeVar("M", bound=SQLModel)
Model = Table | type[SQLModel]
Rows = Sequence[Mapping[str, Any]]


def table_of(model: Model) -> Table:
    """Return the Core table behind a model class."""
    return model if isinstance(model, Table) else cast(Table, model.__table__)  # type: ignore[attr-defined]


class Tx:
    """One transaction: queries, writes, and the events that it causes.

    On PostgreSQL its writes are put off until something must see them, and go together as one statement. A hopeful
    transaction (see `Database.hopeful`) has no BEGIN until it takes a lock: what is not locked before one statement
    need not be inside the same transaction as it, where each statement is its own snapshot anyway.

    Attributes
    ----------
    now
        When it began, in UTC, by the injected clock; every row of it carries the same time.
    memo
        What it has made itself and nobody else can see yet, so that it need not be read back; by the store's names.
    """

    __slots__ = (
        "_after", "_begun", "_conn", "_hopeful", "_session", "_source", "_writes", "events", "is_postgresql", "memo",
        "now",
    )  # fmt: skip

    def __init__(self, conn: AsyncConnection, now: datetime, source: str, *, hopeful: bool = False) -> None:
        self._conn = conn
        self._hopeful = hopeful
        self._begun = not hopeful
        self.now = now
        self.is_postgresql = conn.dialect.name == "postgresql"
        self.events: list[dict[str, Any]] = []
        self.memo: dict[str, Any] = {}
        self._after: list[Callable[[], None]] = []
        self._source = source
        self._session: AsyncSession | None = None
        self._writes: dict[bulk.Write, list[Mapping[str, Any]]] = {}

    @property
    def hopes(self) -> bool:
        """Whether what is nearly always new need not be looked for: if it stands, this is done again without hope."""
        return self._hopeful

    async def connection(self) -> AsyncConnection:
        """Return the connection, inside the transaction and with everything written that has been asked for."""
        await self._settle()
        return self._conn

    async def _settle(self) -> None:
        await self.begin()
        await self._flush()

    async def begin(self) -> None:
        """Begin in earnest: from here on locks are kept to the end. Only a hopeful transaction needs to be told."""
        if not self._begun:
            self._begun = True
            await (await self._driver()).execute("BEGIN")

    async def _driver(self) -> Any:
        return (await self._conn.get_raw_connection()).driver_connection

    async def _flush(self) -> None:
        if self._writes:
            writes, self._writes = self._writes, {}
            rows = {f"rows_{number}": bulk.encode(given) for number, given in enumerate(writes.values())}
            await self._conn.execute(bulk.together(tuple(writes)), rows)

    async def _write(self, write: bulk.Write, rows: Rows) -> None:
        """Put off a write. Of one table there is one write at a time; only inserts of the same columns are joined."""
        is_more = write.key is None and write in self._writes
        if not is_more and self._is_written(write.table):
            await self._settle()
        self._writes.setdefault(write, []).extend(rows)

    def _is_written(self, table: Table) -> bool:
        # By name: a query of models holds copies of their tables.
        return any(write.table.name == table.name for write in self._writes)

    async def run(self, statement: Executable, params: Mapping[str, Any] | Rows | None = None) -> CursorResult[Any]:
        """Execute a statement, once or (given a list) for every row of parameters."""
        return await (await self.connection()).execute(statement, params)

    async def rows(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return all rows of a query."""
        return await self._read(statement, params)

    async def row(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Row[Any] | None:
        """Return the first row of a query, or None."""
        found = await self._read(statement, params)
        return found[0] if found else None

    async def _read(self, statement: Executable, params: Mapping[str, Any] | None) -> Sequence[Row[Any]]:
        query: Any = statement
        if not isinstance(query, SelectBase):
            return (await (await self.connection()).execute(statement, params)).all()
        await self._show_writes(query)
        if not self._begun and isinstance(query, Select) and query._for_update_arg is not None:
            # Nothing found means nothing to lock, and so it is with all that is new.
            if not (await self._conn.execute(_without_lock(query), params)).all():
                return []
            await self.begin()
        return (await self._conn.execute(statement, params)).all()

    async def _show_writes(self, statement: SelectBase) -> None:
        """Write what has been put off when the query reads a table of it."""
        if self._writes and any(isinstance(e, Table) and self._is_written(e) for e in visitors.iterate(statement)):
            await self._settle()

    async def models(self, statement: Select[M]) -> list[M]:
        """Return model instances of a `select(Model)`; for reading alone, changes to them are not written."""
        await self._show_writes(statement)
        if self._session is None:
            self._session = AsyncSession(bind=self._conn, expire_on_commit=False, autoflush=False)
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

    async def insert_new(
        self, model: Model, rows: Rows, *, conflict: Sequence[str], returning: str, hope: bool = False
    ) -> set[Any]:
        """Insert the rows that do not stand yet and return `returning` of those that were new.

        A concurrent transaction that inserts the same key is waited for; a hopeful transaction fails instead, and is
        done again. `hope` says that they are nearly always new, so that a hopeful transaction need not look before.
        """
        if not rows:
            return set()
        table = table_of(model)
        if not self.is_postgresql:
            inserted = sqlite_insert(table).on_conflict_do_nothing(index_elements=list(conflict))
            return set((await self._conn.execute(inserted.returning(table.c[returning]), list(rows))).scalars())
        if self._hopeful and (hope or not (self._begun or self._is_written(table))):
            standing = set() if hope else await self._standing(table, conflict, rows)
            new = _unlike(rows, conflict, standing)
            await self.insert(table, new)
            return {row[returning] for row in new}
        statement = bulk.insert_new(table, tuple(rows[0]), tuple(conflict), returning)
        conn = await self.connection()
        return set((await conn.execute(statement, {"rows": bulk.encode(rows)})).scalars())

    async def _standing(self, table: Table, keys: Sequence[str], rows: Rows) -> set[tuple[Any, ...]]:
        given = bulk.encode([{key: row[key] for key in keys} for row in rows])
        return set(map(tuple, (await self._conn.execute(bulk.standing(table, tuple(keys)), {"rows": given})).all()))

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
        if self._hopeful and self._begun:
            await (await self._driver()).execute("COMMIT")

    async def _abandon(self) -> None:
        """Roll a hopeful transaction back; a connection on which that fails is not used again."""
        if self._begun:
            try:
                await (await self._driver()).execute("ROLLBACK")
            except Exception:
                await self._conn.invalidate()

    def _committed(self) -> None:
        for callback in self._after:
            callback()


def _without_lock(statement: Select[Any]) -> Select[Any]:
    plain = statement._clone()
    plain._for_update_arg = None
    return plain


def _unlike(rows: Rows, keys: Sequence[str], standing: set[tuple[Any, ...]]) -> list[Mapping[str, Any]]:
    """Return the rows whose key neither stands nor came before in `rows`; keys with a null are like no other."""
    seen = set(standing)
    new = []
    for row in rows:
        key = tuple(row[name] for name in keys)
        if None not in key:
            if key in seen:
                continue
            seen.add(key)
        new.append(row)
    return new
