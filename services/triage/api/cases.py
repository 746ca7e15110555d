"""Reads of cases."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from hubkit.auth import Caller
from hubkit.errors import BadRequestError
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, MAX_CURSOR, Limit, Page, decode_cursor, encode_cursor
from hubkit.web import etag, new_router
from services.triage.actions import read
from services.triage.api.common import Reader, dependencies, service
from services.triage.model import CaseStatus
from services.triage.schemas.views import CaseSummary, CaseView, ExplanationView

router = new_router("/v1/cases", tags=["cases"])


def _position(key: bytes, caller: Caller, cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    position = decode_cursor(key, _owner(caller), cursor)
    try:
        return UUID(position)
    except (ValueError, TypeError, AttributeError):
        raise BadRequestError("This cursor was not given to you by this list", code="invalid_cursor") from None


def _owner(caller: Caller) -> str:
    return f"cases {caller.client_id}"


@router.get("", summary="List cases, the newest first")
async def list_cases(
    request: Request,
    caller: Reader,
    status: CaseStatus | None = None,
    referral_id: Id | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
) -> Page[CaseSummary]:
    """Return all cases of the hub, or those of one status, or the one of a referral."""
    key: bytes = request.app.state.cursor_key
    before = _position(key, caller, cursor)
    async with service(request).db.reading() as tx:
        items, last = await read.list_cases(tx, status, referral_id, before, limit)
    return Page(items=items, next_cursor=encode_cursor(key, _owner(caller), str(last)) if last else None)


@router.get("/{case_id}", summary="Read a case")
async def read_case(request: Request, response: Response, case_id: Id, _: Reader) -> CaseView:
    """Return a case with its decision, contacts, onward referrals, pathways and timeline."""
    async with service(request).db.reading() as tx:
        case = await read.read_case(tx, dependencies(request), case_id)
    response.headers["ETag"] = etag(case.version)
    return case


@router.get("/{case_id}/explanation", summary="Read why a case was decided so")
async def explain_case(request: Request, case_id: Id, _: Reader) -> ExplanationView:
    """Return the decision in plain words, with the rules that applied and where they stand."""
    async with service(request).db.reading() as tx:
        return await read.explain_case(tx, dependencies(request), case_id)
