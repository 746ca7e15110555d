"""Contacts that staff hold back: nothing is sent, no time counts, and the clock goes on where it stood."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from hubkit.clock import ManualClock
from hubkit.contracts import ReferralReceivedV1
from hubkit.contracts.codes import PAUSE_REASONS
from hubkit.db import Database
from hubkit.errors import ConflictError, NotFoundError
from hubkit.ids import new_id
from services.triage.actions.change import pause_contact, record_attempt, resume_contact
from services.triage.actions.deps import Deps
from services.triage.actions.messages import ask_for_due_messages
from services.triage.actions.read import read_case
from services.triage.actions.triage import triage_referrals
from services.triage.schemas.requests import ContactPause, NewAttempt
from services.triage.schemas.views import CaseView, ContactView
from services.triage.tables import CaseRow
from tests.services.triage.support import NOW, Triage, deps_of, event, profile_file, received, running

HUB = """
exclusions: [{id: rape, when: {crimes: [sexual.rape]}, reason: rape}]
contacts:
  - {id: offer, purpose: offer, methods: [text, email], mode: any, automated: true,
     at: {amount: 24, unit: hours}, within: {amount: 30, unit: hours}}
  - {id: call, methods: [phone], within: {amount: 2, unit: working_days}}
  - {id: letter, methods: [letter], outcomes: [accepted, excluded]}
"""
HOUR = timedelta(hours=1)
UNSAFE = ContactPause(reason="unsafe_to_contact")


@pytest.fixture
def deps(tmp_path: Path) -> Deps:
    return deps_of(tmp_path, HUB)


async def opened(db: Database, deps: Deps) -> ReferralReceivedV1:
    return await heard(db, deps, received())


async def heard(db: Database, deps: Deps, referral: ReferralReceivedV1) -> ReferralReceivedV1:
    async with db.transaction() as tx:
        await triage_referrals(tx, deps, [event(referral)])
    return referral


async def read(db: Database, deps: Deps) -> CaseView:
    """Return the only case."""
    async with db.reading() as tx:
        row = await tx.row(select(CaseRow.id))
        assert row is not None
        return await read_case(tx, deps, row.id)


def of(case: CaseView, rule_id: str) -> ContactView:
    (found,) = [contact for contact in case.contacts if contact.rule_id == rule_id]
    return found


def advance(db: Database, step: timedelta) -> None:
    assert isinstance(db.clock, ManualClock)
    db.clock.advance(step)


async def pause(db: Database, deps: Deps, rule_id: str) -> CaseView:
    case = await read(db, deps)
    async with db.transaction() as tx:
        await pause_contact(tx, deps, (case.id, case.version), of(case, rule_id).id, UNSAFE, "staff")
    return await read(db, deps)


async def resume(db: Database, deps: Deps, rule_id: str) -> CaseView:
    case = await read(db, deps)
    async with db.transaction() as tx:
        await resume_contact(tx, deps, (case.id, case.version), of(case, rule_id).id, "staff")
    return await read(db, deps)


async def asked(db: Database) -> list[list[str]]:
    async with db.transaction() as tx:
        await ask_for_due_messages(tx)
    return [orjson.loads(row["body"])["data"]["methods"] for row in tx.events]


async def due_of_case(db: Database) -> Any:
    async with db.reading() as tx:
        row = await tx.row(select(CaseRow.due_at))
    assert row is not None
    return row.due_at


async def test_a_paused_message_is_not_sent_and_goes_out_once_it_is_resumed(db: Database, deps: Deps) -> None:
    await opened(db, deps)
    before = of(await read(db, deps), "offer")
    advance(db, 20 * HOUR)
    offer = of(await pause(db, deps, "offer"), "offer")
    assert (offer.id, offer.planned_at, offer.at, offer.clock) == (before.id, NOW, before.at, before.clock)
    assert (offer.state, offer.due_at, offer.due_reason) == ("suspended", None, "paused")
    advance(db, 50 * HOUR)
    assert await asked(db) == []
    offer = of(await resume(db, deps, "offer"), "offer")
    assert (offer.id, offer.state, offer.due_reason) == (before.id, "planned", None)
    assert offer.due_at == NOW + 80 * HOUR
    assert [(item.reason, item.from_, item.to) for item in offer.pauses] == [
        ("unsafe_to_contact", NOW + 20 * HOUR, NOW + 70 * HOUR)
    ]
    assert await asked(db) == [["text", "email"]]


async def test_the_case_is_due_by_the_clocks_that_run(db: Database, deps: Deps) -> None:
    await opened(db, deps)
    assert await due_of_case(db) == NOW + 30 * HOUR
    case = await pause(db, deps, "offer")
    assert await due_of_case(db) == of(case, "call").due_at
    await pause(db, deps, "call")
    assert await due_of_case(db) is None
    advance(db, HOUR)
    await resume(db, deps, "offer")
    assert await due_of_case(db) == NOW + 31 * HOUR


async def test_each_pause_counts_by_the_rule_that_made_the_deadline(db: Database, deps: Deps) -> None:
    await opened(db, deps)  # on a Thursday: due at the end of Monday
    for hours in (24, 72):
        await pause(db, deps, "call")
        advance(db, hours * HOUR)
        call = of(await resume(db, deps, "call"), "call")
    # Thursday is day zero; Friday, Saturday and Sunday passed in the second pause.
    assert (len(call.pauses), call.rule_id) == (2, "call")
    assert call.clock is not None
    assert (call.clock.start, call.clock.amount, call.clock.unit) == (NOW, 2, "working_days")
    assert str(call.due_at) == "2026-11-24 23:59:59+00:00"


async def test_what_else_happens_to_the_case_leaves_a_paused_contact_as_it_is(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    before = await pause(db, deps, "offer")
    await heard(db, deps, referral.model_copy(update={"version": 2, "markers": ("vulnerable",)}))
    after = await read(db, deps)
    assert after.version == before.version + 1
    assert after.contacts == before.contacts


async def test_a_plan_that_changes_is_still_held_back(db: Database, deps: Deps) -> None:
    referral = await opened(db, deps)
    before = of(await pause(db, deps, "offer"), "offer")
    unsafe = referral.safe_contact.model_copy(update={"text": False})
    await heard(db, deps, referral.model_copy(update={"version": 2, "safe_contact": unsafe}))
    after = of(await read(db, deps), "offer")
    assert after.id != before.id
    assert (after.methods, after.state, after.pauses) == (["email"], "suspended", before.pauses)
    advance(db, 48 * HOUR)
    assert await asked(db) == []


async def test_what_is_written_to_somebody_who_is_not_taken_on_can_be_held_back(db: Database, deps: Deps) -> None:
    await heard(db, deps, received(crime="sexual.rape"))
    case = await pause(db, deps, "letter")
    assert (case.status, of(case, "letter").state) == ("excluded", "suspended")
    assert of(await resume(db, deps, "letter"), "letter").due_reason == "no_deadline_in_profile"


async def test_only_what_is_planned_is_paused_and_only_what_is_paused_is_resumed(db: Database, deps: Deps) -> None:
    await opened(db, deps)
    with pytest.raises(ConflictError, match="a contact that is paused; this one is planned"):
        await resume(db, deps, "call")
    await pause(db, deps, "call")
    with pytest.raises(ConflictError, match="a contact that is planned; this one is paused"):
        await pause(db, deps, "call")
    case = await read(db, deps)
    call, place = of(case, "call").id, (case.id, case.version)
    async with db.transaction() as tx:  # they called by themselves
        await record_attempt(tx, deps, place, call, NewAttempt(method="phone", outcome="reached"), "staff")
    place = (case.id, case.version + 1)
    async with db.transaction() as tx:
        with pytest.raises(ConflictError, match="a contact that is planned; this one is done"):
            await pause_contact(tx, deps, place, call, UNSAFE, "staff")
        with pytest.raises(ConflictError, match="a contact that is paused; this one is done"):
            await resume_contact(tx, deps, place, call, "staff")
        with pytest.raises(NotFoundError):
            await pause_contact(tx, deps, place, new_id(), UNSAFE, "staff")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Triage]:
    async with running(tmp_path, profile_file(tmp_path, HUB)) as service:
        yield service


async def test_a_contact_is_paused_and_resumed_by_the_public_calls(hub: Triage) -> None:
    case = await hub.open_case()
    call = case["contacts"][1]
    assert call["pauses"] == []
    path = f"contacts/{call['id']}"
    case = await hub.done(case, f"{path}/pause", {"reason": "police_asked_to_wait"})
    pauses = [{"reason": "police_asked_to_wait", "from": "2026-11-19T08:30:00Z", "to": None}]
    assert case["contacts"][1] == {
        **call, "state": "suspended", "due_at": None, "due_reason": "paused", "pauses": pauses,
    }  # fmt: skip
    entry = case["timeline"][-1]
    assert (entry["type"], entry["codes"]["decided_by"]) == ("pause.decided", "staff")
    said = {"contact_id": call["id"], "rule_id": "call", "pause_reason": "police_asked_to_wait"}
    assert entry["codes"]["details"] == said
    hub.clock.advance(timedelta(minutes=4))
    case = await hub.done(case, f"{path}/resume", {})
    pauses[0]["to"] = "2026-11-19T08:34:00Z"
    assert case["contacts"][1] == {**call, "pauses": pauses}  # no day has passed
    assert (case["version"], case["timeline"][-1]["type"]) == (3, "resumption.decided")
    assert [found["data"]["version"] for found in await hub.said_of("case.triaged.v1", 2)] == [2, 3]


@pytest.mark.parametrize("call", ["pause", "resume"])
async def test_both_need_the_version_that_was_read_and_the_right_to_write(hub: Triage, call: str) -> None:
    case, other = await hub.open_case(), await hub.open_case()
    path, body = f"contacts/{case['contacts'][0]['id']}/{call}", {"reason": "unsafe_to_contact"}
    url = f"/v1/cases/{case['id']}/{path}"
    assert (await hub.client.post(url, json=body, headers=hub.headers("cases:write"))).status_code == 428
    reader = {**hub.headers("cases:read"), "if-match": '"1"'}
    assert (await hub.client.post(url, json=body, headers=reader)).status_code == 403
    assert (await hub.post({**case, "version": 7}, path, body)).json()["code"] == "version_mismatch"
    assert (await hub.post(other, path, body)).json()["code"] == "not_found"
    assert (await hub.post({**case, "id": new_id()}, path, body)).status_code == 404
    closed = await hub.done(case, "close", {})
    assert (await hub.post(closed, path, body)).json()["code"] == "wrong_state"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/reason", "missing"),
        ({"reason": "She is at her sister's"}, "/reason", "unknown_code"),
        ({"reason": "unsafe_to_contact", "until": "2026-12-01"}, "/until", "unknown_field"),
    ],
)
async def test_a_reason_is_one_of_the_known(hub: Triage, body: dict[str, Any], pointer: str, code: str) -> None:
    case = await hub.open_case()
    answer = await hub.post(case, f"contacts/{UUID(case['contacts'][0]['id'])}/pause", body)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, pointer, code)
    if code == "unknown_code":
        assert all(reason in error["detail"] for reason in PAUSE_REASONS)
