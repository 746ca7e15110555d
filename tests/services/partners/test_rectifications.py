"""Whoever has read what was corrected or erased is told, though its work is over, and says what it did about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from hubkit.contracts import OnwardReferralAmendedV1, PersonErasedV1
from hubkit.db import table_of
from services.partners.actions.account import account_of
from services.partners.actions.acknowledgements import count_overdue
from services.partners.actions.amendments import note_erasures
from services.partners.actions.onward import recall_one
from services.partners.model import RECTIFIED
from services.partners.store import registry
from services.partners.tables import METADATA
from services.partners.tables.delivery import Delivery
from tests.services.partners.delivery_support import receiving, register_verified, status, until
from tests.services.partners.support import NOW, Running, caller, consent, event
from tests.services.partners.test_acknowledgements import listed, state, withdraw
from tests.services.partners.test_amendments import ALL, amendments, assess, assessed, correct, corrected

#: Whatever staff and partners may write in words: a test writes all of it.
WORDS_ABOUT_A_CASE = 10
DECLINED = {"reasons": ["capacity_full"]}


async def verified_endpoint(partners: Running, url: str | None = None) -> None:
    """Add an endpoint; without a `url` nothing is sent to it."""
    async with partners.db.transaction() as tx:
        await register_verified(tx, partners.deps, caller(), url or "http://127.0.0.1:9/hook", None)
    if url is None:
        partners.deps.handover.take = lambda _leased: None


async def read(partners: Running) -> tuple[UUID, UUID]:
    """Return a case and its onward referral, which the partner has read."""
    case_id = await partners.open_case(consent(data_categories=ALL))
    onward_id = await partners.request(case_id)
    answer = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert answer.status_code == 200
    return case_id, onward_id


async def answer(partners: Running, onward_id: UUID, name: str, version: int, body: Any = None) -> None:
    path = f"/v1/onward-referrals/{onward_id}/{name}"
    made = await partners.call("POST", path, "onward:write", body, if_match=f'"{version}"')
    assert made.status_code == 200, made.text


async def end(partners: Running, case_id: UUID, onward_id: UUID, how: str) -> None:
    if how == "declined":
        await answer(partners, onward_id, "decline", 3, DECLINED)
    elif how == "closed":
        await answer(partners, onward_id, "accept", 3)
        await answer(partners, onward_id, "close", 4, {"outcome": "completed"})
    elif how == "recalled":
        async with partners.db.transaction() as tx:
            await recall_one(tx, partners.deps, onward_id, "not_needed")
    else:
        await withdraw(partners, case_id)
    assert (await partners.row(onward_id)).status == how


async def news(partners: Running) -> list[dict[str, Any]]:
    table = table_of(Delivery)
    async with partners.db.reading() as tx:
        found = await tx.rows(select(table.c.body).where(table.c.type == RECTIFIED).order_by(table.c.id))
    return [orjson.loads(row.body)["data"] for row in found]


async def acknowledge(partners: Running, onward_id: UUID, statement: str, number: int = 1, **more: Any) -> Any:
    path = f"/v1/onward-referrals/{onward_id}/amendments/{number}/acknowledgement"
    kind = more.pop("kind", "counselling")
    return await partners.call("POST", path, "onward:write", {"statement": statement} | more, kind=kind)


async def erase(partners: Running, referral_id: UUID) -> None:
    async with partners.db.transaction() as tx:
        await note_erasures(tx, partners.deps, [event(PersonErasedV1(referral_id=referral_id, erased_at=NOW))])


@pytest.mark.parametrize("how", ["declined", "closed", "recalled", "withdrawn"])
async def test_whose_work_is_over_is_told_which_fields_it_had_read_are_other_ones(partners: Running, how: str) -> None:
    await verified_endpoint(partners)
    case_id, onward_id = await read(partners)
    await end(partners, case_id, onward_id, how)
    before = len(await listed(partners))
    await correct(partners, corrected(case_id, 2, phone=2, crime_reference=2))
    [told] = await news(partners)
    link = f"/v1/onward-referrals/{onward_id}"
    assert (told["change"], told["number"], told["fields"]) == ("rectified", 1, ["phone"])
    assert told["links"]["acknowledgement"].endswith(f"{link}/amendments/1/acknowledgement")
    assert "07700900123" not in str(told)
    asked = (await listed(partners))[before]
    assert (asked["reason"], asked["number"], asked["state"], asked["due_at"][:10]) == (
        "rectified", 1, "awaited", "2026-11-26",
    )  # fmt: skip
    assert datetime.fromisoformat(told["acknowledge_by"]) == datetime.fromisoformat(asked["due_at"])
    # It reads nothing new: its purpose is over.
    assert (await partners.call("GET", link, "onward:read")).status_code == 403
    said = (await partners.said(onward_id))[-1]
    assert isinstance(said, OnwardReferralAmendedV1)
    assert (said.fields, said.change) == (("phone",), "rectified")


async def test_its_statement_is_taken_once_and_stands_beside_that_about_a_withdrawal(partners: Running) -> None:
    case_id, onward_id = await read(partners)
    assert (await acknowledge(partners, onward_id, "rectified")).status_code == 404
    await withdraw(partners, case_id)
    await correct(partners, corrected(case_id, 2, phone=2))
    assert [(each["number"], each["state"]) for each in await listed(partners)] == [(0, "awaited"), (1, "awaited")]
    given = await acknowledge(partners, onward_id, "rectified", note="Done by hand")
    assert (given.status_code, given.json()["state"]) == (200, "given")
    assert (await acknowledge(partners, onward_id, "rectified")).json() == given.json()
    assert (await acknowledge(partners, onward_id, "deleted")).json()["code"] == "already_stated"
    assert (await acknowledge(partners, onward_id, "rectified", kind="idva")).status_code == 404
    assert (await acknowledge(partners, onward_id, "rectified", number=2)).status_code == 404
    assert (await acknowledge(partners, onward_id, "rectified", number=0)).status_code == 422
    assert (await state(partners, onward_id, "retained_by_law")).status_code == 200
    assert [each["statement"] for each in await listed(partners, "?state=given")] == ["retained_by_law", "rectified"]
    [passage] = (await partners.call("GET", f"/v1/cases/{case_id}/disclosures", "cases:read")).json()["items"]
    assert passage["acknowledgement"]["statement"] == "retained_by_law"


@pytest.mark.parametrize("statement", ["deleted", "returned"])
async def test_who_holds_nothing_any_more_is_not_told(partners: Running, statement: str) -> None:
    await verified_endpoint(partners)
    case_id, onward_id = await read(partners)
    await withdraw(partners, case_id)
    await state(partners, onward_id, statement)
    await correct(partners, corrected(case_id, 2, phone=2))
    assert (await news(partners), await amendments(partners)) == ([], [])


async def test_who_read_nothing_of_it_is_not_told(partners: Running) -> None:
    await verified_endpoint(partners)
    case_id = await partners.open_case(consent(data_categories=ALL))
    unread = await partners.request(case_id)
    await answer(partners, unread, "decline", 1, DECLINED)
    await correct(partners, corrected(case_id, 2, phone=2))
    case_id, onward_id = await read(partners)
    await end(partners, case_id, onward_id, "declined")
    await correct(partners, corrected(case_id, 2, narrative=2))
    assert (await news(partners), await amendments(partners)) == ([], [])


async def test_a_new_assessment_is_no_rectification_of_what_is_over(partners: Running) -> None:
    await verified_endpoint(partners)
    async with partners.db.transaction() as tx:
        await registry.change_agreement(tx, partners.agreements["counselling"], {"data_categories": list(ALL)})
    case_id, onward_id = await read(partners)
    await end(partners, case_id, onward_id, "declined")
    await assess(partners, assessed(case_id, 2, "idva"))
    await correct(partners, corrected(case_id, 3, phone=3))
    assert [told["fields"] for told in await news(partners)] == [["phone"]]


async def test_each_correction_is_told_once_and_anew_after_another(partners: Running) -> None:
    await verified_endpoint(partners)
    case_id, onward_id = await read(partners)
    await end(partners, case_id, onward_id, "closed")
    for version, changed in ((2, {"phone": 2}), (2, {"phone": 2}), (3, {"phone": 2, "email": 3})):
        await correct(partners, corrected(case_id, version, **changed))
    assert [(told["number"], told["fields"]) for told in await news(partners)] == [(1, ["phone"]), (2, ["email"])]
    assert [each["number"] for each in await listed(partners)] == [1, 2]
    partners.clock.set(datetime.fromisoformat((await listed(partners))[0]["due_at"]))
    async with partners.db.reading() as tx:
        assert await count_overdue(tx) == 2


@pytest.mark.parametrize("how", ["accepted", "closed", "declined"])
async def test_every_recipient_is_told_of_an_erasure(partners: Running, how: str) -> None:
    await verified_endpoint(partners)
    case_id, onward_id = await read(partners)
    await (answer(partners, onward_id, "accept", 3) if how == "accepted" else end(partners, case_id, onward_id, how))
    await erase(partners, (await partners.row(onward_id)).referral_id)
    [told] = await news(partners)
    assert told["change"] == "erased"
    assert {"given_name", "phone"} <= set(told["fields"])
    assert (await acknowledge(partners, onward_id, "rectified")).json()["errors"][0]["code"] == "not_rectified"
    assert (await acknowledge(partners, onward_id, "retained_own_purpose")).status_code == 200


async def test_an_erasure_of_somebody_whom_nobody_read_is_told_to_nobody(partners: Running) -> None:
    await verified_endpoint(partners)
    case_id = await partners.open_case(consent(data_categories=ALL))
    onward_id = await partners.request(case_id)
    await erase(partners, (await partners.row(onward_id)).referral_id)
    await erase(partners, case_id)
    assert (await news(partners), await listed(partners)) == ([], [])


async def test_no_word_that_was_written_about_an_erased_person_is_left(partners: Running) -> None:
    case_id, onward_id = await read(partners)
    other_id, _ = await read(partners)
    words = "Her mother, Sam Example, said so"
    for case in (case_id, other_id):
        await write(partners, case, words)
    await withdraw(partners, case_id)
    answered = f"/v1/onward-referrals/{onward_id}/withdrawal-acknowledgement"
    await partners.call("POST", answered, "onward:write", {"statement": "deleted", "note": words})
    before = await written(partners)
    assert set(before[case_id]) == {words}
    places = len(before[case_id])
    assert places == WORDS_ABOUT_A_CASE
    await erase(partners, case_id)
    after = await written(partners)
    assert after[case_id] == ["(erased)"] * places
    assert after[other_id] == before[other_id]
    for name in ("consents", "safeguarding-disclosures", "information-requests"):
        answer = await partners.call("GET", f"/v1/cases/{case_id}/{name}", "cases:read")
        assert answer.status_code == 200
        assert "Sam" not in answer.text
        assert "(erased)" in answer.text


async def write(partners: Running, case_id: UUID, words: str) -> None:
    """Write words wherever staff may about a case."""
    path, service = f"/v1/cases/{case_id}", str(partners.services["counselling"])
    partner = str(partners.partners["counselling"])
    bodies: dict[str, dict[str, Any]] = {
        "consents": {"hop": "police_to_hub", "decision": "given", "giver_note": words},
        "protection": {"restricted_to": None, "safe_address": False, "reason": words, "decided_by": "Kim"},
        "safeguarding-disclosures": {
            "partner": partner, "service": service, "legal_ground": "vital_interests", "reason": words,
            "data_categories": ["identity"], "decided_by": "Robin",
        },
        "information-requests": {
            "requesting_body": "police", "officer_reference": words, "written_request_held": True, "reason": words,
            "information": words, "line_of_enquiry": words, "counselling": True, "rebuttal": words,
            "asked": ["phone"], "notified_at": NOW.isoformat(), "notified_how": "written",
        },
        "access-requests": {
            "requester": "insurer", "what": "case_data", "ground": "safeguarding_risk", "reason": words,
            "decided_by": "Robin", "approved_by": "Kim",
        },
    }  # fmt: skip
    for name, body in bodies.items():
        method = "PUT" if name == "protection" else "POST"
        answer = await partners.call(method, f"{path}/{name}", "cases:write", body)
        assert answer.status_code < 300, (name, answer.text)


async def written(partners: Running) -> dict[UUID, list[str]]:
    """Return everything that is sealed about cases, opened, by case."""
    found: dict[UUID, list[str]] = {}
    async with partners.db.reading() as tx:
        for table in METADATA.sorted_tables:
            if "case_id" not in table.c:
                continue
            for row in await tx.rows(select(table)):
                for name, value in row._mapping.items():
                    if isinstance(value, bytes):
                        opened = partners.deps.keyring.record(table.name, row.id).open_text(name, value)
                        found.setdefault(row.case_id, []).append(opened)
    return found


async def test_it_stands_in_the_account_of_the_person(partners: Running) -> None:
    await verified_endpoint(partners)
    case_id, onward_id = await read(partners)
    await end(partners, case_id, onward_id, "closed")
    await correct(partners, corrected(case_id, 2, phone=2))
    await acknowledge(partners, onward_id, "rectified")
    async with partners.db.reading() as tx:
        lines = (await account_of(tx, [case_id])).lines
    [amended] = [line.codes for line in lines if line.what == "amendment"]
    [asked] = [line.codes for line in lines if line.what == "withdrawal_acknowledgement"]
    assert amended["fields"] == ["phone"]
    assert (asked["reason"], asked["number"], asked["statement"]) == ("rectified", 1, "rectified")
    assert [line.codes["type"] for line in lines if line.what == "delivery"][-1] == RECTIFIED


async def test_the_dispatcher_delivers_it_without_a_permit_though_the_gate_is_shut(partners: Running) -> None:
    async with receiving(status(204)) as receiver:
        await verified_endpoint(partners, receiver.url)
        case_id, onward_id = await read(partners)
        await end(partners, case_id, onward_id, "withdrawn")
        await correct(partners, corrected(case_id, 2, phone=2))

        async def attempts() -> list[Any]:
            async with partners.db.reading() as tx:
                lines = (await account_of(tx, [case_id])).lines
            return [line.codes for line in lines if line.what == "attempt" and line.codes["type"] == RECTIFIED]

        async def recorded() -> bool:
            return bool(await attempts())

        await until(recorded, 15.0)
        [attempt] = await attempts()
    [hook] = [hook for hook in receiver.received if orjson.loads(hook.body)["type"] == RECTIFIED]
    assert orjson.loads(hook.body)["data"]["fields"] == ["phone"]
    assert (attempt["status"], "permit_id" in attempt) == (204, False)
