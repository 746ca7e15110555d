"""What the routes of partners share."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query, Request

from hubkit.auth import Caller
from hubkit.db import Database
from hubkit.errors import BadRequestError
from hubkit.paging import MAX_CURSOR, Page, decode_cursor, encode_cursor
from services.partners.actions.deps import Deps
from services.partners.schemas.base import Nothing

Item = TypeVar("Item")
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before.")]


def database(request: Request) -> Database:
    """Return the service's database."""
    db: Database = request.app.state.service.db
    return db


def dependencies(request: Request) -> Deps:
    """Return what the actions are given."""
    deps: Deps = request.app.state.deps
    return deps


async def no_fields(body: Nothing | None = None) -> None:
    """Refuse a body with fields, where the path alone says what is done; none or `{}` may be sent."""
    del body


def position(request: Request, caller: Caller, name: str, cursor: str | None) -> UUID | None:
    """Return the id behind which a page begins, from the cursor that this caller was given for this list.

    Raises
    ------
    BadRequestError
        `invalid_cursor`.
    """
    if cursor is None:
        return None
    decoded = decode_cursor(dependencies(request).cursor_key, f"{caller.client_id} {name}", cursor)
    try:
        return UUID(decoded[0])
    except (TypeError, ValueError, LookupError):
        raise BadRequestError("This cursor was not given to you by this list", code="invalid_cursor") from None


def page(
    request: Request, caller: Caller, name: str, rows: Sequence[Any], limit: int, make: Callable[[Any], Item]
) -> Page[Item]:
    """Return one page of `rows`, of which there is one more than `limit` when another page follows."""
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        key = dependencies(request).cursor_key
        following = encode_cursor(key, f"{caller.client_id} {name}", [str(_id(shown[-1]))])
    return Page[Item](items=[make(row) for row in shown], next_cursor=following)


def _id(row: Any) -> UUID:
    found: UUID = row.id
    return found
