"""What the actions of partners are given once, at start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hubkit.auth import InternalIssuer
from hubkit.clock import Clock
from hubkit.contracts.profile import Profile
from hubkit.crypto import Keyring
from hubkit.egress import ClientIdentity, InternalClient


def _nobody(_leased: Sequence[Any]) -> None:
    """Nobody dispatches here: the leases run out and whoever dispatches next takes the deliveries."""


def _any_number(_endpoint_id: UUID) -> int:
    return 64


@dataclass(slots=True)
class Handover:
    """Where leased deliveries go after the commit, and how many it has room for now for one endpoint.

    The dispatcher puts its own here when it starts.
    """

    take: Callable[[Sequence[Any]], None] = _nobody
    room: Callable[[UUID], int] = _any_number


@dataclass(frozen=True, slots=True)
class Deps:
    """Configuration, keys and neighbours. `public_url` has no slash at its end.

    `profile_at` returns the hub's profile as it is on the local day of a moment. `identity` is the certificate that
    the hub presents to endpoints that ask for one, if it has one.
    """

    profile_at: Callable[[datetime], Profile]
    keyring: Keyring
    intake: InternalClient
    issuer: InternalIssuer
    clock: Clock
    public_url: str
    cursor_key: bytes = field(repr=False)
    allow_private_endpoints: bool = False
    endpoint_concurrency: int = 16
    dispatch_concurrency: int = 64
    acknowledge_working_days: int = 5
    identity: ClientIdentity | None = None
    handover: Handover = field(default_factory=Handover)
