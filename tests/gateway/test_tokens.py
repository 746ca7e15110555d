"""Who gets an access token, and which tokens are believed."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry

from gateway.actions.clients import create_client, disable_client, enable_client
from gateway.actions.keys import refresh_identity, rotate_signing_key
from hubkit.auth import InternalIssuer, new_signing_key
from hubkit.auth.tokens import Caller
from tests.gateway.support import (
    CLIENT_KEY,
    INTERNAL_KEY,
    SCOPES,
    SECRET,
    URL,
    Gateway,
    assertion_form,
    claims,
    running,
    signed,
)

REFERRAL = "/v1/referrals/019a9c1e-0000-7000-8000-000000000001"
FORM = {"grant_type": "client_credentials"}


async def ask(gateway: Gateway, form: dict[str, str], **options: Any) -> httpx.Response:
    return await gateway.http.post("/oauth/token", data=form, **options)


async def test_an_assertion_gives_a_token_that_says_who_it_is_for(gateway: Gateway):
    answer = await ask(gateway, assertion_form(signed(claims(gateway.clock)), scope="referrals:write"))

    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 300)
    assert (body["scope"], answer.headers["cache-control"]) == ("referrals:write", "no-store")
    keys = (await gateway.http.get("/.well-known/jwks.json")).json()["keys"]
    token = jwt.decode(body["access_token"], OKPKey.import_key(keys[0]), algorithms=["Ed25519"])
    assert token.header == {"typ": "at+jwt", "alg": "Ed25519", "kid": keys[0]["kid"]}
    said = token.claims
    assert (said["iss"], said["aud"], said["sub"], said["client_id"]) == (URL, URL, "police", "police")
    assert (said["org"], said["exp"] - said["iat"]) == ("police-one", 300)
    assert "d" not in keys[0]


async def test_a_secret_gives_a_token_with_all_scopes_of_the_client(gateway: Gateway):
    answer = await ask(gateway, FORM, auth=("police", SECRET))

    assert answer.json()["scope"] == " ".join(sorted(SCOPES))


async def test_a_token_opens_the_routes_of_its_scope_alone(gateway: Gateway):
    bearer = {"authorization": f"Bearer {await gateway.token(scope='referrals:read')}"}

    assert (await gateway.http.get(REFERRAL, headers=bearer)).status_code == 202
    assert (await gateway.http.post("/v1/referrals", headers=bearer)).status_code == 403


async def test_an_assertion_for_the_token_endpoint_is_one_for_the_issuer(gateway: Gateway):
    assertion = signed(claims(gateway.clock, aud=f"{URL}/oauth/token"), typ="client-authentication+jwt")

    assert (await ask(gateway, assertion_form(assertion, client_id="police"))).status_code == 200


async def test_an_assertion_is_good_once(gateway: Gateway):
    """Row 27 of the bad-input matrix."""
    form = assertion_form(signed(claims(gateway.clock)))

    statuses = [(await ask(gateway, form)).status_code for _ in range(3)]

    assert statuses == [200, 401, 401]


async def test_of_50_parallel_uses_of_one_assertion_one_gets_a_token(database_url: str):
    async with running(database_url) as gateway:
        form = assertion_form(signed(claims(gateway.clock)))

        answers = await asyncio.gather(*(ask(gateway, form) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 49


async def test_50_clients_calls_at_once_get_50_different_tokens(database_url: str):
    async with running(database_url) as gateway:
        tokens = await asyncio.gather(*(gateway.token() for _ in range(50)))

    assert len(set(tokens)) == 50


async def test_the_same_jti_of_another_client_is_another_assertion(gateway: Gateway):
    async with gateway.parts.db.transaction() as tx:
        other = await create_client(tx, organisation="police-two", scopes=["referrals:write"])
    own = claims(gateway.clock, jti="one")
    theirs = claims(gateway.clock, jti="one", iss=other.id, sub=other.id)

    answers = [
        await ask(gateway, assertion_form(signed(own))),
        await ask(gateway, assertion_form(signed(theirs, other.private_jwk))),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "of another issuer": {"aud": "https://other.example.org"},
    "for two": {"aud": [URL, "https://other.example.org"]},
    "without audience": {"aud": None},
    "ten years long": {"exp": 2_100_000_000},
    "expired": {"exp": 1_700_000_000},
    "without end": {"exp": None},
    "without jti": {"jti": None},
    "with an endless jti": {"jti": "a" * 256},
    "issued by another": {"iss": "hub"},
    "about another": {"sub": "hub"},
    "about nobody": {"sub": None},
    "about a number": {"sub": 7},
    "from the future": {"iat": 2_000_000_000},
    "not valid yet": {"nbf": 2_000_000_000},
    "of an unknown client": {"iss": "nobody", "sub": "nobody"},
    "of an unfit client": {"iss": "a b\n", "sub": "a b\n"},
}


@pytest.mark.parametrize("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_a_wrong_assertion_is_an_invalid_client(gateway: Gateway, changes: dict[str, Any]):
    """Row 27 of the bad-input matrix."""
    await refused(gateway, signed(claims(gateway.clock, **changes)))


async def test_an_assertion_by_another_key_is_an_invalid_client(gateway: Gateway):
    await refused(gateway, signed(claims(gateway.clock), new_signing_key("police-1")))


async def test_an_assertion_without_signature_or_with_a_shared_secret_is_an_invalid_client(gateway: Gateway):
    good = claims(gateway.clock)
    registry = JWSRegistry(algorithms=["HS256"])
    public = json.dumps({name: CLIENT_KEY[name] for name in ("kty", "crv", "x")}) + " " * 64
    shared = jwt.encode({"alg": "HS256", "kid": "police-1"}, good, OctKey.import_key(public), registry=registry)

    await refused(gateway, f"{encoded({'alg': 'none'})}.{encoded(good)}.")
    await refused(gateway, shared)


@pytest.mark.parametrize(
    "assertion", ["", "a", "a.b.c", "..", "é.é.é", "a." + "e30" * 3000 + ".b", ".W10.", ".bnVsbA."]
)
async def test_rubbish_is_an_invalid_client(gateway: Gateway, assertion: str):
    await refused(gateway, assertion)


async def refused(gateway: Gateway, assertion: str) -> None:
    answer = await ask(gateway, assertion_form(assertion))
    words = "the client could not be authenticated"
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_client", "error_description": words}
    assert answer.headers["www-authenticate"].startswith("Basic")


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


WRONG_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "no grant type": ({"data": {}}, "invalid_request"),
    "another grant type": ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
    "JSON": ({"json": FORM}, "invalid_request"),
    "twice": ({"data": {"grant_type": ["client_credentials"] * 2}}, "invalid_request"),
    "nothing shown": ({"data": FORM}, "invalid_client"),
    "secret in the body": ({"data": {**FORM, "client_id": "police", "client_secret": SECRET}}, "invalid_client"),
    "two ways": ({"data": assertion_form("a.b.c"), "auth": ("police", SECRET)}, "invalid_request"),
    "no assertion type": ({"data": {**FORM, "client_assertion": "a.b.c"}}, "invalid_request"),
    "other assertion type": ({"data": {**assertion_form("a.b.c"), "client_assertion_type": "x"}}, "invalid_client"),
    "other client id": ({"data": {**FORM, "client_id": "hub"}, "auth": ("police", SECRET)}, "invalid_client"),
    "wrong secret": ({"data": FORM, "auth": ("police", "wrong")}, "invalid_client"),
    "no secret": ({"data": FORM, "auth": ("police", "")}, "invalid_client"),
    "unknown client": ({"data": FORM, "auth": ("nobody", SECRET)}, "invalid_client"),
    "not basic": ({"data": FORM, "headers": {"authorization": "Bearer x"}}, "invalid_client"),
    "not base64": ({"data": FORM, "headers": {"authorization": "Basic %%%"}}, "invalid_client"),
    "not UTF-8": ({"data": FORM, "headers": {"authorization": "Basic /w=="}}, "invalid_client"),
    "foreign scope": ({"data": {**FORM, "scope": "cases:read"}, "auth": ("police", SECRET)}, "invalid_scope"),
    "no scope": ({"data": {**FORM, "scope": " "}, "auth": ("police", SECRET)}, "invalid_scope"),
    "too long": ({"data": {**FORM, "scope": "a" * 20_000}, "auth": ("police", SECRET)}, "invalid_request"),
}


@pytest.mark.parametrize(("options", "code"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
async def test_a_wrong_token_request_is_answered_as_oauth_says(gateway: Gateway, options: dict[str, Any], code: str):
    answer = await gateway.http.post("/oauth/token", **options)

    assert answer.json()["error"] == code
    assert answer.status_code == (401 if code == "invalid_client" else 400)
    assert set(answer.json()) == {"error", "error_description"}


async def test_a_disabled_client_gets_no_token_and_its_tokens_end(gateway: Gateway):
    """Row 27 of the bad-input matrix."""
    bearer = await gateway.bearer()
    assert (await gateway.http.get(REFERRAL, headers=bearer)).status_code == 202

    async with gateway.parts.db.transaction() as tx:
        await disable_client(tx, "police")
        await refresh_identity(tx, gateway.deps)

    assert (await ask(gateway, FORM, auth=("police", SECRET))).json()["error"] == "invalid_client"
    assert (await ask(gateway, assertion_form(signed(claims(gateway.clock))))).json()["error"] == "invalid_client"
    assert (await gateway.http.get(REFERRAL, headers=bearer)).status_code == 401

    async with gateway.parts.db.transaction() as tx:
        await enable_client(tx, "police")

    assert (await ask(gateway, FORM, auth=("police", SECRET))).status_code == 200


async def test_a_token_ends_after_five_minutes_and_the_leeway(gateway: Gateway):
    bearer = await gateway.bearer()
    statuses = []
    for seconds in (0, 329, 2):
        gateway.clock.advance(timedelta(seconds=seconds))
        statuses.append((await gateway.http.get(REFERRAL, headers=bearer)).status_code)

    assert statuses == [202, 202, 401]


def attacks(gateway: Gateway) -> dict[str, str]:
    """Return tokens that must not be believed, by what is wrong with them."""
    keys = gateway.deps.identity.keys
    kid, now = keys.kid, int(gateway.clock.now().timestamp())
    good = {
        "iss": URL,
        "aud": URL,
        "sub": "police",
        "client_id": "police",
        "org": "police-one",
        "scope": "referrals:read",
        "jti": "1",
        "iat": now,
        "exp": now + 300,
    }
    other, elliptic = new_signing_key(kid), ECKey.generate_key("P-256")
    public = keys.public_jwks()["keys"][0]
    secret = OctKey.import_key(json.dumps(public) + " " * 64)
    base = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid}

    def by_ours(typ: str = "at+jwt", **changes: Any) -> str:
        return keys.sign(typ, {name: value for name, value in {**good, **changes}.items() if value is not None})

    def by_theirs(**header: Any) -> str:
        registry = JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)
        return jwt.encode({**base, **header}, good, OKPKey.import_key(other), registry=registry)

    return {
        "none": f"{encoded({**base, 'alg': 'none'})}.{encoded(good)}.",
        "no signature": by_ours().rpartition(".")[0] + ".",
        "shared secret": jwt.encode({**base, "alg": "HS256"}, good, secret, algorithms=["HS256"]),
        "elliptic curve": jwt.encode({**base, "alg": "ES256"}, good, elliptic, algorithms=["ES256"]),
        "another key": by_theirs(),
        "unknown kid": by_theirs(kid="another"),
        "brings its key": by_theirs(jwk={name: value for name, value in other.items() if name != "d"}),
        "names a key": by_theirs(jku="https://other.example.org/jwks.json"),
        "names a certificate": by_theirs(x5u="https://other.example.org/x.pem"),
        "kid is a path": by_theirs(kid="../../dev/null"),
        "plain JWT": by_ours("JWT"),
        "internal token": by_ours("internal+jwt"),
        "internal token of the gateway": InternalIssuer("gateway", INTERNAL_KEY).token(
            "intake", Caller("police", "police-one", frozenset(["referrals:read"])), gateway.clock.now()
        ),
        "client assertion": signed(claims(gateway.clock)),
        "other audience": by_ours(aud="https://other.example.org"),
        "audience of a service": by_ours(aud="intake"),
        "other issuer": by_ours(iss="https://other.example.org"),
        "expired": by_ours(iat=now - 400, exp=now - 31),
        "endless": by_ours(exp=None),
        "end is text": by_ours(exp=str(now + 300)),
        "future": by_ours(iat=now + 31),
        "not yet": by_ours(nbf=now + 31),
        "1 MB": "a" * 1_000_000,
        "9 kB": "a" * 9_000,
        "empty parts": "..",
        "not ASCII": "\u00e9" * 20,
    }


async def test_no_forged_expired_or_foreign_token_is_believed(gateway: Gateway):
    """Row 25 of the bad-input matrix."""
    wrong = {}
    for name, token in attacks(gateway).items():
        headers = {"authorization": f"Bearer {token}".encode()}
        answer = await gateway.http.get(REFERRAL, headers=headers)
        if answer.status_code not in (401, 431) or answer.json()["code"] not in (
            "unauthenticated",
            "headers_too_large",
        ):
            wrong[name] = answer.status_code

    assert wrong == {}
    assert gateway.service.seen == []


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer  {}", "{}", "Basic {}", "Bearer {} {}", "Bearer {},{}"]
)
async def test_only_one_bearer_token_is_an_authorization(gateway: Gateway, value: str):
    headers = {"authorization": value.replace("{}", await gateway.token())}

    answer = await gateway.http.get(REFERRAL, headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_two_authorization_headers_are_none(gateway: Gateway):
    bearer = ("authorization", (await gateway.bearer())["authorization"])

    assert (await gateway.http.get(REFERRAL, headers=[bearer, bearer])).status_code == 401


async def test_a_token_in_the_query_is_not_read(gateway: Gateway):
    assert (await gateway.http.get(f"{REFERRAL}?access_token={await gateway.token()}")).status_code == 401


async def test_a_token_signed_with_a_published_key_that_is_not_first_is_believed(gateway: Gateway):
    token = await gateway.token()

    async with gateway.parts.db.transaction() as tx:
        await rotate_signing_key(tx, gateway.deps.keyring)
        await refresh_identity(tx, gateway.deps)

    assert (await gateway.http.get(REFERRAL, headers={"authorization": f"Bearer {token}"})).status_code == 202
