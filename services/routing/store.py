"""All queries of routing, and the way between rows and the words of the service."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select

from hubkit.db import Tx, table_of
from services.routing.model import REVIVABLE, Candidate, CaseFacts, Listing, Pathway, PathwayStatus
from services.routing.tables import CaseFactsRow, ListingRow, PathwayRow

_LISTING = table_of(ListingRow)
_CASE = table_of(CaseFactsRow)
_PATHWAY = table_of(PathwayRow)
_CRITERIA = ("areas", "crimes", "risk_grades", "min_age", "max_age")


async def save_cases(tx: Tx, cases: Sequence[CaseFacts]) -> set[UUID]:
    """Store the facts of cases that are new or newer than what stands; return the ids of those stored."""
    rows = {facts.case_id: _case_values(facts) for facts in sorted(cases, key=lambda facts: facts.version)}
    stored: set[UUID] = await tx.insert_new(_CASE, list(rows.values()), conflict=["case_id"], returning="case_id")
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
    rows = await tx.rows(query)
    return {row.case_id: CaseFacts(**{key: row._mapping[key] for key in _CASE_FIELDS}) for row in rows}


async def set_version(tx: Tx, versions: dict[UUID, int]) -> None:
    """Note the newest version of cases."""
    await tx.update_each(_CASE, "case_id", [{"case_id": id, "version": version} for id, version in versions.items()])


async def list_services(tx: Tx, kinds: Collection[str]) -> dict[str, list[Listing]]:
    """Return the listed services of each kind."""
    found: dict[str, list[Listing]] = {kind: [] for kind in kinds}
    if kinds:
        for row in await tx.rows(select(_LISTING).where(tx.among(_LISTING.c.kind, kinds))):
            found[row.kind].append(_listing(row))
    return found


async def save_listings(tx: Tx, listings: Iterable[tuple[int, Listing]]) -> None:
    """Store listings (with their versions) that are new or newer than what stands."""
    for version, listing in listings:
        values = _listing_values(version, listing)
        if await tx.insert_new(_LISTING, [values], conflict=["service_id"], returning="service_id"):
            continue
        same = (_LISTING.c.service_id == listing.service_id, _LISTING.c.version < version)
        await tx.run(_LISTING.update().where(*same).values(values))


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


async def list_revivable(tx: Tx, kinds: Collection[str], after: UUID | None, limit: int) -> list[Pathway]:
    """Return pathways of these kinds that had no candidate left, oldest first after `after`, locked."""
    query = select(_PATHWAY).where(tx.among(_PATHWAY.c.need, kinds), _PATHWAY.c.status.in_(REVIVABLE))
    if after is not None:
        query = query.where(_PATHWAY.c.id > after)
    return [_pathway(row) for row in await tx.rows(query.order_by(_PATHWAY.c.id).limit(limit).with_for_update())]


async def list_unanswered(tx: Tx, now: datetime, limit: int) -> list[Pathway]:
    """Return pathways whose answer was due before `now`, locked; those that another replica has are left to it."""
    query = select(_PATHWAY).where(_PATHWAY.c.answer_due_at <= now).order_by(_PATHWAY.c.id).limit(limit)
    return [_pathway(row) for row in await tx.rows(query.with_for_update(skip_locked=True))]


async def kinds_of_partner(tx: Tx, partner_ids: Collection[UUID]) -> set[str]:
    """Return the kinds of service that these partners offer."""
    rows = await tx.rows(select(_LISTING.c.kind).where(tx.among(_LISTING.c.partner_id, partner_ids)).distinct())
    return {row.kind for row in rows}


async def add_pathways(tx: Tx, pathways: Sequence[Pathway]) -> None:
    """Store new pathways."""
    await tx.insert(_PATHWAY, [{**_pathway_values(pathway, tx), "opened_at": tx.now} for pathway in pathways])


async def save_pathways(tx: Tx, pathways: Sequence[Pathway]) -> None:
    """Store changed pathways."""
    await tx.update_each(_PATHWAY, "id", [_pathway_values(pathway, tx) for pathway in pathways])


_CASE_FIELDS = ("case_id", "referral_id", "version", "crime_category", "age", "area_code", "risk_grade", "is_open")


def _case_values(facts: CaseFacts) -> dict[str, Any]:
    return {key: getattr(facts, key) for key in _CASE_FIELDS}


def _listing(row: Row[Any]) -> Listing:
    criteria: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in row.criteria.items()}
    return Listing(
        row.service_id, row.partner_id, row.kind, row.status, location=row.location, commissioned=row.commissioned,
        preference=row.preference, **criteria,
    )  # fmt: skip


def _listing_values(version: int, listing: Listing) -> dict[str, Any]:
    names = ("service_id", "partner_id", "kind", "status", "location", "commissioned", "preference")
    criteria = {key: getattr(listing, key) for key in _CRITERIA}
    return {"version": version, "criteria": criteria, **{name: getattr(listing, name) for name in names}}


def _pathway(row: Row[Any]) -> Pathway:
    candidates = tuple(
        Candidate(
            UUID(c["service_id"]), UUID(c["partner_id"]), c["eligible"], tuple(c["reasons"]), c["outcome"],
            UUID(c["onward_referral_id"]) if c["onward_referral_id"] else None, c["heard"],
        )
        for c in row.candidates
    )  # fmt: skip
    return Pathway(
        row.id, row.case_id, row.referral_id, row.need, PathwayStatus(row.status), row.version, candidates,
        row.onward_referral_id, row.answer_due_at, row.consented_at,
    )  # fmt: skip


def _pathway_values(pathway: Pathway, tx: Tx) -> dict[str, Any]:
    candidates = [
        {"service_id": str(c.service_id), "partner_id": str(c.partner_id), "eligible": c.eligible,
         "reasons": list(c.reasons), "outcome": c.outcome,
         "onward_referral_id": str(c.onward_referral_id) if c.onward_referral_id else None, "heard": c.heard}
        for c in pathway.candidates
    ]  # fmt: skip
    names = (
        "id", "case_id", "referral_id", "need", "version", "onward_referral_id", "answer_due_at", "consented_at",
    )  # fmt: skip
    values = {name: getattr(pathway, name) for name in names}
    return {**values, "status": pathway.status.value, "candidates": candidates, "changed_at": tx.now}
