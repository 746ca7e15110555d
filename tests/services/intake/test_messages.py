"""Messages: what is sent, what is not and why, what is tried again, and that nothing of the person is said of it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError
from sqlalchemy import select, text

from hubkit.clock import ManualClock
from hubkit.contracts import CaseClosedV1, CaseExcludedV1, Event, MessageRequestedV1, ObjectionRecordedV1
from hubkit.contracts.case import DecisionFacts
from hubkit.contracts.envelope import encode, pack
from hubkit.crypto import new_keyring
from hubkit.db import Database
from hubkit.egress import HttpInternalClient
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.log import JsonFormatter
from hubkit.messaging import OUTBOX
from hubkit.messenger import Failure, FolderMessenger, Message, Messenger, NotifyMessenger, Receipt
from services.intake.actions import messages
from services.intake.actions.messages import LEASE, Outgoing
from services.intake.actions.progress import record_decisions
from services.intake.actions.register import register_referrals
from services.intake.policy import messages as policy
from services.intake.settings import IntakeSettings
from tests.services.intake.support import FIELD_KEYS, INDEX_KEY, NOW, command, database, deps, referral, running
from tests.services.intake.test_actions import events
from tests.support import notify

CASE = UUID(int=7)
CLOSED = DecisionFacts(outcome="excluded", reason="x", profile_version="1")


@dataclass
class Post:
    """A messenger that answers as it is told, and otherwise takes everything."""

    answers: list[Receipt | Failure | BaseException] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> Receipt | Failure:
        answer = self.answers.pop(0) if self.answers else Receipt("r")
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Receipt):
            self.sent.append(message)
        return answer

    async def find(self, reference: str) -> Receipt | Failure | None:
        return Receipt("found") if any(one.reference == reference for one in self.sent) else None

    async def aclose(self) -> None:
        pass


@dataclass
class Desk:
    """One referral, whose messages are asked for and sent by hand."""

    db: Database
    clock: ManualClock
    referral_id: UUID
    post: Post = field(default_factory=Post)
    keys: str = FIELD_KEYS

    async def request(self, *methods: str, mode: str = "any", at: datetime = NOW, **changes: Any) -> UUID:
        message_id = new_id()
        values = {"purpose": "offer", "mode": mode, "case_id": CASE, "referral_id": self.referral_id, **changes}
        wanted = MessageRequestedV1(message_id=message_id, methods=methods, **values)
        await self.hear(messages.request_messages, wanted, at)
        return message_id

    async def hear(self, action: Callable[..., Any], data: Any, at: datetime = NOW) -> Any:
        async with self.db.transaction() as tx:
            return await action(tx, [Event(new_id(), data.TYPE, "triage", "s", at, data)])

    async def claim(self, *, can_send: bool = True) -> list[Outgoing] | None:
        async with self.db.transaction() as tx:
            return await messages.claim_due(tx, deps(field_keys=self.keys), 8, can_send=can_send)

    async def record(self, outgoing: Outgoing, result: Receipt | Failure) -> None:
        async with self.db.transaction() as tx:
            await messages.record(tx, outgoing, result)

    async def send(self, messenger: Messenger | None = None) -> None:
        """Send for as long as something is due."""
        while (due := await self.claim()) is not None:
            for outgoing in due:
                await self.record(outgoing, await messages.deliver(messenger or self.post, outgoing))

    async def settled(self) -> list[list[tuple[str, str, str | None]]]:
        return [
            [(one["method"], one["outcome"], one.get("reason")) for one in event["outcomes"]]
            for event in await events(self.db)
            if "outcomes" in event
        ]


async def desk_of(db: Database, clock: ManualClock, **changes: Any) -> Desk:
    async with db.transaction() as tx:
        [registered] = await register_referrals(tx, deps(), [command(deps(), referral(**changes), repr(changes))])
    return Desk(db, clock, registered.referral_id)  # type: ignore[union-attr]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def db(url: str, clock: ManualClock) -> Any:
    async with database(url, clock) as made:
        yield made


async def test_any_goes_by_the_first_method_that_is_taken(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text", "email")
    await desk.send()

    assert [(one.method, one.to) for one in desk.post.sent] == [("text", ("07700900123",))]
    assert await desk.settled() == [[("text", "sent", None), ("email", "skipped", "not_needed")]]
    assert await desk.claim() is None


async def test_all_goes_by_every_method(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock, safe_contact__letter=True)
    await desk.request("text", "email", "letter", "text", mode="all")
    await desk.send()

    address = ("Alex Example", "1 Example Street", "ZZ99 9ZZ")
    assert [one.to for one in desk.post.sent] == [("07700900123",), ("alex@example.org",), address]
    assert await desk.settled() == [[(method, "sent", None) for method in ("text", "email", "letter")]]


@pytest.mark.parametrize(
    ("changes", "methods", "outcomes"),
    [
        ({"safe_contact__text": False}, ("text", "email"), ["unsafe_method", None]),
        ({"safe_contact": {"phone": False}, "person__preferred_method": None}, ("text",), ["unsafe_method"]),
        ({"safe_contact__text": None}, ("text",), [None]),
        ({"safe_contact": None}, ("text",), [None]),
        ({"safe_contact__instructions": "Never on a Sunday"}, ("text", "email"), ["instructions_given"] * 2),
        ({"person__email": None}, ("email", "text"), ["no_contact_details", None]),
        ({"person": None, "safe_contact": None}, ("text", "letter"), ["no_contact_details"] * 2),
        ({"safe_contact": None, "person__address": {"lines": ["1 Road"]}}, ("letter",), ["no_contact_details"]),
        ({}, ("phone", "home_visit"), ["not_sendable"] * 2),
        ({}, (), []),
    ],
)  # fmt: skip
async def test_what_may_not_or_cannot_be_sent_is_skipped_with_its_reason(
    db: Database, clock: ManualClock, changes: dict[str, Any], methods: tuple[str, ...], outcomes: list[str | None]
):
    desk = await desk_of(db, clock, **changes)
    await desk.request(*methods)
    await desk.send()

    [settled] = await desk.settled()
    assert [(method, reason) for method, _, reason in settled] == list(zip(methods, outcomes, strict=True))
    assert len(desk.post.sent) == outcomes.count(None)


async def test_the_newest_version_of_the_referral_says_what_is_safe(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text")
    await desk_of(db, clock, safe_contact__text=False)
    await desk.send()

    assert (await desk.settled(), desk.post.sent) == ([[("text", "skipped", "unsafe_method")]], [])


async def test_details_that_do_not_open_are_not_made_up(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    desk.keys = new_keyring("another")
    await desk.request("text")
    await desk.send()

    assert await desk.settled() == [[("text", "skipped", "no_contact_details")]]


async def test_without_a_messenger_every_method_is_skipped(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text", "phone")

    assert await desk.claim(can_send=False) == []
    assert await desk.settled() == [[("text", "skipped", "messenger_missing"), ("phone", "skipped", "not_sendable")]]


async def test_a_message_is_taken_once_and_waits_for_its_referral(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    values = {"message_id": UUID(int=9), "case_id": CASE, "purpose": "offer", "methods": ("text",)}
    known = MessageRequestedV1(referral_id=desk.referral_id, **values)
    assert await desk.hear(messages.request_messages, known) == []
    await desk.send()
    assert await desk.hear(messages.request_messages, known) == []
    await desk.send()
    [deferred] = await desk.hear(messages.request_messages, MessageRequestedV1(referral_id=UUID(int=1), **values))

    assert len(desk.post.sent) == len(await desk.settled()) == 1
    assert isinstance(deferred, Deferred)


async def test_a_passing_failure_is_tried_again_with_growing_delay_and_then_given_up(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    desk.post.answers = [Failure("messenger_busy")] * 7
    await desk.request("text", "email")
    waits = []
    for _ in policy.STEPS_S:
        await desk.send()
        assert await desk.settled() == []
        async with db.reading() as tx:
            row = await tx.row(text("SELECT due_at FROM message"))
        assert row is not None
        due_at = row[0] if isinstance(row[0], datetime) else datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
        waits.append((due_at - clock.now()).total_seconds())
        clock.set(due_at)
    await desk.send()

    assert all(0.8 * step <= wait <= 1.2 * step for step, wait in zip(policy.STEPS_S, waits, strict=True))
    assert await desk.settled() == [[("text", "failed", "messenger_busy"), ("email", "sent", None)]]


async def test_what_is_refused_for_good_is_not_tried_again(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    desk.post.answers = [Failure("refused_by_messenger", is_permanent=True)]
    await desk.request("text")
    await desk.send()

    assert await desk.settled() == [[("text", "failed", "refused_by_messenger")]]


async def test_one_method_that_waits_holds_no_other_up_where_all_are_wanted(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    desk.post.answers = [Failure("messenger_busy")]
    await desk.request("text", "email", mode="all")
    await desk.send()
    assert [one.method for one in desk.post.sent] == ["email"]
    clock.advance(timedelta(minutes=1))
    await desk.send()

    assert await desk.settled() == [[("text", "sent", None), ("email", "sent", None)]]


async def test_a_crash_between_sending_and_commit_does_not_send_twice(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text")
    [lost] = await desk.claim() or []
    await messages.deliver(desk.post, lost)

    assert await desk.claim() is None  # still leased to the process that is gone
    clock.advance(LEASE)
    await desk.send()
    await desk.record(lost, Failure("messenger_busy"))  # it was not gone, only slow

    assert len(desk.post.sent) == 1
    assert await desk.settled() == [[("text", "sent", None)]]


async def test_a_messenger_that_cannot_say_is_not_sent_to_again(db: Database, clock: ManualClock):
    class Silent(Post):
        async def find(self, reference: str) -> Receipt | Failure | None:
            assert reference.endswith("-text")
            return Failure("messenger_unavailable")

    desk = await desk_of(db, clock)
    desk.post = Silent([Failure("messenger_unavailable")])
    await desk.request("text")
    await desk.send()
    clock.advance(timedelta(minutes=1))
    await desk.send()

    assert (desk.post.sent, await desk.settled()) == ([], [])


async def test_who_is_excluded_gets_nothing_more(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text", "email", mode="all")
    [under_way] = await desk.claim() or []
    excluded = CaseExcludedV1(
        case_id=CASE, referral_id=desk.referral_id, version=2, source_organisation="police", decision=CLOSED
    )
    await desk.hear(record_decisions, excluded)
    assert await desk.claim() is None
    await desk.record(under_way, Receipt("r"))
    await desk.send()

    assert desk.post.sent == []
    assert await desk.settled() == [[("text", "sent", None), ("email", "skipped", "case_excluded")]]


async def test_the_end_of_a_case_stops_what_was_asked_for_before_it(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    desk.post.answers = [Failure("messenger_busy")]
    await desk.request("text", at=NOW - timedelta(minutes=1))
    await desk.send()
    await desk.request("email", purpose="survey")
    closed = CaseClosedV1(case_id=CASE, referral_id=desk.referral_id, version=3, closed_at=NOW)
    await desk.hear(messages.stop_closed, closed)
    await desk.send()

    assert [one.purpose for one in desk.post.sent] == ["survey"]
    assert sorted(await desk.settled()) == [[("email", "sent", None)], [("text", "skipped", "case_closed")]]


@pytest.mark.parametrize(
    ("asked", "known", "language"), [("cy", "en", "cy"), (None, "cy-GB", "cy"), (None, "pl", "en")]
)
async def test_it_is_written_in_the_persons_language(
    db: Database, clock: ManualClock, asked: str | None, known: str, language: str
):
    desk = await desk_of(db, clock, person__language=known)
    await desk.request("text", language=asked)
    await desk.send()

    assert [one.language for one in desk.post.sent] == [language]


async def test_notify_gets_each_message_once_however_it_fails(db: Database, clock: ManualClock):
    """The whole way, with a server that takes a message and cuts the line, is busy, breaks, and works."""
    desk = await desk_of(db, clock)
    async with notify.running() as fake:
        client = HttpInternalClient(fake.url)
        templates = {"text": notify.TEMPLATE, "email": notify.TEMPLATE}
        messenger = NotifyMessenger(client, notify.KEY, templates, clock)
        fake.answers = ["cut", 429, 500, 201, 201]
        await desk.request("text", "email", mode="all")
        for _ in range(6):
            await desk.send(messenger)
            clock.advance(timedelta(hours=1))
            fake.now = clock.now()
        await messenger.aclose()

    assert sorted(one["path"].rpartition("/")[2] for one in fake.taken) == ["email", "sms"]
    assert await desk.settled() == [[("text", "sent", None), ("email", "sent", None)]]


async def test_nothing_of_the_person_is_in_rows_events_and_logs(
    db: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    caplog.set_level(logging.DEBUG)
    canaries = ("Quillon", "Brackwater", "900461", "kestrel", "Larkspur", "ZZ99")
    desk = await desk_of(
        db,
        clock,
        person={
            "given_name": canaries[0],
            "family_name": canaries[1],
            "phone": "07700 900461",
            "email": "kestrel@example.org",
            "address": {"lines": ["4 Larkspur Way"], "postcode": "ZZ99 9ZZ"},
        },
        safe_contact=None,
    )
    desk.post.answers = [
        Failure("messenger_busy"),
        ValueError("07700 900461 kestrel"),
        Failure("no", is_permanent=True),
    ]
    await desk.request("text", "email", "letter", mode="all")
    for _ in range(4):
        await desk.send()
        clock.advance(timedelta(hours=1))
    assert len(desk.post.sent) == 2
    await desk.request("text", "email", "letter", mode="all")
    await desk.send(FolderMessenger(tmp_path, clock))

    formatter = JsonFormatter("intake")
    said = [formatter.format(record) for record in caplog.records]
    async with db.reading() as tx:
        rows = [str(tuple(row)) for row in await tx.rows(text("SELECT * FROM message"))]
        bodies = [row.body for row in await tx.rows(select(OUTBOX.c.body))]
    found = [canary for canary in canaries for line in (*said, *rows, *bodies, repr(desk.post.sent)) if canary in line]
    assert (len(rows), found) == (2, [])
    assert "message_not_sent" in "".join(said)
    assert all(canary in (tmp_path / "messages.jsonl").read_text() for canary in canaries)


def counted(method: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("onward_messages_total", {"method": method, "outcome": outcome}) or 0.0


async def test_what_became_of_messages_is_counted(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    before = [counted("text", "sent"), counted("text", "retried"), counted("phone", "skipped")]
    desk.post.answers = [Failure("messenger_busy")]
    await desk.request("phone", "text")
    await desk.send()
    clock.advance(timedelta(minutes=1))
    await desk.send()

    after = [counted("text", "sent"), counted("text", "retried"), counted("phone", "skipped")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]


async def test_a_running_service_sends_what_it_hears(url: str, tmp_path: Path):
    path = tmp_path / "out" / "messages.jsonl"
    async with running(url, tmp_path, messages_folder=str(path.parent), message_contact="0300 123 4567") as intake:
        referral_id = (await intake.post(referral())).json()["id"]
        wanted = MessageRequestedV1(
            message_id=new_id(), case_id=CASE, referral_id=referral_id, purpose="offer", methods=("text",)
        )
        body = encode(id=new_id(), source="triage", subject="s", time=NOW, data=wanted)
        await intake.app.state.service.bus.publish(wanted.TYPE, pack([body]), "m")
        async with asyncio.timeout(10):
            while not path.exists() or not path.read_text():
                await asyncio.sleep(0.02)

    assert "0300 123 4567" in path.read_text()


def test_settings_that_are_unsafe_or_wrong_are_refused():
    good: dict[str, Any] = {
        "environment": "production",
        "database_url": "postgresql+asyncpg://x",
        "field_keys": new_keyring("a"),
        "index_key": INDEX_KEY,
    }
    made = IntakeSettings.model_validate({**good, "notify_templates": '{"text": "1"}'})
    assert made.notify_templates == {"text": "1"}
    for wrong in (
        {"messages_folder": "/tmp/x"},
        {"notify_url": "http://x"},
        {"notify_templates": "[]"},
        {"notify_templates": "{"},
    ):
        with pytest.raises(ValidationError):
            IntakeSettings.model_validate({**good, **wrong})


async def test_nothing_is_sent_to_who_objects_to_messages_before_or_after(db: Database, clock: ManualClock):
    desk = await desk_of(db, clock)
    await desk.request("text", "email")
    objection = ObjectionRecordedV1(
        objection_id=new_id(), case_id=CASE, referral_id=desk.referral_id, to="messages",
        reason="does_not_want_contact", outcome="upheld", decided_at=NOW,
    )  # fmt: skip
    await desk.hear(messages.heed_objections, objection)
    await desk.request("email")
    await desk.send()

    assert desk.post.sent == []
    assert {reason for each in await desk.settled() for _, _, reason in each} == {"person_objected"}


@pytest.mark.parametrize(("to", "outcome"), [("all", "upheld"), ("messages", "refused")])
async def test_an_objection_to_something_else_or_refused_lets_messages_go(
    db: Database, clock: ManualClock, to: str, outcome: str
):
    desk = await desk_of(db, clock)
    objection = ObjectionRecordedV1(
        objection_id=new_id(), case_id=CASE, referral_id=desk.referral_id, to=to, reason="unsafe", outcome=outcome,
        decided_at=NOW,
    )  # fmt: skip
    await desk.hear(messages.heed_objections, objection)
    await desk.request("email")
    await desk.send()

    assert len(desk.post.sent) == 1
