"""The request door: the cases of the hub, for its staff and its own systems."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from hubkit.auth import Caller, requires
from hubkit.errors import BadRequestError
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, MAX_CURSOR, Limit, Page, decode_cursor, encode_cursor
from hubkit.service import Service
from hubkit.web import etag, if_match_version, new_router
from services.triage.actions import assess, read
from services.triage.actions.deps import Deps
from services.triage.model import CaseStatus
from services.triage.schemas import Assessment, AssessmentView, CaseSummary, CaseView, ExplanationView

router = new_router("/v1/cases", tags=["cases"])

Reader = Annotated[Caller, Depends(requires("cases:read"))]
Writer = Annotated[Caller, Depends(requires("cases:write"))]


def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


def _deps(request: Request) -> Deps:
    return cast("Deps", request.app.state.deps)


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
    async with _service(request).db.reading() as tx:
        items, last = await read.list_cases(tx, status, referral_id, before, limit)
    return Page(items=items, next_cursor=encode_cursor(key, _owner(caller), str(last)) if last else None)


@router.get("/{case_id}", summary="Read a case")
async def read_case(request: Request, response: Response, case_id: Id, _: Reader) -> CaseView:
    """Return a case with its decision, contacts, onward referrals, pathways and timeline."""
    async with _service(request).db.reading() as tx:
        case = await read.read_case(tx, case_id)
    response.headers["ETag"] = etag(case.version)
    return case


@router.get("/{case_id}/explanation", summary="Read why a case was decided so")
async def explain_case(request: Request, case_id: Id, _: Reader) -> ExplanationView:
    """Return the decision in plain words, with the rules that applied and where they stand."""
    async with _service(request).db.reading() as tx:
        return await read.explain_case(tx, _deps(request), case_id)


@router.post("/{case_id}/assessments", status_code=201, summary="Record an assessment")
async def record_assessment(
    request: Request, response: Response, case_id: Id, body: Assessment, caller: Writer
) -> AssessmentView:
    """Record what an assessment with the person found. Send `If-Match` with the version of the case that you read."""
    version = if_match_version(request)
    async with _service(request).db.transaction() as tx:
        found = await assess.record_assessment(tx, _deps(request), case_id, version, body.needs, caller.client_id)
    response.headers["ETag"] = etag(found.version)
    return found
