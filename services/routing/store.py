"""All queries of routing, and the way between rows and the words of the service."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, or_, select

from hubkit.account import Line, lines_about
from hubkit.db import Tx, table_of
from services.routing.model import CATCH_ALL, Candidate, Capacity, CaseFacts, Listing, Pathway, PathwayStatus
from services.routing.tables import METADATA, CaseFactsRow, ListingRow, PathwayRow

_LISTING = table_of(ListingRow)
_CASE = table_of(CaseFactsRow)
_PATHWAY = table_of(PathwayRow)
_CRITERIA = ("areas", "crimes", "risk_grades", "min_age", "max_age", "also", "teams", "without_marker")
_LISTED = ("service_id", "partner_id", "kind", "status", "location", "commissioned", "preference", "route", "shares")
_CAPACITY = ("capacity_open", "capacity_places", "capacity_waiting_weeks", "capacity_as_of")


async def save_cases(tx: Tx, cases: Sequence[CaseFacts]) -> set[UUID]:
    """Store the facts of cases that are new or newer than what stands; return the ids of those stored."""
    rows = {facts.case_id: _case_values(facts) for facts in sorted(cases, key=lambda facts: facts.version)}
    hope = all(facts.version == 1 for facts in cases)
    stored: set[UUID] = await tx.insert_new(
        _CASE, list(rows.values()), conflict=["case_id"], returning="case_id", hope=hope
    )
    others = [id for id in rows if id not in stored]
    if others:
        query = select(_CASE.c.case_id, _CASE.c.version).where(tx.among(_CASE.c.case_id, others))
        known = {row.case_id: row.version for row in await tx.rows(query.order_by(_CASE.c.case_id).with_for_update())}
        newer = [rows[id] for id in others if rows[id]["version"] > known[id]]
        await tx.update_each(_CASE, "case_id", newer)
        stored |= {row["case_id"] for row in newer}
    return stored


async def lock_cases(tx: Tx, ids: Collection[UUID]) -> dict[UUID, CaseFacts]:
    """Return the known cases among `ids`, locked until the transaction ends."""
    return await _cases(tx, _by_id(tx, ids).with_for_update())


async def find_cases(tx: Tx, ids: Collection[UUID]) -> dict[UUID, CaseFacts]:
    """Return the known cases among `ids`, for whoever has locked their pathways."""
    return await _cases(tx, _by_id(tx, ids))


def _by_id(tx: Tx, ids: Collection[UUID]) -> Select[Any]:
    return select(_CASE).where(tx.among(_CASE.c.case_id, ids)).order_by(_CASE.c.case_id)


async def _cases(tx: Tx, query: Select[Any]) -> dict[UUID, CaseFacts]:
    return {row.case_id: _case(row) for row in await tx.rows(query)}


async def set_reviewed(tx: Tx, reviewed: Mapping[UUID, Collection[tuple[UUID, str | None]]]) -> None:
    """Note among which services and teams a lead is to be agreed, by case."""
    rows = [
        {"case_id": id, "reviewed": [[str(service_id), team] for service_id, team in places]}
        for id, places in reviewed.items()
    ]
    await tx.update_each(_CASE, "case_id", rows)


async def list_services(tx: Tx, needs: Collection[str]) -> list[Listing]:
    """Return the listed services that may be for one of these needs: of its kind, or wider than their kind."""
    if not needs:
        return []
    query = select(_LISTING).where(or_(tx.among(_LISTING.c.kind, needs), _LISTING.c.is_wide))
    return [_listing(row) for row in await tx.rows(query)]


async def find_services(tx: Tx, ids: Collection[UUID]) -> list[Listing]:
    """Return the listings of these services, as they stand."""
    return [_listing(row) for row in await tx.rows(select(_LISTING).where(tx.among(_LISTING.c.service_id, ids)))]


async def services_of(tx: Tx, partner_ids: Collection[UUID]) -> list[Listing]:
    """Return the services of these partners."""
    query = select(_LISTING).where(tx.among(_LISTING.c.partner_id, partner_ids))
    return [_listing(row) for row in await tx.rows(query)]


async def save_listings(tx: Tx, listings: Iterable[tuple[int, Listing]]) -> None:
    """Store listings (with their versions) that are new or newer than what stands; capacity goes by its own moment."""
    for version, listing in listings:
        values = _listing_values(version, listing)
        if await tx.insert_new(_LISTING, [values], conflict=["service_id"], returning="service_id"):
            continue
        capacity = {name: values.pop(name) for name in _CAPACITY}
        same = _LISTING.c.service_id == listing.service_id
        await tx.run(_LISTING.update().where(same, _LISTING.c.version < version).values(values))
        if listing.capacity is not None:
            since = _LISTING.c.capacity_as_of
            is_newer = or_(since.is_(None), since < listing.capacity.as_of)
            await tx.run(_LISTING.update().where(same, is_newer).values(capacity))


async def list_pathways(tx: Tx, case_ids: Collection[UUID]) -> list[Pathway]:
    """Return all pathways of the cases, locked until the transaction ends."""
    if not case_ids:
        return []
    query = select(_PATHWAY).where(tx.among(_PATHWAY.c.case_id, case_ids)).order_by(_PATHWAY.c.id).with_for_update()
    return [_pathway(row) for row in await tx.rows(query)]


async def find_pathways(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Pathway]:
    """Return the pathways among `ids`, locked until the transaction ends."""
    query = select(_PATHWAY).where(tx.among(_PATHWAY.c.id, ids)).order_by(_PATHWAY.c.id).with_for_update()
    return {row.id: _pathway(row) for row in await tx.rows(query)}


async def cases_with(
    tx: Tx, statuses: Collection[PathwayStatus], needs: Collection[str] | None, after: UUID | None, limit: int
) -> list[UUID]:
    """Return cases with a pathway in one of these statuses, for one of these needs (None: any), in order after one."""
    query = select(_PATHWAY.c.case_id).where(_PATHWAY.c.status.in_(statuses)).distinct()
    if needs is not None:
        query = query.where(tx.among(_PATHWAY.c.need, needs))
    if after is not None:
        query = query.where(_PATHWAY.c.case_id > after)
    return [row.case_id for row in await tx.rows(query.order_by(_PATHWAY.c.case_id).limit(limit))]


async def list_unanswered(tx: Tx, now: datetime, limit: int) -> list[Pathway]:
    """Return pathways whose answer was due before `now`, locked; those that another replica has are left to it."""
    query = select(_PATHWAY).where(_PATHWAY.c.answer_due_at <= now).order_by(_PATHWAY.c.id).limit(limit)
    return [_pathway(row) for row in await tx.rows(query.with_for_update(skip_locked=True))]


async def list_unchased(tx: Tx, now: datetime, limit: int) -> list[Pathway]:
    """Return pathways whose partner was to be reminded before `now`, as `list_unanswered`."""
    query = select(_PATHWAY).where(_PATHWAY.c.chase_due_at <= now).order_by(_PATHWAY.c.id).limit(limit)
    return [_pathway(row) for row in await tx.rows(query.with_for_update(skip_locked=True))]


async def add_pathways(tx: Tx, pathways: Sequence[Pathway]) -> None:
    """Store new pathways."""
    await tx.insert(_PATHWAY, [{**_pathway_values(pathway, tx), "opened_at": tx.now} for pathway in pathways])


async def save_pathways(tx: Tx, pathways: Sequence[Pathway]) -> None:
    """Store changed pathways."""
    await tx.update_each(_PATHWAY, "id", [_pathway_values(pathway, tx) for pathway in pathways])


_CASE_FIELDS = (
    "case_id", "referral_id", "version", "crime_category", "age", "area_code", "risk_grade", "is_open",
    "lead_service_id",
)  # fmt: skip


def _case_values(facts: CaseFacts) -> dict[str, Any]:
    choices = {need: str(service_id) for need, service_id in facts.choices.items()}
    values = {key: getattr(facts, key) for key in _CASE_FIELDS}
    return {**values, "markers": list(facts.markers), "choices": choices}


def _case(row: Row[Any]) -> CaseFacts:
    return CaseFacts(
        **{key: row._mapping[key] for key in _CASE_FIELDS},
        markers=tuple(row.markers),
        choices={need: UUID(service_id) for need, service_id in row.choices.items()},
        reviewed=frozenset((UUID(service_id), team) for service_id, team in row.reviewed),
    )


def _listing(row: Row[Any]) -> Listing:
    criteria: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in row.criteria.items()}
    return Listing(**{name: row._mapping[name] for name in _LISTED}, **criteria, capacity=_capacity(row))


def _capacity(row: Row[Any]) -> Capacity | None:
    if row.capacity_as_of is None:
        return None
    return Capacity(row.capacity_open, row.capacity_places, row.capacity_waiting_weeks, row.capacity_as_of)


def _listing_values(version: int, listing: Listing) -> dict[str, Any]:
    criteria = {key: getattr(listing, key) for key in _CRITERIA}
    is_wide = listing.kind == CATCH_ALL or listing.needs != {listing.kind}
    values = {name: getattr(listing, name) for name in _LISTED}
    said = listing.capacity
    capacity = (said.open, said.places, said.waiting_weeks, said.as_of) if said is not None else (None,) * 4
    named = dict(zip(_CAPACITY, capacity, strict=True))
    return {"version": version, "criteria": criteria, "is_wide": is_wide, **values, **named}


def _pathway(row: Row[Any]) -> Pathway:
    candidates = tuple(
        Candidate(
            UUID(c["service_id"]), UUID(c["partner_id"]), c["eligible"], tuple(c["reasons"]), c["outcome"],
            UUID(c["onward_referral_id"]) if c["onward_referral_id"] else None, c["heard"],
            c.get("team"), c.get("only_signposted", False),
        )
        for c in row.candidates
    )  # fmt: skip
    return Pathway(
        row.id, row.case_id, row.referral_id, row.need, PathwayStatus(row.status), row.version, candidates,
        row.onward_referral_id, row.answer_due_at, row.consented_at, row.requested_version, row.chase_due_at,
    )  # fmt: skip


def _pathway_values(pathway: Pathway, tx: Tx) -> dict[str, Any]:
    candidates = [
        {"service_id": str(c.service_id), "partner_id": str(c.partner_id), "eligible": c.eligible,
         "reasons": list(c.reasons), "outcome": c.outcome,
         "onward_referral_id": str(c.onward_referral_id) if c.onward_referral_id else None, "heard": c.heard,
         "team": c.team, "only_signposted": c.only_signposted}
        for c in pathway.candidates
    ]  # fmt: skip
    names = (
        "id", "case_id", "referral_id", "need", "version", "onward_referral_id", "answer_due_at", "consented_at",
        "requested_version", "chase_due_at",
    )  # fmt: skip
    values = {name: getattr(pathway, name) for name in names}
    return {**values, "status": pathway.status.value, "candidates": candidates, "changed_at": tx.now}


async def lines_about_cases(tx: Tx, case_ids: Collection[UUID]) -> list[Line]:
    """Return everything that is kept about cases, in order of time."""
    return await lines_about(tx, METADATA, {"case_id": case_ids})
