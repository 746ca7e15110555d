"""Many rows in one statement on PostgreSQL: the rows travel as one JSON document.

Measured against one prepared statement a row, this takes a third of the server's work and a fifth of ours, and it is
one statement text whatever the number of rows, so that it is planned once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Column, Table, TextClause, text
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def encode(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a JSON document; bytes become PostgreSQL's hexadecimal text form."""
    return orjson.dumps(rows, default=_other).decode()


def _other(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, UUID):  # the driver's own kind
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a column value")


@lru_cache(maxsize=512)
def insert(table: Table, columns: tuple[str, ...]) -> TextClause:
    """Return the statement that inserts the rows of `:rows`."""
    names = ", ".join(_name(table, column) for column in columns)
    return text(f"INSERT INTO {_table(table)} ({names}) SELECT {names} FROM {_records(table, columns)}")  # noqa: S608


@lru_cache(maxsize=512)
def insert_new(table: Table, columns: tuple[str, ...], conflict: tuple[str, ...], returning: str) -> TextClause:
    """Return the statement that inserts those rows of `:rows` that do not stand, and returns a column of them."""
    target = ", ".join(_name(table, column) for column in conflict)
    tail = f" ON CONFLICT ({target}) DO NOTHING RETURNING {_name(table, returning)}"
    return text(insert(table, columns).text + tail).columns(table.c[returning])  # type: ignore[return-value]


@lru_cache(maxsize=512)
def update(table: Table, key: str, columns: tuple[str, ...]) -> TextClause:
    """Return the statement that updates, for each of `:rows`, the row with its key."""
    sets = ", ".join(f"{_name(table, column)} = given.{_name(table, column)}" for column in columns)
    where = f"{_table(table)}.{_name(table, key)} = given.{_name(table, key)}"
    return text(f"UPDATE {_table(table)} SET {sets} FROM {_records(table, (key, *columns))} WHERE {where}")  # noqa: S608


def _records(table: Table, columns: tuple[str, ...]) -> str:
    shape = ", ".join(f"{_name(table, column)} {_type(table.c[column])}" for column in columns)
    return f"json_to_recordset(CAST(:rows AS json)) AS given ({shape})"


def _type(column: Column[Any]) -> str:
    return column.type.compile(dialect=_DIALECT)


def _name(table: Table, column: str) -> str:
    return _DIALECT.identifier_preparer.format_column(table.c[column])


def _table(table: Table) -> str:
    return _DIALECT.identifier_preparer.format_table(table)
