"""Onward referrals through the actions, on both databases."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event as events
from sqlalchemy import func, select

from hubkit.contracts import (
    OnwardReferralRecalledV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
)
from hubkit.db import table_of
from hubkit.errors import ForbiddenError
from hubkit.ids import new_id
from services.partners.actions import disclose
from services.partners.actions.answers import Answer, answer
from services.partners.actions.onward import mark_sent, recall_onward, refuse, request_onward
from services.partners.actions.permits import permits_for, settle_permits
from services.partners.model import Status
from services.partners.store import registry
from services.partners.tables.cases import Consent, OnwardReferral, Permit
from services.partners.tables.delivery import Delivery
from tests.services.partners.delivery_support import register_verified
from tests.services.partners.support import NOW, World, caller, consent, event


async def add_endpoint(world: World, kind: str = "counselling") -> None:
    async with world.db.transaction() as tx:
        await register_verified(tx, world.deps, caller(kind), "http://127.0.0.1:9/hook", None)


async def deliveries(world: World) -> list[tuple[UUID, str, str]]:
    table = table_of(Delivery)
    query = select(table.c.onward_referral_id, table.c.type, table.c.state).order_by(table.c.id)
    async with world.db.reading() as tx:
        return [tuple(row) for row in await tx.rows(query)]


async def count(world: World, model: type) -> int:
    async with world.db.reading() as tx:
        row = await tx.row(select(func.count()).select_from(table_of(model)))
        assert row is not None
        return int(row[0])


async def test_with_consent_and_no_endpoint_it_waits_in_the_partners_inbox(world: World) -> None:
    onward_id = await world.request(await world.open_case(consent()))
    row = await world.row(onward_id)
    assert (row.status, row.version, row.sent_at) == (Status.SENT, 2, NOW)
    [sent] = await world.said(onward_id)
    assert isinstance(sent, OnwardReferralSentV1)
    assert (sent.status, sent.version, sent.partner_id) == ("sent", 2, world.partners["counselling"])


async def test_with_an_endpoint_it_is_queued_and_not_sent_yet(world: World) -> None:
    await add_endpoint(world)
    handed: list[object] = []
    world.deps.handover.take = handed.extend
    onward_id = await world.request(await world.open_case(consent()))
    assert (await world.row(onward_id)).status is Status.READY
    assert await world.said(onward_id) == []
    assert await deliveries(world) == [(onward_id, "onward_referral.sent", "queued")]
    assert len(handed) == 1


async def test_without_consent_nothing_goes_out_and_it_says_why(world: World) -> None:
    await add_endpoint(world)
    onward_id = await world.request(await world.open_case())
    row = await world.row(onward_id)
    assert (row.status, row.reasons) == (Status.AWAITING_CONSENT, ("consent_missing",))
    [refused] = await world.said(onward_id)
    assert isinstance(refused, OnwardReferralRefusedV1)
    assert (refused.status, refused.reasons) == ("awaiting_consent", ("consent_missing",))
    assert await deliveries(world) == []
    assert await count(world, Permit) == 0


async def test_an_agreement_that_ended_yesterday_refuses(world: World) -> None:
    await world.add_partner("idva", ends_on=(NOW - timedelta(days=1)).date())
    case_id = await world.open_case(consent(recipients=("idva",)))
    onward_id = await world.request(case_id, "idva")
    [refused] = await world.said(onward_id)
    assert (refused.status, refused.reasons) == ("refused", ("agreement_expired",))


async def test_a_request_for_an_unknown_case_is_deferred_and_the_others_stand(world: World) -> None:
    """Row 43 of the fault matrix: what builds on an event that has not come waits for it."""
    known = world.requested(await world.open_case(consent()))
    unknown = world.requested(new_id())
    [deferred] = await world.take(unknown, known)
    assert deferred.reason == "the case is not known yet"
    assert (await world.row(known.onward_referral_id)).status is Status.SENT


async def test_the_same_request_again_changes_nothing(world: World) -> None:
    data = world.requested(await world.open_case(consent()))
    await world.take(data, data)
    await world.take(data)
    assert len(await world.said(data.onward_referral_id)) == 1
    assert await count(world, OnwardReferral) == 1


async def test_a_request_for_an_excluded_case_is_refused(world: World) -> None:
    case_id = await world.open_case(consent())
    await world.exclude(case_id)
    assert (await world.row(await world.request(case_id))).reasons == ("case_excluded",)


async def test_a_partner_that_is_not_known_is_refused(world: World) -> None:
    case_id = await world.open_case(consent())
    world.partners["idva"], world.services["idva"] = new_id(), new_id()
    assert "agreement_missing" in (await world.row(await world.request(case_id, "idva"))).reasons


async def test_consent_that_comes_with_a_correction_sends_what_waited(world: World) -> None:
    case_id = await world.open_case()
    onward_id = await world.request(case_id)
    await world.triage(case_id, 2, consent())
    assert (await world.row(onward_id)).status is Status.SENT
    assert [each.status for each in await world.said(onward_id)] == ["awaiting_consent", "sent"]


async def test_a_withdrawal_that_comes_with_a_correction_takes_back(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.triage(case_id, 2, consent(), consent("withdrawn", recorded_at=NOW))
    assert (await world.row(onward_id)).reasons == ("consent_withdrawn",)
    assert isinstance((await world.said(onward_id))[-1], OnwardReferralWithdrawnV1)


async def test_an_older_version_of_a_case_changes_nothing(world: World) -> None:
    """Row 43 of the fault matrix: version 3 comes before version 2 and stands (ADR 0008)."""
    case_id = await world.open_case(consent())
    await world.exclude(case_id, version=3)
    await world.triage(case_id, 2, consent())
    assert (await world.row(await world.request(case_id))).reasons == ("case_excluded",)


async def test_decisions_that_come_again_are_kept_once(world: World) -> None:
    case_id = await world.open_case(consent())
    await world.triage(case_id, 2, consent())
    await world.triage(case_id, 2, consent())
    assert await count(world, Consent) == 1


async def test_a_clock_ahead_of_ours_makes_no_decision_later_than_a_withdrawal(world: World) -> None:
    case_id = await world.open_case(consent(recorded_at=NOW + timedelta(hours=1)))
    world.clock.advance(timedelta(seconds=1))
    await world.triage(case_id, 2, consent("withdrawn", recorded_at=NOW + timedelta(seconds=1)))
    assert (await world.row(await world.request(case_id))).reasons == ("consent_withdrawn",)


async def test_exclusion_withdraws_stops_and_tells_who_may_know(world: World) -> None:
    await add_endpoint(world)
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.exclude(case_id)
    assert (await world.row(onward_id)).reasons == ("case_excluded",)
    assert await deliveries(world) == [
        (onward_id, "onward_referral.sent", "stopped"),
        (onward_id, "onward_referral.withdrawn", "queued"),
    ]


async def test_exclusion_withdraws_what_waits_for_consent_and_tells_nobody(world: World) -> None:
    await add_endpoint(world)
    case_id = await world.open_case()
    onward_id = await world.request(case_id)
    await world.exclude(case_id)
    assert (await world.row(onward_id)).status is Status.WITHDRAWN
    assert await deliveries(world) == []


async def test_closing_withdraws_what_was_not_sent_and_leaves_the_rest_with_the_partners(world: World) -> None:
    await world.add_partner("idva", crimes_excluded=["sexual"])
    await add_endpoint(world)
    case_id = await world.open_case(consent(recipients=("idva",)), crime_category="burglary.residential")
    sent, waiting = await world.request(case_id, "idva"), await world.request(case_id)
    await world.close(case_id)
    assert ((await world.row(sent)).status, (await world.row(waiting)).status) == ("sent", "withdrawn")
    assert (await world.row(waiting)).reasons[0] == "case_closed"
    assert await deliveries(world) == []
    async with world.db.transaction() as tx:
        row = await answer(tx, caller("idva"), sent, Answer("accept", 2))
    assert row.status is Status.ACCEPTED
    read = await disclose.read_onward_referral(world.db, world.deps, caller("idva"), sent)
    assert read.fields["given_name"] == "Alex"


async def test_closing_stops_a_webhook_that_waits_and_tells_who_may_know(world: World) -> None:
    await add_endpoint(world)
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.close(case_id)
    assert (await world.row(onward_id)).reasons == ("case_closed",)
    assert await deliveries(world) == [
        (onward_id, "onward_referral.sent", "stopped"),
        (onward_id, "onward_referral.withdrawn", "queued"),
    ]
    with pytest.raises(ForbiddenError) as refused:
        await disclose.read_onward_referral(world.db, world.deps, caller(), onward_id)
    assert refused.value.reason == "case_closed"


async def test_a_closed_case_refers_to_nobody_until_it_is_triaged_again(world: World) -> None:
    case_id = await world.open_case(consent())
    await world.close(case_id)
    refused = await world.request(case_id)
    assert ((await world.row(refused)).status, (await world.row(refused)).reasons) == ("refused", ("case_closed",))
    await world.triage(case_id, 3, consent())
    assert (await world.row(await world.request(case_id))).status == "sent"
    assert (await world.row(refused)).status == "refused"


async def test_a_withdrawal_reaches_partners_of_a_closed_case(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.close(case_id)
    await world.triage(case_id, 1, consent("withdrawn", recorded_at=NOW))
    row = await world.row(onward_id)
    assert (row.status, row.reasons) == ("withdrawn", ("consent_withdrawn",))


async def test_an_exclusion_of_a_closed_case_takes_back_everything(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await world.close(case_id)
    await world.exclude(case_id, 3)
    assert (await world.row(onward_id)).reasons == ("case_excluded",)


async def test_team_and_basis_are_kept(world: World) -> None:
    case_id = await world.open_case()
    asked = world.requested(case_id).model_copy(update={"team": "fraud"})
    await world.take(asked)
    row = await world.row(asked.onward_referral_id)
    assert (row.team, row.basis) == ("fraud", None)
    await world.triage(case_id, 2, consent())
    assert (await world.row(asked.onward_referral_id)).basis == "consent"


async def test_a_permit_is_for_what_may_be_told_and_ends_after_20_seconds(world: World) -> None:
    await add_endpoint(world)
    allowed = await world.request(await world.open_case(consent()))
    waiting = await world.request(await world.open_case())
    unknown = new_id()
    async with world.db.transaction() as tx:
        answers = await permits_for(tx, world.deps, [allowed, waiting, unknown])
    assert answers[allowed].allowed
    assert (answers[waiting].allowed, answers[waiting].reasons) == (False, ("consent_missing",))
    assert (answers[unknown].allowed, answers[unknown].reasons) == (False, ("not_found",))
    table = table_of(Permit)
    async with world.db.transaction() as tx:
        row = await tx.row(select(table).where(table.c.id == answers[allowed].permit_id))
        assert row is not None
        assert (row.issued_at, row.expires_at, row.settled_at) == (NOW, NOW + timedelta(seconds=20), None)
        assert (row.basis, len(row.consent_ids), row.agreement_version) == ("consent", 1, 1)
        await settle_permits(tx, [row.id])
        row = await tx.row(select(table).where(table.c.id == row.id))
        assert row is not None
        assert row.settled_at == NOW


async def test_an_agreement_suspended_after_queueing_refuses_the_next_attempt(world: World) -> None:
    await add_endpoint(world)
    onward_id = await world.request(await world.open_case(consent()))
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], {"status": "suspended"})
    async with world.db.transaction() as tx:
        answer = (await permits_for(tx, world.deps, [onward_id]))[onward_id]
        assert answer.reasons == ("agreement_suspended",)
        await refuse(tx, world.deps, {onward_id: answer.reasons})
    assert (await world.row(onward_id)).status is Status.REFUSED


async def test_it_is_sent_once_however_often_that_is_reported(world: World) -> None:
    await add_endpoint(world)
    onward_id = await world.request(await world.open_case(consent()))
    for _ in range(2):
        async with world.db.transaction() as tx:
            await mark_sent(tx, world.deps, [onward_id])
    assert [each.version for each in await world.said(onward_id)] == [2]


@pytest.mark.parametrize("size", [1, 40])
async def test_a_batch_takes_as_many_statements_as_one(world: World, size: int) -> None:
    await add_endpoint(world)
    requests = [world.requested(await world.open_case(consent())) for _ in range(size)]
    seen: list[str] = []
    engine = world.db._writer.sync_engine

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    events.listen(engine, "before_cursor_execute", note)
    try:
        async with world.db.transaction() as tx:
            await request_onward(tx, world.deps, [event(data) for data in requests])
    finally:
        events.remove(engine, "before_cursor_execute", note)
    # Begin, cases, agreements, consents, onward referrals, permits, endpoints, deliveries; permits that nobody can use.
    assert len(seen) <= 9, seen


async def test_a_withdrawal_waits_for_the_permit_that_is_being_issued(world: World) -> None:
    """On PostgreSQL by the row lock of the case, on SQLite by its one writer."""
    await add_endpoint(world)
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    order: list[str] = []

    async def withdraw() -> None:
        await world.triage(case_id, 2, consent("withdrawn", recorded_at=NOW))
        order.append("withdrawn")

    async with world.db.transaction() as tx:
        assert (await permits_for(tx, world.deps, [onward_id]))[onward_id].allowed
        withdrawing = asyncio.create_task(withdraw())
        await asyncio.sleep(0.2)
        order.append("permitted")
    await withdrawing
    assert order == ["permitted", "withdrawn"]
    async with world.db.transaction() as tx:
        assert (await permits_for(tx, world.deps, [onward_id]))[onward_id].reasons == ("consent_withdrawn",)


def recalled(onward_id: UUID, case_id: UUID, reason: str = "no_answer") -> OnwardReferralRecalledV1:
    return OnwardReferralRecalledV1(onward_referral_id=onward_id, pathway_id=new_id(), case_id=case_id, reason=reason)


async def test_recalled_one_is_withdrawn_with_its_reason_and_the_partner_is_told(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await add_endpoint(world)
    async with world.db.transaction() as tx:
        assert await recall_onward(tx, world.deps, [event(recalled(onward_id, case_id))]) == []
    row = await world.row(onward_id)
    assert (row.status, row.reasons) == (Status.EXPIRED, ("no_answer",))
    assert isinstance((await world.said(onward_id))[-1], OnwardReferralWithdrawnV1)
    assert await deliveries(world) == [(onward_id, "onward_referral.withdrawn", "queued")]


async def test_recall_of_one_not_known_yet_waits(world: World) -> None:
    case_id = await world.open_case(consent())
    async with world.db.transaction() as tx:
        [deferred] = await recall_onward(tx, world.deps, [event(recalled(new_id(), case_id))])
    assert deferred.reason == "not known yet"


async def test_recall_leaves_what_the_partner_took_up(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    async with world.db.transaction() as tx:
        await answer(tx, caller(), onward_id, Answer("accept", 2))
    async with world.db.transaction() as tx:
        assert await recall_onward(tx, world.deps, [event(recalled(onward_id, case_id))]) == []
    assert (await world.row(onward_id)).status is Status.ACCEPTED


async def test_recall_takes_back_what_two_partners_took_up(world: World) -> None:
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    await add_endpoint(world)
    async with world.db.transaction() as tx:
        await answer(tx, caller(), onward_id, Answer("accept", 2))
    async with world.db.transaction() as tx:
        await recall_onward(tx, world.deps, [event(recalled(onward_id, case_id, "accepted_elsewhere"))])
    row = await world.row(onward_id)
    assert (row.status, row.reasons) == (Status.RECALLED, ("accepted_elsewhere",))
    assert await deliveries(world) == [(onward_id, "onward_referral.withdrawn", "queued")]
