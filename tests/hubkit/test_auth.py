import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc import jws, jwt
from joserfc.jwk import OctKey, OKPKey

from hubkit.auth import (
    Caller,
    InternalIssuer,
    InternalVerifier,
    SigningKeys,
    Verifier,
    bearer,
    caller_dependency,
    issue_access_token,
    new_signing_key,
    requires,
    route_guards,
)
from hubkit.clock import ManualClock
from hubkit.errors import ForbiddenError, HubError, UnauthenticatedError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = int(NOW.timestamp())
ISSUER, AUDIENCE = "https://hub.example.org", "https://hub.example.org/v1"
JWK = new_signing_key("key-1")
KEYS = SigningKeys([JWK])
KEY = OKPKey.import_key(JWK)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "sub": "police", "client_id": "police", "aud": AUDIENCE, "iat": T, "exp": T + 300, "jti": "j1",
    "scope": "referrals:read referrals:write", "org": "org-1",
}  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def verifier(clock: ManualClock) -> Verifier:
    return Verifier(KEYS.public_jwks(), issuers=[ISSUER], audience=AUDIENCE, clock=clock)


def issued(**changes: Any) -> str:
    wanted: dict[str, Any] = {
        "issuer": ISSUER, "client_id": "police", "organisation": "org-1", "scopes": {"referrals:write"},
        "audience": AUDIENCE, "now": NOW,
    }  # fmt: skip
    return issue_access_token(KEYS, **(wanted | changes))


def signed(claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, key: Any = KEY) -> str:
    full = {"alg": "Ed25519", "typ": "at+jwt", "kid": "key-1"} | (header or {})
    registry = jws.JWSRegistry(algorithms=[full["alg"]], strict_check_header=False)
    kept = {name: value for name, value in (CLAIMS | (claims or {})).items() if value is not ...}
    return jwt.encode({k: v for k, v in full.items() if v is not ...}, kept, key, registry=registry)


def raw(header: Any, payload: Any = CLAIMS, signature: bytes = b"") -> str:
    def part(value: Any) -> str:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    return f"{part(header)}.{part(payload)}.{part(signature)}"


def resigned(header: dict[str, Any]) -> str:
    signing_input = raw(header).rpartition(".")[0]
    signature = KEY.get_op_key("sign").sign(signing_input.encode())  # type: ignore[union-attr]
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_an_issued_token_verifies_and_carries_rfc_9068_claims(verifier: Verifier) -> None:
    token = issued()
    caller = verifier.verify(token)
    assert (caller.client_id, caller.organisation, caller.scopes, caller.issuer) == (
        "police", "org-1", frozenset({"referrals:write"}), ISSUER,
    )  # fmt: skip
    opened = jwt.decode(token, KEY, algorithms=["Ed25519"])
    assert opened.header == {"alg": "Ed25519", "typ": "at+jwt", "kid": "key-1"}
    assert opened.claims.keys() >= {"iss", "sub", "client_id", "aud", "iat", "exp", "jti", "scope", "org"}
    assert opened.claims["exp"] - opened.claims["iat"] == 300
    assert caller.token_id == opened.claims["jti"]


def test_a_scope_that_is_missing_is_forbidden(verifier: Verifier) -> None:
    caller = verifier.verify(issued())
    caller.require("referrals:write")
    with pytest.raises(ForbiddenError) as refusal:
        caller.require("webhooks:manage")
    assert refusal.value.reason == "insufficient_scope"


PUBLIC_BYTES = json.dumps(KEYS.public_jwks()["keys"][0]).encode()
OTHER = OKPKey.import_key(new_signing_key("key-1"))
ATTACKS = {
    "empty": "",
    "dots": "..",
    "one part": "abc",
    "garbage": "a.b.c",
    "five parts": "a.b.c.d.e",
    "not ascii": "é.é.é",
    "lone surrogate": "\ud800.a.b",
    "unsigned": raw({"alg": "none", "typ": "at+jwt", "kid": "key-1"}),
    "none in another case": raw({"alg": "nOnE", "typ": "at+jwt", "kid": "key-1"}),
    "hmac with the public key": signed(header={"alg": "HS256"}, key=OctKey.import_key(PUBLIC_BYTES)),
    "hmac with the public bytes": signed(
        header={"alg": "HS256"}, key=OctKey.import_key(base64.urlsafe_b64decode(str(JWK["x"]) + "="))
    ),
    "old algorithm name": resigned({"alg": "EdDSA", "typ": "at+jwt", "kid": "key-1"}),
    "another key": signed(key=OTHER),
    "unknown kid": signed(header={"kid": "key-2"}),
    "no kid": signed(header={"kid": ...}),
    "kid is a list": raw({"alg": "Ed25519", "typ": "at+jwt", "kid": ["key-1"]}),
    "brings its key": signed(header={"jwk": OTHER.as_dict(private=False)}, key=OTHER),
    "brings its key as another kid": signed(header={"kid": "x", "jwk": OTHER.as_dict(private=False)}, key=OTHER),
    "names a key set": signed(header={"jku": "https://evil.example.org/jwks"}),
    "names a certificate": signed(header={"x5u": "https://evil.example.org/cert"}),
    "brings certificates": signed(header={"x5c": ["AAAA"]}),
    "unknown extension": raw({"alg": "Ed25519", "typ": "at+jwt", "kid": "key-1", "crit": ["x"], "x": 1}),
    "crit of b64": raw({"alg": "Ed25519", "typ": "at+jwt", "kid": "key-1", "crit": ["b64"], "b64": False}),
    "id token": signed(header={"typ": "JWT"}),
    "no typ": signed(header={"typ": ...}),
    "internal": signed(header={"typ": "internal+jwt"}),
    "header is a list": raw([1]),
    "header is deep": raw(b"[" * 3000),
    "header is not json": raw(b"{"),
    "payload is a list": raw({"alg": "Ed25519", "typ": "at+jwt", "kid": "key-1"}, [1]),
    "expired": signed({"exp": T - 30}),
    "expires never": signed({"exp": ...}),
    "expires as text": signed({"exp": str(T + 300)}),
    "expires as float": signed({"exp": T + 300.5}),
    "expires as infinity": signed({"exp": float("inf")}),
    "expires as bool": signed({"exp": True}),
    "issued in the future": signed({"iat": T + 31}),
    "not issued": signed({"iat": ...}),
    "valid in the future": signed({"nbf": T + 31}),
    "nbf as text": signed({"nbf": "x"}),
    "another audience": signed({"aud": "https://other.example.org"}),
    "audience prefix": signed({"aud": AUDIENCE + "/"}),
    "no audience": signed({"aud": ...}),
    "audience is an object": signed({"aud": {AUDIENCE: 1}}),
    "another issuer": signed({"iss": "https://evil.example.org"}),
    "no issuer": signed({"iss": ...}),
    "issuer is a list": signed({"iss": [ISSUER]}),
    "no subject": signed({"sub": ..., "client_id": ...}),
    "client is a number": signed({"client_id": 1}),
    "no jti": signed({"jti": ...}),
    "scope is a list": signed({"scope": ["referrals:write"]}),
    "no organisation": signed({"org": ...}),
    "cut signature": issued()[:-2],
    "trailing space": issued() + " ",
    "padded": issued() + "==",
    "too long": signed({"padding": "x" * 8192}),
    "a megabyte": "a" * 1_000_000,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_unbelievable_token_is_refused_without_a_reason(verifier: Verifier, name: str) -> None:
    """Rows 24 and 25 of the bad-input matrix."""
    for _ in range(2):  # the second time would come from the memory
        with pytest.raises(UnauthenticatedError) as refusal:
            verifier.verify(ATTACKS[name])
        assert refusal.value.detail == UnauthenticatedError.title
        assert refusal.value.reason == "unauthenticated"


def test_clocks_may_differ_by_half_a_minute_and_an_audience_may_be_a_list(verifier: Verifier) -> None:
    for claims in ({"exp": T - 29}, {"iat": T + 30}, {"nbf": T + 30}, {"aud": ["x", AUDIENCE]}):
        assert verifier.verify(signed(claims)).client_id == "police"


def test_a_remembered_token_still_expires(verifier: Verifier, clock: ManualClock) -> None:
    token = issued()
    assert verifier.verify(token) is verifier.verify(token)
    clock.advance(timedelta(seconds=329))
    verifier.verify(token)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError):
        verifier.verify(token)


def test_the_memory_is_bounded_and_can_be_dropped(clock: ManualClock) -> None:
    verifier = Verifier(json.dumps(KEYS.public_jwks()), issuers=ISSUER, audience=AUDIENCE, clock=clock, remembered=2)
    first = issued()
    caller = verifier.verify(first)
    verifier.drop(first)
    again = verifier.verify(first)
    assert again is not caller
    verifier.clear()
    assert verifier.verify(first) is not again
    for _ in range(5):
        verifier.verify(issued())
    assert len(verifier._known) == 2


def test_keys_rotate_by_overlap(clock: ManualClock) -> None:
    old, new = new_signing_key(), new_signing_key()
    before, after = SigningKeys([old]), SigningKeys.parse(json.dumps({"keys": [new, old]}))
    verifier = Verifier(after.public_jwks(), issuers=[ISSUER], audience=AUDIENCE, clock=clock)
    wanted: dict[str, Any] = {
        "issuer": ISSUER, "client_id": "c", "organisation": "o", "scopes": [], "audience": AUDIENCE, "now": NOW,
    }  # fmt: skip
    for keys in (before, after):
        assert verifier.verify(issue_access_token(keys, **wanted)).scopes == frozenset()
    assert after.kid == new["kid"] != old["kid"]


def test_no_private_part_is_published() -> None:
    assert all(set(key) == {"kty", "crv", "x", "kid", "alg", "use"} for key in KEYS.public_jwks()["keys"])


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"keys":[]}', '{"keys":[{}]}', '{"keys":["x"]}', json.dumps(KEYS.public_jwks()),
        json.dumps({"keys": [JWK, JWK]}), json.dumps({"keys": [OctKey.generate_key(256).as_dict()]}),
        json.dumps({"keys": [{k: v for k, v in JWK.items() if k != "kid"}]}),
    ],
    ids=range(10),
)  # fmt: skip
def test_malformed_signing_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match="key") as refusal:
        SigningKeys.parse(text)
    assert str(JWK["d"]) not in str(refusal.value)


def test_an_empty_set_of_trusted_keys_believes_nobody(clock: ManualClock) -> None:
    with pytest.raises(UnauthenticatedError):
        InternalVerifier('{"keys":[]}', "intake", clock).verify(issued())
    with pytest.raises(ValueError, match="JWKS"):
        InternalVerifier("nonsense", "intake", clock)


GATEWAY = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))
PARTNERS = InternalIssuer("partners", json.dumps(new_signing_key("partners-1")))
TRUSTED = json.dumps({"keys": GATEWAY.public_jwks()["keys"] + PARTNERS.public_jwks()["keys"]})
CALLER = Caller("police", "org-1", frozenset({"referrals:write"}), "j1", ISSUER)


def test_an_internal_token_carries_the_caller_and_who_vouches(clock: ManualClock) -> None:
    caller = InternalVerifier(TRUSTED, "intake", clock).verify(PARTNERS.token("intake", CALLER, NOW))
    assert (caller.client_id, caller.organisation, caller.scopes, caller.issuer) == (
        "police", "org-1", CALLER.scopes, "partners",
    )  # fmt: skip


def test_an_internal_token_is_for_one_deployable_and_two_minutes(clock: ManualClock) -> None:
    token = GATEWAY.token("intake", CALLER, NOW)
    with pytest.raises(UnauthenticatedError):
        InternalVerifier(TRUSTED, "triage", clock).verify(token)
    clock.advance(timedelta(seconds=150))
    with pytest.raises(UnauthenticatedError):
        InternalVerifier(TRUSTED, "intake", clock).verify(token)


def test_a_key_speaks_only_for_the_name_in_its_kid(clock: ManualClock) -> None:
    jwk = new_signing_key("partners-1")
    verifier = InternalVerifier({"keys": SigningKeys([jwk]).public_jwks()["keys"]}, "intake", clock)
    claims = {"aud": "intake"}
    header = {"typ": "internal+jwt", "kid": "partners-1"}
    key = OKPKey.import_key(jwk)
    assert verifier.verify(signed(claims | {"iss": "partners"}, header, key)).issuer == "partners"
    for issuer in ("gateway", "partners-1", "", "partner"):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(signed(claims | {"iss": issuer}, header, key))
    with pytest.raises(UnauthenticatedError):
        verifier.verify(signed(claims | {"iss": "partners"}, header | {"typ": "at+jwt"}, key))


def test_an_internal_token_is_reused_until_half_its_life_is_over() -> None:
    issuer = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))
    first = issuer.token("intake", CALLER, NOW)
    assert issuer.token("intake", Caller("police", "org-1", CALLER.scopes, "j2"), NOW + timedelta(seconds=59)) == first
    assert issuer.token("triage", CALLER, NOW) != first
    assert issuer.token("intake", Caller("police", "org-2", CALLER.scopes), NOW) != first
    assert issuer.token("intake", CALLER, NOW + timedelta(seconds=60)) != first


@pytest.mark.parametrize(
    ("name", "kid"), [("gateway", "partners-1"), ("gateway", "gateway"), ("", "-1"), ("a-b", "a-b-1")]
)
def test_an_internal_key_must_bear_its_issuers_name(name: str, kid: str) -> None:
    with pytest.raises(ValueError, match="kid"):
        InternalIssuer(name, new_signing_key(kid))


# --- routes ---


def application(verifier: Verifier) -> FastAPI:
    router = APIRouter()

    @router.get("/referrals")
    async def referrals(caller: Annotated[Caller, Depends(requires("referrals:write"))]) -> dict[str, str]:
        return {"client": caller.client_id}

    @router.get("/anyone")
    async def anyone(caller: Annotated[Caller, Depends(caller_dependency(verifier))]) -> dict[str, str]:
        return {"client": caller.client_id}

    @router.get("/admin", dependencies=[Depends(requires("admin"))])
    async def admin() -> dict[str, str]:
        return {}

    @router.get("/public")
    async def public() -> dict[str, str]:
        return {}

    app = FastAPI()
    app.include_router(router)
    app.state.verifier = verifier

    @app.exception_handler(HubError)
    async def render(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HubError)
        return JSONResponse({"code": error.reason}, error.status)

    return app


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/referrals", {"Authorization": "Bearer {}"}, 200), ("/referrals", {"Authorization": "bearer {}"}, 200),
        ("/anyone", {"Authorization": "Bearer {}"}, 200), ("/admin", {"Authorization": "Bearer {}"}, 403),
        ("/public", {}, 200), ("/referrals", {}, 401), ("/anyone", {}, 401), ("/admin", {}, 401),
        ("/referrals", {"Authorization": "Basic {}"}, 401), ("/referrals", {"Authorization": "Bearer"}, 401),
        ("/referrals", {"Authorization": "{}"}, 401), ("/referrals", {"Authorization": "Bearer {} x"}, 401),
    ],
)  # fmt: skip
async def test_guards_stand_before_their_routes(
    verifier: Verifier, path: str, headers: dict[str, str], status: int
) -> None:
    transport = httpx.ASGITransport(application(verifier))
    token = issued()
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        answer = await client.get(path, headers={name: value.format(token) for name, value in headers.items()})
    assert answer.status_code == status


def test_two_authorization_headers_are_refused() -> None:
    pairs = [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]
    with pytest.raises(UnauthenticatedError):
        bearer(Request({"type": "http", "headers": pairs}))


def test_every_guard_can_be_read_from_its_route(verifier: Verifier) -> None:
    app = application(verifier)
    inner = APIRouter(prefix="/inner")

    @inner.post("/thing")
    async def thing() -> None: ...

    app.include_router(inner, prefix="/outer", dependencies=[Depends(requires("outer"))])
    found = {route: [guard.scope for guard in guards] for route, guards in route_guards(app).items()}
    assert found | {
        "GET /referrals": ["referrals:write"], "GET /anyone": [None], "GET /admin": ["admin"], "GET /public": [],
        "POST /outer/inner/thing": ["outer"], "GET /openapi.json": [],
    } == found  # fmt: skip
