"""Builds partners with a still clock, an in-process bus, a stand-in for intake and a migrated database."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
from fastapi import FastAPI
from sqlalchemy import select

from hubkit.auth import Caller, InternalIssuer, new_signing_key
from hubkit.bus import LocalBus
from hubkit.clock import ManualClock
from hubkit.contracts import (
    BY_TYPE,
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    Event,
    OnwardReferralRequestedV1,
)
from hubkit.contracts.case import DecisionFacts
from hubkit.contracts.profile import Basis, Profile
from hubkit.contracts.referral import ConsentFacts
from hubkit.crypto import Keyring, new_keyring
from hubkit.db import Database, Tx, table_of
from hubkit.egress import InternalResponse
from hubkit.egress.internal import Body, HeaderSource
from hubkit.errors import UnavailableError
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.messaging import OUTBOX
from hubkit.service import Ports
from services.partners.actions.cases import close_cases, exclude_cases, open_cases
from services.partners.actions.deps import Deps
from services.partners.actions.directory import Offer, store_services
from services.partners.actions.onward import request_onward
from services.partners.app import create
from services.partners.model import Onward
from services.partners.settings import PartnersSettings
from services.partners.store import onward, registry
from services.partners.tables.delivery import Delivery
from tests.docs.events import faults_of
from tests.support.migrated import migrated

NOW = datetime(2026, 11, 19, 9, 0, tzinfo=UTC)
FIELD_KEYS = new_keyring("first")
DECISION = DecisionFacts(outcome="accepted", profile_version="1")
PERSON = {"given_name": "Alex", "family_name": "Example", "phone": "07700900123", "needs": ["counselling"]}


class Intake:
    """Stands in for intake: answers with invented fields, and lets a test do something first."""

    def __init__(self) -> None:
        self.before: Callable[[], Awaitable[None]] | None = None
        self.asked: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.is_away = False
        self.version = 1

    async def request(
        self, method: str, path: str, *, headers: HeaderSource = (), body: Body = None, timeout_s: float = 10.0
    ) -> InternalResponse:
        assert timeout_s < 20
        assert (method, path) == ("POST", "/internal/disclosures")
        assert isinstance(body, bytes)
        if self.is_away:
            raise UnavailableError
        self.asked.append(orjson.loads(body))
        version = self.version
        self.tokens.append(dict(headers)["authorization"].removeprefix("Bearer "))
        if self.before is not None:
            await self.before()
        fields = {name: PERSON.get(name) for name in self.asked[-1]["fields"]}
        answer = {"referral_id": self.asked[-1]["referral_id"], "version": version, "fields": fields}
        return InternalResponse(200, (), orjson.dumps(answer))

    async def aclose(self) -> None:
        """Nothing is open."""


def profile(basis: Basis | None = "agreement_in_place", **parts: Any) -> Profile:
    """Return a small hub's profile; `parts` are given as in its file."""
    values = {
        "id": "test",
        "name": "Test hub",
        "version": "1",
        "channels": [{"channel": "police_automatic"}],
        "sharing": [{"hop": "hub_to_partner", "basis": basis}],
    }
    return Profile.model_validate(values | parts)


def consent(decision: str = "given", **changes: Any) -> ConsentFacts:
    """Return a decision recorded an hour ago, to share with counselling."""
    values: dict[str, Any] = {
        "hop": "hub_to_partner",
        "decision": decision,
        "recipients": ("counselling",),
        "data_categories": ("identity", "contact", "needs"),
        "method": "spoken",
        "recorded_at": NOW - timedelta(hours=1),
    }
    return ConsentFacts(**(values | changes))


def opened(case_id: UUID, *, version: int = 1, consents: Sequence[ConsentFacts] = (), **changes: Any) -> CaseOpenedV1:
    contract = CaseOpenedV1 if version == 1 else CaseTriagedV1
    values: dict[str, Any] = {"crime_category": "burglary.residential", "opened_at": NOW} | changes
    return contract(
        case_id=case_id,
        referral_id=case_id,
        version=version,
        source_organisation="police",
        decision=DECISION,
        consents=tuple(consents),
        **values,
    )


def excluded(case_id: UUID, version: int) -> CaseExcludedV1:
    decision = DecisionFacts(outcome="excluded", reason="rape", profile_version="1")
    return CaseExcludedV1(
        case_id=case_id, referral_id=case_id, version=version, source_organisation="police", decision=decision
    )


def closed(case_id: UUID, version: int) -> CaseClosedV1:
    return CaseClosedV1(case_id=case_id, referral_id=case_id, version=version, reason="done", closed_at=NOW)


def event(data: Any) -> Event[Any]:
    return Event(id=new_id(), type=data.TYPE, source="test", subject="test", time=NOW, data=data)


@dataclass
class World:
    """Partners without its doors: a database, the actions and a stand-in for intake."""

    db: Database
    clock: ManualClock
    intake: Intake
    deps: Deps
    partners: dict[str, UUID] = field(default_factory=dict)
    agreements: dict[str, UUID] = field(default_factory=dict)
    services: dict[str, UUID] = field(default_factory=dict)

    @classmethod
    def make(
        cls, db: Database, clock: ManualClock, basis: Basis | None = "agreement_in_place", **parts: Any
    ) -> "World":
        intake = Intake()
        deps = Deps(
            profile_at=lambda _now: profile(basis, **parts),
            keyring=Keyring.parse(FIELD_KEYS),
            intake=intake,
            issuer=InternalIssuer("partners", new_signing_key("partners-1")),
            clock=clock,
            public_url="https://hub.example.org",
            cursor_key=b"cursor",
            allow_private_endpoints=True,
        )
        return cls(db, clock, intake, deps)

    async def add_partner(self, kind: str = "counselling", **agreement: Any) -> UUID:
        """Add a partner of a kind with one agreement."""
        async with self.db.transaction() as tx:
            self.partners[kind], self.agreements[kind] = await add_partner(tx, kind, **agreement)
            [service] = await registry.services_of(tx, [self.partners[kind]])
            self.services[kind] = service.id
        return self.partners[kind]

    async def open_case(self, *consents: ConsentFacts, **changes: Any) -> UUID:
        case_id = new_id()
        async with self.db.transaction() as tx:
            await open_cases(tx, self.deps, [event(opened(case_id, consents=consents, **changes))])
        return case_id

    async def triage(self, case_id: UUID, version: int, *consents: ConsentFacts) -> None:
        async with self.db.transaction() as tx:
            await open_cases(tx, self.deps, [event(opened(case_id, version=version, consents=consents))])

    async def exclude(self, case_id: UUID, version: int = 2) -> None:
        async with self.db.transaction() as tx:
            await exclude_cases(tx, self.deps, [event(excluded(case_id, version))])

    async def close(self, case_id: UUID, version: int = 2) -> None:
        async with self.db.transaction() as tx:
            await close_cases(tx, self.deps, [event(closed(case_id, version))])

    def requested(self, case_id: UUID, kind: str = "counselling") -> OnwardReferralRequestedV1:
        return OnwardReferralRequestedV1(
            onward_referral_id=new_id(),
            pathway_id=new_id(),
            case_id=case_id,
            referral_id=case_id,
            kind=kind,
            partner_id=self.partners[kind],
            service_id=self.services[kind],
        )

    async def request(self, case_id: UUID, kind: str = "counselling") -> UUID:
        """Ask for an onward referral; returns its id."""
        data = self.requested(case_id, kind)
        assert await self.take(data) == []
        return data.onward_referral_id

    async def take(self, *requests: OnwardReferralRequestedV1) -> list[Deferred]:
        async with self.db.transaction() as tx:
            return await request_onward(tx, self.deps, [event(data) for data in requests])

    async def row(self, onward_id: UUID) -> Onward:
        async with self.db.reading() as tx:
            return (await onward.read(tx, [onward_id]))[0]

    async def said(self, subject: UUID) -> list[Any]:
        """Return what was said about something, oldest first."""
        return await said(self.db, subject)


async def said(db: Database, subject: UUID) -> list[Any]:
    query = select(OUTBOX.c.type, OUTBOX.c.body).where(OUTBOX.c.subject == str(subject)).order_by(OUTBOX.c.id)
    async with db.reading() as tx:
        return [BY_TYPE[row.type].model_validate(orjson.loads(row.body)["data"]) for row in await tx.rows(query)]


async def add_partner(tx: Tx, kind: str, *, status: str = "active", **agreement: Any) -> tuple[UUID, UUID]:
    partner_id, agreement_id = new_id(), new_id()
    row = {"id": partner_id, "organisation": f"org-{kind}", "name": f"Test {kind}", "status": status}
    await registry.add_partners(tx, [row | {"ring_fenced": False, "created_at": tx.now}])
    terms: dict[str, Any] = {
        "id": agreement_id,
        "partner_id": partner_id,
        "version": 1,
        "status": "active",
        "lawful_basis": "consent",
        "purposes": [kind],
        "data_categories": ["identity", "contact", "crime", "needs"],
        "crimes_excluded": [],
        "starts_on": date(2026, 1, 1),
        "ends_on": None,
        "changed_at": tx.now,
    }
    await registry.add_agreements(tx, [terms | agreement])
    await store_services(tx, partner_id, [Offer(name=f"Test {kind} service", kind=kind)])
    return partner_id, agreement_id


def caller(kind: str = "counselling", scopes: str = "onward:read onward:write") -> Caller:
    return Caller(f"client-{kind}", f"org-{kind}", frozenset(scopes.split()))


@contextlib.asynccontextmanager
async def database(url: str, clock: ManualClock) -> AsyncIterator[Database]:
    await migrated("services.partners", url)
    db = Database(url, source="partners", clock=clock)
    try:
        yield db
    finally:
        await db.aclose()


@dataclass
class Running(World):
    """The whole application, and a client for it."""

    app: FastAPI | None = None
    http: httpx.AsyncClient | None = None
    gateway: InternalIssuer | None = None

    def headers(self, scopes: str, kind: str = "counselling", **more: str) -> dict[str, str]:
        assert self.gateway is not None
        token = self.gateway.token("partners", caller(kind, scopes), self.clock.now())
        return {"authorization": f"Bearer {token}", **more}

    async def call(self, method: str, path: str, scopes: str, body: Any = None, **more: str) -> httpx.Response:
        """Call as the client of a kind of partner (`kind`), with further headers (`if_match`)."""
        assert self.http is not None
        kind = more.pop("kind", "counselling")
        headers = self.headers(scopes, kind, **{name.replace("_", "-"): value for name, value in more.items()})
        return await self.http.request(method, path, json=body, headers=headers)


@contextlib.asynccontextmanager
async def running(url: str, folder: Path, hub: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Running]:
    """Run the service over a database, with further parts of its profile; on its bus there is nobody else.

    Whatever a test has it say to partners is in the end as the catalogue `docs/events.md` says.
    """
    await migrated("services.partners", url)
    gateway = InternalIssuer("gateway", new_signing_key("gateway-1"))
    path = folder / "profile.yaml"
    path.write_text(json.dumps(profile(**hub or {}).model_dump(mode="json")))
    values: dict[str, Any] = {
        "environment": "development",
        "database_url": url,
        "profile": str(path),
        "field_keys": FIELD_KEYS,
        "internal_key": json.dumps(new_signing_key("partners-1")),
        "trusted_keys": json.dumps(gateway.public_jwks()),
        "public_url": "https://hub.example.org",
        "allow_private_endpoints": True,
    }
    clock, intake, bus = ManualClock(NOW), Intake(), LocalBus()
    bus.subscribe("nobody", list(BY_TYPE), _acknowledge)
    app = create(
        PartnersSettings.model_validate(values | settings), Ports(bus=bus, clock=clock, internal={"intake": intake})
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://partners") as http,
    ):
        yield Running(app.state.service.db, clock, intake, app.state.deps, app=app, http=http, gateway=gateway)
        async with app.state.service.db.reading() as tx:
            bodies = [row.body for row in await tx.rows(select(table_of(Delivery).c.body))]
        assert [fault for body in bodies for fault in faults_of(body)] == []


def recomputed(answer: dict[str, Any]) -> str:
    """Return the hash of what a partner read, as `docs/onward-referrals.md` tells it to compute it."""
    others = answer["other_services"]
    read = answer["disclosure"]["fields"] | ({"other_services": others} if others else {})
    canonical = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _acknowledge(message: Any) -> None:
    """Nobody reads here; the rows stay in the outbox."""
