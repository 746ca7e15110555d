"""Client authentication by a signed assertion (`private_key_jwt`, RFC 7523)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from hubkit.auth.keys import Jwks, TokenError, key_set, open_token
from hubkit.errors import HubError

ASSERTION_ALGORITHMS: Final = ["Ed25519", "ES256", "PS256"]
_TYPS: Final = (None, "JWT", "client-authentication+jwt")
_LEEWAY_S: Final = 30
_MIN_RSA_BITS: Final = 2048


class InvalidClientError(HubError):
    """The client did not prove who it is. Says nothing about why."""

    status, code, title = 401, "invalid_client", "The client could not be authenticated"


def check_client_assertion(
    assertion: str,
    *,
    client_id: str,
    jwks: Jwks,
    audiences: Collection[str],
    now: datetime,
    max_lifetime_s: int = 300,
) -> tuple[str, int]:
    """Check a client's assertion and return its `jti` and `exp`; that it is used once is the caller's to keep.

    Parameters
    ----------
    jwks
        The client's registered public keys.
    audiences
        Names of this token issuer; the assertion is for one of them and nobody else.
    max_lifetime_s
        How far in the future it may expire.

    Raises
    ------
    InvalidClientError
        Always the same one, whatever is wrong.
    """
    try:
        _, claims = open_token(assertion, key_set(jwks), typs=_TYPS, algorithms=ASSERTION_ALGORITHMS, kid_needed=False)
    except (TokenError, ValueError):
        raise InvalidClientError from None
    jti, expires = claims.get("jti"), claims.get("exp")
    if not isinstance(jti, str) or not 0 < len(jti) <= 255 or type(expires) is not int:
        raise InvalidClientError
    moment = now.timestamp()
    timely = moment - _LEEWAY_S < expires <= moment + max_lifetime_s + _LEEWAY_S and _begun(claims, moment)
    if not timely or not claims.get("iss") == claims.get("sub") == client_id or not _meant_for(claims, audiences):
        raise InvalidClientError
    return jti, expires


def _begun(claims: dict[str, Any], moment: float) -> bool:
    starts = [claims[name] for name in ("iat", "nbf") if name in claims]
    return all(type(start) is int and start <= moment + _LEEWAY_S for start in starts)


def _meant_for(claims: dict[str, Any], audiences: Collection[str]) -> bool:
    audience = claims.get("aud")
    single = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    return isinstance(single, str) and single in ({audiences} if isinstance(audiences, str) else audiences)


def check_client_jwks(jwks: Jwks) -> None:
    """Refuse a client's key set that could never authenticate it, or that gives a private key away.

    Raises
    ------
    ValueError
        Unless every key is public and fits `Ed25519`, `ES256` or `PS256` (RSA of 2,048 bits or more).
    """
    keys = key_set(jwks).keys
    if not 0 < len(keys) <= 8 or not all(_fits(key) for key in keys):
        raise ValueError("keys are 1 to 8 public keys for Ed25519, ES256 or PS256")


def _fits(key: Key) -> bool:
    if key.is_private:
        return False
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= _MIN_RSA_BITS
    return (isinstance(key, OKPKey) and key.curve_name == "Ed25519") or (
        isinstance(key, ECKey) and key.curve_name == "P-256"
    )
