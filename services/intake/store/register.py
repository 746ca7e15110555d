"""The register of what was done with persons' data: appended to, each row bound to the one before."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, select

from hubkit.db import Tx, table_of
from services.intake.tables import SubjectRecordRow

_RECORD = table_of(SubjectRecordRow)
_COVERED = ("number", "kind", "referral_id", "details", "made_by", "at")
Mac = Callable[[bytes], bytes]


async def append(tx: Tx, mac: Mac, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows (kind, referral_id, details, made_by). Two that append at once cannot both: one fails."""
    last = await tx.row(select(_RECORD.c.number, _RECORD.c.mac).order_by(_RECORD.c.number.desc()).limit(1))
    number, before = (last.number, last.mac) if last is not None else (0, b"")
    made = []
    for given in rows:
        number += 1
        row = {**given, "number": number, "at": tx.now}
        before = mac(_covered(row, before))
        made.append({**row, "mac": before})
    await tx.insert(SubjectRecordRow, made)


async def first_broken(tx: Tx, mac: Mac) -> int | None:
    """Return the number of the first row that was not written so, or None when the register is whole."""
    before = b""
    for expected, row in enumerate(await tx.rows(select(_RECORD).order_by(_RECORD.c.number)), 1):
        if row.number != expected or mac(_covered(row._mapping, before)) != row.mac:
            return expected
        before = row.mac
    return None


async def of_referral(tx: Tx, referral_id: UUID, kind: str) -> Sequence[Row[Any]]:
    """Return what was done of one kind with the person of a referral, oldest first."""
    query = select(_RECORD).where(_RECORD.c.referral_id == referral_id, _RECORD.c.kind == kind)
    return await tx.rows(query.order_by(_RECORD.c.number))


def _covered(row: Mapping[Any, Any], before: bytes) -> bytes:
    values = {name: _plain(row[name]) for name in _COVERED} | {"before": before.hex()}
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
