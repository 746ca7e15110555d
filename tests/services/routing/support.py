"""Routing without its doors: events go through its handlers, each batch a transaction, and what it says is kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import event as sqlalchemy_event

from hubkit.clock import ManualClock
from hubkit.contracts import (
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    ConsentRecordedV1,
    Contract,
    Event,
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    ServiceListedV1,
)
from hubkit.contracts.case import ChoiceFacts, DecisionFacts
from hubkit.contracts.profile import Channel, LeadProvider, Profile, Routing, Within
from hubkit.db import Database, Tx
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from services.routing import consumers, store
from services.routing.actions import onward
from services.routing.actions.deps import Deps, Rules
from services.routing.model import Pathway

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)

_NEWS = {
    "sent": OnwardReferralSentV1,
    "received": OnwardReferralReceivedV1,
    "awaiting_consent": OnwardReferralRefusedV1,
    "refused": OnwardReferralRefusedV1,
    "accepted": OnwardReferralAcceptedV1,
    "in_support": OnwardReferralAcceptedV1,
    "declined": OnwardReferralDeclinedV1,
    "withdrawn": OnwardReferralWithdrawnV1,
    "expired": OnwardReferralWithdrawnV1,
    "recalled": OnwardReferralWithdrawnV1,
    "closed": OnwardReferralClosedV1,
}


def profile(lead_provider: LeadProvider | None = None, **routing: Any) -> Profile:
    """Return a hub's profile that says something about routing alone."""
    return Profile(
        id="test", name="Test hub", version="1", channels=(Channel(channel="police_automatic"),),
        routing=Routing(**routing), lead_provider=lead_provider,
    )  # fmt: skip


def deps(lead_provider: LeadProvider | None = None, **routing: Any) -> Deps:
    """Return what the actions need, in a hub with these rules."""
    rules = Rules.of(profile(lead_provider, **routing))
    return Deps(lambda _now: rules)


def event(data: Contract, time: datetime = NOW) -> Event[Any]:
    """Return an event as the inbox gives it to a handler."""
    return Event(new_id(), data.TYPE, "test", "x", time, data)


@dataclass
class World:
    """Routing without its doors: a database and the actions."""

    db: Database
    clock: ManualClock
    deps: Deps = field(default_factory=deps)

    async def hear(self, *contracts: Contract) -> list[dict[str, Any]]:
        """Take in events of one type as one batch; return what routing says, `type` among the data."""
        handler = consumers.handlers(self.deps)[type(contracts[0])]
        async with self.db.transaction() as tx:
            assert await handler(tx, [event(data, self.clock.now()) for data in contracts]) in (None, [])
        return _said(tx)

    async def deferred(self, data: Contract) -> Sequence[Deferred]:
        """Take in an event that may have to wait."""
        async with self.db.transaction() as tx:
            return await consumers.handlers(self.deps)[type(data)](tx, [event(data)]) or ()

    async def pass_over(self) -> list[dict[str, Any]]:
        """Look for those who have not answered."""
        async with self.db.transaction() as tx:
            await onward.pass_over_unanswered(tx, self.deps)
        return _said(tx)

    async def chase(self) -> list[dict[str, Any]]:
        """Look for those who are to be reminded."""
        async with self.db.transaction() as tx:
            await onward.chase_unanswered(tx, self.deps)
        return _said(tx)

    async def list_services(self, count: int = 1, kind: str = "counselling", **changes: Any) -> list[ServiceListedV1]:
        """List services of a kind, each of its own partner, in the order in which they are preferred."""
        values: dict[str, Any] = {"version": 1, "kind": kind, "status": "active", **changes}
        listed = [
            ServiceListedV1(service_id=new_id(), partner_id=new_id(), preference=number, **values)
            for number in range(count)
        ]
        await self.hear(*listed)
        return listed

    async def open(self, **changes: Any) -> tuple[CaseOpenedV1, list[dict[str, Any]]]:
        """Open a case that needs counselling; return it and what was said."""
        data = opened(**changes)
        return data, await self.hear(data)

    async def asked(self) -> tuple[CaseOpenedV1, dict[str, Any]]:
        """Open a case; return it and the request for its onward referral."""
        data, said = await self.open()
        return data, only(said, "onward_referral.requested.v1")

    async def pathway(self, case: CaseOpenedV1) -> Pathway:
        """Return the case's one pathway."""
        async with self.db.transaction() as tx:
            [found] = await store.list_pathways(tx, [case.case_id])
        return found

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Count the statements of a block."""
        statements: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        engine = self.db._writer.sync_engine
        sqlalchemy_event.listen(engine, "before_cursor_execute", note)
        yield statements
        sqlalchemy_event.remove(engine, "before_cursor_execute", note)


def _said(tx: Tx) -> list[dict[str, Any]]:
    return [{"type": row["type"], **orjson.loads(row["body"])["data"]} for row in tx.events]


def only(said: Sequence[dict[str, Any]], type: str) -> dict[str, Any]:
    """Return the one event of a type."""
    [found] = [each for each in said if each["type"] == type]
    return found


def opened(contract: type[CaseOpenedV1] = CaseOpenedV1, **changes: Any) -> CaseOpenedV1:
    """Return a burglary whose victim needs counselling; a version after the first is `case.triaged`."""
    values: dict[str, Any] = {
        "case_id": new_id(), "referral_id": new_id(), "version": 1, "source_organisation": "police", "opened_at": NOW,
        "decision": DecisionFacts(outcome="accepted", profile_version="1"), "crime_category": "burglary.residential",
        "needs": ("counselling",), **changes,
    }  # fmt: skip
    return contract(**values)


def triaged(case: CaseOpenedV1, version: int, **changes: Any) -> CaseTriagedV1:
    """Return a case triaged anew."""
    return CaseTriagedV1(**(dict(case) | {"version": version} | changes))


def excluded(case: CaseOpenedV1, version: int) -> CaseExcludedV1:
    """Return a case's exclusion."""
    return CaseExcludedV1(
        case_id=case.case_id, referral_id=case.referral_id, version=version, source_organisation="police",
        decision=DecisionFacts(outcome="excluded", reason="rape", profile_version="1"),
    )  # fmt: skip


def closed(case: CaseOpenedV1, version: int) -> CaseClosedV1:
    """Return the end of the hub's work for a case."""
    return CaseClosedV1(case_id=case.case_id, referral_id=case.referral_id, version=version, closed_at=NOW)


def choice(service_id: UUID, need: str = "counselling") -> dict[str, Any]:
    """Return what a case says of the person's choice."""
    return {"choices": (ChoiceFacts(need=need, service_id=service_id, chosen_at=NOW),)}


def news(request: dict[str, Any], status: str, version: int, *reasons: str, at: datetime = NOW) -> Contract:
    """Return what partners says of an onward referral that routing requested."""
    names = ("onward_referral_id", "pathway_id", "case_id", "referral_id", "kind", "partner_id", "service_id")
    facts = {name: request[name] for name in names}
    return _NEWS[status](**facts, status=status, version=version, changed_at=at, reasons=reasons)


def consent(case: CaseOpenedV1, decision: str = "given", **changes: Any) -> ConsentRecordedV1:
    """Return a decision of the person about partners."""
    values: dict[str, Any] = {"hop": "hub_to_partner", "recipients": ("counselling",), "recorded_at": NOW, **changes}
    return ConsentRecordedV1(consent_id=new_id(), case_id=case.case_id, decision=decision, **values)


def with_clock(world: World) -> World:
    """Return the same hub with two hours for an answer."""
    return with_rules(world, answer_within=Within(amount=2, unit="hours"))


def with_rules(world: World, lead_provider: LeadProvider | None = None, **routing: Any) -> World:
    """Return the same hub with these rules."""
    return replace(world, deps=deps(lead_provider, **routing))


def id_of(data: dict[str, Any]) -> UUID:
    """Return the onward referral that something was said about."""
    return UUID(data["onward_referral_id"])


HOURS = timedelta(hours=1)
