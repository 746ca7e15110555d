"""Links between cases that belong together."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from hubkit.errors import BadRequestError
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, MAX_CURSOR, Limit, Page, decode_cursor, encode_cursor
from hubkit.web import new_router
from services.triage.actions import links
from services.triage.api.common import Reader, Writer, service
from services.triage.schemas.links import LinkView, NewLink

router = new_router("/v1/cases/{case_id}/links", tags=["cases"])


@router.post("", status_code=201, summary="Link a case")
async def link_cases(request: Request, case_id: Id, caller: Writer, body: NewLink) -> LinkView:
    """Say that another case belongs to this one. It is shown with both, and nothing is shared by it."""
    async with service(request).db.transaction() as tx:
        return await links.link_cases(tx, case_id, body, caller.client_id)


@router.get("", summary="List the links of a case")
async def list_links(
    request: Request,
    caller: Reader,
    case_id: Id,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
) -> Page[LinkView]:
    """Return the cases that belong to this one, from whichever side they were linked."""
    key: bytes = request.app.state.cursor_key
    owner = f"links {case_id} {caller.client_id}"
    after = _position(key, owner, cursor)
    async with service(request).db.reading() as tx:
        items, last = await links.list_links(tx, case_id, after, limit)
    return Page(items=items, next_cursor=encode_cursor(key, owner, str(last)) if last else None)


def _position(key: bytes, owner: str, cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    position = decode_cursor(key, owner, cursor)
    try:
        return UUID(position)
    except (ValueError, TypeError, AttributeError):
        raise BadRequestError("This cursor was not given to you by this list", code="invalid_cursor") from None
