"""Automated contacts: their messages are asked for when they are due, once, and what became of them counts."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text

from hubkit.clock import ManualClock
from hubkit.contracts import MessageSettledV1, ReferralReceivedV1
from hubkit.db import Database
from hubkit.ids import new_id
from services.triage.actions.deps import Deps
from services.triage.actions.messages import ask_for_due_messages, is_message_due, settle_messages
from services.triage.actions.read import read_case
from services.triage.actions.triage import triage_referrals
from services.triage.schemas.views import CaseView
from services.triage.tables import AttemptRow, CaseRow
from tests.services.triage.support import NOW, deps_of, event, profile_file, received, running

HUB = """
contacts:
  - {id: offer, purpose: offer, methods: [text, email], mode: any, automated: true, content: [available_services],
     at: {amount: 24, unit: hours}, within: {amount: 30, unit: hours}}
  - {id: call, methods: [phone], within: {amount: 48, unit: hours}}
  - {id: fallback, purpose: how_to_contact, when: {min_failed_attempts: 1}}
"""
AT_ONCE = "contacts: [{id: offer, purpose: offer, methods: [text], automated: true}]"
DAY = timedelta(hours=24)


@pytest.fixture
def deps(tmp_path: Path) -> Deps:
    return deps_of(tmp_path, HUB)


async def opened(db: Database, deps: Deps, **facts: Any) -> ReferralReceivedV1:
    referral = received(**facts)
    async with db.transaction() as tx:
        await triage_referrals(tx, deps, [event(referral)])
    return referral


async def case_of(db: Database, deps: Deps, referral: ReferralReceivedV1) -> CaseView:
    async with db.reading() as tx:
        row = await tx.row(select(CaseRow.id).where(CaseRow.referral_id == referral.referral_id))
        assert row is not None
        return await read_case(tx, deps, row.id)


def advance(db: Database, step: timedelta) -> None:
    assert isinstance(db.clock, ManualClock)
    db.clock.advance(step)


async def asked(db: Database) -> list[dict[str, Any]]:
    async with db.transaction() as tx:
        await ask_for_due_messages(tx)
    return [orjson.loads(row["body"])["data"] for row in tx.events]


async def settle(db: Database, deps: Deps, case_id: UUID, message_id: str, **outcomes: str) -> list[str]:
    """Tell what became of a message by method; return the types of what triage says then."""
    settled = MessageSettledV1.model_validate(
        {
            "message_id": message_id,
            "case_id": case_id,
            "outcomes": [{"method": method, "outcome": outcome} for method, outcome in outcomes.items()],
            "settled_at": db.clock.now(),
        }
    )
    async with db.transaction() as tx:
        await settle_messages(tx, deps, [event(settled)])
    return [row["type"] for row in tx.events]


async def attempts(db: Database) -> list[tuple[str, str]]:
    async with db.reading() as tx:
        rows = await tx.rows(select(AttemptRow.method, AttemptRow.outcome).order_by(AttemptRow.id))
    return [(row.method, row.outcome) for row in rows]


async def due_at(db: Database) -> datetime | None:
    async with db.reading() as tx:
        row = await tx.row(select(CaseRow.due_at))
    assert row is not None
    found: datetime | None = row.due_at
    return found


async def test_a_message_is_asked_for_when_its_time_has_come_and_once(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps, language="pl")
    advance(db, DAY - timedelta(seconds=1))
    assert await asked(db) == []
    advance(db, timedelta(seconds=1))
    async with db.reading() as tx:
        assert await is_message_due(tx)
    (message,) = await asked(db)
    case = await case_of(db, deps, referral)
    assert UUID(message.pop("message_id"))
    assert message == {
        "case_id": str(case.id), "referral_id": str(referral.referral_id), "purpose": "offer",
        "methods": ["text", "email"], "mode": "any", "content": ["available_services"], "language": "pl",
    }  # fmt: skip
    assert await asked(db) == []
    async with db.reading() as tx:
        assert not await is_message_due(tx)
    assert [contact.purpose for contact in case.contacts] == [
        "offer",
        "initial",
    ]  # nobody knows yet whether it was sent


async def test_two_replicas_ask_for_a_message_once(db: Database, deps: Deps) -> None:
    for _ in range(3):
        await opened(db, deps)
    advance(db, DAY)
    found = await asyncio.gather(asked(db), asked(db))
    assert sorted(len(messages) for messages in found) in ([0, 3], [1, 2])


async def test_what_was_sent_is_done_and_never_sent_again(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    advance(db, DAY)
    (message,) = await asked(db)
    case = await case_of(db, deps, referral)
    assert await due_at(db) == NOW + timedelta(hours=30)
    assert await settle(db, deps, case.id, message["message_id"], text="failed", email="sent") == []
    case = await case_of(db, deps, referral)
    assert ([contact.purpose for contact in case.contacts], case.version) == (["initial"], 1)
    assert await due_at(db) == NOW + timedelta(hours=48)
    assert await attempts(db) == [("text", "failed"), ("email", "sent")]
    assert case.timeline[-1].type == "message.settled.v1"
    async with db.transaction() as tx:
        await triage_referrals(
            tx, deps, [event(referral.model_copy(update={"version": 2, "markers": ("vulnerable",)}))]
        )
    assert await asked(db) == []
    assert [contact.purpose for contact in (await case_of(db, deps, referral)).contacts] == ["initial"]


async def test_a_message_that_failed_counts_as_an_attempt_and_staff_go_on(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    advance(db, DAY)
    (message,) = await asked(db)
    case = await case_of(db, deps, referral)
    said = await settle(db, deps, case.id, message["message_id"], text="failed", email="skipped")
    assert said == ["case.triaged.v1"]
    case = await case_of(db, deps, referral)
    assert [contact.purpose for contact in case.contacts] == ["offer", "initial", "how_to_contact"]
    assert (case.version, case.timeline[-1].codes["details"]) == (2, {"outcome": "failed"})
    assert await asked(db) == []


async def test_a_message_that_was_skipped_is_no_failed_attempt(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    advance(db, DAY)
    (message,) = await asked(db)
    case = await case_of(db, deps, referral)
    assert await settle(db, deps, case.id, message["message_id"], text="skipped", email="skipped") == []
    assert (await case_of(db, deps, referral)).version == 1


async def test_a_changed_plan_does_not_ask_again_for_what_is_on_its_way(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    advance(db, DAY)
    (message,) = await asked(db)
    unsafe = referral.model_copy(
        update={"version": 2, "safe_contact": referral.safe_contact.model_copy(update={"text": False})}
    )
    async with db.transaction() as tx:
        await triage_referrals(tx, deps, [event(unsafe)])
    case = await case_of(db, deps, referral)
    assert case.contacts[-1].methods == ["email"]
    assert await asked(db) == []
    await settle(db, deps, case.id, message["message_id"], email="sent")
    assert [contact.purpose for contact in (await case_of(db, deps, referral)).contacts] == ["initial"]


async def test_an_unsafe_message_is_never_asked_for(db: Database, deps: Deps) -> None:
    await opened(db, deps, safe_contact={"text": False, "email": False})
    advance(db, DAY)
    assert await asked(db) == []


async def test_a_late_exclusion_stops_what_was_to_be_sent(db: Database, tmp_path: Path) -> None:
    deps = deps_of(tmp_path, HUB + "\nexclusions: [{id: rape, when: {crimes: [sexual]}, reason: rape}]")
    referral = await opened(db, deps)
    crime = referral.crime.model_copy(update={"category": "sexual.rape"})
    async with db.transaction() as tx:
        await triage_referrals(tx, deps, [event(referral.model_copy(update={"version": 2, "crime": crime}))])
    advance(db, DAY)
    assert await asked(db) == []


async def test_news_of_a_survey_or_of_an_unknown_case_only_stand_on_the_timeline(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    case = await case_of(db, deps, referral)
    assert await settle(db, deps, case.id, str(new_id()), email="failed") == []
    assert await settle(db, deps, new_id(), str(new_id()), email="failed") == []
    assert (await case_of(db, deps, referral)).version == 1
    assert await attempts(db) == [("email", "failed")]


async def test_due_messages_are_found_by_their_index(db: Database) -> None:
    async with db.reading() as tx:
        condition = "automated AND message_id IS NULL AND settled_at IS NULL AND (at IS NULL OR at <= :now)"
        explain = "EXPLAIN" if db.is_postgresql else "EXPLAIN QUERY PLAN"
        found = await tx.run(text(f"{explain} SELECT id FROM contact WHERE {condition}"), {"now": NOW})
        plan = " ".join(str(row) for row in found.all())
    assert "ix_contact_unsent" in plan


async def test_a_running_service_asks_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path, profile_file(tmp_path, AT_ONCE)) as triage:
        case = await triage.open_case()
        (asked,) = await triage.said_of("message.requested.v1")
        assert (asked["data"]["case_id"], asked["data"]["methods"]) == (case["id"], ["text"])
        settled = MessageSettledV1.model_validate(
            {
                "message_id": asked["data"]["message_id"],
                "case_id": case["id"],
                "outcomes": [{"method": "text", "outcome": "sent"}],
                "settled_at": NOW,
            }
        )
        await triage.hear(settled)
        answer = (await triage.get(f"/v1/cases/{case['id']}")).json()
        assert (answer["contacts"], answer["version"]) == ([], 1)
