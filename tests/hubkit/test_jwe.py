"""Encryption keys of others: only what is public, strong and usable is taken, and its type decides the algorithm."""

import json
from typing import Any

import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hubkit.errors import InvalidError
from hubkit.jwe import check_encryption_key, encrypt

ALGORITHMS = ["ECDH-ES+A256KW", "RSA-OAEP-256", "A256GCM"]
EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
KEYS = {
    "P-256": (EC, "ECDH-ES+A256KW"),
    "P-384": (ECKey.generate_key("P-384"), "ECDH-ES+A256KW"),
    "X25519": (OKPKey.generate_key("X25519"), "ECDH-ES+A256KW"),
    "RSA": (RSA, "RSA-OAEP-256"),
}


def public(key: Any = EC, **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": "k1", "use": "enc", **more}


@pytest.mark.parametrize("kind", KEYS)
def test_each_type_of_key_has_its_algorithm_and_its_holder_alone_reads(kind: str) -> None:
    key, algorithm = KEYS[kind]
    checked = check_encryption_key(public(key))
    sealed = encrypt(b'{"given_name":"Alex"}', checked)
    opened = jwe.decrypt_compact(sealed, key, algorithms=ALGORITHMS)
    assert opened.plaintext == b'{"given_name":"Alex"}'
    header = {name: opened.protected[name] for name in ("alg", "enc", "kid", "cty")}
    assert header == {"alg": algorithm, "enc": "A256GCM", "kid": "k1", "cty": "json"}
    assert sealed != encrypt(b'{"given_name":"Alex"}', checked)
    with pytest.raises((JoseError, ValueError)):
        jwe.decrypt_compact(sealed, type(key).generate_key(key.curve_name if kind != "RSA" else 2048))


def test_only_the_public_part_and_the_names_are_kept() -> None:
    kept = check_encryption_key(public(x5c=["MIIB"], key_ops=["deriveBits"], exp=1))
    assert sorted(kept) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
    assert check_encryption_key(kept) == kept


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in public().items() if key != name}


@pytest.mark.parametrize(
    ("key", "pointer", "code"),
    [
        (EC.as_dict(private=True) | {"kid": "k1", "use": "enc"}, "", "private_key"),
        (RSA.as_dict(private=True) | {"kid": "k1", "use": "enc"}, "", "private_key"),
        (OctKey.generate_key(256).as_dict(private=True), "", "private_key"),
        (public(d=None), "", "private_key"),
        ({}, "/kty", "key_type_not_allowed"),
        (public(kty="oct"), "/kty", "key_type_not_allowed"),
        (public(kty=["EC"]), "/kty", "key_type_not_allowed"),
        (public(crv={}), "/kty", "key_type_not_allowed"),
        (public(ECKey.generate_key("P-521")), "/kty", "key_type_not_allowed"),
        (public(OKPKey.generate_key("Ed25519")), "/kty", "key_type_not_allowed"),
        (without("kid"), "/kid", "key_id_missing"),
        (public(kid=""), "/kid", "key_id_missing"),
        (public(kid="k" * 129), "/kid", "key_id_missing"),
        (public(kid="k\n1"), "/kid", "key_id_missing"),
        (public(kid=1), "/kid", "key_id_missing"),
        (without("use"), "/use", "use_not_enc"),
        (public(use="sig"), "/use", "use_not_enc"),
        (public(alg="ECDH-ES"), "/alg", "algorithm_not_allowed"),
        (public(RSA, alg="RSA1_5"), "/alg", "algorithm_not_allowed"),
        (without("y"), "", "key_unusable"),
        (public(x=1), "", "key_unusable"),
        (public(x="A" * 43), "", "key_unusable"),
        (public(x="é" * 43), "", "key_unusable"),
        (public(KEYS["X25519"][0], x="A" * 43), "", "key_unusable"),  # a point of low order
        (public(RSA, n="x" * 1100), "/n", "key_too_large"),
        (public(RSA, n=RSA.as_dict(private=False)["n"][:200]), "/n", "key_too_small"),
    ],
)
def test_what_is_not_a_strong_public_encryption_key_is_refused_and_not_repeated(
    key: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        check_encryption_key(key)
    [fault] = refused.value.errors
    assert (fault.pointer, fault.code) == (pointer, code)
    said = f"{refused.value!r} {fault!r} {refused.value.__cause__!r}"
    assert not [value for value in key.values() if isinstance(value, str) and len(value) > 8 and value in said]


def test_a_key_keeps_its_form_through_json() -> None:
    checked = check_encryption_key(public())
    again = json.loads(json.dumps(checked))
    assert jwe.decrypt_compact(encrypt(b"{}", again), EC, algorithms=ALGORITHMS).plaintext == b"{}"
