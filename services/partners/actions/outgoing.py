"""A delivery on its way out: leased, with all that a sender needs, so that sending asks the database nothing.

One that is to carry a disclosure is the exception: `carry.py` asks and records it for each attempt.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row

from hubkit.crypto import CryptoError
from hubkit.db import Tx
from services.partners.actions.deps import Deps
from services.partners.model import CARRYING, Portion

#: As long as a permit: nobody else takes the delivery before both are over.
LEASE = timedelta(seconds=20)
#: The deadline of one attempt, from the look-up of the name to the last byte that is read.
ATTEMPT_S = 10.0
#: How long after the permit was asked for an attempt may still begin, so that it ends within lease and permit.
START_WITHIN_S = LEASE.total_seconds() - ATTEMPT_S
#: How many deliveries are held in memory for each that may be sent at once.
HELD_PER_SENDER = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One leased delivery.

    `start_by` is on the monotonic clock, counted from before the permit was asked for. `is_probe` means that the
    endpoint's breaker is open and this attempt decides whether it closes; `is_watched` that it has begun to count.
    With a `portion` it is to carry what is disclosed, encrypted with the endpoint's `encryption_key` (a public JWK).
    """

    delivery_id: UUID
    endpoint_id: UUID
    onward_referral_id: UUID
    type: str
    url: str
    keys: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)
    lease_token: UUID
    permit_id: UUID | None
    start_by: float
    traceparent: str | None = None
    is_probe: bool = False
    is_watched: bool = False
    portion: Portion | None = None
    encryption_key: Mapping[str, str] | None = None
    mutual_tls: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """What all deliveries leased in one transaction share.

    `began` is on the monotonic clock, from before the first permit was asked for.
    """

    token: UUID
    began: float

    def outgoing(
        self,
        delivery: Mapping[str, Any],
        endpoint: Row[Any],
        keys: tuple[str, ...],
        permit_id: UUID | None,
        portion: Portion | None = None,
    ) -> Outgoing:
        """Return a delivery of this lease, from its row and the row of its endpoint."""
        return Outgoing(
            delivery_id=delivery["id"],
            endpoint_id=endpoint.id,
            onward_referral_id=delivery["onward_referral_id"],
            type=delivery["type"],
            url=endpoint.url,
            keys=keys,
            body=delivery["body"],
            lease_token=self.token,
            permit_id=permit_id,
            start_by=self.began + START_WITHIN_S,
            traceparent=delivery["traceparent"],
            is_probe=endpoint.openings > 0,
            is_watched=endpoint.window_from is not None,
            portion=portion if delivery["type"] in CARRYING else None,
            encryption_key=endpoint.encryption_key,
            mutual_tls=endpoint.mutual_tls,
        )


def began(tx: Tx, deps: Deps) -> float:
    """Return when this transaction began, on the monotonic clock: before anything was asked in it.

    A step of the wall clock meanwhile is covered by `START_WITHIN_S` being half of a permit's life.
    """
    return time.monotonic() - max(0.0, (deps.clock.now() - tx.now).total_seconds())


def wake(tx: Tx, deps: Deps) -> None:
    """Say after the commit that there is something to claim."""
    take = deps.handover.take
    tx.after_commit(lambda: take(()))


def seal_keys(deps: Deps, endpoint_id: UUID, keys: Sequence[str]) -> bytes:
    """Return an endpoint's signing keys sealed for its row."""
    return deps.keyring.record("endpoint", endpoint_id).seal("keys", orjson.dumps(list(keys)))


def signing_keys(deps: Deps, endpoint: Row[Any], now: datetime) -> tuple[str, ...] | None:
    """Return the keys that sign for an endpoint: its own, and for a while after a rotation the previous ones.

    None when they do not open: its deliveries wait, and nobody else's.
    """
    record = deps.keyring.record("endpoint", endpoint.id)
    try:
        keys: list[str] = orjson.loads(record.open("keys", endpoint.keys))
        if endpoint.previous_keys is not None and now < endpoint.previous_until:
            keys += orjson.loads(record.open("keys", endpoint.previous_keys))
    except CryptoError as error:
        _log.error("endpoint_keys_unreadable", extra={"endpoint_id": endpoint.id, "reason": str(error)})
        return None
    return tuple(keys)
