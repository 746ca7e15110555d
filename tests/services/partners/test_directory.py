"""Partners, services and agreements are added by calls, checked whole, and told to routing."""

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.contracts import AgreementChangedV1, ServiceListedV1
from hubkit.ids import new_id
from services.partners.policy.agreements import Term, overlap
from tests.services.partners.support import Running, consent

SERVICE = {
    "name": "Example counselling",
    "kind": "counselling",
    "also": ["mental_health"],
    "teams": ["fraud"],
    "location": "external",
    "commissioned": True,
    "preference": 10,
    "crimes": ["burglary", "sexual.rape"],
    "areas": ["E07000008"],
    "risk_grades": ["high"],
    "min_age": 18,
    "max_age": 60,
    "without_marker": ["child"],
    "transport": "secure_email",
    "listed_in": "service_directory",
    "follow_up": "local support referral",
}
AGREEMENT = {
    "lawful_basis": "consent",
    "purposes": ["counselling"],
    "data_categories": ["identity", "contact"],
    "starts_on": "2026-01-01",
    "drafted_by": "One Person",
}


async def add_partner(partners: Running, organisation: str = "example") -> str:
    body = {"organisation": organisation, "name": "Example partner"}
    answer = await partners.call("POST", "/v1/partners", "directory:write", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def agree(partners: Running, partner_id: str, **changes: Any) -> Any:
    """Draft an agreement and, if that was done, let a second person approve it; return the last answer."""
    body = {**AGREEMENT, "partner_id": partner_id, **changes}
    drafted = await partners.call("POST", "/v1/agreements", "agreements:write", body)
    if drafted.status_code != 201:
        return drafted
    path = f"{drafted.headers['location']}/approve"
    approval = {"approved_by": "Another Person"}
    return await partners.call("POST", path, "agreements:write", approval, if_match=drafted.headers["etag"])


async def test_a_partner_with_a_service_and_an_agreement_can_be_referred_to(partners: Running) -> None:
    partner_id = await add_partner(partners)
    listed = await partners.call("POST", f"/v1/partners/{partner_id}/services", "directory:write", SERVICE)
    assert (listed.status_code, listed.headers["etag"]) == (201, '"1"')
    body = listed.json()
    assert body["partner_name"] == "Example partner"
    assert {name: body[name] for name in SERVICE} == SERVICE
    assert (body["status"], body["route"], body["shares"], body["version"]) == ("active", "refer", "case_data", 1)
    agreed = await agree(partners, partner_id, crimes_excluded=["sexual"], ends_on="2027-12-31")
    assert (agreed.status_code, agreed.headers["etag"], agreed.json()["status"]) == (200, '"2"', "active")
    assert agreed.json()["crimes_excluded"] == ["sexual"]
    [told] = await partners.said(body["id"])
    assert isinstance(told, ServiceListedV1)
    assert (told.teams, told.without_marker, str(told.partner_id)) == (("fraud",), ("child",), partner_id)
    [drafted, said] = await partners.said(agreed.json()["id"])
    assert isinstance(said, AgreementChangedV1)
    assert (drafted.status, drafted.version) == ("draft", 1)
    assert (said.status, said.ends_on, said.version) == ("active", date(2027, 12, 31), 2)
    partners.partners["counselling"], partners.services["counselling"] = said.partner_id, told.service_id
    onward_id = await partners.request(await partners.open_case(consent()))
    assert (await partners.row(onward_id)).status == "sent"


async def test_services_are_listed_in_pages_with_their_partners(partners: Running) -> None:
    first = (await partners.call("GET", "/v1/services?limit=1", "cases:read")).json()
    second = (await partners.call("GET", f"/v1/services?cursor={first['next_cursor']}", "cases:read")).json()
    found = [(each["kind"], each["partner_name"]) for each in first["items"] + second["items"]]
    assert found == [("counselling", "Test counselling"), ("idva", "Test idva")]
    assert second["next_cursor"] is None


async def test_what_is_not_given_of_a_service_stays(partners: Running) -> None:
    service_id = partners.services["counselling"]
    path = f"/v1/services/{service_id}"
    assert (await partners.call("PUT", path, "directory:write", {"status": "suspended"})).status_code == 428
    changed = await partners.call("PUT", path, "directory:write", {"status": "suspended"}, if_match='"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    body = changed.json()
    assert (body["status"], body["kind"], body["name"]) == ("suspended", "counselling", "Test counselling service")
    assert (
        await partners.call("PUT", path, "directory:write", {"status": "active"}, if_match='"1"')
    ).status_code == 412
    gone = await partners.call("PUT", f"/v1/services/{new_id()}", "directory:write", {}, if_match='"1"')
    assert gone.status_code == 404
    [_, told] = await partners.said(service_id)
    assert (told.version, told.status) == (2, "suspended")


async def test_a_service_with_which_nothing_is_shared_any_more_gets_nothing_more(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/services/{partners.services['counselling']}"
    await partners.call("PUT", path, "directory:write", {"shares": "nothing"}, if_match='"1"')
    refused = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "data_category_not_covered")
    assert partners.intake.asked == []


async def test_a_signposted_service_shares_nothing_unless_it_is_said(partners: Running) -> None:
    partner_id = await add_partner(partners)
    for shares, expected in ((None, "nothing"), ("referral_data", "referral_data")):
        body = {"name": "Elsewhere", "kind": "other", "route": "signpost"} | ({"shares": shares} if shares else {})
        answer = await partners.call("POST", f"/v1/partners/{partner_id}/services", "directory:write", body)
        assert answer.json()["shares"] == expected


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"kind": "magic"}, "/kind", "unknown_code"),
        ({"also": ["magic"]}, "/also/0", "unknown_code"),
        ({"location": "moon"}, "/location", "unknown_code"),
        ({"crimes": ["burglary.magic"]}, "/crimes/0", "unknown_code"),
        ({"without_marker": ["magic"]}, "/without_marker/0", "unknown_code"),
        ({"shares": "everything"}, "/shares", "unknown_code"),
        ({"status": "gone"}, "/status", "unknown_code"),
        ({"min_age": 18, "max_age": 17}, "/max_age", "max_below_min"),
        ({"name": " "}, "/name", "empty"),
        ({"secret": True}, "/secret", "unknown_field"),
    ],
)
async def test_a_service_that_is_wrong_is_refused_with_place_and_code(
    partners: Running, change: dict[str, Any], pointer: str, code: str
) -> None:
    for method, path, body in (
        ("POST", f"/v1/partners/{partners.partners['idva']}/services", {**SERVICE, **change}),
        ("PUT", f"/v1/services/{partners.services['idva']}", change),
    ):
        answer = await partners.call(method, path, "directory:write", body, if_match='"1"')
        [fault] = answer.json()["errors"]
        assert (answer.status_code, fault["pointer"], fault["code"]) == (422, pointer, code)
    assert len((await partners.call("GET", "/v1/services", "cases:read")).json()["items"]) == 2


async def test_an_organisation_is_a_partner_once(partners: Running) -> None:
    await add_partner(partners)
    again = await partners.call("POST", "/v1/partners", "directory:write", {"organisation": "example", "name": "B"})
    assert (again.status_code, again.json()["code"]) == (409, "partner_exists")
    wrong = await partners.call("POST", "/v1/partners", "directory:write", {"organisation": "an example", "name": "B"})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "not_an_organisation")
    nobody = await partners.call("POST", f"/v1/partners/{new_id()}/services", "directory:write", SERVICE)
    assert nobody.status_code == 404


async def test_the_directory_needs_its_scope(partners: Running) -> None:
    partner_id = partners.partners["idva"]
    for method, path, body in (
        ("POST", "/v1/partners", {"organisation": "example", "name": "Example"}),
        ("POST", f"/v1/partners/{partner_id}/services", SERVICE),
        ("PUT", f"/v1/services/{partners.services['idva']}", {"status": "suspended"}),
        ("POST", "/v1/agreements", {**AGREEMENT, "partner_id": str(partner_id)}),
    ):
        answer = await partners.call(method, path, "cases:read cases:write agreements:read", body, if_match='"1"')
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"lawful_basis": "because"}, "/lawful_basis", "unknown_code"),
        ({"purposes": []}, "/purposes", "too_short"),
        ({"purposes": ["magic"]}, "/purposes/0", "unknown_code"),
        ({"data_categories": ["shoe_size"]}, "/data_categories/0", "unknown_code"),
        ({"crimes_excluded": ["magic"]}, "/crimes_excluded/0", "unknown_code"),
        ({"starts_on": "2026-02-30"}, "/starts_on", "not_a_date"),
        ({"ends_on": "2025-12-31"}, "/ends_on", "ends_before_start"),
        ({"partner_id": str(new_id())}, "/partner_id", "unknown_partner"),
    ],
)
async def test_an_agreement_that_is_wrong_is_refused_with_place_and_code(
    partners: Running, change: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await agree(partners, **{"partner_id": await add_partner(partners), **change})
    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, pointer, code)


async def test_two_active_agreements_never_cover_a_purpose_on_the_same_day(partners: Running) -> None:
    partner_id = await add_partner(partners)
    first = await agree(partners, partner_id, ends_on="2026-12-31")
    assert first.status_code == 200
    overlapping = await agree(partners, partner_id, purposes=["idva", "counselling"], starts_on="2026-12-31")
    assert (overlapping.status_code, overlapping.json()["code"]) == (409, "agreement_overlaps")
    [fault] = overlapping.json()["errors"]
    assert fault["pointer"] == "/purposes"
    assert fault["detail"] == f"agreement {first.json()['id']} covers counselling at that time"
    for others in ({"starts_on": "2027-01-01"}, {"purposes": ["idva"]}):
        assert (await agree(partners, partner_id, **others)).status_code == 200


async def test_of_many_agreements_made_at_once_one_stands(partners: Running) -> None:
    partner_id = await add_partner(partners)
    answers = await asyncio.gather(*(agree(partners, partner_id) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


days = st.integers(1, 28).map(lambda day: date(2026, 1, day))
terms = st.builds(
    Term,
    status=st.sampled_from(["active", "active", "draft"]),
    purposes=st.frozensets(st.sampled_from(["idva", "isva"]), min_size=1),
    starts_on=days,
    ends_on=st.none() | days,
)


@given(terms, terms, days)
def test_what_does_not_overlap_has_no_day_in_common(one: Term, other: Term, day: date) -> None:
    assert overlap(one, other) == overlap(other, one)

    def holds(term: Term) -> bool:
        return term.starts_on <= day <= (term.ends_on or date.max)

    if one.status == other.status == "active" and one.purposes & other.purposes and holds(one) and holds(other):
        assert overlap(one, other)
    if overlap(one, other):
        assert one.purposes & other.purposes
