"""Issue access tokens to clients that prove who they are."""

import hashlib
import hmac
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway import store
from gateway.actions.clients import hash_of
from gateway.actions.deps import Deps
from gateway.model import Client, Credentials
from gateway.policy.claims import from_assertion, from_basic
from gateway.schemas import TokenAnswer
from hubkit.auth import InvalidClientError, check_client_assertion, issue_access_token
from hubkit.db import Tx
from hubkit.errors import BadRequestError, RateLimitedError

LIFETIME_S: Final = 300
#: An assertion is remembered for so long after it expires: more than the clocks may differ.
_REMEMBERED: Final = timedelta(seconds=60)
_log = logging.getLogger(__name__)


def read_credentials(*, authorization: str | None = None, assertion: str | None = None) -> Credentials:
    """Return what a client shows: its `Authorization` header, or its assertion. It is not believed yet.

    Raises
    ------
    InvalidClientError
        When it is neither.
    """
    shown = None
    if authorization is not None:
        shown = from_basic(authorization)
    elif assertion is not None:
        shown = from_assertion(assertion)
    if shown is None:
        raise InvalidClientError
    return shown


async def issue_token(tx: Tx, deps: Deps, shown: Credentials, scope: str | None) -> TokenAnswer:
    """Check who the client is, once and with one answer for every fault, and return a token for it.

    Raises
    ------
    InvalidClientError
        Unknown, disabled, a wrong secret, or an assertion that is wrong or was used before.
    BadRequestError
        `invalid_scope`, for a scope that the client does not have.
    RateLimitedError
        When this client has had too many tokens.
    """
    client = await _authenticated(tx, deps, shown)
    wait = deps.limits.tokens.take(client.id, tx.now.timestamp())
    if wait:
        raise RateLimitedError(retry_after_s=wait)
    wanted = client.scopes if scope is None else frozenset(scope.split())
    if not wanted or not wanted <= client.scopes:
        raise BadRequestError(code="invalid_scope")
    token = issue_access_token(
        deps.identity.keys,
        issuer=deps.issuer,
        client_id=client.id,
        organisation=client.organisation,
        scopes=wanted,
        audience=deps.issuer,
        now=tx.now,
        lifetime_s=LIFETIME_S,
    )
    _log.info("token_issued", extra={"client_id": client.id})
    return TokenAnswer(access_token=token, expires_in=LIFETIME_S, scope=" ".join(sorted(wanted)))


async def _authenticated(tx: Tx, deps: Deps, shown: Credentials) -> Client:
    client = await store.client(tx, shown.client_id)
    if client is None or client.disabled_at is not None:
        raise InvalidClientError
    if shown.assertion is not None:
        await _check_assertion(tx, deps, client, shown.assertion)
    elif not hmac.compare_digest(client.secret_hash or "", hash_of(shown.secret or "")):
        raise InvalidClientError
    return client


async def _check_assertion(tx: Tx, deps: Deps, client: Client, assertion: str) -> None:
    jti, expires = check_client_assertion(
        assertion,
        client_id=client.id,
        jwks=client.jwks or {"keys": []},
        audiences=(deps.issuer, f"{deps.issuer}/oauth/token"),
        now=tx.now,
    )
    digest = hashlib.sha256(f"{client.id}\0{jti}".encode("utf-8", "surrogatepass")).hexdigest()
    if not await store.use_assertion(tx, digest, datetime.fromtimestamp(expires, UTC) + _REMEMBERED):
        raise InvalidClientError
