"""What the gateway's actions and doors work with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model import RouteClass, Upstream
from gateway.policy.limits import Limiter, Rate
from gateway.policy.routes import RouteTable
from hubkit.auth import InternalIssuer, SigningKeys, Verifier
from hubkit.clock import Clock
from hubkit.crypto import Keyring
from hubkit.egress import InternalClient
from hubkit.errors import UnavailableError


class Identity:
    """The keys that sign and check access tokens, and who is disabled: read at start, and again every few seconds."""

    def __init__(self) -> None:
        self._keys: SigningKeys | None = None
        self._verifier: Verifier | None = None
        self._known: list[str] = []
        self.disabled: frozenset[str] = frozenset()

    @property
    def keys(self) -> SigningKeys:
        """The signing keys, the one that signs first."""
        if self._keys is None:
            raise UnavailableError(retry_after_s=1)
        return self._keys

    @property
    def verifier(self) -> Verifier:
        """Who checks access tokens."""
        if self._verifier is None:
            raise UnavailableError(retry_after_s=1)
        return self._verifier

    def use(self, kids: list[str], keys: SigningKeys, verifier: Verifier) -> None:
        """Take other keys; tokens checked before are checked again."""
        self._known, self._keys, self._verifier = kids, keys, verifier

    def knows(self, kids: list[str]) -> bool:
        """Whether these are the keys in use, in this order."""
        return self._known == kids


class Limits:
    """How often each client may call, for each kind of call; and how often anybody may fail to prove who they are."""

    def __init__(self, per_second: float, burst: int, public: Rate) -> None:
        self.calls: Mapping[RouteClass, Limiter] = {
            RouteClass.READ: Limiter(Rate(per_second, burst)),
            RouteClass.WRITE: Limiter(Rate(per_second, burst)),
            # One transfer is thousands of referrals.
            RouteClass.TRANSFER: Limiter(Rate(per_second / 100, max(1, burst // 50))),
            # Nobody says who they are here: these are counted for the address they come from.
            RouteClass.PUBLIC: Limiter(public),
        }
        #: Tokens issued to a client. One lives five minutes, so a client that keeps its token needs 12 an hour.
        self.tokens = Limiter(Rate(20, 100))
        #: Failures are counted for the address they come from, so that nobody can lock another client out.
        self.failures = Limiter(Rate(20, 60))


@dataclass(frozen=True, slots=True)
class Deps:
    """The gateway's parts."""

    issuer: str
    clock: Clock
    keyring: Keyring = field(repr=False)
    internal: InternalIssuer = field(repr=False)
    upstreams: Mapping[Upstream, InternalClient]
    limits: Limits
    routes: RouteTable = field(default_factory=RouteTable)
    identity: Identity = field(default_factory=Identity)
