"""What batches of events do to the pathways, and what routing says about them."""

from typing import Any
from uuid import UUID

import pytest

from hubkit.contracts import AgreementChangedV1, CaseAssessedV1, ServiceListedV1
from hubkit.ids import new_id
from services.routing.model import PathwayStatus
from tests.services.routing.support import (
    HOURS,
    NOW,
    World,
    consent,
    excluded,
    id_of,
    news,
    only,
    opened,
    triaged,
    with_clock,
)

REQUESTED, PROPOSED, RECALLED = "onward_referral.requested.v1", "pathway.proposed.v1", "onward_referral.recalled.v1"


def types(said: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in said]


async def changed_agreement(world: World, partner_id: UUID, version: int = 2) -> list[dict[str, Any]]:
    changed = AgreementChangedV1(
        agreement_id=new_id(), partner_id=partner_id, version=version, status="active", starts_on=NOW.date()
    )
    return await world.hear(changed)


async def test_a_case_asks_the_first_service_for_each_need(world: World) -> None:
    counselling = await world.list_services(2)
    [idva] = await world.list_services(kind="idva")
    case, said = await world.open(needs=("counselling", "idva", "isva"))
    requests = {each["kind"]: each for each in said if each["type"] == REQUESTED}
    assert {kind: each["service_id"] for kind, each in requests.items()} == {
        "counselling": str(counselling[0].service_id),
        "idva": str(idva.service_id),
    }
    assert {each["need"]: each["status"] for each in said if each["type"] == PROPOSED} == {
        "counselling": "requested", "idva": "requested", "isva": "no_candidate",
    }  # fmt: skip
    assert requests["idva"]["referral_id"] == str(case.referral_id)


async def test_an_older_or_repeated_version_of_a_case_asks_nobody_twice(world: World) -> None:
    await world.list_services()
    case, _ = await world.open(version=2)
    assert await world.hear(opened(**(dict(case) | {"version": 1}))) == []
    assert await world.hear(triaged(case, 3)) == []


async def test_needs_of_a_case_that_is_not_known_wait(world: World) -> None:
    await world.list_services()
    case = opened(needs=())
    assessed = CaseAssessedV1(case_id=case.case_id, referral_id=case.referral_id, version=2, needs=("counselling",))
    assert [each.reason for each in await world.deferred(assessed)] == ["case not known yet"]
    await world.hear(case)
    assert REQUESTED in types(await world.hear(assessed))


async def test_a_batch_costs_the_same_statements_whatever_its_size(world: World) -> None:
    await world.list_services(2)
    sizes = []
    for size in (2, 40):
        with world.counted() as opening:
            said = await world.hear(*(opened() for _ in range(size)))
        requests = [each for each in said if each["type"] == REQUESTED]
        with world.counted() as following:
            await world.hear(*(news(each, "declined", 3, "capacity_full") for each in requests))
        sizes.append((len(opening), len(following)))
    assert sizes[0] == sizes[1]
    assert max(sizes[0]) <= 6


async def test_sending_costs_nothing_where_no_answer_is_waited_for(world: World) -> None:
    await world.list_services()
    case, request = await world.asked()
    before = await world.pathway(case)
    with world.counted() as statements:
        assert await world.hear(news(request, "sent", 2)) == []
    assert statements == []
    assert await world.pathway(case) == before


async def test_consent_that_was_waited_for_makes_the_pathway_requested_again(world: World) -> None:
    await world.list_services()
    case, request = await world.asked()
    said = await world.hear(news(request, "awaiting_consent", 1, "consent_missing"))
    assert [each["status"] for each in said] == ["awaiting_consent"]
    await world.hear(consent(case))
    assert (await world.pathway(case)).status is PathwayStatus.AWAITING_CONSENT
    said = await world.hear(news(request, "sent", 3))
    assert [(each["type"], each["status"]) for each in said] == [(PROPOSED, "requested")]
    # What was said before it and comes after it changes nothing.
    assert await world.hear(news(request, "awaiting_consent", 1, "consent_missing")) == []
    assert (await world.pathway(case)).status is PathwayStatus.REQUESTED


async def test_news_may_come_in_any_order_and_twice(world: World) -> None:
    world = with_clock(world)
    await world.list_services(2)
    case, request = await world.asked()
    await world.hear(news(request, "in_support", 4))
    for late in (news(request, "sent", 2), news(request, "accepted", 3), news(request, "in_support", 4)):
        assert await world.hear(late) == []
    pathway = await world.pathway(case)
    assert (pathway.status, pathway.answer_due_at) == (PathwayStatus.ACCEPTED, None)
    assert [each["status"] for each in await world.hear(news(request, "closed", 5))] == ["closed"]


async def test_a_decline_asks_the_next_and_news_of_the_first_is_over(world: World) -> None:
    first, second = await world.list_services(2)
    case, request = await world.asked()
    said = await world.hear(news(request, "declined", 3, "capacity_full"))
    assert only(said, REQUESTED)["service_id"] == str(second.service_id)
    proposed = only(said, PROPOSED)
    assert proposed["candidates"][0]["reasons"] == ["capacity_full", "outcome_declined"]
    assert await world.hear(news(request, "sent", 2)) == []
    assert (await world.pathway(case)).onward_referral_id == id_of(only(said, REQUESTED))
    assert first.service_id == (await world.pathway(case)).candidates[0].service_id


async def test_who_declined_is_not_asked_again_when_agreement_or_listing_changes(world: World) -> None:
    [service] = await world.list_services()
    case, request = await world.asked()
    await world.hear(news(request, "declined", 3, "capacity_full"))
    assert await changed_agreement(world, service.partner_id) == []
    assert await world.hear(service.model_copy(update={"version": 2})) == []
    assert (await world.pathway(case)).status is PathwayStatus.EXHAUSTED
    [another] = await world.list_services()
    pathway = await world.pathway(case)
    assert [(c.service_id, c.outcome) for c in pathway.candidates] == [
        (service.service_id, "declined"), (another.service_id, "asked"),
    ]  # fmt: skip


async def test_whom_the_gate_refused_is_asked_again_when_the_agreement_changes(world: World) -> None:
    [service] = await world.list_services()
    case, request = await world.asked()
    await world.hear(news(request, "refused", 1, "agreement_expired"))
    said = await changed_agreement(world, service.partner_id)
    again = only(said, REQUESTED)
    assert (again["service_id"], again["pathway_id"]) == (str(service.service_id), request["pathway_id"])
    assert again["onward_referral_id"] != request["onward_referral_id"]
    assert only(said, PROPOSED)["version"] == (await world.pathway(case)).version == 3


async def test_every_pathway_without_anybody_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.routing.actions.directory._REVIVE_STEP", 2)
    await world.hear(*(opened() for _ in range(5)))
    listed = ServiceListedV1(service_id=new_id(), partner_id=new_id(), version=1, kind="counselling", status="active")
    assert types(await world.hear(listed)).count(REQUESTED) == 5


async def test_a_correction_of_the_case_finds_somebody(world: World) -> None:
    await world.list_services(min_age=18)
    case, said = await world.open(age=17)
    assert types(said) == [PROPOSED]
    assert await world.hear(triaged(case, 2, age=17)) == []
    assert REQUESTED in types(await world.hear(triaged(case, 3, age=18)))


async def test_an_excluded_case_stops_and_begins_again_when_it_is_open_again(world: World) -> None:
    await world.list_services()
    case, request = await world.asked()
    assert [each["status"] for each in await world.hear(excluded(case, 2))] == ["stopped"]
    await world.hear(news(request, "withdrawn", 3, "case_excluded"))
    assert await world.hear(consent(case)) == []
    assert only(await world.hear(triaged(case, 3)), REQUESTED)["kind"] == "counselling"


async def test_consent_given_again_opens_the_pathway_again(world: World) -> None:
    first, _ = await world.list_services(2)
    case, request = await world.asked()
    await world.hear(news(request, "accepted", 3))
    said = await world.hear(news(request, "withdrawn", 4, "consent_withdrawn"))
    assert [each["status"] for each in said] == ["stopped"]
    for other in (
        consent(case, "refused"),
        consent(case, hop="police_to_hub"),
        consent(case, recipients=("isva",)),
        consent(opened()),
    ):
        assert await world.hear(other) == []
    world.clock.advance(HOURS)
    said = await world.hear(consent(case))
    again = only(said, REQUESTED)
    assert again["service_id"] == str(first.service_id)
    assert again["onward_referral_id"] != request["onward_referral_id"]
    assert only(said, PROPOSED)["status"] == "requested"
    assert [each["status"] for each in await world.hear(news(again, "accepted", 3))] == ["accepted"]


async def test_consent_that_is_heard_of_before_the_withdrawal_that_it_follows_counts(world: World) -> None:
    await world.list_services()
    case, request = await world.asked()
    world.clock.advance(HOURS)
    assert await world.hear(consent(case)) == []
    said = await world.hear(news(request, "withdrawn", 3, "consent_withdrawn", at=NOW))
    assert only(said, REQUESTED)["kind"] == "counselling"


async def test_who_does_not_answer_in_time_is_recalled_and_the_next_is_asked(world: World) -> None:
    world = with_clock(world)
    _, second = await world.list_services(2)
    case, request = await world.asked()
    assert await world.hear(news(request, "sent", 2)) == []
    assert (await world.pathway(case)).answer_due_at == NOW + 2 * HOURS
    assert await world.pass_over() == []
    world.clock.advance(3 * HOURS)
    said = await world.pass_over()
    assert (only(said, RECALLED)["reason"], id_of(only(said, RECALLED))) == ("no_answer", id_of(request))
    assert only(said, REQUESTED)["service_id"] == str(second.service_id)
    assert await world.pass_over() == []


@pytest.mark.parametrize("order", [("sent", "received"), ("received", "sent")])
async def test_the_clock_runs_from_the_first_news_that_the_partner_was_told(
    world: World, order: tuple[str, str]
) -> None:
    world = with_clock(world)
    await world.list_services(2)
    case, request = await world.asked()
    versions = {"sent": 2, "received": 3}
    await world.hear(news(request, order[0], versions[order[0]]))
    world.clock.advance(HOURS)
    await world.hear(news(request, order[1], versions[order[1]], at=NOW + HOURS))
    pathway = await world.pathway(case)
    assert (pathway.status, pathway.answer_due_at) == (PathwayStatus.REQUESTED, NOW + 2 * HOURS)


async def test_partners_answer_to_a_recall_is_no_news(world: World) -> None:
    world = with_clock(world)
    await world.list_services(2)
    case, first = await world.asked()
    await world.hear(news(first, "sent", 2))
    world.clock.advance(3 * HOURS)
    second = only(await world.pass_over(), REQUESTED)
    for again in range(2):
        assert await world.hear(news(first, "expired", 3 + again, "no_answer")) == []
    pathway = await world.pathway(case)
    assert (pathway.onward_referral_id, pathway.candidates[0].outcome) == (id_of(second), "no_answer")


@pytest.mark.parametrize(
    ("reason", "asks_next"), [("wrong_service", True), ("not_needed", False), ("sent_in_error", False)]
)
async def test_what_staff_recall_goes_to_the_next_unless_nobody_is_needed(
    world: World, reason: str, asks_next: bool
) -> None:
    await world.list_services(2)
    case, first = await world.asked()
    said = await world.hear(news(first, "recalled", 3, reason))
    assert types(said).count(REQUESTED) == int(asks_next)
    assert types(said).count(RECALLED) == 0
    pathway = await world.pathway(case)
    assert pathway.status is (PathwayStatus.REQUESTED if asks_next else PathwayStatus.STOPPED)
    assert (pathway.candidates[0].outcome, pathway.candidates[0].reasons) == ("taken_back", (reason,))


async def test_a_late_acceptance_recalls_the_one_asked_meanwhile(world: World) -> None:
    world = with_clock(world)
    await world.list_services(2)
    case, first = await world.asked()
    await world.hear(news(first, "sent", 2))
    world.clock.advance(3 * HOURS)
    second = only(await world.pass_over(), REQUESTED)
    await world.hear(news(second, "sent", 2))
    said = await world.hear(news(first, "accepted", 3))
    recalled = only(said, RECALLED)
    assert (id_of(recalled), recalled["reason"]) == (id_of(second), "accepted_elsewhere")
    assert only(said, PROPOSED)["status"] == "accepted"
    assert types(said).count(REQUESTED) == 0
    # The recall is answered, or crossed by an acceptance: the first keeps the person, and the clock stands still.
    for late in (news(second, "accepted", 3), news(second, "withdrawn", 4, "accepted_elsewhere")):
        assert await world.hear(late) == []
    world.clock.advance(9 * HOURS)
    assert await world.pass_over() == []
    pathway = await world.pathway(case)
    assert (pathway.status, pathway.onward_referral_id) == (PathwayStatus.ACCEPTED, id_of(first))


async def test_a_late_acceptance_after_another_one_is_recalled(world: World) -> None:
    world = with_clock(world)
    await world.list_services(2)
    case, first = await world.asked()
    await world.hear(news(first, "sent", 2))
    world.clock.advance(3 * HOURS)
    second = only(await world.pass_over(), REQUESTED)
    await world.hear(news(second, "accepted", 3))
    recalled = only(await world.hear(news(first, "accepted", 3)), RECALLED)
    assert (id_of(recalled), recalled["reason"]) == (id_of(first), "accepted_elsewhere")
    assert (await world.pathway(case)).onward_referral_id == id_of(second)


async def test_what_is_asked_and_taken_back_in_one_batch_is_said_in_this_order(world: World) -> None:
    world = with_clock(world)
    await world.list_services(3)
    _, first = await world.asked()
    await world.hear(news(first, "sent", 2))
    world.clock.advance(3 * HOURS)
    second = only(await world.pass_over(), REQUESTED)
    said = await world.hear(news(second, "declined", 3, "capacity_full"), news(first, "accepted", 4))
    assert types(said) == [REQUESTED, RECALLED, PROPOSED]
    assert id_of(said[0]) == id_of(said[1])
