"""Referrals, their idempotency keys, and the news of what became of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, String, and_, bindparam, delete, func, select

from hubkit.db import Rows, Tx, table_of
from services.intake.tables import IdempotencyRow, ReferralOnwardRow, ReferralRow

_REFERRAL = table_of(ReferralRow)
_KEY = table_of(IdempotencyRow)
_ONWARD = table_of(ReferralOnwardRow)


async def claim_keys(tx: Tx, rows: Rows) -> dict[UUID, tuple[bytes, UUID]]:
    """Store idempotency keys; return request digest and referral of those that stood already, by slot.

    Keys are taken in one order, so that two transactions with the same keys never wait for each other in a ring.
    """
    ordered = sorted(rows, key=lambda row: row["slot"].int)
    new = await tx.insert_new(IdempotencyRow, ordered, conflict=["slot"], returning="slot", hope=True)
    standing = [row["slot"] for row in ordered if row["slot"] not in new]
    if not standing:
        return {}
    found = await tx.rows(
        select(_KEY.c.slot, _KEY.c.request, _KEY.c.referral_id).where(tx.among(_KEY.c.slot, standing))
    )
    return {row.slot: (row.request, row.referral_id) for row in found}


async def point_keys(tx: Tx, referral_ids: Mapping[UUID, UUID]) -> None:
    """Let keys (by slot) answer with another referral than was proposed when they were claimed."""
    rows = [{"slot": slot, "referral_id": referral_id} for slot, referral_id in referral_ids.items()]
    await tx.update_each(IdempotencyRow, "slot", rows)


async def forget_keys(tx: Tx, before: datetime) -> int:
    """Forget idempotency keys made before `before`; returns how many."""
    return (await tx.run(delete(_KEY).where(_KEY.c.created_at < before))).rowcount


async def add_referrals(tx: Tx, rows: Rows) -> set[UUID]:
    """Store referrals; return the ids of those whose (organisation, reference) did not stand yet."""
    ordered = sorted(rows, key=lambda row: (row["source_organisation"], row["source_reference"] or ""))
    conflict = ["source_organisation", "source_reference"]
    return await tx.insert_new(ReferralRow, ordered, conflict=conflict, returning="id")


async def lock_by_source(tx: Tx, sources: Collection[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """Return the referrals of (organisation, reference) pairs, locked: id, version, content, received_at."""
    if not sources:
        return {}
    if tx.is_postgresql:
        organisations, references = (list(names) for names in zip(*sources, strict=True))
        found = await tx.rows(_LOCK_POSTGRESQL, {"organisations": organisations, "references": references})
    else:
        by_organisation = _REFERRAL.c.source_organisation.in_({organisation for organisation, _ in sources})
        by_reference = tx.among(_REFERRAL.c.source_reference, [reference for _, reference in sources])
        found = await tx.rows(select(*_STANDING).where(by_organisation, by_reference))
    by_source = {(row.source_organisation, row.source_reference): row for row in found}
    return {source: by_source[source] for source in sources if source in by_source}


_STANDING = (
    _REFERRAL.c.id,
    _REFERRAL.c.version,
    _REFERRAL.c.content,
    _REFERRAL.c.received_at,
    _REFERRAL.c.source_organisation,
    _REFERRAL.c.source_reference,
)
# Joined with the pairs, since PostgreSQL reads all referrals of an organisation for an IN of many references, while
# SQLite takes two INs from the index and reads everything for pairs.
_GIVEN = (
    func.unnest(bindparam("organisations", type_=ARRAY(String())), bindparam("references", type_=ARRAY(String())))
    .table_valued("organisation", "reference", name="given")
    .render_derived()
)
_LOCK_POSTGRESQL = (
    select(*_STANDING)
    .join(
        _GIVEN,
        and_(
            _REFERRAL.c.source_organisation == _GIVEN.c.organisation,
            _REFERRAL.c.source_reference == _GIVEN.c.reference,
        ),
    )
    .order_by(_REFERRAL.c.id)
    .with_for_update(of=_REFERRAL)
)


async def change_referrals(tx: Tx, rows: Rows) -> None:
    """Write new versions of referrals, found by `id`."""
    await tx.update_each(ReferralRow, "id", rows)


async def lock_case_versions(tx: Tx, referral_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the version of the case that each referral knows, locked; unknown referrals are left out."""
    query = select(_REFERRAL.c.id, _REFERRAL.c.case_version).where(tx.among(_REFERRAL.c.id, referral_ids))
    return {row.id: row.case_version for row in await tx.rows(query.order_by(_REFERRAL.c.id).with_for_update())}


async def keep_onward(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the newest version of each onward referral; `rows` has each once."""
    ordered = sorted(rows, key=lambda row: row["onward_referral_id"].int)
    new = await tx.insert_new(
        ReferralOnwardRow, ordered, conflict=["onward_referral_id"], returning="onward_referral_id"
    )
    known = [row for row in ordered if row["onward_referral_id"] not in new]
    if not known:
        return
    versions = await _lock_onward(tx, [row["onward_referral_id"] for row in known])
    newer = [row for row in known if row["version"] > versions[row["onward_referral_id"]]]
    names = ("onward_referral_id", "status", "version")
    await tx.update_each(
        ReferralOnwardRow, "onward_referral_id", [{name: row[name] for name in names} for row in newer]
    )


async def _lock_onward(tx: Tx, ids: Collection[UUID]) -> dict[UUID, int]:
    query = select(_ONWARD.c.onward_referral_id, _ONWARD.c.version).where(
        tx.among(_ONWARD.c.onward_referral_id, list(ids))
    )
    found = await tx.rows(query.order_by(_ONWARD.c.onward_referral_id).with_for_update())
    return {row.onward_referral_id: row.version for row in found}


async def find_own(tx: Tx, referral_id: UUID, organisation: str) -> ReferralRow | None:
    """Return a referral if it came from `organisation`."""
    query = select(ReferralRow).where(_REFERRAL.c.id == referral_id, _REFERRAL.c.source_organisation == organisation)
    return await tx.model(query)


async def onward_of(tx: Tx, referral_id: UUID) -> list[tuple[str, str]]:
    """Return kind and status of a referral's onward referrals, oldest first."""
    query = select(_ONWARD.c.kind, _ONWARD.c.status).where(_ONWARD.c.referral_id == referral_id)
    return [(row.kind, row.status) for row in await tx.rows(query.order_by(_ONWARD.c.onward_referral_id))]
