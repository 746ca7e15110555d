"""The agreement register in the database: how agreements stand, and every version of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hubkit.db import Tx, table_of
from hubkit.ids import new_id
from services.partners.policy.agreement_terms import IN_COLUMNS, NAMES, Proposal, Standing, from_json, to_json
from services.partners.policy.agreements import Term
from services.partners.store import registry
from services.partners.tables.cases import OnwardReferral
from services.partners.tables.registry import Agreement, AgreementVersion, Service

_agreement = table_of(Agreement).c
_version = table_of(AgreementVersion).c
_onward = table_of(OnwardReferral).c
_service = table_of(Service).c


def standing_of(row: Any) -> Standing:
    """Return an agreement's row as a value."""
    columns = {name: getattr(row, name) for name in IN_COLUMNS}
    proposed = row.proposed
    return Standing(
        id=row.id,
        partner_id=row.partner_id,
        reference=row.reference or str(row.id),
        version=row.version,
        status=row.status,
        terms=from_json(columns | (row.document or {})),
        drafted_by=row.drafted_by,
        approved_by=row.approved_by,
        proposed=Proposal(from_json(proposed["terms"]), proposed["drafted_by"]) if proposed else None,
        ended_on=row.ended_on,
    )


def term_of(row: Any) -> Term:
    """Return when an agreement's row covers what."""
    return Term(row.status, frozenset(row.purposes), row.starts_on, row.ends_on, row.id, row.ended_on)


async def add(tx: Tx, standing: Standing) -> bool:
    """Store a new agreement; return False when its reference is taken."""
    row = {"id": standing.id, "partner_id": standing.partner_id, "reference": standing.reference, **_values(standing)}
    row["changed_at"] = tx.now
    return bool(await tx.insert_new(Agreement, [row], conflict=["reference"], returning="id"))


async def save(tx: Tx, standing: Standing) -> None:
    """Write an agreement whose row is locked."""
    await registry.change_agreement(tx, standing.id, _values(standing) | {"changed_at": tx.now})


def _values(standing: Standing) -> dict[str, Any]:
    said = to_json(standing.terms)
    terms = standing.terms
    columns = {name: said[name] for name in IN_COLUMNS}
    columns |= {"starts_on": terms.starts_on, "review_on": terms.review_on, "ends_on": terms.ends_on}
    return {
        **columns,
        "version": standing.version,
        "status": standing.status,
        "document": {name: said[name] for name in NAMES if name not in IN_COLUMNS},
        "drafted_by": standing.drafted_by,
        "approved_by": standing.approved_by,
        "proposed": _proposed(standing.proposed),
        "ended_on": standing.ended_on,
    }


def _proposed(proposal: Proposal | None) -> dict[str, Any] | None:
    if proposal is None:
        return None
    return {"terms": to_json(proposal.terms), "drafted_by": proposal.drafted_by}


async def keep(tx: Tx, standing: Standing, acts: Sequence[str], made: Mapping[str, Any]) -> None:
    """Keep how an agreement stands now for good. `made` is by whom, through which client, and why."""
    row = {
        "id": new_id(),
        "agreement_id": standing.id,
        "version": standing.version,
        "acts": list(acts),
        "status": standing.status,
        "terms": to_json(standing.terms),
        "proposed": _proposed(standing.proposed),
        "drafted_by": standing.drafted_by,
        "approved_by": standing.approved_by,
        **made,
        "made_at": tx.now,
    }
    await tx.insert(AgreementVersion, [row])


async def versions(tx: Tx, agreement_id: UUID, after: UUID | None, limit: int) -> list[AgreementVersion]:
    """Return the versions of an agreement, oldest first."""
    query = select(AgreementVersion).where(_version.agreement_id == agreement_id)
    query = query if after is None else query.where(_version.id > after)
    return await tx.models(query.order_by(_version.id).limit(limit))


async def version(tx: Tx, agreement_id: UUID, number: int) -> AgreementVersion | None:
    """Return one version of an agreement."""
    of = (_version.agreement_id == agreement_id, _version.version == number)
    return await tx.model(select(AgreementVersion).where(*of))


async def with_reference(tx: Tx, reference: str) -> UUID | None:
    """Return which agreement has an external reference."""
    row = await tx.row(select(_agreement.id).where(_agreement.reference == reference))
    return row[0] if row is not None else None


async def in_force_or_to_come(tx: Tx) -> list[Agreement]:
    """Return the agreements that are approved and neither suspended nor ended, of all partners."""
    return await tx.models(select(Agreement).where(_agreement.status == "active").order_by(_agreement.id))


async def sharing_services(tx: Tx, partner_ids: Collection[UUID], shares: Collection[str]) -> list[Service]:
    """Return the active services of partners that the hub shares something with."""
    query = select(Service).where(tx.among(_service.partner_id, partner_ids), _service.status == "active")
    return await tx.models(query.where(tx.among(_service.shares, shares)).order_by(_service.id))


async def referrals_to(
    tx: Tx, partner_ids: Collection[UUID], statuses: Collection[str]
) -> dict[tuple[UUID, str], list[UUID]]:
    """Return the onward referrals to partners that stand in one of `statuses`, by partner and kind, oldest first."""
    query = select(_onward.id, _onward.partner_id, _onward.kind).where(
        tx.among(_onward.partner_id, partner_ids), _onward.status.in_(statuses)
    )
    found: dict[tuple[UUID, str], list[UUID]] = {}
    for row in await tx.rows(query.order_by(_onward.id)):
        found.setdefault((row.partner_id, row.kind), []).append(row.id)
    return found
