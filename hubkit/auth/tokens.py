"""Access tokens after RFC 9068, and the verifier that all deployables use."""

import hashlib
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hubkit.auth.keys import ALGORITHM, MAX_TOKEN_BYTES, Jwks, SigningKeys, TokenError, key_set, open_token
from hubkit.clock import Clock, SystemClock
from hubkit.errors import ForbiddenError, UnauthenticatedError
from hubkit.ids import new_id

ACCESS_TYP = "at+jwt"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, as a verified token says.

    `organisation` is the id of the organisation that the client acts for; `issuer` is who vouches for it.
    """

    client_id: str
    organisation: str
    scopes: frozenset[str]
    token_id: str = ""
    issuer: str = ""

    def require(self, scope: str) -> None:
        """Refuse unless the caller has `scope`.

        Raises
        ------
        ForbiddenError
            With the code `insufficient_scope`.
        """
        if scope not in self.scopes:
            raise ForbiddenError(f"This needs the scope {scope}", code="insufficient_scope")


def issue_access_token(  # noqa: PLR0913 - the claims of RFC 9068, all named
    keys: SigningKeys,
    *,
    issuer: str,
    client_id: str,
    organisation: str,
    scopes: Collection[str],
    audience: str,
    now: datetime,
    lifetime_s: int = 300,
) -> str:
    """Return a signed access token for a client."""
    caller = Caller(client_id, organisation, frozenset(scopes))
    claims = {"iss": issuer, "client_id": client_id, **caller_claims(caller, audience, now, lifetime_s)}
    return keys.sign(ACCESS_TYP, claims)


def caller_claims(caller: Caller, audience: str, now: datetime, lifetime_s: int) -> dict[str, Any]:
    """Return the claims that every token about `caller` carries; times in whole seconds."""
    issued = int(now.timestamp())
    return {
        "sub": caller.client_id,
        "aud": audience,
        "iat": issued,
        "exp": issued + lifetime_s,
        "jti": str(new_id()),
        "scope": " ".join(sorted(caller.scopes)),
        "org": caller.organisation,
    }


class Verifier:
    """Checks tokens against a fixed set of keys, and remembers those it has checked until they expire.

    Parameters
    ----------
    jwks
        Public keys, as text or parsed.
    issuers
        The accepted `iss`.
    audience
        What `aud` must name.
    typ
        The accepted `typ` header.
    leeway_s
        How far clocks may differ.
    remembered
        How many checked tokens are kept; the oldest goes first.
    """

    def __init__(  # noqa: PLR0913 - all but the keys are policy, and all are named
        self,
        jwks: Jwks,
        *,
        issuers: Collection[str],
        audience: str,
        typ: str = ACCESS_TYP,
        clock: Clock | None = None,
        leeway_s: int = 30,
        remembered: int = 4096,
    ) -> None:
        self._keys = key_set(jwks)
        self._issuers = frozenset([issuers] if isinstance(issuers, str) else issuers)
        self._audience = audience
        self._typ = typ
        self._clock = clock or SystemClock()
        self._leeway = leeway_s
        self._remembered = remembered
        self._known: OrderedDict[bytes, tuple[int, Caller]] = OrderedDict()

    def verify(self, token: str) -> Caller:
        """Return who the token speaks for.

        Raises
        ------
        UnauthenticatedError
            Always the same one, whatever is wrong.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise UnauthenticatedError
        digest = _digest(token)
        now = self._clock.now().timestamp()
        known = self._known.get(digest)
        if known is not None and now < known[0] + self._leeway:
            return known[1]
        try:
            expires, caller = self._check(token, now)
        except TokenError:
            self._known.pop(digest, None)
            raise UnauthenticatedError from None
        while len(self._known) >= self._remembered:
            self._known.popitem(last=False)
        self._known[digest] = (expires, caller)
        return caller

    def drop(self, token: str) -> None:
        """Forget that `token` was checked."""
        self._known.pop(_digest(token), None)

    def clear(self) -> None:
        """Forget every checked token."""
        self._known.clear()

    def _check(self, token: str, now: float) -> tuple[int, Caller]:
        kid, claims = open_token(token, self._keys, typs=[self._typ], algorithms=[ALGORITHM])
        issuer, issued, expires = _str(claims, "iss"), _int(claims, "iat"), _int(claims, "exp")
        not_before = _int(claims, "nbf") if "nbf" in claims else issued
        if not self._believes(issuer, kid):
            raise TokenError("issuer")
        if now >= expires + self._leeway or max(issued, not_before) > now + self._leeway:
            raise TokenError("time")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenError("audience")
        client_id = _str(claims, "client_id") if "client_id" in claims else _str(claims, "sub")
        scopes = frozenset(_str(claims, "scope", empty=True).split())
        organisation = _str(claims, "org", empty=True)
        return expires, Caller(client_id, organisation, scopes, _str(claims, "jti"), issuer)

    def _believes(self, issuer: str, kid: str) -> bool:
        """Return whether the key `kid`, which is one of ours to trust, may speak for `issuer`."""
        del kid
        return issuer in self._issuers


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _str(claims: dict[str, Any], name: str, *, empty: bool = False) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not (value or empty):
        raise TokenError(name)
    return value


def _int(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:  # neither true nor 1e400
        raise TokenError(name)
    return value
