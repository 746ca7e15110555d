"""Agreements with partners."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from hubkit.auth import Caller, requires
from hubkit.fields import Id, LocalDate
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import etag, if_match_version, new_router
from services.partners.actions import agreement_views, agreements
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.agreements import (
    Act,
    AgreementBody,
    AgreementChange,
    AgreementDocument,
    Approval,
    ForecastBody,
    NewAgreement,
    VersionBody,
)
from services.partners.schemas.base import whole_number

router = new_router("/v1/agreements", tags=["agreements"])
Reader = Annotated[Caller, Depends(requires("agreements:read"))]
Writer = Annotated[Caller, Depends(requires("agreements:write"))]
Number = Annotated[int, Path(ge=1, le=999_999), whole_number(1, 999_999)]
Day = Annotated[LocalDate, Query(description="A local day, from today on.")]


@router.get("")
async def list_agreements(
    request: Request, caller: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[AgreementBody]:
    """List the data sharing agreements."""
    after = position(request, caller, "agreements", cursor)
    async with database(request).reading() as tx:
        rows = await agreements.list_agreements(tx, after, limit + 1)
    today = _today(request, tx.now)
    return page(request, caller, "agreements", rows, limit, lambda row: _body(row, today))


@router.post("", status_code=201)
async def draft_agreement(request: Request, response: Response, caller: Writer, body: NewAgreement) -> AgreementBody:
    """Draft an agreement; it holds once a second person has approved it."""
    async with database(request).transaction() as tx:
        by = _by(request, caller, tx.now, body.drafted_by)
        made = await agreements.draft_agreement(tx, body.partner_id, body.said(), by, body.reference)
    response.headers["Location"] = f"/v1/agreements/{made.id}"
    return _answer(response, made, by.today)


@router.get("/forecast")
async def forecast(request: Request, _caller: Reader, on: Day) -> ForecastBody:
    """Say which agreements, routes and live onward referrals stop by a day, and what starts."""
    async with database(request).reading() as tx:
        found = await agreement_views.forecast(tx, _today(request, tx.now), on)
    return ForecastBody.model_validate(found)


@router.get("/{agreement_id}")
async def read_agreement(request: Request, response: Response, _caller: Reader, agreement_id: Id) -> AgreementDocument:
    """Read one agreement, with what somebody should look at: gaps, a review that is overdue, what it does not say."""
    async with database(request).reading() as tx:
        today = _today(request, tx.now)
        found, warned = await agreement_views.read_with_warnings(tx, agreement_id, today)
    response.headers["ETag"] = etag(found.version)
    return AgreementDocument.model_validate(agreements.shown(found, today) | {"warnings": warned})


@router.get("/{agreement_id}/versions")
async def list_versions(
    request: Request, caller: Reader, agreement_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[VersionBody]:
    """List what was done to an agreement and what held from then on, oldest first."""
    name = f"agreement versions {agreement_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        rows = await agreement_views.list_versions(tx, agreement_id, after, limit + 1)
    return page(request, caller, name, rows, limit, VersionBody.model_validate)


@router.get("/{agreement_id}/versions/{number}")
async def read_version(request: Request, _caller: Reader, agreement_id: Id, number: Number) -> VersionBody:
    """Read an agreement as it was in one version, such as the one that a disclosure names."""
    async with database(request).reading() as tx:
        return VersionBody.model_validate(await agreement_views.read_version(tx, agreement_id, number))


@router.put("/{agreement_id}")
async def change_agreement(
    request: Request, response: Response, caller: Writer, agreement_id: Id, body: AgreementChange
) -> AgreementBody:
    """Change an agreement: what only takes away holds at once, all else once a second person has approved it."""
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        by = _by(request, caller, tx.now, body.drafted_by, body.reason)
        changed = await agreements.change_agreement(tx, agreement_id, version, body.said(), by, body.status)
    return _answer(response, changed, by.today)


@router.post("/{agreement_id}/approve")
async def approve_agreement(
    request: Request, response: Response, caller: Writer, agreement_id: Id, body: Approval
) -> AgreementBody:
    """Approve a draft or proposed terms, as another person than who drafted them; they hold from the first day on."""
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        by = _by(request, caller, tx.now, body.approved_by, body.reason)
        approved = await agreements.approve_agreement(tx, agreement_id, version, by)
    return _answer(response, approved, by.today)


@router.post("/{agreement_id}/suspend")
async def suspend_agreement(
    request: Request, response: Response, caller: Writer, agreement_id: Id, body: Act
) -> AgreementBody:
    """Suspend an agreement; the next attempt and reading are refused."""
    return await _move(request, response, caller, agreement_id, body, "suspended")


@router.post("/{agreement_id}/resume")
async def resume_agreement(
    request: Request, response: Response, caller: Writer, agreement_id: Id, body: Act
) -> AgreementBody:
    """Let a suspended agreement stand again, as it was approved."""
    return await _move(request, response, caller, agreement_id, body, "active")


@router.post("/{agreement_id}/end")
async def end_agreement(
    request: Request, response: Response, caller: Writer, agreement_id: Id, body: Act
) -> AgreementBody:
    """End an agreement today, for good; the next attempt and reading are refused."""
    return await _move(request, response, caller, agreement_id, body, "ended")


async def _move(
    request: Request, response: Response, caller: Caller, agreement_id: Id, body: Act, to: str
) -> AgreementBody:
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        by = _by(request, caller, tx.now, body.by, body.reason)
        moved = await agreements.move_agreement(tx, agreement_id, version, to, by)
    return _answer(response, moved, by.today)


def _by(request: Request, caller: Caller, now: datetime, name: str | None, reason: str | None = None) -> agreements.By:
    return agreements.By(caller.client_id, _today(request, now), name, reason)


def _today(request: Request, now: datetime) -> date:
    return dependencies(request).profile_at(now).local_day(now)


def _answer(response: Response, standing: Any, today: date) -> AgreementBody:
    response.headers["ETag"] = etag(standing.version)
    return _body(standing, today)


def _body(standing: Any, today: date) -> AgreementBody:
    return AgreementBody.model_validate(agreements.shown(standing, today))
