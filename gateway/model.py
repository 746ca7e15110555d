"""The words of the gateway: clients, routes, and how often which kind of call may come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

#: Every right that a client can have, with what it allows.
SCOPES: Final[Mapping[str, str]] = {
    "referrals:write": "Send referrals",
    "referrals:read": "Read what became of one's own referrals",
    "transfers:write": "Send files of referrals, and read how each row fared",
    "cases:read": "Read cases, consents, disclosures, partners and services",
    "cases:write": "Record what happens to a case: contacts, assessments, consents, its end",
    "onward:read": "Read the onward referrals made to oneself",
    "onward:write": "Answer the onward referrals made to oneself",
    "webhooks:manage": "Manage one's own webhook endpoints and deliveries",
    "agreements:read": "Read data sharing agreements",
    "agreements:write": "Make and change data sharing agreements",
    "directory:write": "Add partners and services, change services, keep their entries in the directory",
}


#: The right to read what is public. The gateway lends it to everybody, no client has it, no service answers without.
PUBLIC: Final = "directory:public"


class Upstream(StrEnum):
    """The services behind the gateway."""

    INTAKE = "intake"
    TRIAGE = "triage"
    ROUTING = "routing"
    PARTNERS = "partners"


class RouteClass(StrEnum):
    """Kinds of calls that are counted apart from each other."""

    READ = "read"
    WRITE = "write"
    TRANSFER = "transfer"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Route:
    """One public call and what stands before it.

    Attributes
    ----------
    template
        The path; a segment in braces takes any id.
    is_streamed
        Whether the body goes through in pieces, of any size; others are read whole, up to 256 kB.
    timeout_s
        How long the service may take, for everything together.
    """

    method: str
    template: str
    scope: str
    upstream: Upstream
    kind: RouteClass
    is_streamed: bool = False
    timeout_s: float = 15.0

    @property
    def is_public(self) -> bool:
        """Whether anybody may call it, without a token."""
        return self.scope == PUBLIC


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client; its secret is kept as a hash, and its keys are public ones."""

    id: str
    organisation: str
    scopes: frozenset[str]
    secret_hash: str | None = field(repr=False)
    jwks: dict[str, Any] | None
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just made, with what it signs in with: shown once, stored nowhere."""

    id: str
    organisation: str
    scopes: tuple[str, ...]
    secret: str = field(repr=False)
    private_jwk: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs access tokens; `private_jwk` is open here and sealed in the database."""

    id: UUID
    generation: int
    private_jwk: dict[str, Any] = field(repr=False)
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows: a secret, or an assertion."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)
