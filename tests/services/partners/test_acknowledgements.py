"""Whoever received something is asked what it did with it once the person takes consent back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text

from hubkit.contracts import OnwardReferralRecalledV1
from hubkit.db import table_of
from hubkit.ids import new_id
from services.partners.actions.acknowledgements import count_overdue
from services.partners.actions.onward import recall_onward
from services.partners.model import WITHDRAWN
from services.partners.tables.delivery import Delivery
from tests.services.partners.support import Running, consent, event
from tests.services.partners.test_onward import add_endpoint

NO = {"hop": "hub_to_partner", "decision": "withdrawn", "recipients": ["counselling"]}


async def withdraw(partners: Running, case_id: UUID, **changes: Any) -> Any:
    """Say no once every permit is over: nobody settles those of the deliveries here, and they would be waited for."""
    partners.clock.advance(timedelta(seconds=21))
    return (await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", NO | changes)).json()


async def state(partners: Running, onward_id: UUID, statement: str = "deleted", **more: Any) -> Any:
    path = f"/v1/onward-referrals/{onward_id}/withdrawal-acknowledgement"
    kind = more.pop("kind", "counselling")
    return await partners.call("POST", path, "onward:write", {"statement": statement} | more, kind=kind)


async def listed(partners: Running, query: str = "") -> list[Any]:
    answer = await partners.call("GET", f"/v1/withdrawal-acknowledgements{query}", "cases:read")
    items: list[Any] = answer.json()["items"]
    return items


async def test_a_recipient_is_asked_with_the_withdrawal_and_staff_read_its_statement(partners: Running) -> None:
    await add_endpoint(partners)
    partners.deps.handover.take = lambda _leased: None
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    [asked] = (await withdraw(partners, case_id))["acknowledgements"]
    # Five working days from Thursday 19 November, to the end of the day.
    assert (asked["state"], asked["due_at"][:10]) == ("awaited", "2026-11-26")
    table = table_of(Delivery)
    async with partners.db.reading() as tx:
        [told] = await tx.rows(select(table.c.body).where(table.c.type == WITHDRAWN))
    data = orjson.loads(told.body)["data"]
    assert datetime.fromisoformat(data["acknowledge_by"]) == datetime.fromisoformat(asked["due_at"])
    assert data["links"]["acknowledgement"].endswith(f"/v1/onward-referrals/{onward_id}/withdrawal-acknowledgement")
    given = await state(partners, onward_id, "retained_by_law", note="Kept for the coroner")
    assert (given.status_code, given.json()["state"], given.json()["statement"]) == (200, "given", "retained_by_law")
    [passage] = (await partners.call("GET", f"/v1/cases/{case_id}/disclosures", "cases:read")).json()["items"]
    assert passage["acknowledgement"]["statement"] == "retained_by_law"
    assert passage["acknowledgement"]["note"] == "Kept for the coroner"
    async with partners.db.reading() as tx:
        assert "coroner" not in repr(await tx.rows(text("SELECT * FROM withdrawal_acknowledgement")))


async def test_whose_work_had_ended_is_asked_too_when_it_had_read(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    read_id, unread_id = await partners.request(case_id), await partners.request(case_id)
    body = {"reasons": ["capacity_full"]}
    await partners.call("GET", f"/v1/onward-referrals/{read_id}", "onward:read")
    for onward_id, version in ((read_id, 3), (unread_id, 2)):
        path = f"/v1/onward-referrals/{onward_id}/decline"
        assert (await partners.call("POST", path, "onward:write", body, if_match=f'"{version}"')).status_code == 200
    taken = await withdraw(partners, case_id)
    assert (taken["withdrawn"], [each["onward_referral_id"] for each in taken["acknowledgements"]]) == (
        [], [str(read_id)],
    )  # fmt: skip
    assert [each["onward_referral_id"] for each in taken["disclosures"]] == [str(read_id)]
    assert len(await listed(partners)) == 1
    await withdraw(partners, case_id)
    assert len(await listed(partners)) == 1


async def test_a_withdrawal_said_again_is_answered_with_the_same(partners: Running) -> None:
    """Its answer may have been lost; whoever says it again must hear all the same what had gone out."""
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    first, again = await withdraw(partners, case_id), await withdraw(partners, case_id)
    everybody = await withdraw(partners, case_id, recipients=[], decision="refused")
    assert (first["withdrawn"], again["withdrawn"], everybody["withdrawn"]) == ([str(onward_id)], [], [])
    assert len(first["disclosures"]) == len(first["acknowledgements"]) == 1
    for other in (again, everybody):
        assert (other["disclosures"], other["acknowledgements"]) == (first["disclosures"], first["acknowledgements"])
    about_others = await withdraw(partners, case_id, recipients=["idva"])
    assert (about_others["disclosures"], about_others["acknowledgements"]) == ([], [])


@pytest.mark.parametrize("ending", ["recalled", "expired", "excluded"])
async def test_who_had_read_what_was_taken_back_is_told_again_when_the_person_says_no(
    partners: Running, ending: str
) -> None:
    await add_endpoint(partners)
    partners.deps.handover.take = lambda _leased: None
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    if ending == "recalled":
        body = {"reason": "not_needed"}
        await partners.call("POST", f"/v1/onward-referrals/{onward_id}/recall", "cases:write", body)
    elif ending == "expired":
        gone = OnwardReferralRecalledV1(
            onward_referral_id=onward_id, pathway_id=new_id(), case_id=case_id, reason="no_answer"
        )
        async with partners.db.transaction() as tx:
            await recall_onward(tx, partners.deps, [event(gone)])
    else:
        await partners.exclude(case_id)
    assert await listed(partners) == []
    for _ in range(2):
        taken = await withdraw(partners, case_id)
        assert taken["withdrawn"] == []
        assert [each["onward_referral_id"] for each in taken["disclosures"]] == [str(onward_id)]
        assert [each["state"] for each in taken["acknowledgements"]] == ["awaited"]
    table = table_of(Delivery)
    async with partners.db.reading() as tx:
        told = await tx.rows(select(table.c.body).where(table.c.type == WITHDRAWN).order_by(table.c.id))
    news = [orjson.loads(each.body)["data"] for each in told]
    assert [("acknowledge_by" in each, each.get("number")) for each in news] == [(False, None), (True, 1)]
    assert (await state(partners, onward_id)).status_code == 200


async def test_what_stands_on_safeguarding_is_named_and_goes_on(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    body = {
        "partner": str(partners.partners["counselling"]),
        "service": str(partners.services["counselling"]),
        "legal_ground": "safeguarding_of_children",
        "data_categories": ["identity"],
        "reason": "A child is in danger at home",
        "decided_by": "Robin Lead",
        "person_told": "not_told_unsafe",
    }
    path = f"/v1/cases/{case_id}/safeguarding-disclosures"
    id = (await partners.call("POST", path, "cases:write", body)).json()["id"]
    approved = await partners.call("POST", f"{path}/{id}/approve", "cases:write", {"approved_by": "Kim Second"})
    onward_id = approved.json()["onward_referral_id"]
    await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    taken = await withdraw(partners, case_id)
    assert [each["onward_referral_id"] for each in taken["disclosures"]] == [onward_id]
    assert (taken["withdrawn"], taken["acknowledgements"]) == ([], [])
    assert (await partners.row(UUID(onward_id))).status == "received"


async def test_who_was_never_told_or_is_another_recipient_is_not_asked(partners: Running) -> None:
    case_id = await partners.open_case(consent(recipients=("counselling", "idva")))
    await partners.request(case_id, "idva")
    waiting = await partners.open_case()
    await partners.request(waiting)
    assert (await withdraw(partners, waiting))["acknowledgements"] == []
    assert (await withdraw(partners, case_id))["acknowledgements"] == []
    assert await listed(partners) == []


async def test_a_statement_is_made_once_and_repeated_without_harm(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    assert (await state(partners, onward_id)).status_code == 404
    await withdraw(partners, case_id)
    assert (await state(partners, onward_id, kind="idva")).status_code == 404
    assert (await state(partners, new_id())).status_code == 404
    first = await state(partners, onward_id)
    assert (await state(partners, onward_id)).json() == first.json()
    other = await state(partners, onward_id, "returned")
    assert (other.status_code, other.json()["code"]) == (409, "already_stated")
    assert (await state(partners, onward_id, "lost")).status_code == 422
    path = f"/v1/onward-referrals/{onward_id}/withdrawal-acknowledgement"
    assert (await partners.call("POST", path, "onward:read", {"statement": "deleted"})).status_code == 403


async def test_what_is_overdue_is_listed_and_counted(partners: Running) -> None:
    ids = []
    for _ in range(3):
        case_id = await partners.open_case(consent())
        ids.append(await partners.request(case_id))
        await withdraw(partners, case_id)
    await state(partners, ids[0])
    assert [len(await listed(partners, f"?state={each}")) for each in ("awaited", "overdue", "given")] == [2, 0, 1]
    partners.clock.set(datetime(2026, 11, 27, 0, 0, tzinfo=UTC))
    assert {each["onward_referral_id"] for each in await listed(partners, "?state=overdue")} == set(map(str, ids[1:]))
    assert [each["state"] for each in await listed(partners, f"?case={case_id}")] == ["overdue"]
    async with partners.db.reading() as tx:
        assert await count_overdue(tx) == 2


async def test_a_statement_is_overdue_from_its_due_moment_on(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    await partners.request(case_id)
    [asked] = (await withdraw(partners, case_id))["acknowledgements"]
    due = datetime.fromisoformat(asked["due_at"])
    for at, count in ((due - timedelta(microseconds=1), 0), (due, 1)):
        partners.clock.set(at)
        async with partners.db.reading() as tx:
            assert await count_overdue(tx) == count
