"""Referrals, profiles and a running triage service for the tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from hubkit import migrations
from hubkit.auth import Caller, InternalIssuer, new_signing_key
from hubkit.bus import LocalBus, Message
from hubkit.clock import ManualClock
from hubkit.contracts import CONSUMERS, Contract, Event, ReferralReceivedV1
from hubkit.contracts.envelope import encode, pack
from hubkit.contracts.profile import Profile
from hubkit.ids import new_id
from hubkit.service import Ports
from services.triage.app import create
from services.triage.settings import TriageSettings

NOW = datetime(2026, 11, 19, 8, 30, tzinfo=UTC)
CAMBRIDGESHIRE = "profiles/cambridgeshire.yaml"


def received(**changes: Any) -> ReferralReceivedV1:
    """Return a burglary that needs nothing; `crime` may be a category alone."""
    crime = changes.pop("crime", "burglary.residential")
    facts = {
        "referral_id": new_id(),
        "version": 1,
        "source_organisation": "demo-police",
        "channel": "police_automatic",
        "received_at": NOW,
        "crime": {"category": crime} if isinstance(crime, str) else crime,
        "age": 36,
        **changes,
    }
    return ReferralReceivedV1.model_validate(facts)


def event(data: Contract, subject: object = "x") -> Event[Any]:
    """Return an event as the inbox gives it to a handler."""
    return Event(new_id(), data.TYPE, "test", str(subject), NOW, data)


def profile(text: str) -> Profile:
    """Return a profile with all police and self-referral channels and what `text` adds in YAML."""
    channels = [{"channel": name} for name in ("police_automatic", "police_case_by_case", "self_referral")]
    document = {"id": "test", "name": "Test Hub", "version": "t1", "channels": channels, **(yaml.safe_load(text) or {})}
    return Profile.model_validate(document)


@dataclass
class Triage:
    """A running triage service."""

    client: httpx.AsyncClient
    bus: LocalBus
    clock: ManualClock
    issuer: InternalIssuer
    said: list[dict[str, Any]] = field(default_factory=list)

    def headers(self, *scopes: str, client_id: str = "staff") -> dict[str, str]:
        """Return the authorisation of a hub client."""
        caller = Caller(client_id, "demo-hub", frozenset(scopes))
        return {"authorization": f"Bearer {self.issuer.token('triage', caller, self.clock.now())}"}

    async def hear(self, *contracts: Contract) -> None:
        """Publish one message with these contracts, all of one type, and return once triage has taken them in."""
        bodies = [
            encode(id=new_id(), source="test", subject="x", time=self.clock.now(), data=data) for data in contracts
        ]
        await self.bus.publish(contracts[0].TYPE, pack(bodies), "message")

    async def get(self, path: str, *scopes: str, **options: Any) -> httpx.Response:
        """Read with `cases:read`, or with the given scopes."""
        return await self.client.get(path, headers=self.headers(*(scopes or ("cases:read",))), **options)

    async def case_of(self, referral: ReferralReceivedV1) -> dict[str, Any]:
        """Return the case of a referral."""
        found = (await self.get("/v1/cases", params={"referral_id": str(referral.referral_id)})).json()["items"]
        answer: dict[str, Any] = (await self.get(f"/v1/cases/{found[0]['id']}")).json()
        return answer

    async def said_of(self, type: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the events of a type that were published, once there are `count`."""
        async with asyncio.timeout(5):
            while len(found := [raw for raw in self.said if raw["type"] == type]) < count:
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Triage]:
    """Run triage on a migrated SQLite file and a local bus, with somebody who listens to what it says."""
    url = f"sqlite+aiosqlite:///{tmp_path}/triage.db"
    await migrations.upgrade("services.triage", url)
    issuer = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))
    settings = TriageSettings(
        environment="development",
        database_url=url,
        profile=CAMBRIDGESHIRE,
        trusted_keys=orjson.dumps(issuer.public_jwks()).decode(),
    )
    bus, clock = LocalBus(), ManualClock(NOW)
    app = create(settings, Ports(bus=bus, clock=clock))
    transport = httpx.ASGITransport(app)
    acks: set[asyncio.Task[None]] = set()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://triage") as client,
    ):
        triage = Triage(client, bus, clock, issuer)

        def listen(message: Message) -> None:
            triage.said.extend(orjson.loads(message.body))
            acks.add(asyncio.ensure_future(message.ack()))  # type: ignore[arg-type]

        bus.subscribe(
            "listener", [contract.TYPE for contract in CONSUMERS if contract.TYPE.startswith("case.")], listen
        )
        yield triage
