"""What partners read and answer, and how staff take it back."""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import etag, if_match_version, new_router
from services.partners.actions import answers, disclose, onward
from services.partners.api.common import Cursor, database, dependencies, no_fields, page, position
from services.partners.model import REASONS, Status
from services.partners.schemas.onward import (
    ActionBody,
    Actions,
    Close,
    Coded,
    Decline,
    OnwardDetail,
    OnwardSummary,
    Recall,
    detail,
    summary,
)

router = new_router("/v1/onward-referrals", tags=["onward referrals"])
Reader = Annotated[Caller, Depends(requires("onward:read"))]
Writer = Annotated[Caller, Depends(requires("onward:write"))]


@router.get("")
async def list_onward_referrals(
    request: Request,
    caller: Reader,
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[OnwardSummary]:
    """List what this partner has been told of, oldest first. Nothing here is about the person."""
    after = position(request, caller, "onward", cursor)
    async with database(request).reading() as tx:
        rows = await answers.list_onward(tx, caller, status=status, after=after, limit=limit + 1)
    return page(request, caller, "onward", rows, limit, summary)


@router.get("/{onward_referral_id}")
async def read_onward_referral(
    request: Request, response: Response, caller: Reader, onward_referral_id: Id
) -> OnwardDetail:
    """Read one: discloses the fields that the gate allows at this moment, and records it."""
    found = await disclose.read_onward_referral(database(request), dependencies(request), caller, onward_referral_id)
    response.headers["ETag"] = etag(found.row.version)
    return detail(found.row, found, found.other_services)


@router.get("/{onward_referral_id}/actions")
async def list_actions(request: Request, response: Response, caller: Reader, onward_referral_id: Id) -> Actions:
    """Say what this caller may do now, and why not the rest; of `read`, why the gate would refuse it now."""
    async with database(request).reading() as tx:
        row, actions = await answers.possible_actions(tx, dependencies(request), caller, onward_referral_id)
    response.headers["ETag"] = etag(row.version)
    bodies = [
        ActionBody(name=each.name, allowed=each.allowed, reasons=each.reasons, options=_coded(each.options))
        for each in actions
    ]
    return Actions(status=row.status, version=row.version, reasons=_coded(row.reasons), actions=bodies)


@router.post("/{onward_referral_id}/receive", dependencies=[Depends(no_fields)])
async def receive(request: Request, response: Response, caller: Writer, onward_referral_id: Id) -> OnwardSummary:
    """Say that it has arrived, without reading it; reading it says so too."""
    async with database(request).transaction() as tx:
        row = await answers.receive(tx, caller, onward_referral_id)
    response.headers["ETag"] = etag(row.version)
    return summary(row)


@router.post("/{onward_referral_id}/accept", dependencies=[Depends(no_fields)])
async def accept(request: Request, response: Response, caller: Writer, onward_referral_id: Id) -> OnwardSummary:
    """Take the person on."""
    return await _answer(
        request, response, caller, onward_referral_id, answers.Answer("accept", if_match_version(request))
    )


@router.post("/{onward_referral_id}/decline")
async def decline(
    request: Request, response: Response, caller: Writer, onward_referral_id: Id, body: Decline
) -> OnwardSummary:
    """Do not take the person on; the hub asks the next service."""
    given = answers.Answer("decline", if_match_version(request), reasons=body.reasons)
    return await _answer(request, response, caller, onward_referral_id, given)


@router.post("/{onward_referral_id}/progress", dependencies=[Depends(no_fields)])
async def progress(request: Request, response: Response, caller: Writer, onward_referral_id: Id) -> OnwardSummary:
    """Say that the support has begun."""
    return await _answer(
        request, response, caller, onward_referral_id, answers.Answer("progress", if_match_version(request))
    )


@router.post("/{onward_referral_id}/close")
async def close(
    request: Request, response: Response, caller: Writer, onward_referral_id: Id, body: Close
) -> OnwardSummary:
    """Say how the work with the person ended."""
    given = answers.Answer("close", if_match_version(request), outcome=body.outcome)
    return await _answer(request, response, caller, onward_referral_id, given)


@router.post("/{onward_referral_id}/recall")
async def recall(
    request: Request,
    response: Response,
    _caller: Annotated[Caller, Depends(requires("cases:write"))],
    onward_referral_id: Id,
    body: Recall,
) -> OnwardSummary:
    """Take it back, whatever the partner has done with it; the partner is told, and reads it no more."""
    async with database(request).transaction() as tx:
        row = await onward.recall_one(tx, dependencies(request), onward_referral_id, body.reason)
    response.headers["ETag"] = etag(row.version)
    return summary(row)


async def _answer(
    request: Request, response: Response, caller: Caller, onward_referral_id: UUID, given: answers.Answer
) -> OnwardSummary:
    async with database(request).transaction() as tx:
        row = await answers.answer(tx, caller, onward_referral_id, given)
    response.headers["ETag"] = etag(row.version)
    return summary(row)


def _coded(codes: Iterable[str]) -> list[Coded]:
    return [Coded(code=code, text=REASONS.get(code, code.replace("_", " "))) for code in codes]
