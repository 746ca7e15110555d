"""Dispatching: claim what is due with a fresh permit for each attempt, and record what became of the attempts."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hubkit.db import Tx
from hubkit.egress import Attempt
from hubkit.ids import new_id
from services.partners.actions import amendments
from services.partners.actions.deps import Deps
from services.partners.actions.onward import mark_sent, refuse
from services.partners.actions.outgoing import LEASE, Lease, Outgoing, signing_keys
from services.partners.actions.permits import permits_for, settle_permits
from services.partners.actions.verification import take_echoes
from services.partners.model import FULL, GATED, SENT, THIN, VERIFICATION, GateResult
from services.partners.policy import breaker, retry
from services.partners.store import deliveries, endpoints


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a leased delivery; without an attempt it was never sent, and asks for a new permit.

    `payload` is what the attempt carried. `because` says why it was thin where the agreement says full, or why there
    was no attempt; a delivery that was not sent without a reason is claimed again at once.
    """

    outgoing: Outgoing
    started_at: datetime
    attempt: Attempt | None
    payload: str = THIN
    because: str | None = None

    def without_words(self) -> "Result":
        """Return the same without what the receiver said beside its status, which is whatever it likes."""
        said = self.attempt
        return self if said is None else replace(self, attempt=replace(said, retry_after=None, body_excerpt=b""))

    @property
    def failed(self) -> bool:
        """Whether there was an attempt, in vain."""
        return self.attempt is not None and not self.attempt.ok


async def claim(
    tx: Tx, deps: Deps, *, began: float, free: int, room: Mapping[UUID, int], most_each: int
) -> list[Outgoing]:
    """Lease what is due, each with a permit asked for in this transaction; what the gate refuses is stopped.

    Locks first what a withdrawal locks, then deliveries, so that the two never wait for each other.

    Parameters
    ----------
    began
        On the monotonic clock, from before the transaction.
    free
        How many deliveries there is room for in all.
    room
        Room left for single endpoints; those not named have room for `most_each`.
    """
    due, keys = await _due(tx, deps, {endpoint_id for endpoint_id, left in room.items() if left <= 0})
    shares = _shares([due[endpoint_id] for endpoint_id in keys], free, room, most_each, tx.now)
    if not shares:
        return []
    pending = {endpoint_id for endpoint_id in shares if due[endpoint_id].status == "pending"}
    candidates = _one_for_each(await deliveries.due(tx, shares, pending))
    permits = await _permits(tx, deps, candidates)
    allowed = {row.id: row for row in candidates if row.type not in GATED or row.onward_referral_id in permits}
    lease = Lease(new_id(), began)
    leased = await deliveries.lease(tx, allowed, lease.token, tx.now + LEASE) if allowed else set()
    used = {allowed[delivery_id].onward_referral_id for delivery_id in leased if allowed[delivery_id].type in GATED}
    unused = [found.permit_id for onward_id, found in permits.items() if onward_id not in used and found.permit_id]
    if unused:
        await settle_permits(tx, unused)
    claimed = [allowed[delivery_id] for delivery_id in sorted(leased)]
    await _hold_probes(tx, due, claimed)
    return [_leased(lease, row, due[row.endpoint_id], keys[row.endpoint_id], permits) for row in claimed]


async def _due(tx: Tx, deps: Deps, passed: set[UUID]) -> tuple[dict[UUID, Row[Any]], dict[UUID, tuple[str, ...]]]:
    """Return endpoints that have something due, and the keys of those that can be called.

    However many there are of those that are `passed` over, or whose keys do not open, the others are found.
    """
    while True:
        due = {row.id: row for row in await endpoints.with_due(tx, passed)}
        opened = {endpoint_id: signing_keys(deps, row, tx.now) for endpoint_id, row in due.items()}
        keys = {endpoint_id: found for endpoint_id, found in opened.items() if found is not None}
        if keys or not due:
            return due, keys
        passed = passed | due.keys()


def _leased(
    lease: Lease, row: Row[Any], endpoint: Row[Any], keys: tuple[str, ...], permits: Mapping[UUID, GateResult]
) -> Outgoing:
    found = permits.get(row.onward_referral_id) if row.type in GATED else None
    if found is None:
        return lease.outgoing(row._asdict(), endpoint, keys, None)
    return lease.outgoing(row._asdict(), endpoint, keys, found.permit_id, found.portion)


def _shares(
    due: Collection[Row[Any]], free: int, room: Mapping[UUID, int], most_each: int, now: datetime
) -> dict[UUID, int]:
    """Return how many each endpoint may have claimed: an equal share, within its own room and its breaker's.

    One share more is left free, for an endpoint that has something to be told next.
    """
    open_lanes: dict[UUID, int] = {}
    for row in due:
        through = breaker.room(endpoints.breaker_of(row), now)
        left = room.get(row.id, most_each)
        left = left if through is None else min(left, through)
        if left > 0:
            open_lanes[row.id] = left
    each = max(1, free // (len(open_lanes) + 1))
    return {endpoint_id: min(left, each) for endpoint_id, left in list(open_lanes.items())[: max(0, free)]}


def _one_for_each(candidates: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Keep one delivery of each onward referral, since a permit is for one attempt; the others come next time."""
    return list({(row.onward_referral_id, row.type in GATED or row.type): row for row in reversed(candidates)}.values())


async def _permits(tx: Tx, deps: Deps, candidates: Sequence[Row[Any]]) -> dict[UUID, GateResult]:
    """Ask the gate for what tells of a person; return what it allows, by onward referral. Refusals take effect here."""
    asking = [row for row in candidates if row.type in GATED]
    if not asking:
        return {}
    answers = await permits_for(tx, deps, [row.onward_referral_id for row in asking])
    refused = {row.id: answers[row.onward_referral_id].reasons for row in asking
               if not answers[row.onward_referral_id].allowed}  # fmt: skip
    if refused:
        await refuse(tx, deps, {row.onward_referral_id: refused[row.id] for row in asking if row.id in refused})
        await deliveries.stop_each(tx, {key: (reasons or ("refused",))[0] for key, reasons in refused.items()})
    return {id: answer for id, answer in answers.items() if answer.allowed and answer.permit_id is not None}


async def _hold_probes(tx: Tx, due: Mapping[UUID, Row[Any]], claimed: Sequence[Row[Any]]) -> None:
    probing = {row.endpoint_id for row in claimed if due[row.endpoint_id].openings}
    if probing:
        await endpoints.hold_probes(tx, probing, tx.now + LEASE)


async def record(tx: Tx, deps: Deps, results: Sequence[Result]) -> set[UUID]:
    """Write what became of attempts: permits settled, onward referrals sent, deliveries and breakers moved on.

    A success counts whoever reports it. A failure counts only from the holder of the lease: another sender may have the
    delivery by now.

    Returns
    -------
    set of UUID
        Endpoints to which nothing more goes now: those whose breaker is open, and those that are paused.
    """
    told = [
        result.outgoing.onward_referral_id
        for result in results
        if result.attempt is not None and result.attempt.ok and result.outgoing.type == SENT
    ]
    if told:
        await mark_sent(tx, deps, list(dict.fromkeys(told)))
    permits = [result.outgoing.permit_id for result in results if result.outgoing.permit_id is not None]
    if permits:
        await settle_permits(tx, permits)
    progress = {
        row.id: _Progress(row) for row in await deliveries.locked(tx, {r.outgoing.delivery_id for r in results})
    }
    attempts = []
    for result in results:
        delivery = progress[result.outgoing.delivery_id]
        if result.attempt is None:
            delivery.give_back(result.outgoing, tx.now, result.because)
            continue
        delivery.apply(result, tx.now)
        attempts.append(_attempt_row(result, result.attempt, delivery.attempts))
    await deliveries.change_each(tx, [delivery.columns(tx.now) for delivery in progress.values()])
    await deliveries.add_attempts(tx, attempts)
    await amendments.note_arrivals(tx, _arrived(results))
    await take_echoes(tx, deps, _echoes(results))
    return await _count_for_breakers(tx, results)


def _arrived(results: Sequence[Result]) -> dict[UUID, UUID]:
    """Return the onward referrals of which a disclosure arrived, by the permits under which it did."""
    return {
        result.outgoing.permit_id: result.outgoing.onward_referral_id
        for result in results
        if result.payload == FULL
        and result.outgoing.permit_id is not None
        and result.attempt is not None
        and result.attempt.ok
    }


def _echoes(results: Sequence[Result]) -> dict[UUID, bytes]:
    return {
        result.outgoing.endpoint_id: result.attempt.body_excerpt
        for result in results
        if result.outgoing.type == VERIFICATION and result.attempt is not None and result.attempt.ok
    }


class _Progress:
    """A delivery while the results of a batch are applied to it."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row
        self.state: str = row.state
        self.reason: str | None = row.reason
        self.attempts: int = row.attempts
        self.failures: int = row.failures
        self.due_at: datetime = row.due_at
        self.lease_token: UUID | None = row.lease_token
        self.status: int | None = row.last_status
        self.error: str | None = row.last_error

    def give_back(self, outgoing: Outgoing, now: datetime, because: str | None) -> None:
        if self.lease_token != outgoing.lease_token:
            return
        self.lease_token, self.due_at = None, now
        if because is not None and self.state == "queued":
            self._hold(because, now)

    def _hold(self, because: str, now: datetime) -> None:
        self.reason = because
        wait = retry.hold_for(now - self._row.created_at)
        if wait is None:
            self.state = "parked"
        else:
            self.due_at = now + wait

    def apply(self, result: Result, now: datetime) -> None:
        attempt = result.attempt
        assert attempt is not None  # noqa: S101 - `record` gives back the others
        self.attempts += 1
        self.status, self.error = attempt.status, attempt.error_class
        if attempt.ok:
            self.state, self.reason, self.lease_token = "delivered", None, None
        elif self.lease_token == result.outgoing.lease_token:
            self.failures += 1
            self.lease_token = None
            if self.state == "queued":
                self._fail(attempt, now)

    def _fail(self, attempt: Attempt, now: datetime) -> None:
        self.reason = retry.reason_to_park(attempt.status, attempt.error_class)
        delay = retry.delay_after(
            self.failures,
            spread=random.random(),  # noqa: S311 - jitter
            urgent=self._row.urgent,
            retry_after_s=retry.parse_retry_after(attempt.retry_after, now),
        )
        if delay is None and self.reason is None:
            self.reason = "exhausted"
        if self.reason is not None or delay is None:
            self.state = "parked"
        else:
            self.due_at = now + delay

    def columns(self, now: datetime) -> dict[str, Any]:
        return {
            "id": self._row.id,
            "state": self.state,
            "reason": self.reason,
            "attempts": self.attempts,
            "failures": self.failures,
            "due_at": self.due_at,
            "lease_token": self.lease_token,
            "last_status": self.status,
            "last_error": self.error,
            "changed_at": now,
        }


def _attempt_row(result: Result, attempt: Attempt, number: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "delivery_id": result.outgoing.delivery_id,
        "number": number,
        "permit_id": result.outgoing.permit_id,
        "started_at": result.started_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error_class": attempt.error_class,
        "payload": result.payload,
        "thin_because": result.because,
    }


async def _count_for_breakers(tx: Tx, results: Sequence[Result]) -> set[UUID]:
    by_endpoint: dict[UUID, list[Result]] = {}
    for result in results:
        if result.attempt is not None:
            by_endpoint.setdefault(result.outgoing.endpoint_id, []).append(result)
    by_endpoint = {id: given for id, given in by_endpoint.items() if any(map(_concerns_breaker, given))}
    if not by_endpoint:
        return set()
    changed = [_endpoint_after(row, by_endpoint[row.id], tx.now) for row in await endpoints.locked(tx, by_endpoint)]
    await endpoints.change_each(tx, changed)
    return {row["id"] for row in changed if row["openings"] or row["status"] == "paused"}


def _concerns_breaker(result: Result) -> bool:
    """Whether a result may change its endpoint's breaker: a failure does, a success only where failures are counted."""
    return result.failed or result.outgoing.is_probe or result.outgoing.is_watched


def _endpoint_after(row: Row[Any], results: Sequence[Result], now: datetime) -> dict[str, Any]:
    state = endpoints.breaker_of(row)
    gone = False
    ordinary = {True: 0, False: 0}
    for result in results:
        if result.attempt is None:
            continue
        # A late answer from where the endpoint was before says nothing of where it is now.
        gone = gone or (retry.is_gone(result.attempt.status) and result.outgoing.url == row.url)
        if result.outgoing.is_probe:
            state = breaker.probed(state, ok=result.attempt.ok, now=now)
        else:
            ordinary[result.attempt.ok] += 1
    state = breaker.counted(state, succeeded=ordinary[True], failed=ordinary[False], now=now)
    pauses = gone and row.status == "active"
    return {
        "id": row.id,
        "status": "paused" if pauses else row.status,
        "reason": "gone" if pauses else row.reason,
        **endpoints.breaker_columns(state),
    }


async def keep_house(tx: Tx, deps: Deps) -> dict[str, int]:
    """Clear up what waits at endpoints that were deleted, moved or paused meanwhile; return how many wait by state.

    What no verified endpoint of the partner has or will get stays in the partner's inbox, where it counts as sent.
    """
    stranded = await deliveries.stranded(tx)
    if stranded:
        onward_ids = {row.onward_referral_id for row in stranded if row.type == SENT}
        await mark_sent(tx, deps, onward_ids - await deliveries.elsewhere(tx, onward_ids, SENT))
        await deliveries.stop_each(tx, {row.id: "endpoint_deleted" for row in stranded})
    unverified = set(await deliveries.waiting_unverified(tx, SENT))
    if unverified:
        await mark_sent(tx, deps, unverified - await deliveries.elsewhere(tx, unverified, SENT))
    await deliveries.park_paused(tx)
    return await deliveries.counts(tx)
