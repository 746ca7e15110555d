"""Referrals, profiles and a running triage service for the tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from hubkit.auth import Caller, InternalIssuer, new_signing_key
from hubkit.bus import LocalBus, Message
from hubkit.clock import ManualClock
from hubkit.contracts import CONSUMERS, PRODUCERS, Contract, Event, ReferralReceivedV1
from hubkit.contracts.envelope import encode, pack
from hubkit.ids import new_id
from hubkit.profiles import ProfileBook
from hubkit.service import Ports
from services.triage.actions.deps import Deps
from services.triage.app import create
from services.triage.settings import TriageSettings
from tests.services.triage.facts import CAMBRIDGESHIRE, NOW, profile, received
from tests.support.migrated import migrated

__all__ = ["CAMBRIDGESHIRE", "NOW", "Triage", "event", "profile", "received", "running"]


def deps_of(tmp_path: Path, *texts: str) -> Deps:
    """Return what the actions need, with the profile of `profile_file`."""
    return Deps(ProfileBook.load(profile_file(tmp_path, *texts)))


def profile_file(tmp_path: Path, *texts: str) -> str:
    """Return the path of a file with a profile as `profile` makes it, or with several versions."""
    path = tmp_path / "profile.yaml"
    documents = [profile(text).model_dump(mode="json", exclude_defaults=True, by_alias=True) for text in texts]
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def event(data: Contract, subject: object = "x") -> Event[Any]:
    """Return an event as the inbox gives it to a handler."""
    return Event(new_id(), data.TYPE, "test", str(subject), NOW, data)


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
            encode(id=new_id(), source=PRODUCERS[type(data)], subject="x", time=self.clock.now(), data=data)
            for data in contracts
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

    async def post(self, case: dict[str, Any], call: str, body: Any, **headers: str) -> httpx.Response:
        """Make a call about a case as it was read, with `cases:write`."""
        given = {**self.headers("cases:write"), "if-match": f'"{case["version"]}"', **headers}
        return await self.client.post(f"/v1/cases/{case['id']}/{call}", json=body, headers=given)

    async def done(self, case: dict[str, Any], call: str, body: Any) -> dict[str, Any]:
        """Return the case as it is after a call that must succeed."""
        answer = await self.post(case, call, body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        assert answer.headers["etag"] == f'"{found["version"]}"'
        return found

    async def open_case(self, **changes: Any) -> dict[str, Any]:
        """Return the case of a new referral, which may say something of its own."""
        referral = received(**changes)
        await self.hear(referral)
        return await self.case_of(referral)

    async def said_of(self, type: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the events of a type that were published, once there are `count`."""
        async with asyncio.timeout(20):
            while len(found := [raw for raw in self.said if raw["type"] == type]) < count:
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def running(tmp_path: Path, profile: str = CAMBRIDGESHIRE) -> AsyncIterator[Triage]:
    """Run triage on a migrated SQLite file and a local bus, with somebody who listens to what it says."""
    url = f"sqlite+aiosqlite:///{tmp_path}/triage.db"
    await migrated("services.triage", url)
    issuer = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))
    settings = TriageSettings(
        environment="development",
        database_url=url,
        profile=profile,
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
            "listener",
            [contract.TYPE for contract in CONSUMERS if contract.TYPE.startswith(("case.", "message.requ"))],
            listen,
        )
        yield triage
