"""Reminders before the next service is asked, and services chosen by the room that they say they have."""

from datetime import datetime, timedelta
from typing import Any

from hubkit.contracts.agreement import CapacityFacts
from hubkit.contracts.profile import Within
from services.routing import store
from tests.services.routing.support import HOURS, NOW, World, id_of, news, only, with_rules
from tests.services.routing.test_actions import REQUESTED, types

CHASED = "onward_referral.chased.v1"


async def test_who_does_not_answer_is_reminded_once_before_the_next_is_asked(world: World) -> None:
    world = with_rules(world, chase_after=Within(amount=1, unit="hours"), answer_within=Within(amount=2, unit="hours"))
    await world.list_services(2)
    case, request = await world.asked()
    await world.hear(news(request, "sent", 2))
    assert await world.chase() == []
    world.clock.advance(HOURS)
    [chased] = await world.chase()
    assert (chased["type"], id_of(chased), chased["answer_due_at"]) == (CHASED, id_of(request), "2026-11-20T11:00:00Z")
    assert chased["partner_id"] == request["partner_id"]
    await world.hear(news(request, "received", 3, at=NOW + HOURS))
    assert await world.chase() == []
    assert await world.pass_over() == []
    world.clock.advance(HOURS)
    assert types(await world.pass_over()).count(REQUESTED) == 1
    assert (await world.pathway(case)).chase_due_at is None


async def test_who_answers_is_not_reminded(world: World) -> None:
    world = with_rules(world, chase_after=Within(amount=1, unit="hours"))
    await world.list_services(1)
    _, request = await world.asked()
    await world.hear(news(request, "sent", 2), news(request, "accepted", 3))
    world.clock.advance(2 * HOURS)
    assert await world.chase() == []


def capacity(as_of: datetime = NOW, **said: Any) -> CapacityFacts:
    return CapacityFacts(**({"open": True, "places": 3, "as_of": as_of} | said))


async def test_where_the_hub_wants_it_services_with_room_are_asked_first(world: World) -> None:
    world = with_rules(world, prefers_capacity=True)
    full, unknown, waiting, free = await world.list_services(4)
    for listed, said in ((full, {"open": False, "places": None}), (waiting, {"waiting_weeks": 6}), (free, {})):
        await world.hear(listed.model_copy(update={"capacity": capacity(**said)}))
    case, request = await world.asked()
    candidates = (await world.pathway(case)).candidates
    wanted = [(free, ()), (unknown, ()), (waiting, ("waiting",)), (full, ("no_capacity",))]
    assert [(c.service_id, c.reasons) for c in candidates] == [(each.service_id, why) for each, why in wanted]
    assert all(c.eligible for c in candidates)
    assert request["service_id"] == str(free.service_id)


async def test_what_was_said_of_room_long_ago_or_in_a_hub_that_does_not_ask_does_not_count(world: World) -> None:
    for rules, as_of in (({"prefers_capacity": True}, NOW - timedelta(days=15)), ({}, NOW)):
        hub = with_rules(world, **rules)
        first, second = await hub.list_services(2, kind="idva" if rules else "isva")
        await hub.hear(first.model_copy(update={"capacity": capacity(as_of, open=False, places=None)}))
        _, said = await hub.open(needs=(first.kind,))
        request = only(said, REQUESTED)
        assert request["service_id"] == str(first.service_id)
        assert second.service_id != first.service_id


async def test_capacity_goes_by_its_own_moment_in_whatever_order_it_arrives(world: World) -> None:
    [listed] = await world.list_services(1)
    changed = listed.model_copy(update={"version": 2, "preference": 7})
    later = listed.model_copy(update={"capacity": capacity(NOW, places=0)})
    earlier = listed.model_copy(update={"version": 3, "capacity": capacity(NOW - HOURS)})
    for each in (changed, later, earlier, later, changed):
        await world.hear(each)
    async with world.db.reading() as tx:
        [found] = await store.find_services(tx, {listed.service_id})
    assert found.capacity is not None
    assert (found.capacity.places, found.capacity.as_of) == (0, NOW)
