"""The calls for single referrals and disclosures."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hubkit.ids import new_id
from tests.services.intake.support import Intake, referral, running


async def count(intake: Intake, table: str) -> int:
    async with intake.db.reading() as tx:
        row = await tx.row(text(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return int(row[0])


def places(response: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


async def test_a_referral_is_answered_with_its_place(intake: Intake) -> None:
    response = await intake.post(referral())

    assert response.status_code == 202
    body = response.json()
    assert body == {"id": body["id"], "status": "received", "links": {"self": f"/v1/referrals/{body['id']}"}}
    assert response.headers["location"] == body["links"]["self"]
    status = await intake.get(response.headers["location"])
    assert status.json() == {
        "id": body["id"],
        "status": "received",
        "received_at": "2026-11-19T09:00:00Z",
        "decision": None,
        "onward": [],
    }


async def test_fifty_posts_with_one_key_at_once_make_one_referral(intake: Intake) -> None:
    responses = await asyncio.gather(*(intake.post(referral()) for _ in range(50)))

    assert {response.status_code for response in responses} == {202}
    assert len({response.text for response in responses}) == 1
    assert await count(intake, "referral") == await count(intake, "outbox") == 1


async def test_one_key_for_two_bodies_is_refused(intake: Intake) -> None:
    assert (await intake.post(referral())).status_code == 202
    response = await intake.post(referral(needs=[]))
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", [None, "", " ", "a b", "ü", "x" * 256])
async def test_a_post_without_a_proper_key_is_refused(intake: Intake, key: str | None) -> None:
    headers: dict[str, Any] = intake.headers("referrals:write")
    if key is not None:
        headers["idempotency-key"] = key.encode()
    response = await intake.http.post("/v1/referrals", json=referral(), headers=headers)
    assert response.status_code == 400
    assert response.json()["code"] == ("idempotency_key_invalid" if key else "idempotency_key_missing")


async def test_a_referral_is_shown_to_its_own_source_alone(intake: Intake) -> None:
    location = (await intake.post(referral())).headers["location"]
    foreign = await intake.get(location, organisation="other")
    missing = await intake.get(f"/v1/referrals/{new_id()}")
    assert (foreign.status_code, foreign.text) == (404, missing.text)


BAD_FIELDS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"person__date_of_birth": "2023-02-29"}, ("/person/date_of_birth", "not_a_date")),
    ({"person__date_of_birth": "1800-01-01"}, ("/person/date_of_birth", "too_long_ago")),
    ({"person__address": {"lines": [], "postcode": "no"}}, ("/person/address/postcode", "not_a_postcode")),
    ({"person__phone": "0" * 40}, ("/person/phone", "not_a_phone_number")),
    ({"person__phone": "call me"}, ("/person/phone", "not_a_phone_number")),
    ({"person__email": "no"}, ("/person/email", "not_an_email")),
    ({"person__area_code": "Cambridge"}, ("/person/area_code", "not_an_area_code")),
    ({"person__language": "English"}, ("/person/language", "not_a_language")),
    ({"person__given_name": "\u202eAlex"}, ("/person/given_name", "bidi_control")),
    ({"person__given_name": "e" + "\u0301" * 50}, ("/person/given_name", "too_many_marks")),
    ({"person__status": "open"}, ("/person/status", "unknown_field")),
    ({"status": "accepted"}, ("/status", "unknown_field")),
    ({"source__channel": "pigeon"}, ("/source/channel", "unknown_code")),
    ({"source__reference": "has spaces"}, ("/source/reference", "not_a_reference")),
    ({"source__from": "x" * 101}, ("/source/from", "too_long")),
    ({"source__from_": "x"}, ("/source/from_", "unknown_field")),
    ({"source__intake_method": "fax"}, ("/source/intake_method", "unknown_code")),
    ({"source__received_by_unit": [{"unit": "a"}]}, ("/source/received_by_unit/0/received_at", "missing")),
    ({"person__age": 131}, ("/person/age", "out_of_range")),
    ({"person__age": True}, ("/person/age", "wrong_type")),
    ({"person__local_authority_area": "area x"}, ("/person/local_authority_area", "not_a_code")),
    ({"purpose": "curiosity"}, ("/purpose", "unknown_code")),
    ({"crime__category": "burglary"}, ("/crime/category", "unknown_code")),
    ({"crime__reported_to_police": "yes"}, ("/crime/reported_to_police", "wrong_type")),
    ({"risk__score": 10**30}, ("/risk/score", "integer_out_of_range")),
    ({"risk__score": 5.5}, ("/risk/score", "wrong_type")),
    ({"markers": ["sad"]}, ("/markers/0", "unknown_code")),
    ({"needs": "counselling"}, ("/needs", "not_a_list")),
    ({"received_at": "2026-11-19T08:00:00"}, ("/received_at", "not_an_instant")),
    ({"received_at": "2026-11-20T08:00:00Z"}, ("/received_at", "in_future")),
    ({"consents": [{"hop": "police_to_hub", "decision": "given"}]}, ("/consents/0/recorded_at", "missing")),
    ({"safe_contact__phone": False}, ("/person/preferred_method", "unsafe_method")),
    ({"safe_contact__times": ["18:00", "18:00"]}, ("/safe_contact/times", "unknown_field")),
]


async def test_bad_fields_are_named_and_never_repeated(intake: Intake) -> None:
    """Rows 32 and 33 of the bad-input matrix."""
    for changes, expected in BAD_FIELDS:
        response = await intake.post(referral(**changes))
        assert (response.status_code, places(response)) == (422, [expected])
        assert "Alex" not in response.text
    assert await count(intake, "referral") == 0


async def test_an_unknown_code_is_answered_with_the_known_ones(intake: Intake) -> None:
    response = await intake.post(referral(source__channel="pigeon"))
    assert "police_automatic" in response.json()["errors"][0]["detail"]


async def test_text_that_looks_like_a_program_is_kept_as_it_is(intake: Intake) -> None:
    story = "=cmd|' /C calc'!A0 <script>alert(1)</script>\r\nSet-Cookie: x=1"
    posted = await intake.post(referral(narrative=story))
    headers = intake.headers("person:read", issuer="partners")
    asked = {"referral_id": posted.json()["id"], "fields": ["narrative"]}
    response = await intake.http.post("/internal/disclosures", json=asked, headers=headers)
    assert response.json()["fields"] == {"narrative": story.replace("\r\n", "\n")}


async def test_a_disclosure_holds_exactly_the_fields_that_were_asked_for(intake: Intake) -> None:
    posted = await intake.post(referral(safe_contact__instructions="after six", person__language=None))
    id = posted.json()["id"]
    headers = intake.headers("person:read", issuer="partners")
    fields = ["address", "crime_category", "crime_reference", "date_of_birth", "language", "markers", "occurred_on"]
    fields += ["phone", "risk", "safe_contact"]
    response = await intake.http.post(
        "/internal/disclosures", json={"referral_id": id, "fields": fields}, headers=headers
    )
    safe = {"phone": True, "text": True, "voicemail": False, "email": True, "letter": False}
    assert response.json() == {
        "referral_id": id,
        "version": 1,
        "fields": {
            "address": {"lines": ["1 Example Street"], "postcode": "ZZ99 9ZZ"},
            "crime_category": "burglary.residential",
            "crime_reference": "35/44871/26",
            "date_of_birth": "1990-02-03",
            "language": None,
            "markers": ["vulnerable"],
            "occurred_on": "2026-11-18",
            "phone": "07700900123",
            "risk": {"instrument": "dash"},
            "safe_contact": {**safe, "instructions": "after six"},
        },
    }


@pytest.mark.parametrize(
    ("safe", "given"),
    [
        ({"phone": False, "text": False, "voicemail": False, "email": False}, (None, None)),
        ({"phone": False, "text": None, "voicemail": None, "email": None}, (None, "alex@example.org")),
        ({"phone": False, "text": True, "voicemail": False}, ("07700900123", "alex@example.org")),
        ({"phone": None, "text": False, "voicemail": False}, ("07700900123", "alex@example.org")),
    ],
)
async def test_row_32_a_contact_that_is_called_unsafe_never_reaches_a_partner(
    intake: Intake, safe: dict[str, Any], given: tuple[str | None, str | None]
) -> None:
    """That an unsafe method is not the preferred one, and that there are no safe times to be wrong: `BAD_FIELDS`."""
    posted = await intake.post(referral(person__preferred_method=None, safe_contact=safe))
    asked = {"referral_id": posted.json()["id"], "fields": ["phone", "email", "safe_contact"]}
    headers = intake.headers("person:read", issuer="partners")
    fields = (await intake.http.post("/internal/disclosures", json=asked, headers=headers)).json()["fields"]
    assert (fields["phone"], fields["email"]) == given
    assert {name: fields["safe_contact"][name] for name in safe} == safe


async def test_a_disclosure_is_for_partners_alone(intake: Intake) -> None:
    asked = {"referral_id": str(new_id()), "fields": ["phone"]}
    for scopes, issuer, status in (
        ("person:read", "gateway", 403),
        ("referrals:read", "partners", 403),
        ("person:read", "partners", 404),
    ):
        headers = intake.headers(scopes, issuer=issuer)
        response = await intake.http.post("/internal/disclosures", json=asked, headers=headers)
        assert response.status_code == status
    unknown = {"referral_id": str(new_id()), "fields": ["shoe_size"]}
    response = await intake.http.post("/internal/disclosures", json=unknown, headers=headers)
    assert (response.status_code, places(response)) == (422, [("/fields/0", "unknown_code")])


async def test_the_internal_call_is_not_in_the_public_description(intake: Intake) -> None:
    document = (await intake.http.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        "/v1/referrals",
        "/v1/referrals/{referral_id}",
        "/v1/transfers",
        "/v1/transfers/{transfer_id}",
        "/v1/transfers/{transfer_id}/rows",
    }


async def test_the_trace_of_a_request_goes_on_in_its_event(intake: Intake) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = intake.headers("referrals:write") | {"idempotency-key": "k", "traceparent": trace}
    await intake.http.post("/v1/referrals", json=referral(), headers=headers)
    async with intake.db.reading() as tx:
        row = await tx.row(text("SELECT body FROM outbox"))
    assert row is not None
    assert json.loads(row.body)["traceparent"] == trace


async def test_a_caller_without_an_organisation_sends_nothing(intake: Intake) -> None:
    response = await intake.post(referral(), organisation="")
    assert (response.status_code, response.json()["code"]) == (403, "no_organisation")


async def test_every_call_but_the_probes_has_a_guard(tmp_path: Path) -> None:
    async with running(f"sqlite+aiosqlite:///{tmp_path / 'intake.db'}", tmp_path) as intake:
        paths = intake.app.openapi()["paths"]
        for path, method in [(template, method) for template in paths for method in paths[template]]:
            url = path.replace("{referral_id}", str(new_id())).replace("{transfer_id}", str(new_id()))
            sent = await intake.http.request(method, url, json=referral() if path == "/v1/referrals" else None)
            assert (sent.status_code, path) == (401, path)
        asked = {"referral_id": str(new_id()), "fields": ["phone"]}
        assert (await intake.http.post("/internal/disclosures", json=asked)).status_code == 401
        assert (await intake.http.get("/readyz")).json()["status"] == "ready"
