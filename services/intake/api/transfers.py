"""`/v1/transfers`: send a file of referrals, and ask what became of its rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from starlette.datastructures import State

from hubkit.auth import Caller, requires
from hubkit.errors import FieldError, InvalidError, TooLargeError, UnsupportedMediaTypeError
from hubkit.fields import BY_VALUE, Id
from hubkit.paging import DEFAULT_LIMIT, MAX_CURSOR, Limit, Page
from hubkit.web import OrjsonResponse, new_router
from services.intake.actions import transfers
from services.intake.api.callers import organisation_of
from services.intake.api.formats import COLUMNS, READERS, RawRow, read_rows
from services.intake.api.rows import checked
from services.intake.model import Outcome, TransferStatus
from services.intake.schemas import TransferReceipt, TransferRowView, TransferView

router = new_router("/v1/transfers", tags=["transfers"])

#: More would save little, and hold up the requests in between for longer.
_ROWS_PER_COMMIT = 250
#: Rows are read and checked in turns this long, so that other requests are served in between.
_ROWS_PER_TURN = 25

_DESCRIPTION = f"""A file of referrals, one a row; `source.reference` is required in each.

* `application/x-ndjson`: one referral a line, as in `POST /v1/referrals`.
* `text/csv`: UTF-8, comma separated, quoted with `"`. The header names columns by dotted paths, in any order:
  {", ".join(f"`{name}`" for name in COLUMNS)}. Address lines are separated by `|`, other lists by `;`; booleans are
  `true` or `false`; `consents` and `source.received_by_unit` are JSON lists; an empty cell is a field not given.

A row has at most 64 kB. Answered when every row is durable or rejected. A file may be sent again: unchanged rows are
counted as duplicates and have no effect.
"""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {media_type: {"schema": {"type": "string"}} for media_type in READERS},
    }
}

Writer = Annotated[Caller, Depends(requires("transfers:write"))]


@router.post("", status_code=202, response_model=TransferReceipt, description=_DESCRIPTION, openapi_extra=_BODY)
async def post_transfer(request: Request, caller: Writer) -> Response:
    """Take a file of referrals in."""
    rows = read_rows(_media_type(request), _limited(request))
    intake = _Intake(request.app.state, organisation_of(caller))
    transfer_id = await intake.take(rows)
    link = f"/v1/transfers/{transfer_id}"
    receipt = {"id": str(transfer_id), "status": TransferStatus.COMPLETED, "links": {"self": link}}
    return OrjsonResponse(receipt, 202, {"Location": link})


def _media_type(request: Request) -> str:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("Send the body without a content encoding", code="unsupported_content_encoding")
    media_type, *options = request.headers.get("content-type", "").lower().replace(" ", "").split(";")
    charsets = [option.partition("=")[2].strip('"') for option in options if option.startswith("charset=")]
    if media_type not in READERS or any(charset != "utf-8" for charset in charsets):
        raise UnsupportedMediaTypeError(f"Send {' or '.join(READERS)} in UTF-8")
    return media_type


async def _limited(request: Request) -> AsyncIterator[bytes]:
    limit: int = request.app.state.transfer_limit_bytes
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError
        yield chunk


class _Intake:
    """Takes one transfer in. The next rows are read when the last are stored, so that the sender waits with us."""

    def __init__(self, state: State, organisation: str) -> None:
        self._state = state
        self._organisation = organisation
        self._transfer_id: UUID | None = None

    async def take(self, rows: AsyncIterator[list[RawRow]]) -> UUID:
        """Store all rows; returns the transfer's id."""
        try:
            waiting: list[transfers.Line] = []
            async for turn in rows:
                for row in turn:
                    waiting.append(self._checked(row))
                    if len(waiting) % _ROWS_PER_TURN == 0:
                        await asyncio.sleep(0)
                    if len(waiting) == _ROWS_PER_COMMIT:
                        await self._store(waiting)
                        waiting = []
            await self._store(waiting)
            return await self._finish()
        except Exception:
            await self._break_off()
            raise

    def _checked(self, row: RawRow) -> transfers.Line:
        state = self._state
        return checked(state.deps, row, self._organisation, state.service.clock.now())

    async def _store(self, lines: list[transfers.Line]) -> None:
        if not lines:
            return
        db = self._state.service.db
        if self._transfer_id is None:
            async with db.transaction() as tx:
                self._transfer_id = await transfers.start_transfer(tx, self._organisation)
        await transfers.store_lines(db, self._state.deps, self._transfer_id, lines)

    async def _finish(self) -> UUID:
        if self._transfer_id is None:
            raise InvalidError(errors=[FieldError("", "body_missing", "a file with at least one row is required")])
        async with self._state.service.db.transaction() as tx:
            await transfers.finish_transfer(tx, self._transfer_id)
        return self._transfer_id

    async def _break_off(self) -> None:
        if self._transfer_id is None:
            return
        # The database may be what broke; the caller hears of the first error, not of this one.
        with contextlib.suppress(Exception):
            async with self._state.service.db.transaction() as tx:
                await transfers.break_off(tx, self._transfer_id)


@router.get("/{transfer_id}")
async def get_transfer(request: Request, transfer_id: Id, caller: Writer) -> TransferView:
    """Return the counts of a transfer, to the organisation that sent it."""
    async with request.app.state.service.db.reading() as tx:
        return await transfers.read_transfer(tx, transfer_id, caller.organisation)


@router.get("/{transfer_id}/rows")
async def get_transfer_rows(
    request: Request,
    transfer_id: Id,
    caller: Writer,
    outcome: Annotated[Outcome | None, BY_VALUE, Query(description="only rows with this outcome")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
) -> Page[TransferRowView]:
    """Return what became of a transfer's rows, in the order of the file; faults name the field, never the value."""
    state = request.app.state
    query = transfers.RowsQuery(transfer_id, outcome, limit, cursor)
    async with state.service.db.reading() as tx:
        return await transfers.read_rows(tx, state.deps, query, caller.organisation)
