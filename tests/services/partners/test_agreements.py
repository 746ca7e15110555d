"""The agreement register by its calls: two persons, versions, warnings, the forecast, and every step of a referral."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import select

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.db import table_of
from hubkit.ids import new_id
from services.partners.tables.cases import Disclosure
from services.partners.tables.delivery import Delivery
from tests.services.partners.delivery_support import Receiver, receiving, register_verified, status, until
from tests.services.partners.support import NOW, PERSON, Running, caller, consent, running
from tests.services.partners.test_directory import AGREEMENT, add_partner, agree

FULL = {
    **AGREEMENT,
    "reference": "DSA-7",
    "parties": [
        {"name": "Hub", "role": "controller", "contact": "Data protection officer", "email": "dpo@example.org"},
        {"name": "Partner", "role": "joint_controller", "phone": "01632960123"},
    ],
    "purpose": "To support victims.",
    "benefit": "One story, told once.",
    "hops": ["hub_to_partner"],
    "fields": ["given_name", "family_name", "phone"],
    "special_category_condition": "explicit_consent",
    "statutory_power": "None needed.",
    "access": "Support workers.",
    "transparency": "Privacy notice.",
    "rights": "By the hub.",
    "accuracy": "Corrections are sent.",
    "security": "Encrypted.",
    "transfer_method": "Webhook.",
    "delivery": "thin",
    "retention_days": 365,
    "disposal": "Deleted.",
    "breach": "Within 24 hours.",
    "complaints": "To either.",
    "children_high_privacy": True,
    "dpia_reference": "DPIA-1",
    "review_on": "2027-01-01",
    "ends_on": "2027-12-31",
    "termination": "One month.",
    "crimes_excluded": ["sexual"],
    "sign_off": [{"party": "Hub", "signed_by": "Chief", "position": None, "signed_on": "2025-12-01"}],
}
WRITE = "agreements:write"


async def draft(partners: Running, **changes: Any) -> Any:
    partner_id = changes.pop("partner_id", None) or await add_partner(partners, f"org-{new_id()}"[:40])
    return await partners.call("POST", "/v1/agreements", WRITE, {**FULL, "partner_id": partner_id, **changes})


async def act(partners: Running, id: Any, name: str, version: int, **body: Any) -> Any:
    body = body or {"by": "One Person", "reason": "asked to"}
    return await partners.call("POST", f"/v1/agreements/{id}/{name}", WRITE, body, if_match=f'"{version}"')


async def put(partners: Running, id: Any, version: int, **body: Any) -> Any:
    return await partners.call("PUT", f"/v1/agreements/{id}", WRITE, body, if_match=f'"{version}"')


async def read(partners: Running, id: Any) -> Any:
    return (await partners.call("GET", f"/v1/agreements/{id}", "agreements:read")).json()


async def test_an_agreement_says_all_that_the_code_asks_and_gives_it_back(partners: Running) -> None:
    made = await draft(partners)
    assert (made.status_code, made.headers["etag"], made.json()["status"]) == (201, '"1"', "draft")
    found = await read(partners, made.json()["id"])
    assert {name: found[name] for name in FULL if name != "parties"} == {
        name: value for name, value in FULL.items() if name != "parties"
    }
    assert [party["role"] for party in found["parties"]] == ["controller", "joint_controller"]
    assert found["warnings"] == []
    sparse = (await draft(partners, reference=None, **dict.fromkeys(("breach", "dpia_reference")))).json()
    said = (await read(partners, sparse["id"]))["warnings"]
    assert [(each["code"], each["pointer"]) for each in said] == [
        ("not_stated", "/breach"),
        ("not_stated", "/dpia_reference"),
    ]


async def test_a_second_person_approves_and_only_then_it_holds(partners: Running) -> None:
    """Row 46 of the bad-input matrix."""
    id = (await draft(partners)).json()["id"]
    for name in ("One Person", " one  PERSON"):
        answer = await act(partners, id, "approve", 1, approved_by=name)
        [fault] = answer.json()["errors"]
        assert (answer.status_code, fault["pointer"], fault["code"]) == (422, "/approved_by", "self_approved")
    for refused in (await put(partners, id, 1, status="active"), await act(partners, id, "resume", 1)):
        assert (refused.status_code, refused.json()["code"]) == (409, "not_approved")
    assert (await read(partners, id))["status"] == "draft"
    approved = await act(partners, id, "approve", 1, approved_by="Another Person")
    body = approved.json()
    assert (approved.status_code, body["status"], body["version"]) == (200, "active", 2)
    assert (body["drafted_by"], body["approved_by"]) == ("One Person", "Another Person")
    again = await act(partners, id, "approve", 2, approved_by="A Third Person")
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_approve")
    assert (await act(partners, id, "approve", 1, approved_by="A Third Person")).status_code == 412


async def test_what_is_approved_is_active_from_its_first_day_to_its_last(partners: Running) -> None:
    id = (await draft(partners, starts_on="2026-11-20", review_on=None, ends_on="2026-11-20")).json()["id"]
    assert (await act(partners, id, "approve", 1, approved_by="Another Person")).json()["status"] == "approved"
    for expected in ("active", "ended"):
        partners.clock.advance(timedelta(days=1))
        assert (await read(partners, id))["status"] == expected


async def test_the_states_and_who_moved_it(partners: Running) -> None:
    id = (await draft(partners)).json()["id"]
    await act(partners, id, "approve", 1, approved_by="Another Person")
    assert (await act(partners, id, "suspend", 2)).json()["status"] == "suspended"
    assert (await act(partners, id, "suspend", 3)).json()["code"] == "wrong_state"
    assert (await act(partners, id, "resume", 3)).json()["status"] == "active"
    ended = (await act(partners, id, "end", 4)).json()
    assert (ended["status"], ended["ended_on"]) == ("ended", "2026-11-19")
    for answer in (
        await act(partners, id, "resume", 5),
        await put(partners, id, 5, purposes=["idva"], drafted_by="One Person"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    listed = await partners.call("GET", f"/v1/agreements/{id}/versions", "agreements:read")
    versions = listed.json()["items"]
    assert [(each["version"], each["acts"], each["status"]) for each in versions] == [
        (1, ["drafted"], "draft"),
        (2, ["approved"], "active"),
        (3, ["suspended"], "suspended"),
        (4, ["resumed"], "active"),
        (5, ["ended"], "ended"),
    ]
    assert [(each["by"], each["client_id"], each["reason"]) for each in versions[1:3]] == [
        ("Another Person", "client-counselling", None),
        ("One Person", "client-counselling", "asked to"),
    ]
    said = await partners.said(UUID(id))
    assert [(each.version, each.status) for each in said] == [(each["version"], each["status"]) for each in versions]


async def test_what_adds_waits_for_a_second_person_and_the_approved_terms_go_on(partners: Running) -> None:
    id = (await draft(partners, fields=None)).json()["id"]
    await act(partners, id, "approve", 1, approved_by="Another Person")
    more = ["identity", "contact", "risk"]
    unnamed = await put(partners, id, 2, data_categories=more)
    assert [(each["pointer"], each["code"]) for each in unnamed.json()["errors"]] == [("/drafted_by", "missing")]
    proposed = (await put(partners, id, 2, data_categories=more, drafted_by="Another Person")).json()
    assert (proposed["version"], proposed["data_categories"]) == (3, ["identity", "contact"])
    assert proposed["proposed"]["terms"]["data_categories"] == more
    assert "change_waits_for_approval" in [each["code"] for each in (await read(partners, id))["warnings"]]
    itself = await act(partners, id, "approve", 3, approved_by="Another Person")
    assert itself.json()["errors"][0]["code"] == "self_approved"
    approved = (await act(partners, id, "approve", 3, approved_by="One Person")).json()
    assert (approved["version"], approved["data_categories"], approved["proposed"]) == (4, more, None)
    assert (approved["drafted_by"], approved["approved_by"]) == ("Another Person", "One Person")
    third = await partners.call("GET", f"/v1/agreements/{id}/versions/3", "agreements:read")
    assert third.json()["terms"]["data_categories"] == ["identity", "contact"]
    assert third.json()["proposed"]["terms"]["data_categories"] == more
    gone = await partners.call("GET", f"/v1/agreements/{id}/versions/9", "agreements:read")
    assert gone.status_code == 404


async def test_what_takes_away_holds_at_once_and_drops_what_was_proposed(partners: Running) -> None:
    id = (await draft(partners, fields=None)).json()["id"]
    await act(partners, id, "approve", 1, approved_by="Another Person")
    await put(partners, id, 2, purposes=["counselling", "idva"], drafted_by="One Person")
    narrowed = (await put(partners, id, 3, data_categories=["identity"], crimes_excluded=["sexual", "fraud"])).json()
    assert (narrowed["data_categories"], narrowed["proposed"], narrowed["version"]) == (["identity"], None, 4)
    same = await put(partners, id, 4, data_categories=["identity"], status="active")
    assert (same.status_code, same.json()["version"]) == (200, 4)


async def test_a_changed_draft_is_the_last_persons(partners: Running) -> None:
    id = (await draft(partners)).json()["id"]
    changed = await put(partners, id, 1, benefit="Another benefit.", drafted_by="Another Person")
    assert (changed.json()["status"], changed.json()["drafted_by"]) == ("draft", "Another Person")
    itself = await act(partners, id, "approve", 2, approved_by="Another Person")
    assert itself.json()["errors"][0]["code"] == "self_approved"
    assert (await act(partners, id, "approve", 2, approved_by="One Person")).json()["benefit"] == "Another benefit."


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"ends_on": "2025-12-31"}, "/ends_on", "ends_before_start"),
        ({"review_on": "2025-12-31"}, "/review_on", "review_before_start"),
        ({"data_categories": []}, "/data_categories", "too_short"),
        ({"purposes": []}, "/purposes", "too_short"),
        ({"fields": []}, "/fields", "too_short"),
        ({"fields": ["given_name", "phone", "risk"]}, "/fields/2", "field_not_covered"),
        ({"fields": ["given_name"]}, "/data_categories/1", "category_without_fields"),
        ({"fields": ["shoe_size"]}, "/fields/0", "unknown_code"),
        ({"hops": ["moon"]}, "/hops/0", "unknown_code"),
        ({"delivery": "thick"}, "/delivery", "unknown_code"),
        ({"special_category_condition": "because"}, "/special_category_condition", "unknown_code"),
        ({"parties": [{"name": "Hub", "role": "boss"}]}, "/parties/0/role", "unknown_code"),
        ({"retention_days": 0}, "/retention_days", "out_of_range"),
        ({"drafted_by": " "}, "/drafted_by", "empty"),
        ({"drafted_by": None}, "/drafted_by", "wrong_type"),
        ({"starts_on": None}, "/starts_on", "not_a_date"),
        ({"status": "active"}, "/status", "unknown_field"),
    ],
)
async def test_row_46_what_is_wrong_is_refused_with_place_and_code(
    partners: Running, change: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await draft(partners, **change)
    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, pointer, code)


async def test_a_reference_stands_once(partners: Running) -> None:
    id = (await draft(partners)).json()["id"]
    again = await draft(partners)
    assert (again.status_code, again.json()["code"]) == (409, "reference_exists")
    assert id in again.json()["errors"][0]["detail"]


async def test_a_suspended_agreement_does_not_resume_over_another(partners: Running) -> None:
    first = (await draft(partners)).json()
    await act(partners, first["id"], "approve", 1, approved_by="Another Person")
    await act(partners, first["id"], "suspend", 2)
    other = await agree(partners, first["partner_id"])
    refused = await act(partners, first["id"], "resume", 3)
    assert (refused.status_code, refused.json()["code"]) == (409, "agreement_overlaps")
    assert other.json()["id"] in refused.json()["errors"][0]["detail"]
    overlapping = [each for each in (await read(partners, first["id"]))["warnings"] if each["code"] != "gap"]
    assert [(each["code"], each["agreement_id"]) for each in overlapping] == [
        ("agreement_overlaps", other.json()["id"])
    ]
    longer = await put(partners, other.json()["id"], 2, ends_on="2026-12-31")
    assert longer.status_code == 200
    renewal = await agree(partners, first["partner_id"], starts_on="2027-01-01")
    widened = await put(partners, other.json()["id"], 3, ends_on="2027-06-30", drafted_by="One Person")
    assert (widened.status_code, widened.json()["code"]) == (409, "agreement_overlaps")
    assert renewal.json()["id"] in widened.json()["errors"][0]["detail"]


async def test_gaps_and_an_overdue_review_are_shown(partners: Running) -> None:
    first = (await draft(partners, ends_on="2026-11-30", review_on="2026-11-09")).json()
    await act(partners, first["id"], "approve", 1, approved_by="Another Person")
    following = await agree(partners, first["partner_id"], starts_on="2026-12-11")
    [overdue, gap] = (await read(partners, first["id"]))["warnings"]
    assert (overdue["code"], overdue["pointer"], overdue["days"]) == ("review_overdue", "/review_on", 10)
    assert (gap["code"], gap["first_day"], gap["last_day"], gap["days"]) == ("gap", "2026-12-01", "2026-12-10", 10)
    assert (gap["purposes"], gap["agreement_id"]) == (["counselling"], following.json()["id"])
    seen = [each for each in (await read(partners, following.json()["id"]))["warnings"] if each["code"] == "gap"]
    assert [(each["days"], each["agreement_id"]) for each in seen] == [(10, first["id"])]


async def test_the_forecast_names_what_stops_and_starts(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    ending, starting = partners.agreements["counselling"], (await draft(partners, starts_on="2026-12-05")).json()
    await act(partners, starting["id"], "approve", 1, approved_by="Another Person")
    await put(partners, ending, 1, ends_on="2026-12-01")
    path = "/v1/agreements/forecast?on="
    early = (await partners.call("GET", f"{path}2026-12-01", "agreements:read")).json()
    assert (early["stops"], early["lost"], early["onward_referrals_stopping"]) == ([], [], 0)
    found = (await partners.call("GET", f"{path}2026-12-31", "agreements:read")).json()
    assert (found["today"], found["on"]) == ("2026-11-19", "2026-12-31")
    assert [(each["agreement_id"], each["on"]) for each in found["stops"]] == [(str(ending), "2026-12-01")]
    assert [(each["agreement_id"], each["on"]) for each in found["starts"]] == [(starting["id"], "2026-12-05")]
    [lost] = found["lost"]
    assert (lost["purpose"], lost["since"], lost["until"]) == ("counselling", "2026-12-02", None)
    assert lost["service_ids"] == [str(partners.services["counselling"])]
    assert (lost["onward_referral_ids"], found["onward_referrals_stopping"]) == ([str(onward_id)], 1)
    assert [(each["partner_id"], each["since"]) for each in found["gained"]] == [(starting["partner_id"], "2026-12-05")]
    past = await partners.call("GET", f"{path}2026-11-18", "agreements:read")
    assert (past.status_code, past.json()["errors"][0]["pointer"]) == (422, "?on")
    assert (await partners.call("GET", f"{path}2026-12-01", WRITE)).status_code == 403


async def test_only_the_agreed_fields_go_out(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    fields = ["family_name", "phone", "crime_category", "needs"]
    assert (await put(partners, partners.agreements["counselling"], 1, fields=fields)).status_code == 200
    disclosed = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert disclosed.status_code == 200
    assert partners.intake.asked[-1]["fields"] == ["family_name", "phone", "needs"]
    async with partners.db.reading() as tx:
        [row] = await tx.rows(select(table_of(Disclosure)))
    assert (row.fields, row.agreement_version) == (["family_name", "phone", "needs"], 2)


async def test_an_agreement_for_another_hop_is_none(partners: Running) -> None:
    partner_id = await add_partner(partners)
    service = {"name": "Example", "kind": "stalking"}
    listed = await partners.call("POST", f"/v1/partners/{partner_id}/services", "directory:write", service)
    assert (await agree(partners, partner_id, purposes=["stalking"], hops=["case_study"])).status_code == 200
    partners.partners["stalking"], partners.services["stalking"] = UUID(partner_id), UUID(listed.json()["id"])
    onward_id = await partners.request(await partners.open_case(consent(recipients=("stalking",))), "stalking")
    assert (await partners.row(onward_id)).reasons == ("agreement_missing",)


# An agreement that is edited, suspended or ended is honoured at every step.

LESS = ["identity", "crime", "needs"]
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "edited": ({"data_categories": LESS}, "data_category_not_covered"),
    "suspended": ({"status": "suspended"}, "agreement_suspended"),
    "ended": ({"status": "ended"}, "agreement_expired"),
}
#: The person lets the phone number and address go, and nothing else.
CONTACT_ALONE = consent(data_categories=("contact",))


class Step:
    """One onward referral to a partner with an endpoint, which may be held between its preparation and its sending."""

    def __init__(self, partners: Running, receiver: Receiver) -> None:
        self.partners, self.receiver = partners, receiver
        self.case_id = UUID(int=0)

    async def prepare(self, *, hold: bool = False) -> UUID:
        handover = self.partners.deps.handover
        dispatch = handover.take
        if hold:
            handover.take = lambda _leased: None  # as if the process had died after the commit
        self.case_id = await self.partners.open_case(CONTACT_ALONE)
        onward_id = await self.partners.request(self.case_id)
        handover.take = dispatch
        return onward_id

    async def change(self, how: str) -> None:
        answer = await put(self.partners, self.partners.agreements["counselling"], 1, **CHANGES[how][0])
        assert answer.status_code == 200, answer.text

    async def resume_sending(self) -> None:
        self.partners.clock.advance(timedelta(seconds=21))
        self.partners.deps.handover.take(())

    async def staff_see(self) -> tuple[str, list[str]]:
        path = f"/v1/cases/{self.case_id}/onward-referrals"
        [found] = (await self.partners.call("GET", path, "cases:read")).json()["items"]
        return found["status"], found["reasons"]

    async def partner_reads(self, onward_id: UUID) -> Any:
        answer = await self.partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
        for value in ("Alex", "Example", "07700900123"):
            assert answer.status_code == 200 or value not in answer.text
        return answer

    async def state(self, onward_id: UUID, *states: str) -> None:
        async def is_there() -> bool:
            async with self.partners.db.reading() as tx:
                table = table_of(Delivery).c
                rows = await tx.rows(select(table.state).where(table.onward_referral_id == onward_id))
            return [row.state for row in rows] == list(states)

        await until(is_there)


@pytest.fixture
async def step(tmp_path: Path) -> AsyncIterator[Step]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'partners.db'}"
    async with contextlib.AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(status(204)))
        partners = await stack.enter_async_context(running(url, tmp_path))
        await partners.add_partner("counselling")
        async with partners.db.transaction() as tx:
            await register_verified(tx, partners.deps, caller(), receiver.url, None)
        yield Step(partners, receiver)


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_before_preparing_is_honoured(step: Step, how: str) -> None:
    await step.change(how)
    onward_id = await step.prepare()
    code = CHANGES[how][1]
    assert await step.staff_see() == ("refused", [code])
    assert (await step.partner_reads(onward_id)).status_code == 404  # it never was the partner's
    await step.state(onward_id)
    assert step.receiver.received == []


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_between_preparing_and_sending_is_honoured(step: Step, how: str) -> None:
    """Row 46 of the fault matrix."""
    onward_id = await step.prepare(hold=True)
    assert await step.staff_see() == ("ready", [])
    await step.change(how)
    code = CHANGES[how][1]
    assert await step.staff_see() == ("ready", [code])
    await step.resume_sending()
    await step.state(onward_id, "stopped")
    assert step.receiver.received == []
    assert await step.staff_see() == ("refused", [code])
    answer = await step.partner_reads(onward_id)
    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_between_sending_and_fetching_is_honoured(step: Step, how: str) -> None:
    onward_id = await step.prepare()
    await step.state(onward_id, "delivered")
    assert [hook.onward_id for hook in step.receiver.received] == [onward_id]
    await step.change(how)
    code = CHANGES[how][1]
    answer = await step.partner_reads(onward_id)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert [each["code"] for each in answer.json()["errors"]] == [code]
    assert step.partners.intake.asked == []
    assert await step.staff_see() == ("sent", [code])


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_while_the_partner_fetches_is_honoured(step: Step, how: str) -> None:
    onward_id = await step.prepare()
    await step.state(onward_id, "delivered")

    async def meanwhile() -> None:
        await step.change(how)

    step.partners.intake.before = meanwhile
    answer = await step.partner_reads(onward_id)
    assert (answer.status_code, answer.json()["code"]) == (403, CHANGES[how][1])
    async with step.partners.db.reading() as tx:
        assert await tx.rows(select(table_of(Disclosure))) == []


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_between_two_attempts_is_honoured(step: Step, how: str) -> None:
    answered = asyncio.Event()

    async def fail(_: web.Request) -> web.StreamResponse:
        answered.set()
        return web.Response(status=500)

    step.receiver.answer = fail
    onward_id = await step.prepare()
    await answered.wait()
    await step.change(how)
    step.receiver.answer = status(204)

    async def is_stopped() -> bool:
        await step.resume_sending()
        async with step.partners.db.reading() as tx:
            [row] = await tx.rows(select(table_of(Delivery).c.state))
        return str(row.state) == "stopped"

    await until(is_stopped)
    assert len(step.receiver.received) == 1
    assert (await step.partner_reads(onward_id)).json()["code"] == CHANGES[how][1]


async def test_a_category_that_is_taken_away_is_missing_from_the_next_reading(step: Step) -> None:
    case_id = await step.partners.open_case(consent(data_categories=("identity", "contact")))
    onward_id = await step.partners.request(case_id)
    first = await step.partner_reads(onward_id)
    assert first.json()["person"]["phone"] == PERSON["phone"] if "person" in first.json() else first.status_code == 200
    assert "phone" in step.partners.intake.asked[-1]["fields"]
    await step.change("edited")
    assert (await step.partner_reads(onward_id)).status_code == 200
    assert step.partners.intake.asked[-1]["fields"] == list(DATA_CATEGORIES["identity"])


async def test_an_agreement_that_stands_again_lets_the_partner_read_again(step: Step) -> None:
    onward_id = await step.prepare()
    await step.state(onward_id, "delivered")
    await step.change("suspended")
    assert (await step.partner_reads(onward_id)).status_code == 403
    id = step.partners.agreements["counselling"]
    assert (await act(step.partners, id, "resume", 2)).status_code == 200
    assert (await step.partner_reads(onward_id)).status_code == 200
    assert await step.staff_see() == ("received", [])


async def test_an_agreement_ends_with_its_last_day(step: Step) -> None:
    onward_id = await step.prepare()
    await step.state(onward_id, "delivered")
    last = date.fromordinal(NOW.date().toordinal()).isoformat()
    assert (await put(step.partners, step.partners.agreements["counselling"], 1, ends_on=last)).status_code == 200
    assert (await step.partner_reads(onward_id)).status_code == 200
    step.partners.clock.advance(timedelta(days=1))
    assert (await step.partner_reads(onward_id)).json()["code"] == "agreement_expired"
