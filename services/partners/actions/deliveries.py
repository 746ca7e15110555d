"""Deliveries: news for partners, queued with the change that they tell of, stopped, listed and replayed."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hubkit.auth import Caller
from hubkit.db import Tx
from hubkit.errors import ConflictError, NotFoundError
from hubkit.ids import new_id
from hubkit.telemetry import current_traceparent
from services.partners.actions.deps import Deps
from services.partners.actions.endpoints import own_partner
from services.partners.actions.outgoing import LEASE, Lease, Outgoing, began, signing_keys, wake
from services.partners.model import GATED, Portion, Rectification, Sought
from services.partners.policy import payloads
from services.partners.store import deliveries, endpoints

#: What may be sent again: what waits for a human, and what the partner took and lost.
REPLAYABLE = ("parked", "delivered")


@dataclass(frozen=True, slots=True)
class Notice:
    """News of one onward referral for its partner. `kind` is the kind of support.

    `permit_id` comes with gated news where the gate has just allowed it in this transaction, `acknowledge_by` with
    `onward_referral.withdrawn` where the partner is to say what it did with the data. `number` tells news of one type
    apart that comes more than once. `portion` comes with a permit where the agreement says that webhooks are full, and
    `rectification` with `onward_referral.rectified`.
    """

    onward_referral_id: UUID
    partner_id: UUID
    type: str
    kind: str
    urgent: bool = False
    permit_id: UUID | None = None
    acknowledge_by: datetime | None = None
    number: int = 0
    portion: Portion | None = None
    rectification: Rectification | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of notices.

    `unheard` are the onward referrals whose partner has no verified endpoint for the notice: they wait in the partner's
    inbox, and at an endpoint that is still pending until it is verified.
    `permits` are those under which an attempt will begin straight after the commit.
    """

    unheard: set[UUID]
    permits: set[UUID]


async def enqueue(tx: Tx, deps: Deps, notices: Sequence[Notice]) -> Queued:
    """Queue each notice for the endpoints of its partner that want its type.

    What may go out at once is leased here and handed to the dispatcher after the commit, so that no second transaction
    lies in the way; the rest is claimed from the table.
    """
    if not notices:
        return Queued(set(), set())
    desk = _Desk(tx, deps)
    by_partner: dict[UUID, list[Row[Any]]] = {}
    for endpoint in await endpoints.of_partners(tx, {notice.partner_id for notice in notices}):
        by_partner.setdefault(endpoint.partner_id, []).append(endpoint)
    alone = set()
    for notice in notices:
        wanting = [e for e in by_partner.get(notice.partner_id, ()) if e.types is None or notice.type in e.types]
        if all(endpoint.status == "pending" for endpoint in wanting):
            alone.add(notice.onward_referral_id)
        for endpoint in wanting:
            desk.put(notice, endpoint)
    handed = await desk.store()
    return Queued(alone, {outgoing.permit_id for outgoing in handed if outgoing.permit_id is not None})


class _Desk:
    """Makes the rows of one transaction, and leases those that can go out at once."""

    def __init__(self, tx: Tx, deps: Deps) -> None:
        self._tx = tx
        self._deps = deps
        self._lease = Lease(new_id(), began(tx, deps))
        self._traceparent = current_traceparent()
        self._rows: list[dict[str, Any]] = []
        self._leased: dict[UUID, Outgoing] = {}
        self._keys: dict[UUID, tuple[str, ...] | None] = {}
        self._per_endpoint: Counter[UUID] = Counter()
        self._permits: set[UUID] = set()
        self._lacks_permit = False

    def put(self, notice: Notice, endpoint: Row[Any]) -> None:
        tx = self._tx
        is_paused = endpoint.status == "paused"
        row: dict[str, Any] = {
            "id": new_id(),
            "endpoint_id": endpoint.id,
            "partner_id": notice.partner_id,
            "onward_referral_id": notice.onward_referral_id,
            "type": notice.type,
            "number": notice.number,
            "body": self._body(notice),
            "urgent": notice.urgent,
            "state": "parked" if is_paused else "queued",
            "reason": "endpoint_paused" if is_paused else None,
            "attempts": 0,
            "failures": 0,
            "due_at": tx.now,
            "lease_token": None,
            "traceparent": self._traceparent,
            "created_at": tx.now,
            "changed_at": tx.now,
        }
        keys = self._keys_of(endpoint)
        if keys is not None and self._may_go_now(notice, endpoint):
            row |= {"lease_token": self._lease.token, "due_at": tx.now + LEASE}
            self._leased[row["id"]] = self._lease.outgoing(row, endpoint, keys, notice.permit_id, notice.portion)
        self._rows.append(row)

    def _body(self, notice: Notice) -> bytes:
        about = (notice.onward_referral_id, notice.kind)
        if notice.rectification is not None:
            return payloads.rectified(self._tx.now, about, self._deps.public_url, notice.rectification)
        return payloads.onward(
            notice.type,
            self._tx.now,
            about,
            self._deps.public_url,
            acknowledge_by=notice.acknowledge_by,
            number=notice.number,
        )

    def _keys_of(self, endpoint: Row[Any]) -> tuple[str, ...] | None:
        if endpoint.id not in self._keys:
            self._keys[endpoint.id] = signing_keys(self._deps, endpoint, self._tx.now)
        return self._keys[endpoint.id]

    def _may_go_now(self, notice: Notice, endpoint: Row[Any]) -> bool:
        is_open = endpoint.status == "active" and not endpoint.openings
        if not is_open or self._per_endpoint[endpoint.id] >= self._deps.handover.room(endpoint.id):
            return False
        if notice.type in GATED:
            # A permit is for one attempt: with two endpoints the second asks for its own.
            if notice.permit_id is None or notice.permit_id in self._permits:
                self._lacks_permit = True
                return False
            self._permits.add(notice.permit_id)
        self._per_endpoint[endpoint.id] += 1
        return True

    async def store(self) -> list[Outgoing]:
        """Write the rows; return what will be handed over after the commit."""
        if not self._rows:
            return []
        new = await deliveries.add(self._tx, self._rows)
        known = [row for row in self._rows if row["id"] not in new]
        if known:
            await deliveries.revive(self._tx, known)
        outgoing = [self._leased[delivery_id] for delivery_id in self._leased if delivery_id in new]
        if outgoing:
            take = self._deps.handover.take
            self._tx.after_commit(lambda: take(outgoing))
        # Where a breaker or the want of room is in the way, there is nothing to claim before those change.
        if self._lacks_permit or known:
            wake(self._tx, self._deps)
        return outgoing


async def stop(tx: Tx, onward_ids: Collection[UUID]) -> set[UUID]:
    """Stop telling partners of these onward referrals.

    Returns
    -------
    set of UUID
        Those of which a partner may know already, because an attempt was made or is under way.
    """
    if not onward_ids:
        return set()
    begun = await deliveries.begun(tx, onward_ids, GATED)
    await deliveries.stop_news(tx, onward_ids, GATED, "withdrawn")
    return {row.onward_referral_id for row in begun}


async def went_out(tx: Tx, onward_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return the deliveries by which a partner was told, or may have been, that the person is with it.

    Each has `id`, `onward_referral_id`, `partner_id`, `type`, `state`, `attempts` and `changed_at`.
    """
    return await deliveries.begun(tx, onward_ids, GATED) if onward_ids else []


async def list_deliveries(
    tx: Tx, *, state: str | None = None, after: UUID | None = None, limit: int = 50
) -> Sequence[Row[Any]]:
    """Return everybody's deliveries in the order they were made, for the operator."""
    return await deliveries.find(tx, Sought(state=state), after=after, limit=limit)


async def list_own(
    tx: Tx, caller: Caller, wanted: Sought, *, after: UUID | None = None, limit: int = 50
) -> Sequence[Row[Any]]:
    """Return the deliveries of the caller's endpoints in the order they were made."""
    own = replace(wanted, partner_id=await own_partner(tx, caller))
    return await deliveries.find(tx, own, after=after, limit=limit)


async def show_own(tx: Tx, caller: Caller, delivery_id: UUID) -> tuple[Row[Any], Sequence[Row[Any]]]:
    """Return one of the caller's deliveries and its attempts, oldest first.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    row = await deliveries.one(tx, await own_partner(tx, caller), delivery_id)
    if row is None:
        raise NotFoundError
    return row, await deliveries.attempts_of(tx, delivery_id)


async def replay(tx: Tx, delivery_ids: Collection[UUID] | None = None) -> int:
    """Queue parked deliveries afresh, those named or all; returns how many.

    Their ids stay the same, so that a partner that has one already knows it again. The gate is asked for each, by
    whichever process dispatches next.
    """
    return await deliveries.replay(tx, delivery_ids, ("parked",))


async def replay_since(
    tx: Tx, deps: Deps, caller: Caller, since: datetime, *, states: Collection[str], endpoint_id: UUID | None = None
) -> int:
    """Queue the caller's deliveries in these states afresh that were made since a moment; returns how many.

    They keep their ids, and the gate is asked for each as it stands when it is sent.

    Raises
    ------
    NotFoundError
        When the endpoint is not the caller's.
    ConflictError
        `endpoint_not_active`.
    """
    partner_id = await own_partner(tx, caller)
    if endpoint_id is not None:
        endpoint = await endpoints.one(tx, partner_id, endpoint_id)
        if endpoint is None:
            raise NotFoundError
        _check_active(endpoint.status)
    queued = await deliveries.replay_since(tx, partner_id, states, since, endpoint_id)
    wake(tx, deps)
    return queued


def _check_active(status: str) -> None:
    if status != "active":
        raise ConflictError("The endpoint is not active: verify or resume it first", code="endpoint_not_active")


async def replay_one(tx: Tx, deps: Deps, caller: Caller, delivery_id: UUID) -> Row[Any]:
    """Queue one of the caller's deliveries afresh and return it.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    ConflictError
        `wrong_state` when it is still queued, or stopped for good; `endpoint_not_active`.
    """
    partner_id = await own_partner(tx, caller)
    row = await deliveries.one(tx, partner_id, delivery_id)
    if row is None:
        raise NotFoundError
    _check_active(row.endpoint_status)
    if row.state not in REPLAYABLE or not await deliveries.replay(tx, [delivery_id], REPLAYABLE):
        raise ConflictError("Only a parked or delivered one can be sent again", code="wrong_state")
    wake(tx, deps)
    queued = await deliveries.one(tx, partner_id, delivery_id)
    return queued if queued is not None else row
