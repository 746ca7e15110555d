"""Room: said by the partner whose service it is or by the hub, told to routing, whatever the order."""

from datetime import timedelta
from typing import Any

import pytest

from hubkit.contracts import OnwardReferralChasedV1, ServiceListedV1
from hubkit.ids import new_id
from services.partners.actions.answers import Answer, answer
from services.partners.actions.onward import mark_sent
from services.partners.actions.reminders import remind
from tests.services.partners.support import NOW, Running, World, caller, consent, event
from tests.services.partners.test_amendments import told
from tests.services.partners.test_onward import add_endpoint

AS_OF = "2026-11-19T08:00:00+00:00"


def report(**said: Any) -> dict[str, Any]:
    return {"open": True, "places": 3, "waiting_weeks": 0, "as_of": AS_OF} | said


async def test_a_partner_says_whether_it_has_room_and_routing_hears(partners: Running) -> None:
    service_id = partners.services["counselling"]
    path = f"/v1/services/{service_id}/capacity"
    assert (await partners.call("GET", path, "onward:read")).status_code == 404
    said = await partners.call("PUT", path, "onward:write", report(waiting_weeks=4))
    assert (said.status_code, said.json()["waiting_weeks"], said.json()["as_of"]) == (200, 4, "2026-11-19T08:00:00Z")
    assert (await partners.call("GET", path, "onward:read")).json() == said.json()
    listed = (await partners.said(service_id))[-1]
    assert isinstance(listed, ServiceListedV1)
    assert listed.capacity is not None
    assert (listed.version, listed.kind, listed.capacity.open, listed.capacity.places) == (1, "counselling", True, 3)


async def test_an_older_report_or_the_same_again_changes_nothing(partners: Running) -> None:
    service_id = partners.services["counselling"]
    path = f"/v1/services/{service_id}/capacity"
    first = await partners.call("PUT", path, "onward:write", report())
    for late in (report(), report(open=False, places=0, as_of="2026-11-18T08:00:00+00:00")):
        assert (await partners.call("PUT", path, "onward:write", late)).json() == first.json()
    assert len([each for each in await partners.said(service_id) if each.capacity is not None]) == 1
    newer = await partners.call("PUT", path, "onward:write", report(places=0, as_of="2026-11-19T08:30:00+00:00"))
    assert newer.json()["places"] == 0


async def test_it_is_the_partners_own_or_the_hub_speaks_for_it(partners: Running) -> None:
    path = f"/v1/services/{partners.services['counselling']}/capacity"
    for kind, scopes, status in (
        ("idva", "onward:write", 404),
        ("nobody", "onward:write", 404),
        ("counselling", "onward:read", 403),
        ("nobody", "onward:write directory:write", 200),
    ):
        assert (await partners.call("PUT", path, scopes, report(), kind=kind)).status_code == status
    unknown = await partners.call("PUT", f"/v1/services/{new_id()}/capacity", "onward:write", report())
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"places": -1}, "/places", "out_of_range"),
        ({"open": "yes"}, "/open", "wrong_type"),
        ({"as_of": "2026-11-19T10:00:00+00:00"}, "/as_of", "in_the_future"),
        ({"open": False}, "/places", "places_while_closed"),
        ({"status": "full"}, "/status", "unknown_field"),
    ],
)
async def test_a_report_that_is_wrong_is_refused_with_its_code(
    partners: Running, changes: dict[str, Any], pointer: str, code: str
) -> None:
    path = f"/v1/services/{partners.services['counselling']}/capacity"
    refused = await partners.call("PUT", path, "onward:write", report(**changes))
    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [(pointer, code)]


async def test_who_has_not_answered_is_reminded_once(world: World) -> None:
    await add_endpoint(world)
    case_id = await world.open_case(consent())
    onward_id = await world.request(case_id)
    chased = OnwardReferralChasedV1(
        onward_referral_id=onward_id, pathway_id=new_id(), case_id=case_id,
        partner_id=world.partners["counselling"], chased_at=NOW + timedelta(hours=1),
    )  # fmt: skip

    async def chase() -> None:
        async with world.db.transaction() as tx:
            await remind(tx, world.deps, [event(chased)])

    await chase()
    assert [type for type, *_ in await told(world)] == ["sent"]  # it has not been told at all yet
    async with world.db.transaction() as tx:
        await answer(tx, caller(), onward_id, Answer("accept", 1))
    await chase()
    assert [type for type, *_ in await told(world)] == ["sent"]
    silent = await world.request(case_id)
    async with world.db.transaction() as tx:
        await mark_sent(tx, world.deps, [silent])
    chased = chased.model_copy(update={"onward_referral_id": silent})
    await chase()
    await chase()
    assert [type for type, *_ in await told(world)] == ["sent", "sent", "reminder"]
