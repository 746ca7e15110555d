"""Encrypting for one recipient: its public key (JWK) checked as it is registered, and compact JWE made with it.

The key decides the algorithm, so that nobody can ask for a weaker one: ECDH-ES+A256KW for EC and X25519 keys,
RSA-OAEP-256 for RSA; the content is always under A256GCM. Sources: RFC 7516 (JWE), 7517 (JWK), 7518 and 8037.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from hubkit.errors import FieldError, InvalidError

_CONTENT: Final = "A256GCM"
_AGREED, _WRAPPED = "ECDH-ES+A256KW", "RSA-OAEP-256"
#: By type and curve: the class of the key, the members that are its public part, and the algorithm.
_KINDS: Final[dict[tuple[str, str | None], tuple[type[ECKey | OKPKey | RSAKey], tuple[str, ...], str]]] = {
    ("EC", "P-256"): (ECKey, ("crv", "x", "y"), _AGREED),
    ("EC", "P-384"): (ECKey, ("crv", "x", "y"), _AGREED),
    ("OKP", "X25519"): (OKPKey, ("crv", "x"), _AGREED),
    ("RSA", None): (RSAKey, ("n", "e"), _WRAPPED),
}
#: Members of private and symmetric keys. Source: RFC 7518 sections 6.2.2, 6.3.2 and 6.4; RFC 8037 section 2.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS: Final = (2048, 4096)
_MAX_KID: Final = 128


def check_encryption_key(jwk: Mapping[str, Any]) -> dict[str, str]:
    """Return a public encryption key in its normal form: its public part, `kid`, `use` and `alg`, nothing else.

    Raises
    ------
    InvalidError
        With one `FieldError`, its pointer within the key: `private_key`, `key_type_not_allowed`, `key_id_missing`,
        `use_not_enc`, `algorithm_not_allowed`, `key_too_small`, `key_too_large`, `key_unusable`. None repeats anything
        of the key.
    """
    if not _PRIVATE.isdisjoint(jwk):
        raise _refused("", "private_key", "This is not a public key. Treat it as known to others and make a new one")
    kind = _kind_of(jwk)
    if kind is None:
        raise _refused("/kty", "key_type_not_allowed", "must be EC with P-256 or P-384, OKP with X25519, or RSA")
    _, members, algorithm = kind
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or not kid.isprintable():
        raise _refused("/kid", "key_id_missing", f"must name the key, in 1 to {_MAX_KID} characters")
    if jwk.get("use") != "enc":
        raise _refused("/use", "use_not_enc", "must be enc")
    if jwk.get("alg", algorithm) != algorithm:
        raise _refused("/alg", "algorithm_not_allowed", f"must be {algorithm} for this type of key")
    key = {name: jwk.get(name) for name in members}
    if not all(isinstance(value, str) for value in key.values()):
        raise _refused("", "key_unusable", "its public part is not complete")
    found = cast("dict[str, str]", {"kty": jwk["kty"], **key, "kid": kid, "use": "enc", "alg": algorithm})
    try:
        _check_size(found)
        # A point of low order, and what else would fail later, fails here.
        encrypt(b"", found)
    except (JoseError, ValueError, TypeError):
        raise _refused("", "key_unusable", "nothing can be encrypted with it") from None
    return found


def encrypt(plain: bytes, jwk: Mapping[str, str]) -> str:
    """Return JSON as compact JWE for a key that `check_encryption_key` has returned; its `kid` is in the header."""
    kind = _kind_of(jwk)
    assert kind is not None  # noqa: S101 - it was checked
    model, _, algorithm = kind
    header = {"alg": algorithm, "enc": _CONTENT, "kid": jwk["kid"], "cty": "json"}
    key = model.import_key(cast("Any", dict(jwk)))
    return jwe.encrypt_compact(header, plain, key, algorithms=[algorithm, _CONTENT])


def _kind_of(jwk: Mapping[str, Any]) -> tuple[type[ECKey | OKPKey | RSAKey], tuple[str, ...], str] | None:
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kty, str) or not isinstance(crv, str | None):
        return None
    return _KINDS.get((kty, None if kty == "RSA" else crv))


def _check_size(key: Mapping[str, str]) -> None:
    if key["kty"] == "RSA":
        least, most = _RSA_BITS
        # Measured here, since libraries differ in what they take.
        bits = int.from_bytes(urlsafe_b64decode(key["n"] + "==")).bit_length()
        if bits < least:
            raise _refused("/n", "key_too_small", f"must have at least {least} bits")
        if bits > most:
            raise _refused("/n", "key_too_large", f"must have at most {most} bits")


def _refused(pointer: str, code: str, detail: str) -> InvalidError:
    return InvalidError("The encryption key is not allowed", errors=[FieldError(pointer, code, detail)])
