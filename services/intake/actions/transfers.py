"""Takes transfers in: row by row through the same registration as single referrals, a few hundred rows a commit."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hubkit.db import Database, Tx, is_disconnect
from hubkit.errors import FieldError, HubError, NotFoundError
from hubkit.ids import new_id
from hubkit.paging import Page, decode_cursor, encode_cursor
from services.intake.actions.deps import Deps
from services.intake.actions.register import Register, content_of, register_referrals
from services.intake.model import Outcome, Registered, TransferStatus
from services.intake.policy import arrivals
from services.intake.schemas import Referral, RowFault, TransferRowView, TransferView
from services.intake.store import transfers

_log = logging.getLogger(__name__)

#: More rows of one piece that cannot be stored than this are no fault of the rows.
_MOST_UNSTORABLE = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a transfer as it was read: a command, or what is wrong with it."""

    line: int
    command: Register | None = None
    errors: list[FieldError] = field(default_factory=list)


def checked_line(deps: Deps, line: int, referral: Referral, organisation: str, now: datetime) -> Line:
    """Return a row as a command, or with what is wrong with it."""
    faults = arrivals.faults_of_row(referral, now, deps.zone_at(now))
    if faults:
        return Line(line, None, faults)
    return Line(line, Register(organisation, referral, content_of(deps, referral)))


async def start_transfer(tx: Tx, organisation: str) -> UUID:
    """Begin a transfer; returns its id."""
    transfer_id = new_id()
    await transfers.add_transfer(tx, transfer_id, organisation)
    return transfer_id


async def take_lines(tx: Tx, deps: Deps, transfer_id: UUID, lines: Sequence[Line]) -> None:
    """Register rows of a transfer and store what became of each."""
    good = [line for line in lines if line.command is not None]
    results = await register_referrals(tx, deps, [line.command for line in good if line.command is not None])
    by_line = {line.line: result for line, result in zip(good, results, strict=True)}
    rows = [_row(line, by_line.get(line.line)) for line in lines]
    await transfers.add_lines(tx, transfer_id, rows, Counter(Outcome(row["outcome"]) for row in rows))


def _row(line: Line, result: Registered | HubError | None) -> dict[str, Any]:
    if isinstance(result, Registered):
        return {
            "line": line.line,
            "outcome": result.outcome.value,
            "referral_id": result.referral_id,
            "errors": [],
        }
    errors = line.errors if result is None else result.errors
    return {
        "line": line.line,
        "outcome": Outcome.REJECTED.value,
        "referral_id": None,
        "errors": [asdict(error) for error in errors],
    }


async def store_lines(db: Database, deps: Deps, transfer_id: UUID, lines: Sequence[Line]) -> None:
    """Store rows in one transaction; if that fails, each in its own, so that one bad row does not stop the file.

    Raises
    ------
    Exception
        What the database raised, when it is away or when more than a few rows fail: then it is not the rows' fault.
    """
    try:
        async with db.transaction() as tx:
            await take_lines(tx, deps, transfer_id, lines)
    except Exception as error:
        if is_disconnect(error):
            raise
        _log.warning("transfer_split", extra={"count": len(lines), "error": type(error).__name__})
        await _store_each(db, deps, transfer_id, lines)


async def _store_each(db: Database, deps: Deps, transfer_id: UUID, lines: Sequence[Line]) -> None:
    fault = FieldError("", "not_stored", "this row could not be stored")
    failed: list[Line] = []
    for line in lines:
        try:
            async with db.transaction() as tx:
                await take_lines(tx, deps, transfer_id, [line])
        except Exception as error:
            failed.append(Line(line.line, None, [fault]))
            if is_disconnect(error) or len(failed) > _MOST_UNSTORABLE:
                raise
    if failed:
        async with db.transaction() as tx:
            await take_lines(tx, deps, transfer_id, failed)


async def finish_transfer(tx: Tx, transfer_id: UUID) -> None:
    """Note that every row has been stored."""
    await transfers.close_transfer(tx, transfer_id, TransferStatus.COMPLETED, tx.now)


async def break_off(tx: Tx, transfer_id: UUID) -> None:
    """Note that the file ended before its end; its rows so far stand, and the file may be sent again whole."""
    await transfers.close_transfer(tx, transfer_id, TransferStatus.INCOMPLETE, None)


async def read_transfer(tx: Tx, transfer_id: UUID, organisation: str) -> TransferView:
    """Return a transfer's counts.

    Raises
    ------
    NotFoundError
        When there is none, or another organisation sent it.
    """
    transfer = await transfers.find_own(tx, transfer_id, organisation)
    if transfer is None:
        raise NotFoundError
    return transfer


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Which page of which rows of a transfer."""

    transfer_id: UUID
    outcome: Outcome | None
    limit: int
    cursor: str | None


async def read_rows(tx: Tx, deps: Deps, query: RowsQuery, organisation: str) -> Page[TransferRowView]:
    """Return one page of a transfer's rows in the order of the file.

    Raises
    ------
    NotFoundError
        As `read_transfer`.
    BadRequestError
        When the cursor was not made for this caller and transfer.
    """
    await read_transfer(tx, query.transfer_id, organisation)
    owner = f"{organisation} {query.transfer_id}"
    after = decode_cursor(deps.cursor_key, owner, query.cursor)[0] if query.cursor else 0
    found = await transfers.lines_after(tx, query.transfer_id, query.outcome, after, query.limit + 1)
    items = [
        TransferRowView(
            line=row.line,
            outcome=Outcome(row.outcome),
            referral_id=row.referral_id,
            errors=[RowFault(**error) for error in row.errors],
        )
        for row in found[: query.limit]
    ]
    has_more = len(found) > query.limit
    return Page(
        items=items,
        next_cursor=encode_cursor(deps.cursor_key, owner, [items[-1].line]) if has_more else None,
    )
