"""A partners database with people to refer, partners to tell, and receivers that behave or do not."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from aiohttp import web
from sqlalchemy import select

from hubkit.auth import Caller
from hubkit.clock import ManualClock
from hubkit.crypto import Keyring, new_keyring
from hubkit.db import Database, Tx, table_of
from hubkit.egress import WebhookClient
from hubkit.ids import new_id
from hubkit.profiles import load_profile
from services.partners.actions.deliveries import Notice, enqueue
from services.partners.actions.deps import Deps
from services.partners.actions.directory import Offer, store_services
from services.partners.actions.endpoints import NewKeys, register_endpoint
from services.partners.actions.outgoing import ATTEMPT_S
from services.partners.actions.permits import verdicts_for, write_permits
from services.partners.actions.secured import Secured
from services.partners.jobs import Dispatcher
from services.partners.model import SENT
from services.partners.store.cases import add_permits
from services.partners.tables.cases import CaseFacts, Consent, OnwardReferral, Permit
from services.partners.tables.delivery import Attempt, Delivery, Endpoint
from services.partners.tables.registry import Agreement, Partner
from tests.docs.events import faults_of
from tests.support.migrated import migrated

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KIND = "counselling"
_PROFILE = load_profile("profiles/cambridgeshire.yaml")
_KEYS = new_keyring("test")


@dataclass
class World:
    """One database with its clock and dependencies."""

    db: Database
    clock: ManualClock
    deps: Deps
    callers: dict[UUID, Caller] = field(default_factory=dict)
    services: dict[UUID, UUID] = field(default_factory=dict)

    async def partner(self) -> UUID:
        """Add a partner with an agreement in force."""
        partner_id = new_id()
        organisation = f"demo-{partner_id}"
        row = {"id": partner_id, "organisation": organisation, "name": "Example", "status": "active",
               "ring_fenced": False, "created_at": NOW}  # fmt: skip
        agreement = {
            "id": new_id(), "partner_id": partner_id, "version": 1, "status": "active", "lawful_basis": "consent",
            "purposes": [KIND], "data_categories": ["identity"], "crimes_excluded": [],
            "starts_on": date(2025, 1, 1), "changed_at": NOW,
        }  # fmt: skip
        async with self.db.transaction() as tx:
            await tx.insert(Partner, [row])
            await tx.insert(Agreement, [agreement])
            [service] = await store_services(tx, partner_id, [Offer(name="Example", kind=KIND)])
        self.services[partner_id] = service["id"]
        self.callers[partner_id] = Caller("client", organisation, frozenset({"webhooks:manage"}))
        return partner_id

    async def endpoint(
        self, partner_id: UUID, url: str, types: Sequence[str] | None = None, *, pending: bool = False
    ) -> NewKeys:
        """Register an endpoint as the partner would, and take it as verified unless it is to stay `pending`."""
        register = register_endpoint if pending else register_verified
        async with self.db.transaction() as tx:
            return await register(tx, self.deps, self.callers[partner_id], url, types)

    async def ready(self, partner_id: UUID, count: int = 1) -> list[UUID]:
        """Add onward referrals that the gate allows."""
        case_id, referral_id = new_id(), new_id()
        case = {"case_id": case_id, "referral_id": referral_id, "version": 1, "status": "open",
                "crime_category": "burglary.residential", "changed_at": NOW}  # fmt: skip
        consent = {
            "id": new_id(), "case_id": case_id, "source_key": str(case_id), "hop": "hub_to_partner",
            "decision": "given", "recipients": [], "data_categories": ["identity"], "method": "spoken",
            "recorded_at": NOW - timedelta(days=1), "created_at": NOW,
        }  # fmt: skip
        rows = [
            {"id": new_id(), "pathway_id": new_id(), "case_id": case_id, "referral_id": referral_id, "kind": KIND,
             "partner_id": partner_id, "service_id": self.services[partner_id], "status": "ready", "version": 1,
             "reasons": [], "created_at": NOW, "changed_at": NOW, "ready_at": NOW}
            for _ in range(count)
        ]  # fmt: skip
        async with self.db.transaction() as tx:
            await tx.insert(CaseFacts, [case])
            await tx.insert(Consent, [consent])
            await tx.insert(OnwardReferral, rows)
        return [cast("UUID", row["id"]) for row in rows]

    async def notify(self, partner_id: UUID, count: int = 1, *, permit: bool = False, type: str = SENT) -> list[UUID]:
        """Queue news of new onward referrals, with permits or without."""
        ids = await self.ready(partner_id, count)
        await self.queue(partner_id, ids, permit=permit, type=type)
        return ids

    async def queue(self, partner_id: UUID, ids: Sequence[UUID], *, permit: bool = False, type: str = SENT) -> None:
        """Queue news of onward referrals that are ready, with permits or without."""
        async with self.db.transaction() as tx:
            permits = write_permits(tx, *(await verdicts_for(tx, self.deps, ids))) if permit else {}
            notices = [
                Notice(id, partner_id, type, KIND, permit_id=permits[id]["id"] if permit else None) for id in ids
            ]
            queued = await enqueue(tx, self.deps, notices)
            await add_permits(tx, [row for row in permits.values() if row["id"] in queued.permits])

    async def withdraw_consent(self, onward_id: UUID) -> None:
        """Let the person take the consent back, without anything being stopped."""
        table, onward = table_of(Consent), table_of(OnwardReferral)
        async with self.db.transaction() as tx:
            case_id = select(onward.c.case_id).where(onward.c.id == onward_id).scalar_subquery()
            await tx.run(table.update().where(table.c.case_id == case_id).values(decision="withdrawn"))

    async def deliveries(self) -> list[Any]:
        """Return all deliveries, oldest first."""
        return await self._all(Delivery)

    async def attempts(self) -> list[Any]:
        """Return all attempts, oldest first."""
        return await self._all(Attempt)

    async def endpoints(self) -> list[Any]:
        """Return all endpoints, oldest first."""
        return await self._all(Endpoint)

    async def unsettled(self) -> int:
        """Return how many permits are outstanding."""
        return len([permit for permit in await self._all(Permit) if permit.settled_at is None])

    async def statuses(self) -> list[str]:
        """Return where the onward referrals stand."""
        return [row.status for row in await self._all(OnwardReferral)]

    async def _all(self, model: Any) -> list[Any]:
        table = table_of(model)
        async with self.db.reading() as tx:
            return list(await tx.rows(select(table).order_by(table.c.id)))

    async def states(self, **wanted: int) -> None:
        """Wait until there are exactly so many deliveries in these states."""

        async def stand() -> bool:
            found = [row.state for row in await self.deliveries()]
            return all(found.count(state) == count for state, count in wanted.items())

        await until(stand)


async def register_verified(
    tx: Tx, deps: Deps, caller: Caller, url: str, types: Sequence[str] | None, secured: Secured | None = None
) -> NewKeys:
    """Register an endpoint as if it had answered its challenge, without a trace of one."""
    made = await register_endpoint(tx, deps, caller, url, types, secured or Secured())
    news, table = table_of(Delivery), table_of(Endpoint)
    await tx.run(news.delete().where(news.c.endpoint_id == made.endpoint.id))
    await tx.run(table.update().where(table.c.id == made.endpoint.id).values(status="active"))
    return made


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 0.9 * ATTEMPT_S) -> None:
    """Wait for a condition, by default for less than an attempt may take: whoever is held up by one is too late."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def open_world(url: str, clock: ManualClock | None = None, **options: Any):  # type: ignore[no-untyped-def]
    """Open an empty database, by a clock that stands still if none is given; `options` go to the dependencies."""
    clock = clock or ManualClock(NOW)
    await migrated("services.partners", url)
    db = Database(url, source="partners", clock=clock)
    deps = Deps(
        profile_at=lambda _now: _PROFILE, keyring=Keyring.parse(_KEYS), intake=cast("Any", None),
        issuer=cast("Any", None), clock=clock,
        public_url="https://hub.example.org", cursor_key=b"k" * 32, allow_private_endpoints=True,
        **options,
    )  # fmt: skip
    try:
        yield World(db, clock, deps)
    finally:
        await db.aclose()


@asynccontextmanager
async def dispatching(world: World, client: WebhookClient | None = None):  # type: ignore[no-untyped-def]
    """Run a dispatcher on the world, with a client that may call this machine unless another is given."""
    client = client or WebhookClient(allow_http=True, allow_private=True)
    dispatcher = Dispatcher(world.db, world.deps, client)
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await dispatcher.aclose()


@dataclass
class Received:
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def onward_id(self) -> UUID:
        return UUID(orjson.loads(self.body)["data"]["onward_referral_id"])


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """A partner's server; `answer` says how it behaves."""

    answer: Answer
    url: str = ""
    received: list[Received] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path, headers, await request.read()))
        return await self.answer(request)


def status(code: int, **headers: str) -> Answer:
    """Return a behaviour that always answers with this status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@asynccontextmanager
async def receiving(answer: Answer, tls: ssl.SSLContext | None = None):  # type: ignore[no-untyped-def]
    """Run a receiver on a local port; what is signed is as the catalogue says."""
    receiver = Receiver(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
        said = [each.body for each in receiver.received if "webhook-signature" in each.headers]
        assert [fault for body in said for fault in faults_of(body)] == []
    finally:
        await runner.cleanup()
