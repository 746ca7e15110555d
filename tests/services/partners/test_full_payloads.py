"""Full payloads: what is disclosed travels in the webhook, encrypted, under the attempt's own permit and on record."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from aiohttp import web
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import select, update

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.messaging import OUTBOX
from hubkit.webhooks import verify
from onward.person.gather import Account, Told
from onward.person.words import text
from services.partners.actions import carry
from services.partners.actions.account import account_of
from services.partners.actions.amendments import list_receipts
from services.partners.actions.carry import Held, Load, load
from services.partners.actions.consents import Decision, Recorded, record_consent
from services.partners.actions.dispatch import claim
from services.partners.actions.endpoints import NewKeys
from services.partners.actions.notify import tell_allowed
from services.partners.actions.outgoing import Outgoing
from services.partners.actions.secured import Secured
from services.partners.actions.views import list_passages
from services.partners.model import REMINDER, Portion, Status
from services.partners.store import registry
from services.partners.tables import METADATA
from services.partners.tables.amendments import Amendment
from services.partners.tables.cases import Disclosure, Permit
from services.partners.tables.delivery import Attempt, Delivery, Endpoint
from tests.services.partners.delivery_support import (
    Received,
    Receiver,
    dispatching,
    receiving,
    register_verified,
    until,
)
from tests.services.partners.support import NOW, PERSON, Running, World, caller, consent
from tests.services.partners.test_amendments import correct, corrected
from tests.services.partners.test_disclose import rows

ALGORITHMS = ["ECDH-ES+A256KW", "RSA-OAEP-256", "A256GCM"]
KEY = ECKey.generate_key("P-256")
SECRETS = ("Alex", "Example", "07700900123")


def secured(key: Any = KEY) -> Secured:
    return Secured({**key.as_dict(private=False), "kid": "k1", "use": "enc"})


@dataclass
class Hub:
    """A hub with one partner, an agreement that says full, and an endpoint with a key behind a receiver."""

    world: World
    receiver: Receiver
    keys: NewKeys
    answers: list[int] = field(default_factory=list)
    meanwhile: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def of(self, type: str = "onward_referral.sent") -> list[Received]:
        return [each for each in self.receiver.received if orjson.loads(each.body)["type"] == type]

    async def attempts(self) -> list[tuple[Any, ...]]:
        found = cast("list[Any]", await rows(self.world, Attempt))
        return [(row.payload, row.thin_because, row.status) for row in found]

    async def arrived(self, count: int, type: str = "onward_referral.sent") -> None:
        """Wait until so many of a type have come and their results are written."""

        async def stand() -> bool:
            return len(self.of(type)) == count and len(await self.attempts()) == len(self.receiver.received)

        await until(stand)

    async def request(self) -> tuple[UUID, UUID]:
        case_id = await self.world.open_case(consent())
        return case_id, await self.world.request(case_id)

    async def withdraw(self, case_id: UUID) -> Recorded:
        decision = Decision("hub_to_partner", "withdrawn", ("counselling",))
        return await record_consent(self.world.db, self.world.deps, caller("staff"), case_id, decision)


@asynccontextmanager
async def hub(world: World, security: Secured | None = None, delivery: str = "full") -> AsyncIterator[Hub]:
    """Run a dispatcher on the world; `answers` are what the receiver says, 200 when there is none left."""
    made: list[Hub] = []

    async def answer(_: web.Request) -> web.StreamResponse:
        [here] = made
        if here.meanwhile:
            await here.meanwhile.pop(0)()
        return web.Response(status=here.answers.pop(0) if here.answers else 200)

    async with receiving(answer) as receiver:
        async with world.db.transaction() as tx:
            await registry.change_agreement(tx, world.agreements["counselling"], {"delivery": delivery})
            keys = await register_verified(tx, world.deps, caller(), receiver.url, None, security or secured())
        made.append(Hub(world, receiver, keys))
        async with dispatching(world):
            yield made[0]


def opened(received: Received, key: Any = KEY) -> dict[str, Any]:
    """Return what a webhook carries, as the partner reads it."""
    document = orjson.loads(received.body)["data"]["disclosure"]
    plain = jwe.decrypt_compact(document, key, algorithms=ALGORITHMS).plaintext
    assert plain is not None
    found: dict[str, Any] = orjson.loads(plain)
    return found


@pytest.mark.parametrize("kind", ["P-256", "P-384", "X25519", "RSA"])
async def test_the_webhook_carries_what_a_reading_would_answer(partners: Running, kind: str) -> None:
    keys: dict[str, Any] = {
        "P-256": KEY,
        "P-384": ECKey.generate_key("P-384"),
        "X25519": OKPKey.generate_key("X25519"),
        "RSA": RSAKey.generate_key(2048),
    }
    async with hub(partners, secured(keys[kind])) as here:
        _, onward_id = await here.request()
        await here.arrived(1)
        [received] = here.of()
        verify(dict(received.headers), received.body, [here.keys.secret], now=int(partners.clock.now().timestamp()))
        carried = opened(received, keys[kind])
        read = (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).json()
    own = ("id", "disclosed_at")
    assert {name: value for name, value in carried["disclosure"].items() if name not in own} == {
        name: value for name, value in read["disclosure"].items() if name not in own
    }
    assert carried["disclosure"]["fields"]["given_name"] == "Alex"
    # Reading it says that it has arrived, which is one version more.
    assert (carried["status"], carried["version"]) == ("sent", read["version"] - 1)
    assert read["status"] == "received"
    changing = {"disclosure", "status", "version", "changed_at"}
    assert {k: v for k, v in carried.items() if k not in changing} == {
        k: v for k, v in read.items() if k not in changing
    }
    thin = orjson.loads(received.body)["data"]
    assert thin["onward_referral_id"] == str(onward_id)
    assert thin["links"] == {"self": f"https://hub.example.org/v1/onward-referrals/{onward_id}"}


async def test_it_is_recorded_before_it_is_sent_under_the_attempts_own_permit(world: World) -> None:
    async with hub(world) as here:
        before: list[Any] = []

        async def look() -> None:
            before.extend(await rows(world, Disclosure))

        here.meanwhile.append(look)
        _, onward_id = await here.request()
        await here.arrived(1)
    [disclosure] = before
    [attempt] = cast("list[Any]", await rows(world, Attempt))
    [permit] = cast("list[Any]", await rows(world, Permit))
    [delivery] = cast("list[Any]", await rows(world, Delivery))
    assert disclosure.permit_id == attempt.permit_id == permit.id
    assert (disclosure.delivery_id, disclosure.client_id) == (delivery.id, "webhooks")
    assert (disclosure.basis, disclosure.agreement_id) == ("consent", world.agreements["counselling"])
    assert disclosure.fields == [*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["contact"], *DATA_CATEGORIES["needs"]]
    assert disclosure.hash == opened(here.of()[0])["disclosure"]["hash"]
    assert permit.settled_at is not None
    assert await here.attempts() == [("full", None, 200)]
    assert (await world.row(onward_id)).status is Status.SENT
    assert [each.TYPE for each in await world.said(onward_id)] == ["onward_referral.sent.v1", "disclosure.made.v1"]


async def test_neither_the_details_nor_what_is_made_of_them_is_kept_or_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with hub(world) as here:
        here.answers = [503]
        await here.request()
        await here.arrived(1)
    sealed = orjson.loads(here.of()[0].body)["data"]["disclosure"]
    async with world.db.reading() as tx:
        kept = repr([[tuple(row) for row in await tx.rows(select(table))] for table in METADATA.sorted_tables])
        said = repr([row.body for row in await tx.rows(select(OUTBOX.c.body))])
    assert "onward_referral" in kept
    assert "disclosure_id" in said
    for where in (kept, said, caplog.text, repr(here.keys)):
        assert not [value for value in (*SECRETS, sealed, sealed[-40:]) if value in where]


async def test_each_attempt_is_made_afresh_and_is_a_disclosure_of_its_own(world: World) -> None:
    async with hub(world) as here:
        here.answers = [503]
        await here.request()
        await here.arrived(1)
        before = PERSON["phone"]
        PERSON["phone"] = "07700900999"
        try:
            world.clock.advance(timedelta(minutes=1))
            world.deps.handover.take(())
            await here.arrived(2)
        finally:
            PERSON["phone"] = before
    first, second = here.of()
    assert first.id == second.id
    assert opened(first)["disclosure"]["fields"]["phone"] == before
    assert opened(second)["disclosure"]["fields"]["phone"] == "07700900999"
    disclosures = cast("list[Any]", await rows(world, Disclosure))
    attempts = cast("list[Any]", await rows(world, Attempt))
    assert [row.permit_id for row in disclosures] == [row.permit_id for row in attempts]
    assert len({row.permit_id for row in disclosures}) == 2


async def test_after_a_withdrawal_a_retry_carries_nothing_and_the_answer_names_what_was_sent(world: World) -> None:
    async with hub(world) as here:
        here.answers = [503]
        case_id, onward_id = await here.request()
        await here.arrived(1)
        recorded = await here.withdraw(case_id)
        await here.arrived(1, "onward_referral.withdrawn")
        world.clock.advance(timedelta(hours=1))
        # What is claimed together with somebody else's, an hour later, is not this one.
        world.deps.handover.room = lambda _endpoint: 0
        _, other_id = await here.request()
        await here.arrived(2)
        async with world.db.reading() as tx:
            passages = await list_passages(tx, world.deps, case_id, None, 10)
            receipts = await list_receipts(tx, caller(), onward_id, None, 10)
            account = await account_of(tx, [case_id])
    assert [each.onward_id for each in here.of()] == [onward_id, other_id]
    assert len(world.intake.asked) == 2
    disclosure, _ = cast("list[Any]", await rows(world, Disclosure))
    assert [(each.id, each.delivery_id) for each in recorded.disclosures] == [(disclosure.id, disclosure.delivery_id)]
    # It counts as disclosed although the partner answered 503: nobody knows what it did with the body.
    assert [each.onward_referral_id for each in recorded.acknowledgements] == [onward_id]
    assert [(each.id, each.delivery_id) for each in passages] == [(disclosure.id, disclosure.delivery_id)]
    assert [each.id for each in receipts] == [disclosure.id]
    carried = orjson.loads(here.of("onward_referral.withdrawn")[0].body)["data"]
    assert "disclosure" not in carried
    assert carried["acknowledge_by"]
    lines = {line.what: line.codes for line in account.lines}
    assert lines["disclosure"]["delivery_id"] == str(disclosure.delivery_id)
    assert [line.codes["payload"] for line in account.lines if line.what == "attempt"] == ["full", "thin"]
    told = [Told("partners", line) for line in account.lines]
    words = "\n".join(text(Account([], [case_id], told, account.names)))
    assert f"was sent, by webhook {disclosure.delivery_id}, given_name, family_name" in words
    assert f"onward_referral.sent of {onward_id} sent with the disclosure to Test counselling" in words


async def test_a_withdrawal_while_intake_answers_stops_it(world: World) -> None:
    async with hub(world) as here:
        case_id = await world.open_case(consent())

        async def withdraw() -> None:
            world.intake.before = None
            await world.triage(case_id, 2, consent("withdrawn", recorded_at=NOW))

        world.intake.before = withdraw
        await world.request(case_id)
        await until(lambda: _settled(world))
    assert here.of() == []
    assert await rows(world, Disclosure) == []
    assert [(row.type, row.state) for row in cast("list[Any]", await rows(world, Delivery))][:1] == [
        ("onward_referral.sent", "stopped")
    ]


async def _settled(world: World) -> bool:
    permits = cast("list[Any]", await rows(world, Permit))
    return bool(permits) and all(permit.settled_at is not None for permit in permits)


async def test_an_agreement_that_says_thin_by_then_is_kept_to(world: World) -> None:
    async with hub(world) as here:

        async def narrow() -> None:
            async with world.db.transaction() as tx:
                await registry.change_agreement(tx, world.agreements["counselling"], {"delivery": "thin"})

        world.intake.before = narrow
        await here.request()
        await here.arrived(1)
    assert "disclosure" not in orjson.loads(here.of()[0].body)["data"]
    assert await rows(world, Disclosure) == []
    assert await here.attempts() == [("thin", None, 200)]


@pytest.mark.parametrize(("delivery", "because"), [("thin", None), ("full", "no_encryption_key")])
async def test_without_agreement_or_key_it_is_thin_and_intake_is_not_asked(
    partners: Running, delivery: str, because: str | None
) -> None:
    security = Secured() if delivery == "full" else secured()
    async with hub(partners, security, delivery) as here:
        await here.request()
        await here.arrived(1)
        path = f"/v1/agreements/{partners.agreements['counselling']}"
        warned = (await partners.call("GET", path, "agreements:read")).json()["warnings"]
        listed = (await partners.call("GET", "/v1/webhook-deliveries", "webhooks:manage")).json()["items"]
        shown = await partners.call("GET", f"/v1/webhook-deliveries/{listed[0]['id']}", "webhooks:manage")
        async with partners.db.transaction() as tx:
            await tx.run(update(Endpoint).values(encryption_key=dict(secured().encryption_key or {})))
        with_key = (await partners.call("GET", path, "agreements:read")).json()["warnings"]
    assert partners.intake.asked == []
    assert "disclosure" not in orjson.loads(here.of()[0].body)["data"]
    assert await here.attempts() == [("thin", because, 200)]
    assert [(each["payload"], each["thin_because"]) for each in shown.json()["made"]] == [("thin", because)]
    assert [each["pointer"] for each in warned if each["code"] == "no_encryption_key"] == (
        ["/delivery"] if because else []
    )
    assert [each for each in with_key if each["code"] == "no_encryption_key"] == []


async def test_what_is_too_large_goes_thin_and_is_no_disclosure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry, "MOST_BYTES", 1500)
    async with hub(world) as here:
        _, onward_id = await here.request()
        await here.arrived(1)
        assert await here.attempts() == [("thin", "too_large", 200)]
        assert await rows(world, Disclosure) == []
        assert (await world.row(onward_id)).version == 2
        monkeypatch.undo()
        await here.request()
        await here.arrived(2)
    assert len(here.of()[1].body) > 1500
    assert [len(await rows(world, model)) for model in (Disclosure, Attempt)] == [1, 2]


async def test_while_intake_is_away_it_waits_and_costs_no_attempt(world: World) -> None:
    async with hub(world) as here:
        world.intake.is_away = True
        await here.request()

        async def waits() -> bool:
            [row] = cast("list[Any]", await rows(world, Delivery))
            return (row.state, row.reason, row.lease_token) == ("queued", "details_unavailable", None)

        await until(waits)
        [row] = cast("list[Any]", await rows(world, Delivery))
        assert (row.attempts, row.due_at) == (0, NOW + timedelta(seconds=5))
        assert await rows(world, Disclosure) == []
        assert await _settled(world)
        world.intake.is_away = False
        world.clock.advance(timedelta(seconds=6))
        world.deps.handover.take(())
        await here.arrived(1)
    [row] = cast("list[Any]", await rows(world, Delivery))
    assert (row.state, row.reason, row.attempts) == ("delivered", None, 1)
    assert await here.attempts() == [("full", None, 200)]


async def test_what_waited_for_intake_too_long_is_parked(world: World) -> None:
    async with hub(world) as here:
        here.answers = [503]
        await here.request()
        await here.arrived(1)
        world.intake.is_away = True
        world.clock.advance(timedelta(hours=76))
        world.deps.handover.take(())

        async def parked() -> bool:
            [row] = cast("list[Any]", await rows(world, Delivery))
            return (row.state, row.reason) == ("parked", "details_unavailable")

        await until(parked)


async def test_a_permit_that_is_over_serves_no_more(world: World) -> None:
    """A process that stood still between permit and sending asks for another, and records nothing under the old one."""
    async with hub(world, Secured()) as here:
        taken: list[Outgoing] = []
        world.deps.handover.take = taken.extend
        await here.request()
        async with world.db.transaction() as tx:
            await tx.run(update(Endpoint).values(encryption_key=dict(secured().encryption_key or {})))
        [outgoing] = taken
        late = replace(outgoing, encryption_key=secured().encryption_key, start_by=time.monotonic())
        assert await load(world.db, world.deps, late) == Held()
        assert await rows(world, Disclosure) == []
        filled = await load(world.db, world.deps, replace(late, start_by=time.monotonic() + 10))
        assert isinstance(filled, Load)
        assert (filled.payload, filled.because) == ("full", None)
        assert "disclosure" not in repr(filled)


async def test_an_amendment_carries_it_and_counts_as_fetched_once_it_has_arrived(world: World) -> None:
    async with hub(world) as here:
        here.answers = [200, 503]
        case_id, _ = await here.request()
        await here.arrived(1)
        world.intake.version = 2
        await correct(world, corrected(case_id, 2, phone=2))
        await here.arrived(1, "onward_referral.amended")
        assert [row.fetched_at for row in cast("list[Any]", await rows(world, Amendment))] == [None]
        world.clock.advance(timedelta(minutes=1))
        world.deps.handover.take(())
        await here.arrived(2, "onward_referral.amended")
    [amendment] = cast("list[Any]", await rows(world, Amendment))
    assert amendment.fetched_at is not None
    for received in here.of("onward_referral.amended"):
        assert opened(received)["disclosure"]["fields"]["given_name"] == "Alex"
        assert orjson.loads(received.body)["data"]["number"] == 1
    assert [row.referral_version for row in cast("list[Any]", await rows(world, Disclosure))] == [1, 2, 2]


async def test_what_changes_while_intake_answers_is_amended_at_once(world: World) -> None:
    async with hub(world) as here:
        case_id = await world.open_case(consent())

        async def change() -> None:
            world.intake.before = None
            await correct(world, corrected(case_id, 2, phone=2))

        world.intake.before = change
        await world.request(case_id)
        await here.arrived(1, "onward_referral.amended")
    assert [row.fields for row in cast("list[Any]", await rows(world, Amendment))] == [["phone"]]


async def test_a_reminder_stays_thin(world: World) -> None:
    async with hub(world) as here:
        _, onward_id = await here.request()
        await here.arrived(1)
        row = await world.row(onward_id)
        async with world.db.transaction() as tx:
            await tell_allowed(tx, world.deps, REMINDER, [row], {onward_id: 1})
        await here.arrived(1, REMINDER)
    assert "disclosure" not in orjson.loads(here.of(REMINDER)[0].body)["data"]
    assert await here.attempts() == [("full", None, 200), ("thin", None, 200)]


async def test_each_endpoint_is_told_under_a_permit_of_its_own_and_by_its_own_key(world: World) -> None:
    other = OKPKey.generate_key("X25519")
    async with hub(world) as here:
        async with world.db.transaction() as tx:
            await register_verified(tx, world.deps, caller(), f"{here.receiver.url}/other", None, secured(other))
        await here.request()
        await here.arrived(2)
    first, second = sorted(here.of(), key=lambda each: len(each.path))
    assert opened(first)["disclosure"]["hash"] == opened(second, other)["disclosure"]["hash"]
    with pytest.raises((JoseError, ValueError)):
        opened(second)
    disclosures = cast("list[Any]", await rows(world, Disclosure))
    assert len({row.permit_id for row in disclosures}) == len({row.delivery_id for row in disclosures}) == 2


async def test_a_claim_says_what_the_gate_lets_an_attempt_carry(world: World) -> None:
    world.deps.handover.room = lambda _endpoint: 0  # nothing is leased with the request
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], {"delivery": "full"})
        await register_verified(tx, world.deps, caller(), "http://127.0.0.1:9/hook", None, secured())
    case_id = await world.open_case(consent(data_categories=("needs",)))
    await world.request(case_id)
    async with world.db.transaction() as tx:
        [outgoing] = await claim(tx, world.deps, began=time.monotonic(), free=8, room={}, most_each=8)
    assert outgoing.portion == Portion(case_id, DATA_CATEGORIES["needs"])
    assert outgoing.encryption_key is not None
    assert outgoing.encryption_key["kid"] == "k1"
