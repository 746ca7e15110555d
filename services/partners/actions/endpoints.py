"""A partner's webhook endpoints: registered, verified, changed, given new keys, resumed, deleted."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from hubkit.auth import Caller
from hubkit.db import Database, Tx
from hubkit.egress import check_domain, check_webhook_url, host_of, is_under
from hubkit.errors import ConflictError, FieldError, ForbiddenError, InvalidError, NotFoundError
from hubkit.ids import new_id
from hubkit.webhooks import new_secret, new_signing_pair
from services.partners.actions.deps import Deps
from services.partners.actions.outgoing import LEASE, seal_keys, wake
from services.partners.actions.secured import Secured, columns_of
from services.partners.actions.verification import HELD_BACK, challenge, own_news, verified
from services.partners.model import TEST, VERIFICATION
from services.partners.policy import payloads
from services.partners.policy.breaker import Breaker
from services.partners.store import deliveries, domains, endpoints, registry

MOST_ENDPOINTS = 10
#: How long the keys before a rotation sign too, so that a partner can change its side without missing anything.
OVERLAP = timedelta(hours=24)
_POLL_S = 0.1
_PLAIN: Final = Secured()


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


async def register_endpoint(
    tx: Tx, deps: Deps, caller: Caller, url: str, types: Sequence[str] | None, secured: Secured = _PLAIN
) -> NewKeys:
    """Register an address for the caller's webhooks, with keys of its own, and send it a challenge.

    Parameters
    ----------
    types
        What it wants to be told; None for everything.

    Raises
    ------
    InvalidError
        When webhooks may not go to `url`, or cannot be `secured` so (codes as `columns_of`).
    ConflictError
        `too_many_endpoints`.
    """
    partner_id = await own_partner(tx, caller)
    address = await _address(tx, deps, partner_id, url)
    security = columns_of(deps, secured)
    if await endpoints.count_of(tx, partner_id) >= MOST_ENDPOINTS:
        raise ConflictError(f"A partner has at most {MOST_ENDPOINTS} endpoints", code="too_many_endpoints")
    endpoint_id = new_id()
    secret, (signing, public) = new_secret(), new_signing_pair()
    row = {
        "id": endpoint_id,
        "partner_id": partner_id,
        "url": address,
        "types": _types(types),
        "status": "pending",
        "public_key": public,
        "keys": seal_keys(deps, endpoint_id, [secret, signing]),
        **security,
        "window_requests": 0,
        "window_failures": 0,
        "openings": 0,
        "created_at": tx.now,
        "changed_at": tx.now,
    }
    await endpoints.add(tx, row)
    await challenge(tx, deps, endpoint_id, partner_id)
    return NewKeys(await _own(tx, caller, endpoint_id), secret)


async def verify_endpoint(tx: Tx, deps: Deps, caller: Caller, endpoint_id: UUID, given: str | None) -> Row[Any]:
    """Take the challenge that an endpoint was sent; without one, send it a new one. A verified one stays as it is.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    InvalidError
        `wrong_challenge`.
    """
    row = await _own_with_challenge(tx, caller, endpoint_id)
    if row.status != "pending":
        return row
    if given is None:
        await challenge(tx, deps, endpoint_id, row.partner_id)
    elif payloads.is_challenge(given, row.challenge):
        await verified(tx, deps, [endpoint_id])
    else:
        wrong = FieldError("/challenge", "wrong_challenge", "is not the one that the endpoint was sent last")
        raise InvalidError("The endpoint is not verified by this", errors=[wrong])
    return await _own(tx, caller, endpoint_id)


async def change_endpoint(  # noqa: PLR0913 - what a partner says of an endpoint
    db: Database,
    deps: Deps,
    caller: Caller,
    endpoint_id: UUID,
    url: str,
    types: Sequence[str] | None,
    secured: Secured = _PLAIN,
) -> Row[Any]:
    """Change where an endpoint is and what it is told. Another URL must be verified again before it is told anything.

    Returns once no attempt at the old URL is under way, nor can begin.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    InvalidError
        As `register_endpoint`.
    """
    security = columns_of(deps, secured)
    async with db.transaction() as tx:
        row = await _own_with_challenge(tx, caller, endpoint_id)
        address = await _address(tx, deps, row.partner_id, url)
        values: dict[str, Any] = {"types": _types(types), "changed_at": tx.now, **security}
        moved = address != row.url
        if moved:
            values |= {"url": address, "status": "pending", "reason": None, "verified_at": None}
            values |= endpoints.breaker_columns(Breaker())
        await endpoints.change(tx, endpoint_id, values)
        if moved:
            await challenge(tx, deps, endpoint_id, row.partner_id)
    if moved:
        await _wait_for_attempts(db, endpoint_id)
    async with db.transaction() as tx:
        return await _own(tx, caller, endpoint_id)


async def _wait_for_attempts(db: Database, endpoint_id: UUID) -> None:
    """Wait until the leases of an endpoint that gets no more are given back or have run out."""
    end = time.monotonic() + LEASE.total_seconds()
    while time.monotonic() < end:
        async with db.reading() as tx:
            if not await deliveries.leased_news(tx, endpoint_id):
                return
        await asyncio.sleep(_POLL_S)


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


async def send_test(tx: Tx, deps: Deps, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    """Send an endpoint a test event, whatever types it wants; return its delivery.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    ConflictError
        `endpoint_not_active`.
    """
    row = await _own(tx, caller, endpoint_id)
    if row.status != "active":
        raise ConflictError("Only an active endpoint can be tested", code="endpoint_not_active")
    body = payloads.test(TEST, tx.now, endpoint_id)
    news = own_news(tx, endpoint_id, row.partner_id, TEST, body, urgent=False)
    await deliveries.add(tx, [news])
    wake(tx, deps)
    found = await deliveries.one(tx, row.partner_id, news["id"])
    assert found is not None  # noqa: S101 - it was added a moment ago
    return found


async def resume_endpoint(tx: Tx, deps: Deps, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    """Call an endpoint again that was paused because it answered 410, and send what was parked meanwhile.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    ConflictError
        `endpoint_not_verified`.
    """
    row = await _own(tx, caller, endpoint_id)
    if row.status == "pending":
        raise ConflictError("The endpoint has not answered its challenge yet", code="endpoint_not_verified")
    await deliveries.unpark(tx, endpoint_id, HELD_BACK)
    fresh = endpoints.breaker_columns(Breaker())
    await endpoints.change(tx, endpoint_id, {"status": "active", "reason": None, "changed_at": tx.now, **fresh})
    wake(tx, deps)
    return await _own(tx, caller, endpoint_id)


async def delete_endpoint(db: Database, caller: Caller, endpoint_id: UUID) -> None:
    """Forget an endpoint. Returns once no attempt at it is under way, nor can begin.

    What it had not been told is cleared up within seconds by `dispatch.keep_house`.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    async with db.transaction() as tx:
        await _own(tx, caller, endpoint_id)
        await endpoints.change(tx, endpoint_id, {"status": "deleted", "previous_keys": None, "changed_at": tx.now})
    await _wait_for_attempts(db, endpoint_id)


async def domain_rules(tx: Tx, partner_id: UUID) -> list[str]:
    """Return the domains under which a partner's endpoints may lie; none means any.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    """
    if await registry.partner(tx, partner_id) is None:
        raise NotFoundError
    return await domains.of_partner(tx, partner_id)


async def set_domain_rules(tx: Tx, partner_id: UUID, wanted: Sequence[str]) -> list[str]:
    """Hold a partner's endpoints to these domains from now on; those that stand are left as they are.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    InvalidError
        At `/domains/<n>`, with the codes of `check_webhook_url` for a host.
    """
    if await registry.partner(tx, partner_id) is None:
        raise NotFoundError
    faults: list[FieldError] = []
    found: set[str] = set()
    for n, domain in enumerate(wanted):
        try:
            found.add(check_domain(domain))
        except InvalidError as error:
            faults += [FieldError(f"/domains/{n}", fault.code, fault.detail) for fault in error.errors]
    if faults:
        raise InvalidError("These are not domains", errors=faults)
    await domains.replace(tx, partner_id, sorted(found))
    return sorted(found)


async def _address(tx: Tx, deps: Deps, partner_id: UUID, url: str) -> str:
    private = deps.allow_private_endpoints
    address = check_webhook_url(url, allow_http=private, allow_private=private)
    host = host_of(address)
    if not private and host == host_of(deps.public_url):
        raise _refused("own_address", "This is the hub's own address")
    allowed = await domains.of_partner(tx, partner_id)
    if allowed and not is_under(host, allowed):
        raise _refused("domain_not_allowed", "The host is not under a domain that was agreed with you")
    return address


def _refused(code: str, detail: str) -> InvalidError:
    return InvalidError("The webhook URL is not allowed", errors=[FieldError("/url", code, detail)])


def _types(types: Sequence[str] | None) -> list[str] | None:
    return sorted(set(types)) if types is not None else None


async def _own_with_challenge(tx: Tx, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    """Lock the endpoint and its challenge, in the order in which results are recorded."""
    await deliveries.lock_own(tx, await own_partner(tx, caller), endpoint_id, VERIFICATION)
    return await _own(tx, caller, endpoint_id)


async def _own(tx: Tx, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    row = await endpoints.one(tx, await own_partner(tx, caller), endpoint_id)
    if row is None:
        raise NotFoundError
    return row
