import json
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hubkit.auth import InvalidClientError, check_client_assertion, check_client_jwks, new_signing_key

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = int(NOW.timestamp())
ISSUER = "https://hub.example.org"
KEY = OKPKey.import_key(new_signing_key("key-1"))
CLAIMS: dict[str, Any] = {"iss": "police", "sub": "police", "aud": ISSUER, "iat": T, "exp": T + 300, "jti": "j1"}


def signed(claims: dict[str, Any], header: dict[str, Any], key: Any) -> str:
    """Sign the usual claims with these changes; an ellipsis removes one."""
    kept = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    full = {name: value for name, value in header.items() if value is not ...}
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jwt.encode(full, kept, key, registry=registry, default_type=None)


CLIENT_KEYS: dict[str, Any] = {
    "Ed25519": KEY,
    "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
    "PS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
}
CLIENT_JWKS = {"keys": [key.as_dict(private=False) for key in CLIENT_KEYS.values()]}


def assertion(claims: dict[str, Any] | None = None, alg: str = "Ed25519", **header: Any) -> str:
    key = CLIENT_KEYS[alg]
    return signed(claims or {}, {"alg": alg, "kid": key.kid, "typ": "JWT"} | header, key)


def checked(text: str, jwks: Any = CLIENT_JWKS) -> tuple[str, int]:
    return check_client_assertion(
        text, client_id="police", jwks=jwks, audiences=[ISSUER, ISSUER + "/oauth/token"], now=NOW
    )


@pytest.mark.parametrize("alg", CLIENT_KEYS)
def test_a_client_proves_itself_with_each_allowed_algorithm(alg: str) -> None:
    assert checked(assertion(alg=alg)) == ("j1", T + 300)


def test_a_client_with_one_key_need_not_name_it() -> None:
    text = assertion({"aud": [ISSUER + "/oauth/token"]}, kid=..., typ=...)
    assert checked(text, json.dumps({"keys": [KEY.as_dict(private=False)]})) == ("j1", T + 300)
    with pytest.raises(InvalidClientError):
        checked(text)


BAD_ASSERTIONS = {
    "garbage": "x",
    "another subject": assertion({"sub": "other"}),
    "another issuer": assertion({"iss": "other"}),
    "another client": assertion({"iss": "other", "sub": "other"}),
    "another audience": assertion({"aud": "https://other.example.org"}),
    "two audiences": assertion({"aud": [ISSUER, "https://other.example.org"]}),
    "no audience": assertion({"aud": ...}),
    "part of an audience": assertion({"aud": "https://hub"}),
    "expired": assertion({"exp": T - 30}),
    "ten years": assertion({"exp": T + 315_360_000}),
    "no expiry": assertion({"exp": ...}),
    "float expiry": assertion({"exp": T + 1.5}),
    "no jti": assertion({"jti": ...}),
    "empty jti": assertion({"jti": ""}),
    "long jti": assertion({"jti": "x" * 256}),
    "number jti": assertion({"jti": 1}),
    "future": assertion({"iat": T + 60}),
    "not yet": assertion({"nbf": T + 60}),
    "iat as text": assertion({"iat": "x"}),
    "access token": assertion(typ="at+jwt"),
    "brings a key": assertion(jwk=KEY.as_dict(private=False)),
    "unknown kid": assertion(kid="x"),
    "hmac": signed({}, {"alg": "HS256", "typ": "JWT"}, OctKey.import_key(json.dumps(CLIENT_JWKS).encode())),
    "rs256": signed({}, {"alg": "RS256", "kid": "rsa", "typ": "JWT"}, CLIENT_KEYS["PS256"]),
    "another key's name": assertion(kid="rsa"),
}


@pytest.mark.parametrize("name", BAD_ASSERTIONS)
def test_a_bad_assertion_is_an_invalid_client_without_a_reason(name: str) -> None:
    with pytest.raises(InvalidClientError) as refusal:
        checked(BAD_ASSERTIONS[name])
    assert (refusal.value.status, refusal.value.reason, refusal.value.detail) == (
        401,
        "invalid_client",
        InvalidClientError.title,
    )


def test_client_keys_are_public_and_strong() -> None:
    check_client_jwks(CLIENT_JWKS)
    refused: list[Any] = [
        {"keys": [KEY.as_dict(private=True)]},
        {"keys": []},
        {"keys": [OctKey.generate_key(256).as_dict()]},
        {},
        "x",
        {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]},
        {"keys": [OKPKey.generate_key("X25519").as_dict(private=False)]},
    ]
    for jwks in refused:
        with pytest.raises(ValueError, match="public keys"):
            check_client_jwks(jwks)
