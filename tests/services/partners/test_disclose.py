"""Disclosures: only through the gate, asked twice, and written down."""

import hashlib
import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Row, select

from hubkit.auth import InternalVerifier
from hubkit.contracts import DisclosureMadeV1
from hubkit.db import table_of
from hubkit.errors import ForbiddenError, NotFoundError, UnavailableError
from hubkit.ids import new_id
from services.partners.actions.disclose import Disclosed, read_onward_referral
from services.partners.actions.permits import PERMIT_LIFETIME
from services.partners.model import Status
from services.partners.store import registry
from services.partners.tables.cases import Disclosure, Permit
from tests.services.partners.support import NOW, World, caller, consent
from tests.services.partners.test_onward import add_endpoint


async def read(world: World, onward_id: UUID, kind: str = "counselling") -> Disclosed:
    return await read_onward_referral(world.db, world.deps, caller(kind), onward_id)


async def rows(world: World, model: type) -> list[Row[tuple[object, ...]]]:
    async with world.db.reading() as tx:
        return list(await tx.rows(select(table_of(model)).order_by(table_of(model).c.id)))


async def test_what_the_gate_allows_is_disclosed_and_recorded(world: World) -> None:
    onward_id = await world.request(await world.open_case(consent(data_categories=("identity", "needs"))))
    disclosed = await read(world, onward_id)
    names = ["given_name", "family_name", "date_of_birth", "language", "role", "needs", "markers"]
    assert world.intake.asked == [{"referral_id": str(disclosed.row.referral_id), "fields": names}]
    assert disclosed.fields["given_name"] == "Alex"
    canonical = json.dumps(disclosed.fields, sort_keys=True, separators=(",", ":")).encode()
    assert disclosed.hash == hashlib.sha256(canonical).hexdigest()
    [record] = await rows(world, Disclosure)
    assert (record.id, record.fields, record.hash) == (disclosed.id, names, disclosed.hash)
    assert (record.basis, record.agreement_id) == ("consent", world.agreements["counselling"])
    assert (record.agreement_version, len(record.consent_ids)) == (1, 1)
    assert (record.client_id, record.referral_version) == ("client-counselling", 1)
    permit = (await rows(world, Permit))[-1]
    assert (permit.id, permit.settled_at) == (record.permit_id, NOW)
    made = (await world.said(onward_id))[-1]
    assert isinstance(made, DisclosureMadeV1)
    assert made.fields == tuple(names)


async def test_no_value_stands_in_any_row_or_event(world: World) -> None:
    onward_id = await world.request(await world.open_case(consent()))
    disclosed = await read(world, onward_id)
    said = " ".join(each.model_dump_json() for each in await world.said(onward_id))
    for text in (said, repr(disclosed), repr(await rows(world, Disclosure)), repr(await rows(world, Permit))):
        for value in ("Alex", "Example", "07700900123"):
            assert value not in text


async def test_intake_is_asked_with_a_token_for_that_alone(world: World) -> None:
    await read(world, await world.request(await world.open_case(consent())))
    verifier = InternalVerifier(world.deps.issuer.public_jwks(), audience="intake", clock=world.clock)
    asking = verifier.verify(world.intake.tokens[0])
    assert (asking.issuer, asking.client_id, asking.organisation) == (
        "partners",
        "client-counselling",
        "org-counselling",
    )
    assert asking.scopes == {"person:read"}


async def test_reading_before_the_webhooks_answer_is_written_counts_as_sent(world: World) -> None:
    await add_endpoint(world)
    onward_id = await world.request(await world.open_case(consent()))
    disclosed = await read(world, onward_id)
    assert (disclosed.row.status, disclosed.row.version) == (Status.RECEIVED, 3)


async def test_another_partners_is_not_found(world: World) -> None:
    await world.add_partner("idva")
    onward_id = await world.request(await world.open_case(consent()))
    for who in ("idva", "nobody"):
        with pytest.raises(NotFoundError):
            await read(world, onward_id, who)
    with pytest.raises(NotFoundError):
        await read(world, new_id())
    assert world.intake.asked == []


async def test_what_was_never_allowed_is_not_found(world: World) -> None:
    case_id = await world.open_case()
    onward_id = await world.request(case_id)
    with pytest.raises(NotFoundError):
        await read(world, onward_id)
    await world.exclude(case_id)
    with pytest.raises(NotFoundError):
        await read(world, onward_id)


async def test_after_a_withdrawal_nothing_is_disclosed(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.triage(case_id, 2, consent("withdrawn", recorded_at=NOW))
    with pytest.raises(ForbiddenError) as refused:
        await read(world, onward_id)
    assert refused.value.reason == "consent_withdrawn"
    assert [error.code for error in refused.value.errors] == ["consent_withdrawn"]
    assert world.intake.asked == []


async def test_a_withdrawal_while_intake_answers_stops_the_disclosure(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)

    async def withdraw() -> None:
        await world.triage(case_id, 2, consent("withdrawn", recorded_at=NOW))

    world.intake.before = withdraw
    with pytest.raises(ForbiddenError) as refused:
        await read(world, onward_id)
    assert refused.value.reason == "consent_withdrawn"
    assert await rows(world, Disclosure) == []
    assert all(permit.settled_at is not None for permit in await rows(world, Permit))


async def test_an_agreement_that_ends_at_midnight_stops_the_next_reading(world: World) -> None:
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], {"ends_on": NOW.date()})
    onward_id = await world.request(await world.open_case(consent()))
    await read(world, onward_id)
    world.clock.advance(timedelta(hours=15))
    with pytest.raises(ForbiddenError) as refused:
        await read(world, onward_id)
    assert refused.value.reason == "agreement_expired"
    assert (await world.row(onward_id)).status is Status.RECEIVED


async def test_a_narrower_consent_narrows_the_next_reading(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    assert "phone" in (await read(world, onward_id)).fields
    await world.triage(case_id, 2, consent(data_categories=("needs",), recorded_at=NOW))
    assert set((await read(world, onward_id)).fields) == {"needs", "markers"}


async def test_when_intake_is_away_nothing_is_recorded_and_the_permit_is_settled(world: World) -> None:
    """Row 45 of the fault matrix, for who comes to read."""
    onward_id = await world.request(await world.open_case(consent()))
    world.intake.is_away = True
    with pytest.raises(UnavailableError):
        await read(world, onward_id)
    assert await rows(world, Disclosure) == []
    assert all(permit.settled_at is not None for permit in await rows(world, Permit))


async def test_a_reading_that_outlives_its_permit_discloses_nothing(world: World) -> None:
    onward_id = await world.request(await world.open_case(consent()))

    async def stand_still() -> None:
        world.clock.advance(PERMIT_LIFETIME)

    world.intake.before = stand_still
    with pytest.raises(UnavailableError):
        await read_onward_referral(world.db, world.deps, caller(), onward_id)
    world.intake.before = None
    assert (await read_onward_referral(world.db, world.deps, caller(), onward_id)).basis == "consent"
    assert len(await rows(world, Disclosure)) == 1
