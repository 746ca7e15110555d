"""Register clients, and disable them."""

import hashlib
import secrets
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from gateway import store
from gateway.model import SCOPES, Client, NewClient
from gateway.policy.claims import is_client_id
from gateway.schemas import DemonstrationClient, DemonstrationClients
from hubkit.auth import check_client_jwks, new_signing_key
from hubkit.db import Tx
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError

_PUBLIC = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")


async def create_client(
    tx: Tx, *, organisation: str, scopes: Collection[str], client_id: str | None = None
) -> NewClient:
    """Register a client and return what it signs in with, which is stored nowhere and cannot be shown again.

    Parameters
    ----------
    organisation
        The id of the organisation that it acts for: what it sends and sees is that organisation's.
    scopes
        What it may do, of `gateway.model.SCOPES`.
    client_id
        Letters, digits, `.`, `_` and `-`; made from the organisation when absent.

    Raises
    ------
    InvalidError
        For an unknown scope or an unfit id.
    ConflictError
        When there is a client with this id.
    """
    client_id = client_id or f"{organisation[:51]}-{secrets.token_hex(6)}"
    _check(client_id, organisation, scopes)
    secret, private_jwk = secrets.token_urlsafe(32), new_signing_key(f"{client_id}-1")
    if not await store.add_clients(tx, [_client(client_id, organisation, scopes, secret, private_jwk)]):
        raise ConflictError("There is a client with this id", code="client_exists")
    return NewClient(client_id, organisation, tuple(sorted(scopes)), secret, private_jwk)


async def disable_client(tx: Tx, client_id: str) -> None:
    """Let a client in no more: no token from now on, and within seconds none of those it holds is taken.

    Raises
    ------
    NotFoundError
        When there is no such client.
    """
    if not await store.set_disabled(tx, client_id, tx.now):
        raise NotFoundError


async def enable_client(tx: Tx, client_id: str) -> None:
    """Let a disabled client in again; raises as `disable_client`."""
    if not await store.set_disabled(tx, client_id, None):
        raise NotFoundError


async def list_clients(tx: Tx) -> list[Client]:
    """Return all clients, by id."""
    return await store.clients(tx)


async def seed_demonstration(tx: Tx, document: str) -> None:
    """Register the demonstration clients, or bring those that stand to what the document says.

    Raises
    ------
    ValueError
        When the document is not in the expected form; the message repeats nothing of it.
    """
    try:
        found = list(DemonstrationClients.model_validate_json(document).clients.values())
    except ValidationError:
        raise ValueError("demonstration_clients is not in the expected form") from None
    wanted = [_demonstration(each) for each in found]
    new = await store.add_clients(tx, wanted)
    await store.change_clients(tx, [each for each in wanted if each.id not in new])


def _demonstration(each: DemonstrationClient) -> Client:
    _check(each.client_id, each.organisation, each.scopes)
    return _client(each.client_id, each.organisation, each.scopes, each.client_secret, each.private_jwk)


def _client(
    client_id: str, organisation: str, scopes: Collection[str], secret: str, private_jwk: dict[str, Any]
) -> Client:
    jwks = {"keys": [{name: private_jwk[name] for name in _PUBLIC if name in private_jwk}]}
    check_client_jwks(jwks)
    return Client(client_id, organisation, frozenset(scopes), hash_of(secret), jwks, None)


def hash_of(secret: str) -> str:
    """Return what is stored of a client's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check(client_id: str, organisation: str, scopes: Collection[str]) -> None:
    faults = [
        FieldError("/scopes", "unknown_code", f"must be of: {', '.join(SCOPES)}")
        for scope in scopes
        if scope not in SCOPES
    ]
    form = "must be 1 to 64 letters, digits, '.', '_' and '-'"
    if not is_client_id(client_id):
        faults.append(FieldError("/client_id", "invalid_value", form))
    if not is_client_id(organisation):
        faults.append(FieldError("/organisation", "invalid_value", form))
    if faults:
        raise InvalidError(errors=faults)
