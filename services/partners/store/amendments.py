"""The content of cases by version, what partners know of it, and amendments, in the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update

from hubkit.db import Tx, table_of
from services.partners.policy.amendments import Content, Known
from services.partners.tables.amendments import Amendment, CaseContent
from services.partners.tables.cases import Disclosure

_content = table_of(CaseContent).c
_amendment = table_of(Amendment).c
_disclosure = table_of(Disclosure).c


async def content_of(tx: Tx, case_ids: Collection[UUID]) -> dict[UUID, Content]:
    """Return what is known of the content of cases whose rows are locked; those of which nothing is are absent."""
    query = select(_content.case_id, _content.changed_in, _content.assessment, _content.assessment_version)
    found = await tx.rows(query.where(tx.among(_content.case_id, case_ids)))
    return {row.case_id: Content(row.changed_in, row.assessment, row.assessment_version) for row in found}


async def put_content(tx: Tx, contents: Mapping[UUID, Content]) -> None:
    """Write the content of cases whose rows are locked."""
    rows = [
        {
            "case_id": case_id,
            "changed_in": dict(content.changed_in),
            "assessment": dict(content.assessment),
            "assessment_version": content.assessment_version,
            "changed_at": tx.now,
        }
        for case_id, content in sorted(contents.items())
    ]
    new = await tx.insert_new(CaseContent, rows, conflict=["case_id"], returning="case_id")
    await tx.update_each(CaseContent, "case_id", [row for row in rows if row["case_id"] not in new])


async def known_of(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, Known]:
    """Return what partners know: the fields of the newest disclosure, at the versions that they were told of last."""
    query = select(
        _disclosure.onward_referral_id,
        _disclosure.fields,
        _disclosure.referral_version,
        _disclosure.assessment_version,
    )
    found: dict[UUID, Known] = {}
    for row in await tx.rows(
        query.where(tx.among(_disclosure.onward_referral_id, onward_ids)).order_by(_disclosure.id)
    ):
        found[row.onward_referral_id] = Known(row.fields, row.referral_version, row.assessment_version)
    told = select(_amendment.onward_referral_id, _amendment.referral_version, _amendment.assessment_version)
    for row in await tx.rows(told.where(tx.among(_amendment.onward_referral_id, list(found)))):
        known = found[row.onward_referral_id]
        found[row.onward_referral_id] = Known(
            known.fields,
            max(known.referral_version, row.referral_version),
            max(known.assessment_version, row.assessment_version),
        )
    return found


async def last_numbers(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the number of the newest amendment of each onward referral that has any."""
    query = select(_amendment.onward_referral_id, func.max(_amendment.number).label("number"))
    query = query.where(tx.among(_amendment.onward_referral_id, onward_ids)).group_by(_amendment.onward_referral_id)
    return {row.onward_referral_id: row.number for row in await tx.rows(query)}


async def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store amendments."""
    await tx.insert(Amendment, rows)


async def mark_fetched(tx: Tx, onward_id: UUID, referral_version: int, assessment_version: int) -> None:
    """Note that a partner has what it was told of, up to these versions."""
    statement = update(Amendment).where(
        _amendment.onward_referral_id == onward_id,
        _amendment.fetched_at.is_(None),
        _amendment.referral_version <= referral_version,
        _amendment.assessment_version <= assessment_version,
    )
    await tx.run(statement.values(fetched_at=tx.now))


async def carried(tx: Tx, onward_by_permit: Mapping[UUID, UUID]) -> Sequence[Row[Any]]:
    """Return the onward referrals and versions of what webhooks carried under these permits, by onward referral."""
    columns = (_disclosure.onward_referral_id, _disclosure.referral_version, _disclosure.assessment_version)
    query = select(*columns).where(
        tx.among(_disclosure.onward_referral_id, set(onward_by_permit.values())),
        tx.among(_disclosure.permit_id, onward_by_permit),
    )
    return await tx.rows(query.order_by(_disclosure.onward_referral_id, _disclosure.id))


async def amendments_of(tx: Tx, onward_id: UUID, after: UUID | None, limit: int) -> list[Amendment]:
    """Return the amendments of an onward referral, oldest first."""
    query = select(Amendment).where(_amendment.onward_referral_id == onward_id).order_by(_amendment.id).limit(limit)
    return await tx.models(query if after is None else query.where(_amendment.id > after))


async def receipts_of(tx: Tx, onward_id: UUID, after: UUID | None, limit: int) -> list[Disclosure]:
    """Return what was disclosed for an onward referral, oldest first."""
    query = select(Disclosure).where(_disclosure.onward_referral_id == onward_id).order_by(_disclosure.id).limit(limit)
    return await tx.models(query if after is None else query.where(_disclosure.id > after))
