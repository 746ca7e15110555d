"""Verifying an endpoint: nothing that concerns a person goes to an address that has not shown to be the partner's.

The challenge goes out as a signed webhook like any other, with its retries. The receiver answers with it, or the
partner posts it back with its own token.
"""

import secrets
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.actions.outgoing import wake
from services.partners.model import VERIFICATION
from services.partners.policy import payloads
from services.partners.policy.breaker import Breaker
from services.partners.store import deliveries, endpoints

#: What was parked while an endpoint could not be called, and goes out when it can be.
HELD_BACK = ("endpoint_gone", "endpoint_paused", "address_blocked")


def own_news(tx: Tx, endpoint_id: UUID, partner_id: UUID, type: str, body: bytes, *, urgent: bool) -> dict[str, Any]:
    """Return the row of a delivery that tells an endpoint of itself."""
    delivery_id = new_id()
    return {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "partner_id": partner_id,
        "onward_referral_id": delivery_id,
        "type": type,
        "body": body,
        "urgent": urgent,
        "state": "queued",
        "reason": None,
        "attempts": 0,
        "failures": 0,
        "due_at": tx.now,
        "lease_token": None,
        "traceparent": None,
        "created_at": tx.now,
        "changed_at": tx.now,
    }


async def challenge(tx: Tx, deps: Deps, endpoint_id: UUID, partner_id: UUID) -> None:
    """Send an endpoint a new challenge; an earlier one serves no more."""
    word = secrets.token_urlsafe(32)
    await deliveries.stop_own(tx, endpoint_id, VERIFICATION, "replaced")
    await endpoints.change(tx, endpoint_id, {"challenge": word, "changed_at": tx.now})
    body = payloads.verification(VERIFICATION, tx.now, endpoint_id, word, deps.public_url)
    # Urgent, so that a receiver which learns its secret a moment later is asked again within a second.
    await deliveries.add(tx, [own_news(tx, endpoint_id, partner_id, VERIFICATION, body, urgent=True)])
    wake(tx, deps)


async def verified(tx: Tx, deps: Deps, endpoint_ids: Collection[UUID]) -> None:
    """Have endpoints called that have answered their challenge; what waited for it goes out now."""
    fresh = endpoints.breaker_columns(Breaker())
    for endpoint_id in endpoint_ids:
        values = {"status": "active", "reason": None, "challenge": None, "verified_at": tx.now, "changed_at": tx.now}
        await endpoints.change(tx, endpoint_id, values | fresh)
        await deliveries.stop_own(tx, endpoint_id, VERIFICATION, "verified")
        await deliveries.unpark(tx, endpoint_id, HELD_BACK)
    wake(tx, deps)


async def take_echoes(tx: Tx, deps: Deps, answers: Mapping[UUID, bytes]) -> None:
    """Look at what endpoints answered to their challenge, by endpoint. An answer without it leaves them pending."""
    if answers:
        rows = await endpoints.locked(tx, answers.keys())
        echoed = [
            row.id for row in rows if row.status == "pending" and payloads.is_echo(answers[row.id], row.challenge)
        ]
        if echoed:
            await verified(tx, deps, echoed)
