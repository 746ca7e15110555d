"""Builds intake with a still clock, an in-process bus and a migrated database."""

import contextlib
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from hubkit.auth import Caller, InternalIssuer, new_signing_key
from hubkit.bus import LocalBus
from hubkit.clock import ManualClock
from hubkit.contracts.profile import Channel, FlowBack, Profile
from hubkit.crypto import new_keyring
from hubkit.db import Database
from hubkit.service import Ports
from services.intake.actions.deps import Deps
from services.intake.actions.register import Register, content_of
from services.intake.app import create
from services.intake.schemas import Referral
from services.intake.settings import IntakeSettings
from tests.support.migrated import migrated

NOW = datetime(2026, 11, 19, 9, 0, tzinfo=UTC)
FIELD_KEYS = new_keyring("first")
INDEX_KEY = "bm90IGEgcmVhbCBrZXksIGp1c3QgMzIgYnl0ZXMgISE="

REFERRAL: dict[str, Any] = {
    "source": {"channel": "police_automatic", "reference": "CMS-000123", "unit": None},
    "crime": {
        "reference": "35/44871/26",
        "category": "burglary.residential",
        "occurred_on": "2026-11-18",
        "recorded_at": "2026-11-19T08:12:00+00:00",
        "reported_to_police": True,
    },
    "person": {
        "given_name": "Alex",
        "family_name": "Example",
        "date_of_birth": "1990-02-03",
        "role": "victim",
        "address": {"lines": ["1 Example Street"], "postcode": "ZZ99 9ZZ"},
        "area_code": "E07000008",
        "phone": "07700900123",
        "email": "alex@example.org",
        "language": "en",
        "preferred_method": "phone",
    },
    "safe_contact": {
        "phone": True,
        "text": True,
        "voicemail": False,
        "email": True,
        "letter": False,
        "instructions": None,
    },
    "markers": ["vulnerable"],
    "risk": {"instrument": "dash", "score": None, "grade": None, "assessed_at": None},
    "needs": ["counselling"],
    "consents": [
        {"hop": "police_to_hub", "decision": "given", "recorded_at": "2026-11-19T08:10:00+00:00"},
        {
            "hop": "hub_to_partner",
            "decision": "given",
            "recipients": ["counselling"],
            "method": "spoken",
            "data_categories": ["identity", "contact", "crime", "needs"],
            "recorded_at": "2026-11-19T08:10:00+00:00",
        },
    ],
    "received_at": None,
    "narrative": None,
}


def referral(**changes: Any) -> dict[str, Any]:
    """Return the body of a referral; `person__phone="…"` changes a field below."""
    body = copy.deepcopy(REFERRAL)
    for path, value in changes.items():
        *above, name = path.split("__")
        place = body
        for part in above:
            place = place[part]
        place[name] = value
    return body


def profile(**changes: Any) -> Profile:
    return Profile(id="test", name="Test hub", version="1", channels=(Channel(channel="police_automatic"),), **changes)


def deps(flow_back: FlowBack | None = None, field_keys: str = FIELD_KEYS) -> Deps:
    made = profile(flow_back=flow_back or FlowBack())
    return Deps.of(lambda _now: made, field_keys, INDEX_KEY)


def command(
    deps: Deps, body: dict[str, Any], key: str | None = None, *, organisation: str = "police", client: str = "client"
) -> Register:
    parsed = Referral.model_validate(body)
    slot = deps.slot_of(client, key) if key is not None else None
    return Register(organisation, parsed, content_of(deps, parsed), slot)


@contextlib.asynccontextmanager
async def database(url: str, clock: ManualClock | None = None) -> AsyncIterator[Database]:
    await migrated("services.intake", url)
    db = Database(url, source="intake", clock=clock or ManualClock(NOW))
    try:
        yield db
    finally:
        await db.aclose()


@dataclass
class Intake:
    """A running intake service and a client for it."""

    app: FastAPI
    http: httpx.AsyncClient
    clock: ManualClock
    issuers: dict[str, InternalIssuer]

    @property
    def db(self) -> Database:
        db: Database = self.app.state.service.db
        return db

    def headers(
        self, scopes: str, *, organisation: str = "police", client: str = "client", issuer: str = "gateway"
    ) -> dict[str, str]:
        caller = Caller(client, organisation, frozenset(scopes.split()))
        return {"authorization": f"Bearer {self.issuers[issuer].token('intake', caller, self.clock.now())}"}

    async def post(self, body: Any, key: str = "key-1", **who: str) -> httpx.Response:
        headers = self.headers("referrals:write", **who) | {"idempotency-key": key}
        return await self.http.post("/v1/referrals", json=body, headers=headers)

    async def get(self, path: str, scopes: str = "referrals:read transfers:write", **who: str) -> httpx.Response:
        return await self.http.get(path, headers=self.headers(scopes, **who))

    async def transfer(self, content: Any, media_type: str = "application/x-ndjson", **who: str) -> httpx.Response:
        headers = self.headers("transfers:write", **who) | {"content-type": media_type}
        return await self.http.post("/v1/transfers", content=content, headers=headers)


@contextlib.asynccontextmanager
async def running(url: str, folder: Path, **settings: Any) -> AsyncIterator[Intake]:
    """Run the service over a database; its bus has nobody else on it."""
    await migrated("services.intake", url)
    keys = {name: new_signing_key(f"{name}-1") for name in ("gateway", "partners")}
    issuers = {name: InternalIssuer(name, key) for name, key in keys.items()}
    trusted = [key for issuer in issuers.values() for key in issuer.public_jwks()["keys"]]
    path = folder / "profile.yaml"
    path.write_text(json.dumps(profile(flow_back=settings.pop("flow_back", FlowBack())).model_dump(mode="json")))
    clock = ManualClock(NOW)
    values = {"environment": "development", "database_url": url, "profile": str(path), "field_keys": FIELD_KEYS}
    values |= {"index_key": INDEX_KEY, "trusted_keys": json.dumps({"keys": trusted}), **settings}
    bus = LocalBus()
    bus.subscribe("nobody", ["referral.received.v1"], lambda _message: None)
    app = create(IntakeSettings.model_validate(values), Ports(bus=bus, clock=clock))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://intake") as http,
    ):
        yield Intake(app, http, clock, issuers)
