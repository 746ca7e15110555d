"""Wider services, signposting, requests, informed choice, one lead, the end of a case: through the handlers."""

import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubkit.contracts import CaseAssessedV1, CaseOpenedV1, Contract
from hubkit.contracts.profile import LeadProvider
from services.routing import store
from services.routing.model import PENDING, WAITING, PathwayStatus
from tests.services.routing.support import (
    World,
    choice,
    closed,
    consent,
    excluded,
    id_of,
    news,
    only,
    opened,
    triaged,
    with_rules,
)

REQUESTED, PROPOSED, RECALLED = "onward_referral.requested.v1", "pathway.proposed.v1", "onward_referral.recalled.v1"
REVIEW = "review.opened.v1"
SIGNPOST: dict[str, Any] = {"route": "signpost", "shares": "nothing"}


def types(said: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in said]


def statuses(said: list[dict[str, Any]]) -> dict[str, str]:
    return {each["need"]: each["status"] for each in said if each["type"] == PROPOSED}


async def standing(world: World, case: CaseOpenedV1) -> dict[str, tuple[str, UUID | None]]:
    """Return the status of each of a case's pathways, and which service it stands with."""
    async with world.db.transaction() as tx:
        found = await store.list_pathways(tx, [case.case_id])
    return {each.need: (each.status.value, each.current.service_id if each.current else None) for each in found}


async def test_a_request_says_which_team_and_the_pathway_whom_it_asks(world: World) -> None:
    [service] = await world.list_services(kind="multi_crime", teams=("counselling", "fraud"))
    _, said = await world.open()
    request, proposed = only(said, REQUESTED), only(said, PROPOSED)
    assert request["team"] == proposed["team"] == "counselling"
    assert (proposed["service_id"], proposed["partner_id"]) == (str(service.service_id), str(service.partner_id))
    assert proposed["onward_referral_id"] == request["onward_referral_id"]
    assert proposed["changed_at"]
    assert proposed["reasons"] == []


async def test_a_catch_all_is_asked_only_where_no_active_service_names_the_need(world: World) -> None:
    [general] = await world.list_services(kind="other")
    _, said = await world.open()
    assert only(said, REQUESTED)["service_id"] == str(general.service_id)
    [own] = await world.list_services(kind="idva", also=("counselling",))
    _, said = await world.open()
    assert only(said, REQUESTED)["service_id"] == str(own.service_id)
    await world.hear(own.model_copy(update={"version": 2, "status": "suspended"}))
    _, said = await world.open()
    assert only(said, REQUESTED)["service_id"] == str(general.service_id)


@pytest.mark.parametrize(
    "changes",
    [{"kind": "other"}, {"kind": "idva", "also": ("counselling",)}, {"kind": "idva", "teams": ("counselling",)}],
)
async def test_whoever_the_need_is_for_gives_it_another_try_when_listed(world: World, changes: dict[str, Any]) -> None:
    await world.open()
    assert REQUESTED in types(await _listed(world, **changes))


async def test_a_service_that_is_for_a_need_no_more_leaves_it_to_the_catch_all(world: World) -> None:
    await world.list_services(kind="other")
    [own] = await world.list_services(kind="idva", also=("counselling",), min_age=60)
    await world.open(age=36)
    said = await world.hear(own.model_copy(update={"version": 2, "also": ()}))
    assert REQUESTED in types(said)


async def _listed(world: World, **changes: Any) -> list[dict[str, Any]]:
    [listed] = await world.list_services(**{"status": "suspended", **changes})
    return await world.hear(listed.model_copy(update={"version": 2, "status": "active"}))


async def test_markers_are_kept_for_needs_that_are_found_later(world: World) -> None:
    await world.list_services(without_marker=("child",))
    case, _ = await world.open(needs=("idva",), markers=("child",))
    assessed = CaseAssessedV1(case_id=case.case_id, referral_id=case.referral_id, version=2, needs=("counselling",))
    proposed = only(await world.hear(assessed), PROPOSED)
    assert (proposed["status"], proposed["reasons"]) == ("no_candidate", ["marker_not_taken"])


async def test_what_is_said_beside_an_assessment_is_not_old_for_it(world: World) -> None:
    await world.list_services(min_age=18)
    case, _ = await world.open(age=17)
    await world.hear(CaseAssessedV1(case_id=case.case_id, referral_id=case.referral_id, version=2, needs=()))
    assert REQUESTED in types(await world.hear(triaged(case, 2, age=18)))


async def test_an_older_assessment_opens_nothing(world: World) -> None:
    await world.list_services(kind="idva")
    case, _ = await world.open(version=3)
    assessed = CaseAssessedV1(case_id=case.case_id, referral_id=case.referral_id, version=2, needs=("idva",))
    assert await world.hear(assessed) == []


async def test_the_person_is_told_of_a_service_that_is_told_nothing(world: World) -> None:
    [service] = await world.list_services(**SIGNPOST)
    case, said = await world.open()
    assert types(said) == [PROPOSED]
    assert (said[0]["status"], said[0]["service_id"]) == ("signposted", str(service.service_id))
    assert await _listed(world) == []
    assert await world.hear(service.model_copy(update={"version": 2, "status": "suspended"})) == []
    assert await world.hear(triaged(case, 2)) == []
    assert REQUESTED in types(await world.hear(triaged(case, 3, requested_needs=("counselling",))))


async def test_signposting_that_shares_data_goes_through_the_gate(world: World) -> None:
    await world.list_services(route="signpost", shares="referral_data")
    _, said = await world.open()
    assert types(said) == [REQUESTED, PROPOSED]


async def test_what_staff_ask_for_is_tried_again_once_whenever_it_is_heard_of(world: World) -> None:
    await world.list_services()
    case, request = await world.asked()
    await world.hear(news(request, "accepted", 3))
    await world.hear(news(request, "closed", 4))
    assert await world.hear(triaged(case, 3)) == []
    late = triaged(case, 2, requested_needs=("counselling",))
    again = await world.hear(late)
    assert types(again) == [REQUESTED, PROPOSED]
    assert await world.hear(late) == []
    await world.hear(news(only(again, REQUESTED), "declined", 3, "capacity_full"))
    assert await world.hear(late) == []
    # In one batch with a later change, and asked for once more.
    said = await world.hear(triaged(case, 4, requested_needs=("counselling",)), triaged(case, 5))
    assert types(said) == [REQUESTED, PROPOSED]


async def test_what_was_asked_for_of_a_case_that_has_ended_asks_nobody(world: World) -> None:
    await world.list_services(**SIGNPOST)
    case, _ = await world.open()
    await world.list_services()
    await world.hear(closed(case, 3))
    assert await world.hear(triaged(case, 2, requested_needs=("counselling",))) == []


async def test_nobody_is_asked_before_the_person_has_chosen(world: World) -> None:
    world = with_rules(world, informed_choice=True)
    first, second = await world.list_services(2)
    case, said = await world.open()
    assert types(said) == [PROPOSED]
    assert (said[0]["status"], said[0]["reasons"]) == ("awaiting_choice", ["informed_choice_not_recorded"])
    assert [each["service_id"] for each in said[0]["candidates"]] == [str(first.service_id), str(second.service_id)]
    assert await world.hear(consent(case)) == []
    assert await world.hear(triaged(case, 2)) == []
    said = await world.hear(triaged(case, 3, **choice(second.service_id)))
    request = only(said, REQUESTED)
    assert request["service_id"] == str(second.service_id)
    assert await world.hear(triaged(case, 2, **choice(first.service_id))) == []
    said = await world.hear(triaged(case, 4, **choice(first.service_id)))
    assert (only(said, RECALLED)["reason"], id_of(only(said, RECALLED))) == ("not_chosen", id_of(request))
    assert only(said, REQUESTED)["service_id"] == str(first.service_id)
    # The acceptance that crossed the recall is taken back for good.
    said = await world.hear(news(request, "accepted", 3))
    assert [(each["type"], each["reason"]) for each in said] == [(RECALLED, "accepted_elsewhere")]
    assert (await world.pathway(case)).status is PathwayStatus.REQUESTED


async def test_a_choice_of_a_service_that_is_not_listed_yet_waits_for_it(world: World) -> None:
    world = with_rules(world, informed_choice=True)
    [first, second] = await world.list_services(2, status="suspended")
    _, said = await world.open(**choice(second.service_id))
    assert statuses(said) == {"counselling": "no_candidate"}
    assert await world.hear(first.model_copy(update={"version": 2, "status": "active"})) == []
    said = await world.hear(second.model_copy(update={"version": 2, "status": "active"}))
    assert only(said, REQUESTED)["service_id"] == str(second.service_id)


async def test_a_choice_counts_for_a_need_that_is_found_later(world: World) -> None:
    world = with_rules(world, informed_choice=True)
    _, second = await world.list_services(2)
    case, _ = await world.open(needs=(), **choice(second.service_id))
    assessed = CaseAssessedV1(case_id=case.case_id, referral_id=case.referral_id, version=2, needs=("counselling",))
    assert only(await world.hear(assessed), REQUESTED)["service_id"] == str(second.service_id)


async def test_a_case_of_several_services_is_reviewed_and_one_of_them_leads(world: World) -> None:
    world = with_rules(world, LeadProvider())
    [own] = await world.list_services()
    [idva] = await world.list_services(kind="idva")
    case, said = await world.open(needs=("counselling", "idva"))
    assert sorted(types(said)) == [PROPOSED, PROPOSED, REVIEW]
    assert statuses(said) == {"counselling": "awaiting_lead", "idva": "awaiting_lead"}
    assert {each["reasons"][0] for each in said if each["type"] == PROPOSED} == {"lead_provider_not_agreed"}
    review = only(said, REVIEW)
    assert (review["case_id"], review["version"]) == (str(case.case_id), 1)
    assert {(each["service_id"], each["need"]) for each in review["services"]} == {
        (str(own.service_id), "counselling"), (str(idva.service_id), "idva"),
    }  # fmt: skip
    assert await world.hear(triaged(case, 2)) == []
    said = await world.hear(triaged(case, 3, lead_service_id=idva.service_id))
    assert only(said, REQUESTED)["service_id"] == str(idva.service_id)
    assert statuses(said) == {"counselling": "led_elsewhere", "idva": "requested"}
    assert await world.hear(triaged(case, 2)) == []
    assert await world.hear(triaged(case, 4, lead_service_id=idva.service_id)) == []


async def test_a_review_is_opened_again_when_its_services_change(world: World) -> None:
    world = with_rules(world, LeadProvider())
    await world.list_services()
    [idva] = await world.list_services(kind="idva")
    case, _ = await world.open(needs=("counselling", "idva"))
    said = await world.hear((await _suspended(world)).model_copy(update={"version": 2, "status": "active"}))
    assert len(only(said, REVIEW)["services"]) == 3
    said = await world.hear(triaged(case, 2, needs=("counselling", "idva", "isva")))
    assert REVIEW not in types(said)
    [isva] = await world.list_services(kind="isva", status="suspended")
    said = await world.hear(isva.model_copy(update={"version": 2, "status": "active"}))
    assert len(only(said, REVIEW)["services"]) == 4
    assert statuses(said)["isva"] == "awaiting_lead"
    assert REQUESTED not in types(await world.hear(idva.model_copy(update={"version": 2, "status": "suspended"})))


async def _suspended(world: World) -> Any:
    [listed] = await world.list_services(status="suspended")
    return listed


async def test_a_review_that_only_one_service_is_left_of_needs_no_lead(world: World) -> None:
    world = with_rules(world, LeadProvider())
    first, second = await world.list_services(2)
    await world.open()
    said = await world.hear(first.model_copy(update={"version": 2, "status": "suspended"}))
    assert only(said, REQUESTED)["service_id"] == str(second.service_id)
    assert REVIEW not in types(said)


async def test_a_reopened_case_is_reviewed_again(world: World) -> None:
    world = with_rules(world, LeadProvider())
    await world.list_services(2)
    case, _ = await world.open()
    assert statuses(await world.hear(closed(case, 2))) == {"counselling": "stopped"}
    said = await world.hear(triaged(case, 3))
    assert sorted(types(said)) == [PROPOSED, REVIEW]


async def test_a_request_in_a_reviewed_case_is_led_like_the_rest(world: World) -> None:
    world = with_rules(world, LeadProvider())
    await world.list_services()
    [idva] = await world.list_services(kind="idva", **SIGNPOST)
    case, said = await world.open(needs=("counselling", "idva"))
    assert statuses(said) == {"counselling": "requested", "idva": "signposted"}
    await world.hear(idva.model_copy(update={"version": 2, "route": "refer"}))
    await world.hear(triaged(case, 3))
    said = await world.hear(triaged(case, 2, requested_needs=("idva",)))
    assert statuses(said) == {"idva": "awaiting_lead"}
    assert len(only(said, REVIEW)["services"]) == 2


async def test_closing_a_case_takes_back_what_is_pending_and_leaves_what_was_accepted(world: World) -> None:
    await world.list_services()
    await world.list_services(kind="idva")
    case, said = await world.open(needs=("counselling", "idva"))
    requests = {each["kind"]: each for each in said if each["type"] == REQUESTED}
    await world.hear(news(requests["idva"], "accepted", 3))
    said = await world.hear(closed(case, 2))
    assert (only(said, RECALLED)["reason"], id_of(only(said, RECALLED))) == (
        "case_closed",
        id_of(requests["counselling"]),
    )
    assert statuses(said) == {"counselling": "stopped"}
    assert await world.hear(closed(case, 2)) == []
    assert await world.hear(triaged(case, 1)) == []
    await world.hear(news(requests["counselling"], "withdrawn", 3, "case_closed"))
    assert await world.hear(consent(case)) == []
    said = await world.hear(triaged(case, 3))
    assert only(said, REQUESTED)["kind"] == "counselling"
    assert statuses(said) == {"counselling": "requested"}


async def test_an_acceptance_that_crossed_the_end_of_the_case_stands(world: World) -> None:
    await world.list_services(2)
    case, request = await world.asked()
    await world.hear(closed(case, 2))
    assert statuses(await world.hear(news(request, "accepted", 3))) == {"counselling": "accepted"}
    said = await world.hear(news(request, "withdrawn", 4, "partner_suspended"))
    assert types(said) == [PROPOSED]
    assert said[0]["status"] == "exhausted"


async def test_a_closed_case_is_not_revived_by_the_directory(world: World) -> None:
    case, _ = await world.open()
    await world.hear(closed(case, 2))
    assert await _listed(world) == []


VERSION = st.tuples(st.sampled_from([None, 0, 1, 2]), st.booleans(), st.sampled_from(["triaged", "closed", "excluded"]))


@given(st.lists(VERSION, min_size=1, max_size=4), st.integers(), st.sampled_from(["choice", "lead", "plain"]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_versions_of_a_case_in_any_order_and_twice_come_to_the_same(
    sqlite: World, versions: list[tuple[int | None, bool, str]], seed: int, hub: str
) -> None:
    rules: dict[str, Any] = {
        "choice": {"informed_choice": True},
        "lead": {"lead_provider": LeadProvider()},
        "plain": {},
    }
    world = with_rules(sqlite, **rules[hub])
    services = await _three_services(world)
    in_order, shuffled = _history(versions, services, hub), _history(versions, services, hub)
    for told in in_order:
        await world.hear(told)
    mixed = [*shuffled, *shuffled]
    random.Random(seed).shuffle(mixed)
    for told in mixed:
        await world.hear(told)
    expected, found = [await standing(world, history[0]) for history in (in_order, shuffled)]  # type: ignore[arg-type]
    if isinstance(in_order[-1], CaseOpenedV1):
        assert found == expected
    else:  # Of what had begun, nothing is left under way; what never began need not be stopped.
        assert {status for status, _ in [*expected.values(), *found.values()]}.isdisjoint(PENDING | WAITING)


async def _three_services(world: World) -> list[UUID]:
    """Return the same two for counselling and the one after them whenever it is asked."""
    async with world.db.transaction() as tx:
        found = await store.list_services(tx, ["counselling", "idva"])
    if not found:
        await world.list_services(2)
        await world.list_services(kind="idva")
        return await _three_services(world)
    return [each.service_id for each in sorted(found, key=lambda each: (each.kind, each.preference))]


def _history(versions: list[tuple[int | None, bool, str]], services: list[UUID], hub: str) -> list[Contract]:
    """Return a case's versions in order; a choice or a lead, once made, is changed but not taken away."""
    case = opened(needs=("counselling", "idva"))
    history: list[Contract] = [case]
    wanted: dict[str, Any] = {}
    for version, (number, is_requested, kind) in enumerate(versions, 2):
        if number is not None:
            wanted = {"lead_service_id": services[number]} if hub == "lead" else choice(services[number % 2])
        if kind == "triaged":
            requested = {"requested_needs": ("counselling",)} if is_requested else {}
            history.append(triaged(case, version, **wanted, **requested))
        else:
            history.append(closed(case, version) if kind == "closed" else excluded(case, version))
    return history
