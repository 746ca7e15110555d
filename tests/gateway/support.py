"""A gateway on a migrated database, with a service behind it that says what it was sent."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway.actions import Deps
from gateway.app import create
from gateway.settings import GatewaySettings
from hubkit.auth import new_signing_key
from hubkit.clock import ManualClock
from hubkit.crypto import new_keyring
from hubkit.egress import AppInternalClient, InternalClient
from hubkit.ids import new_id
from hubkit.service import Ports, Service
from tests.support.migrated import migrated

URL = "https://hub.example.org"
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
INTERNAL_KEY = new_signing_key("gateway-test-1")
FIELD_KEYS = new_keyring("test-1")
CLIENT_KEY = new_signing_key("police-1")
SECRET = "a-secret-of-a-demonstration-client"
SCOPES = ["referrals:write", "referrals:read", "transfers:write"]
DEMONSTRATION = {
    "clients": {
        "police": {
            "client_id": "police",
            "client_secret": SECRET,
            "private_jwk": CLIENT_KEY,
            "scopes": SCOPES,
            "organisation": "police-one",
        },
        "hub": {
            "client_id": "hub",
            "client_secret": SECRET + "-hub",
            "private_jwk": new_signing_key("hub-1"),
            "scopes": ["cases:read", "cases:write", "agreements:read", "agreements:write"],
            "organisation": "hub-one",
        },
    }
}


@dataclass
class FakeService:
    """An ASGI application that keeps what it is sent and answers what it is told to."""

    status: int = 202
    answer: bytes = b'{"id":"1"}'
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"content-type", b"application/json")])
    openapi: dict[str, Any] = field(default_factory=lambda: {"openapi": "3.1.0", "info": {}, "paths": {}})
    seen: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            self.pieces.append(len(message.get("body", b"")))
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == "/openapi.json":
            await self._say(send, 200, json.dumps(self.openapi).encode(), self.headers)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        self.seen.append({"method": scope["method"], "path": scope["path"], "query": query, **headers, "body": body})
        await self._say(send, self.status, self.answer, self.headers)

    async def _say(self, send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Gateway:
    app: FastAPI
    http: httpx.AsyncClient
    clock: ManualClock
    service: FakeService

    @property
    def deps(self) -> Deps:
        return self.app.state.deps

    @property
    def parts(self) -> Service:
        return self.app.state.service

    async def token(self, client_id: str = "police", secret: str = SECRET, **form: str) -> str:
        answer = await self.http.post(
            "/oauth/token", data={"grant_type": "client_credentials", **form}, auth=(client_id, secret)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    async def bearer(self, client_id: str = "police", secret: str = SECRET) -> dict[str, str]:
        return {"authorization": f"Bearer {await self.token(client_id, secret)}"}


def settings(url: str, **changes: Any) -> GatewaySettings:
    values = {
        "environment": "development",
        "database_url": url,
        "public_url": URL,
        "field_keys": FIELD_KEYS,
        "internal_key": json.dumps(INTERNAL_KEY),
        "demonstration_clients": json.dumps(DEMONSTRATION),
        **changes,
    }
    return GatewaySettings(**values)


def sqlite(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"


@contextlib.asynccontextmanager
async def running(url: str, *, clock: ManualClock | None = None, **changes: Any) -> AsyncIterator[Gateway]:
    """Run a gateway on the database at `url`, which is migrated first."""
    await migrated("gateway", url)
    clock, service = clock or ManualClock(START), FakeService()
    neighbours: dict[str, InternalClient] = {
        name: AppInternalClient(service) for name in ("intake", "triage", "routing", "partners")
    }
    app = create(settings(url, **changes), Ports(clock=clock, internal=neighbours))
    transport = httpx.ASGITransport(app)
    async with app.state.service.lifespan(app), httpx.AsyncClient(transport=transport, base_url=URL) as http:
        yield Gateway(app, http, clock, service)


def claims(clock: ManualClock, **changes: Any) -> dict[str, Any]:
    """Return the claims of a good assertion of `police`; None takes one away."""
    now = int(clock.now().timestamp())
    good = {"iss": "police", "sub": "police", "aud": URL, "iat": now, "exp": now + 60, "jti": str(new_id()), **changes}
    return {name: value for name, value in good.items() if value is not None}


def signed(payload: dict[str, Any], key: dict[str, Any] | None = None, **header: Any) -> str:
    """Sign claims with a private JWK, by default that of `police`."""
    jwk = OKPKey.import_key(key or CLIENT_KEY)
    return jwt.encode({"alg": "Ed25519", "kid": str(jwk.kid), **header}, payload, jwk, algorithms=["Ed25519"])


def assertion_form(assertion: str, **more: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        **more,
    }
