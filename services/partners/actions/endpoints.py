"""A partner's webhook endpoints: registered, listed, given new keys, resumed, deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hubkit.auth import Caller
from hubkit.db import Tx
from hubkit.egress import check_webhook_url
from hubkit.errors import ConflictError, ForbiddenError, NotFoundError
from hubkit.ids import new_id
from hubkit.webhooks import new_secret, new_signing_pair
from services.partners.actions.deps import Deps
from services.partners.actions.outgoing import seal_keys
from services.partners.policy.breaker import Breaker
from services.partners.store import deliveries, endpoints, registry

MOST_ENDPOINTS = 10
#: How long the keys before a rotation sign too, so that a partner can change its side without missing anything.
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewKeys:
    """An endpoint as it stands with its new keys; `secret` is shown this once."""

    endpoint: Row[Any]
    secret: str = field(repr=False)


async def own_partner(tx: Tx, caller: Caller) -> UUID:
    """Return the partner that the caller acts for.

    Raises
    ------
    ForbiddenError
        `not_a_partner`.
    """
    partner_id = await registry.partner_of(tx, caller.organisation)
    if partner_id is None:
        raise ForbiddenError("Only a partner has webhooks", code="not_a_partner")
    return partner_id


async def list_endpoints(tx: Tx, caller: Caller) -> Sequence[Row[Any]]:
    """Return the caller's endpoints, oldest first; there are never many."""
    return await endpoints.of_partners(tx, [await own_partner(tx, caller)])


async def register_endpoint(tx: Tx, deps: Deps, caller: Caller, url: str, types: Sequence[str] | None) -> NewKeys:
    """Register an address for the caller's webhooks, with keys of its own.

    Parameters
    ----------
    types
        What it wants to be told; None for everything.

    Raises
    ------
    InvalidError
        When webhooks may not go to `url`.
    ConflictError
        `too_many_endpoints`.
    """
    private = deps.allow_private_endpoints
    address = check_webhook_url(url, allow_http=private, allow_private=private)
    partner_id = await own_partner(tx, caller)
    if await endpoints.count_of(tx, partner_id) >= MOST_ENDPOINTS:
        raise ConflictError(f"A partner has at most {MOST_ENDPOINTS} endpoints", code="too_many_endpoints")
    endpoint_id = new_id()
    secret, (signing, public) = new_secret(), new_signing_pair()
    row = {
        "id": endpoint_id,
        "partner_id": partner_id,
        "url": address,
        "types": sorted(set(types)) if types is not None else None,
        "status": "active",
        "public_key": public,
        "keys": seal_keys(deps, endpoint_id, [secret, signing]),
        "window_requests": 0,
        "window_failures": 0,
        "openings": 0,
        "created_at": tx.now,
        "changed_at": tx.now,
    }
    await endpoints.add(tx, row)
    return NewKeys(await _own(tx, caller, endpoint_id), secret)


async def rotate_secret(tx: Tx, deps: Deps, caller: Caller, endpoint_id: UUID) -> NewKeys:
    """Give an endpoint new keys; the ones it had sign too for 24 hours, any older ones no more.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    row = await _own(tx, caller, endpoint_id)
    secret, (signing, public) = new_secret(), new_signing_pair()
    values = {
        "public_key": public,
        "keys": seal_keys(deps, endpoint_id, [secret, signing]),
        "previous_keys": row.keys,
        "previous_until": tx.now + OVERLAP,
        "changed_at": tx.now,
    }
    await endpoints.change(tx, endpoint_id, values)
    return NewKeys(await _own(tx, caller, endpoint_id), secret)


async def resume_endpoint(tx: Tx, deps: Deps, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    """Call an endpoint again that was paused because it answered 410, and send what was parked meanwhile.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    await _own(tx, caller, endpoint_id)
    await deliveries.unpark(tx, endpoint_id, ("endpoint_gone", "endpoint_paused"))
    fresh = endpoints.breaker_columns(Breaker())
    await endpoints.change(tx, endpoint_id, {"status": "active", "reason": None, "changed_at": tx.now, **fresh})
    take = deps.handover.take
    tx.after_commit(lambda: take(()))
    return await _own(tx, caller, endpoint_id)


async def delete_endpoint(tx: Tx, caller: Caller, endpoint_id: UUID) -> None:
    """Forget an endpoint: nothing more is claimed for it.

    What it had not been told is cleared up within seconds by `dispatch.keep_house`.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    await _own(tx, caller, endpoint_id)
    await endpoints.change(tx, endpoint_id, {"status": "deleted", "previous_keys": None, "changed_at": tx.now})


async def _own(tx: Tx, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    row = await endpoints.one(tx, await own_partner(tx, caller), endpoint_id)
    if row is None:
        raise NotFoundError
    return row
