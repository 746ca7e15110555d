"""Signing keys (JWK, Ed25519), and the one place where a signed token is taken apart."""

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any, Final, Self, cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, KeySetSerialization, OKPKey

ALGORITHM: Final = "Ed25519"  # RFC 9864; the older name EdDSA is not accepted
MAX_TOKEN_BYTES: Final = 8192
_HEADERS: Final = frozenset({"alg", "kid", "typ"})

Jwks = str | Mapping[str, Any]


class TokenError(Exception):
    """A token is not to be believed. Stays inside this package: callers outside learn nothing of the reason."""


def new_signing_key(kid: str | None = None, *, prefix: str = "") -> dict[str, Any]:
    """Return a new private Ed25519 key as a JWK.

    Parameters
    ----------
    kid
        The key id; without it, `prefix` and the RFC 7638 thumbprint.
    prefix
        For internal tokens: the issuer's name and a hyphen (`gateway-`).
    """
    key = OKPKey.generate_key("Ed25519")
    named = {"kid": kid or prefix + key.thumbprint(), "alg": ALGORITHM, "use": "sig"}
    return {**key.as_dict(private=True), **named}


class SigningKeys:
    """The private keys of a token issuer; the first signs, the others are still published.

    Parameters
    ----------
    keys
        Private Ed25519 JWKs with different `kid`.
    """

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        try:
            self._keys = [OKPKey.import_key(cast("Any", key)) for key in keys]
        except (JoseError, ValueError, TypeError, KeyError):
            raise ValueError("a signing key is not an Ed25519 JWK") from None
        usable = [k for k in self._keys if k.is_private and k.curve_name == ALGORITHM and k.kid]
        if not usable or len({k.kid for k in usable}) != len(keys):
            raise ValueError("signing keys are private Ed25519 JWKs, each with a kid of its own")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a private JWKS, `{"keys": [...]}`.

        Raises
        ------
        ValueError
            When it is anything else; the message holds nothing of it.
        """
        try:
            keys = json.loads(text)["keys"]
        except (ValueError, TypeError, KeyError):
            raise ValueError("the signing keys are not a JWKS") from None
        return cls(keys)

    @property
    def kid(self) -> str:
        """The id of the key that signs."""
        return str(self._keys[0].kid)

    def public_jwks(self) -> dict[str, Any]:
        """Return what is published at `/.well-known/jwks.json`."""
        return {"keys": [{**key.as_dict(private=False), "alg": ALGORITHM, "use": "sig"} for key in self._keys]}

    def sign(self, typ: str, claims: dict[str, Any]) -> str:
        """Return a compact token of this `typ`, signed with the first key."""
        header = {"alg": ALGORITHM, "typ": typ, "kid": self.kid}
        return jwt.encode(header, claims, self._keys[0], algorithms=[ALGORITHM])


def key_set(jwks: Jwks) -> KeySet:
    """Read a JWKS of public keys; an empty one believes nobody.

    Raises
    ------
    ValueError
        When it is not a JWKS.
    """
    try:
        document = json.loads(jwks) if isinstance(jwks, str) else jwks
        if not document["keys"]:
            return KeySet([])
        return KeySet.import_key_set(cast("KeySetSerialization", document))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("not a JWKS of public keys") from None


def open_token(
    token: str, keys: KeySet, *, typs: Collection[str | None], algorithms: list[str], kid_needed: bool = True
) -> tuple[str, dict[str, Any]]:
    """Check size, header and signature of `token`; return the id of its key and the claims, which are unchecked.

    The key is only ever one of `keys`: a header that brings or names another (`jwk`, `jku`, `x5u`, `x5c`), or that
    asks for an extension (`crit`), is refused before any cryptography.

    Raises
    ------
    TokenError
        When anything is wrong.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError("too long")
    header = _header(token)
    if not _HEADERS.issuperset(header) or header.get("typ") not in typs or header.get("alg") not in algorithms:
        raise TokenError("header")
    key = _key(keys, header.get("kid"), kid_needed)
    try:
        claims = jwt.decode(token, key, algorithms=[header["alg"]]).claims
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenError("signature or payload") from None
    return str(key.kid), claims


def _header(token: str) -> dict[str, Any]:
    try:
        encoded = token[: token.index(".")].encode("ascii")
        header = json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        raise TokenError("not a token") from None
    if not isinstance(header, dict) or not all(isinstance(value, str) for value in header.values()):
        raise TokenError("header")
    return header


def _key(keys: KeySet, kid: str | None, kid_needed: bool) -> Key:
    if kid is None and not kid_needed and len(keys.keys) == 1:
        return keys.keys[0]
    for key in keys:
        if kid is not None and key.kid == kid:
            return key
    raise TokenError("unknown key")
