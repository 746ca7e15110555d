"""Another hub is a partner of kind hub, over a hop of its own: agreement, consent, refusal and what opens again."""

from typing import Any
from uuid import UUID

import pytest

from services.partners.model import Status
from services.partners.store import registry
from tests.services.partners.support import Running, World, consent

GIVEN: dict[str, Any] = {
    "hop": "hub_to_hub",
    "decision": "given",
    "recipients": ["hub"],
    "method": "spoken",
    "data_categories": ["identity"],
}


def to_hub(decision: str = "given", **changes: Any) -> Any:
    return consent(decision, **{"hop": "hub_to_hub", "recipients": ("hub",)} | changes)


async def standing(world: World, *consents: Any, **agreement: Any) -> tuple[Status, tuple[str, ...]]:
    """Return where an onward referral to another hub stands."""
    await world.add_partner("hub", **{"hops": ["hub_to_hub"]} | agreement)
    row = await world.row(await world.request(await world.open_case(*consents), "hub"))
    return row.status, row.reasons


async def test_consent_and_agreement_on_its_own_hop_let_it_go(world: World) -> None:
    assert (await standing(world, to_hub()))[0] is Status.SENT


@pytest.mark.parametrize("recipients", [(), ("hub",)])
async def test_consent_to_partners_is_none_to_another_hub(world: World, recipients: tuple[str, ...]) -> None:
    given = consent(recipients=recipients)
    assert await standing(world, given) == (Status.AWAITING_CONSENT, ("consent_missing",))


async def test_consent_to_another_hub_is_none_to_partners(world: World) -> None:
    row = await world.row(await world.request(await world.open_case(to_hub(recipients=()))))
    assert (row.status, row.reasons) == (Status.AWAITING_CONSENT, ("consent_missing",))


async def test_an_agreement_on_the_hop_to_partners_alone_does_not_do(world: World) -> None:
    assert await standing(world, to_hub(), hops=["hub_to_partner"]) == (Status.REFUSED, ("agreement_missing",))


@pytest.mark.parametrize("decision", ["refused", "withdrawn"])
@pytest.mark.parametrize("hop", ["hub_to_hub", "hub_to_partner"])
async def test_a_no_on_either_hop_stops_it_under_every_basis(world: World, hop: str, decision: str) -> None:
    no = consent(decision, hop=hop, recipients=())
    status, reasons = await standing(world, no, lawful_basis="agreement_in_place")
    assert (status, reasons) == (Status.REFUSED, (f"consent_{decision}",))


async def test_a_no_to_another_hub_leaves_the_partners(world: World) -> None:
    case_id = await world.open_case(consent(), to_hub("refused", recipients=()))
    assert (await world.row(await world.request(case_id))).status is Status.SENT


async def test_one_request_each_over_its_hop_in_one_batch(world: World) -> None:
    await world.add_partner("hub", hops=["hub_to_hub"])
    case_id = await world.open_case(consent(), to_hub())
    wanted = [world.requested(case_id), world.requested(case_id, "hub")]
    await world.take(*wanted)
    assert [(await world.row(each.onward_referral_id)).status for each in wanted] == [Status.SENT, Status.SENT]


async def test_consent_recorded_by_staff_sends_what_waits_and_its_withdrawal_takes_it_back(partners: Running) -> None:
    await partners.add_partner("hub", hops=["hub_to_hub"])
    case_id = await partners.open_case()
    onward_id = await partners.request(case_id, "hub")
    assert await record(partners, case_id) == 201
    assert (await partners.row(onward_id)).status is Status.SENT
    read = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read", kind="hub")
    assert read.json()["disclosure"]["fields"]["given_name"] == "Alex"
    assert await record(partners, case_id, decision="withdrawn") == 201
    assert (await partners.row(onward_id)).status is Status.WITHDRAWN
    gone = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read", kind="hub")
    assert gone.json()["code"] == "consent_withdrawn"


async def test_an_agreement_that_ends_is_honoured_at_the_next_reading(partners: Running) -> None:
    await partners.add_partner("hub", hops=["hub_to_hub"])
    onward_id = await partners.request(await partners.open_case(to_hub()), "hub")
    async with partners.db.transaction() as tx:
        await registry.change_agreement(tx, partners.agreements["hub"], {"hops": ["hub_to_partner"]})
    read = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read", kind="hub")
    assert (read.status_code, read.json()["code"]) == (403, "agreement_missing")


async def test_what_is_shared_with_another_hub_is_said(partners: Running) -> None:
    case_id = await partners.open_case()
    answer = await partners.call(
        "POST", f"/v1/cases/{case_id}/consents", "cases:write", GIVEN | {"data_categories": []}
    )
    assert answer.json()["errors"][0]["code"] == "data_categories_missing"


async def record(partners: Running, case_id: UUID, **changes: Any) -> int:
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", GIVEN | changes)
    return answer.status_code
