"""Many rows in one statement on PostgreSQL: the rows travel as one JSON document.

Measured against one prepared statement a row, this takes a third of the server's work and a fifth of ours, and it is
one statement text whatever the number of rows, so that it is planned once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Write:
    """What is written to one table: rows inserted, or (with a key) rows updated. Names the columns, not the values."""

    table: Table
    columns: tuple[str, ...]
    key: str | None = None

    def sql(self, parameter: str) -> str:
        """Return the statement whose rows are the JSON document `parameter`."""
        table, columns = _table(self.table), self.columns
        names = ", ".join(_name(self.table, column) for column in columns)
        if self.key is None:
            source = _records(self.table, columns, parameter)
            return f"INSERT INTO {table} ({names}) SELECT {names} FROM {source}"  # noqa: S608 - names of our own tables
        source = _records(self.table, (self.key, *columns), parameter)
        key = _name(self.table, self.key)
        sets = ", ".join(f"{name} = given.{name}" for name in (_name(self.table, column) for column in columns))
        return f"UPDATE {table} SET {sets} FROM {source} WHERE {table}.{key} = given.{key}"  # noqa: S608


@lru_cache(maxsize=1024)
def together(writes: tuple[Write, ...]) -> TextClause:
    """Return one statement that makes several writes, each to another table; the rows of the nth are `:rows_n`."""
    *others, last = (write.sql(f"rows_{number}") for number, write in enumerate(writes))
    before = ", ".join(f"w{number} AS ({sql})" for number, sql in enumerate(others))
    return text(f"WITH {before} {last}" if before else last)


@lru_cache(maxsize=512)
def insert_new(table: Table, columns: tuple[str, ...], conflict: tuple[str, ...], returning: str) -> TextClause:
    """Return the statement that inserts those rows of `:rows` that do not stand, and returns a column of them."""
    target = ", ".join(_name(table, column) for column in conflict)
    tail = f" ON CONFLICT ({target}) DO NOTHING RETURNING {_name(table, returning)}"
    return text(Write(table, columns).sql("rows") + tail).columns(table.c[returning])  # type: ignore[return-value]


@lru_cache(maxsize=512)
def standing(table: Table, keys: tuple[str, ...]) -> TextClause:
    """Return the query for those of the keys in `:rows` that stand."""
    names = [_name(table, key) for key in keys]
    columns = ", ".join(f"{_table(table)}.{name}" for name in names)
    same = " AND ".join(f"{_table(table)}.{name} = given.{name}" for name in names)
    sql = f"SELECT {columns} FROM {_records(table, keys, 'rows')} JOIN {_table(table)} ON {same}"  # noqa: S608
    return text(sql).columns(*(table.c[key] for key in keys))  # type: ignore[return-value]


def _records(table: Table, columns: tuple[str, ...], parameter: str) -> str:
    shape = ", ".join(f"{_name(table, column)} {_type(table.c[column])}" for column in columns)
    return f"json_to_recordset(CAST(:{parameter} AS json)) AS given ({shape})"


def _type(column: Column[Any]) -> str:
    return column.type.compile(dialect=_DIALECT)


def _name(table: Table, column: str) -> str:
    return _DIALECT.identifier_preparer.format_column(table.c[column])


def _table(table: Table) -> str:
    return _DIALECT.identifier_preparer.format_table(table)
