"""Everything that a service keeps about some referrals or cases, as lines of one account."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import MetaData, Row, Table, or_, select

from hubkit.db import Tx

#: Which column says when a row came about, the best first.
_TIMES: Final = (
    "disclosed_at", "decided_at", "issued_at", "started_at", "created_at", "requested_at", "planned_at", "opened_at",
    "received_at", "at", "changed_at",
)  # fmt: skip
#: Columns of bytes that are digests; all others are sealed.
_DIGESTS: Final = frozenset({"content"})
#: Columns that are about the machinery alone.
_INNER: Final = frozenset({"traceparent", "lease_token", "source_key"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was kept: when, in which table (or what happened, by its event), its id, and ids and codes."""

    at: datetime
    what: str
    id: str
    codes: Mapping[str, Any]


async def lines_about(
    tx: Tx,
    metadata: MetaData,
    keys: Mapping[str, Collection[UUID]],
    *,
    without: Collection[str] = (),
    hashed: Collection[str] = (),
) -> list[Line]:
    """Return every row of a service's tables that is about some referrals or cases, in order of time.

    A table is asked by each of its columns that is one of `keys`, a table `x` by its own ids under the key `x_id`; and
    the ids of what is found are keys in their turn, until nothing more is found. So a new table that refers to a case,
    or to what belongs to one, is in the account from its first day. Bytes are not shown; columns with sealed text are
    named under `sealed`.

    Parameters
    ----------
    keys
        Ids by the name of the column that holds them, such as `case_id`.
    without
        Tables that are left out.
    hashed
        Columns of bytes of which the SHA-256 is shown.
    """
    known = {name: set(ids) for name, ids in keys.items()}
    tables = [table for table in metadata.sorted_tables if table.name not in without]
    lines: dict[tuple[str, str], Line] = {}
    size = -1
    while len(lines) > size:
        size = len(lines)
        for table in tables:
            for row in await _rows(tx, table, known):
                line = _line(table, row, hashed)
                lines[line.what, line.id] = line
                if "id" in table.c:
                    known.setdefault(f"{table.name}_id", set()).add(row.id)
    return in_order(lines.values())


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Return lines in order of time; those of one moment in the order in which they were made."""
    return sorted(lines, key=lambda line: (line.at, line.id))


async def _rows(tx: Tx, table: Table, known: Mapping[str, Collection[UUID]]) -> Sequence[Row[Any]]:
    columns = {name: table.c[name] for name in known if name in table.c}
    if "id" in table.c and f"{table.name}_id" in known:
        columns[f"{table.name}_id"] = table.c.id
    asked = [tx.among(column, known[name]) for name, column in columns.items() if known[name]]
    return await tx.rows(select(table).where(or_(*asked))) if asked else ()


def _line(table: Table, row: Row[Any], hashed: Collection[str]) -> Line:
    values = dict(row._mapping)
    key = [values[column.name] for column in table.primary_key]
    codes = {
        name: str(value) if isinstance(value, UUID) else value
        for name, value in values.items()
        if value is not None and name not in _INNER and name != "id" and not isinstance(value, bytes)
    }
    sealed = [name for name, value in values.items() if isinstance(value, bytes)]
    sealed = [name for name in sealed if name not in hashed and name not in _DIGESTS]
    codes |= {"sealed": sealed} if sealed else {}
    codes |= {f"{name}_sha256": sha256(values[name]).hexdigest() for name in hashed if values.get(name) is not None}
    at = next((values[name] for name in _TIMES if values.get(name) is not None), None) or _made_at(key[0])
    return Line(at, table.name, "/".join(map(str, key)), codes)


def _made_at(id: UUID) -> datetime:
    """Return when an id was made: a UUIDv7 begins with it, in milliseconds."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
