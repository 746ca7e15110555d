"""The bad-input matrix (reference/reliability.md, section 4), rows 24 to 48: which test proves which row.

    24  gateway/test_bad_input.py test_row_24_a_token_of_another_key_is_refused_without_a_reason_and_noted
    24  hubkit/test_auth.py test_an_unbelievable_token_is_refused_without_a_reason
    24  services/partners/test_bad_input.py test_row_24_a_token_between_deployables_that_is_not_believed_is_noted
    25  gateway/test_tokens.py test_no_forged_expired_or_foreign_token_is_believed
    25  hubkit/test_auth.py test_an_unbelievable_token_is_refused_without_a_reason
    26  gateway/test_bad_input.py test_row_26_a_token_of_a_megabyte_is_refused_and_costs_nothing
    26  gateway/test_bad_input.py test_row_26_two_hundred_headers_are_refused
    26  gateway/test_bad_input.py test_row_26_headers_without_end_are_cut_off
    27  gateway/test_bad_input.py test_row_27_an_assertion_that_brings_its_key_is_an_invalid_client
    27  gateway/test_tokens.py test_a_wrong_assertion_is_an_invalid_client
    27  gateway/test_tokens.py test_an_assertion_is_good_once
    27  gateway/test_tokens.py test_a_disabled_client_gets_no_token_and_its_tokens_end
    28  gateway/test_bad_input.py test_row_28_ids_that_are_not_there_are_noted_with_the_client_that_tried_them
    28  services/partners/test_bad_input.py test_row_28_what_is_another_partners_is_answered_as_what_is_not_there
    29  services/partners/test_bad_input.py test_row_29_no_call_takes_a_field_that_is_the_hubs_to_set
    30  gateway/test_bad_input.py test_row_30_a_partners_token_opens_nothing_of_the_hubs
    30  gateway/test_bad_input.py test_row_30_a_method_is_what_the_request_line_says
    31  services/partners/test_consent_ledger.py test_bad_consents_are_refused_or_kept_as_drafts_when_asked
    32  services/intake/test_api.py test_row_32_a_contact_that_is_called_unsafe_never_reaches_a_partner
    32  services/intake/test_api.py test_bad_fields_are_named_and_never_repeated
    33  services/partners/test_bad_input.py test_row_33_each_wrong_day_postcode_and_number_is_named
    33  services/intake/test_api.py test_bad_fields_are_named_and_never_repeated
    34  services/partners/test_bad_input.py test_row_34_text_that_hides_something_is_refused_in_every_field
    34  services/partners/test_bad_input.py test_row_34_text_is_kept_in_normal_form_and_measured_in_code_points
    35  services/partners/test_bad_input.py test_row_35_text_that_looks_like_a_program_is_kept_and_shown_as_text
    35  services/partners/test_bad_input.py test_row_35_a_page_is_made_of_text_whatever_it_says
    35  services/partners/test_bad_input.py test_row_35_nothing_is_written_as_csv
    35  services/partners/test_bad_input.py test_row_35_a_log_line_is_one_line
    36  services/partners/test_bad_input.py test_row_36_a_partner_names_no_headers
    37  services/partners/test_bad_input.py test_rows_37_and_38_an_address_that_must_not_be_called_is_refused
    37  hubkit/test_egress_addresses.py test_a_wrong_webhook_url_is_refused_with_a_code
    38  services/partners/test_bad_input.py test_rows_37_and_38_an_address_that_must_not_be_called_is_refused
    38  hubkit/test_egress.py test_a_name_that_points_inside_is_blocked_at_the_socket
    38  hubkit/test_egress_addresses.py test_special_addresses_are_never_permitted
    39  services/partners/test_bad_input.py test_row_39_keys_are_made_by_the_hub_alone
    39  hubkit/test_webhooks.py test_a_malformed_signing_key_is_refused
    39  hubkit/test_webhooks.py test_a_public_key_off_the_curve_or_of_small_order_is_refused
    40  services/partners/test_bad_input.py test_row_40_a_signature_is_no_way_in_and_a_wrong_challenge_verifies_nothing
    40  hubkit/test_webhooks.py test_whatever_is_wrong_the_refusal_is_the_same
    40  hubkit/test_webhooks.py test_only_eight_signatures_are_tried
    40  hubkit/test_webhooks.py test_the_tolerance_is_five_minutes_either_way
    41  services/partners/test_bad_input.py test_row_41_an_answer_out_of_turn_changes_nothing
    41  gateway/test_bad_input.py test_row_41_answers_without_number_are_slowed_down
    42  gateway/test_bad_input.py test_row_42_only_a_trusted_proxy_says_who_calls
    42  gateway/test_bad_input.py test_row_42_the_hub_is_where_its_settings_say
    42  gateway/test_bad_input.py test_row_42_a_request_line_names_a_path_and_no_server
    42  gateway/test_bad_input.py test_row_42_two_hosts_are_refused_everywhere
    43  gateway/test_bad_input.py test_row_43_an_odd_path_is_not_found_and_a_long_one_too_long
    44  services/partners/test_bad_input.py test_row_44_an_event_that_cannot_be_read_is_dead_and_others_flow
    44  hubkit/test_messaging.py test_poison_messages_are_dead_and_the_rest_flows
    44  hubkit/test_messaging.py test_event_that_is_not_from_its_producer_stays_dead_on_replay
    44  hubkit/test_messaging.py test_event_that_came_as_another_type_is_dead
    44  deploy/test_compose.py test_a_broker_user_reads_only_its_own_queues
    44  deploy/test_compose.py test_a_broker_user_says_only_its_own_events
    44  deploy/test_broker.py test_the_broker_refuses_an_event_of_another_service
    45  services/partners/test_open_directory.py test_what_it_does_not_understand_it_refuses
    45  services/partners/test_open_directory.py test_each_filter_finds_what_it_says_and_no_character_stands_for_others
    46  services/partners/test_agreements.py test_row_46_what_is_wrong_is_refused_with_place_and_code
    46  services/partners/test_agreements.py test_a_second_person_approves_and_only_then_it_holds
    48  gateway/test_bad_input.py test_row_48_a_hundred_bad_tokens_lock_nobody_out
    48  gateway/test_limits.py test_guessing_a_secret_is_stopped_and_does_not_lock_the_client_out

Row 47 is about the sign-in of staff with OpenID Connect, which the hub does not have yet.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextvars import ContextVar
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Engine

from hubkit.bus import Message
from hubkit.contracts import CaseOpenedV1
from hubkit.egress import FeedClient
from hubkit.errors import InvalidError
from hubkit.ids import new_id
from hubkit.inbox import list_events
from hubkit.log import JsonFormatter
from onward.person.page import page, table
from services.partners.actions.deliveries import Notice, enqueue
from services.partners.actions.endpoints import register_endpoint
from services.partners.model import SENT
from tests.hubkit.test_egress_addresses import BAD_URLS
from tests.hubkit.test_messaging import until
from tests.services.partners.listing_support import ENTRY, PUBLIC, put
from tests.services.partners.support import Running, caller, consent, opened, running
from tests.services.partners.test_agreements import draft
from tests.services.partners.test_capacity import report
from tests.services.partners.test_rights import REQUEST

TESTS = Path(__file__).parents[2]
OF_PARTNERS = "onward:read onward:write webhooks:manage"
SCOPES = f"{OF_PARTNERS} cases:read cases:write agreements:read agreements:write directory:write"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Use one database alone: what is refused here is refused before it."""
    return f"sqlite+aiosqlite:///{tmp_path / 'partners.db'}"


def places(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return where the faults of a refusal are, and their codes."""
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


def test_every_row_is_proved_by_a_test_that_names_it() -> None:
    listed = re.findall(r"^    (\d+)  (\S+) (\w+)$", __doc__ or "", re.MULTILINE)
    assert {int(row) for row, _, _ in listed} == set(range(24, 49)) - {47}
    for row, file, test in listed:
        found = re.search(rf"def {test}\((?:(?!\n\n\n).)*", (TESTS / file).read_text(encoding="utf-8"), re.DOTALL)
        assert found, (file, test)
        assert re.search(rf"[Rr]ows?[_ ][\d_, and]*(?<!\d){row}(?!\d)", found[0]), f"{test} does not name row {row}"


async def test_row_24_a_token_between_deployables_that_is_not_believed_is_noted(
    partners: Running, caplog: pytest.LogCaptureFixture
) -> None:
    assert partners.http is not None
    good = partners.headers("onward:read")["authorization"]
    for wrong in ("", "Bearer", "Bearer a.b.c", good[:-4] + "AAAA", f"{good}, {good}"):
        caplog.clear()
        answer = await partners.http.get("/v1/onward-referrals", headers={"authorization": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        [noted] = [vars(record) for record in caplog.records if record.msg == "access_refused"]
        assert noted["code"] == "unauthenticated"


OF_A_PARTNER = [
    ("GET", "/v1/onward-referrals/{onward}", None),
    ("GET", "/v1/onward-referrals/{onward}/actions", None),
    ("GET", "/v1/onward-referrals/{onward}/amendments", None),
    ("GET", "/v1/onward-referrals/{onward}/receipts", None),
    ("POST", "/v1/onward-referrals/{onward}/receive", None),
    ("POST", "/v1/onward-referrals/{onward}/accept", None),
    ("POST", "/v1/onward-referrals/{onward}/decline", {"reasons": ["capacity_full"]}),
    ("POST", "/v1/onward-referrals/{onward}/progress", None),
    ("POST", "/v1/onward-referrals/{onward}/close", {"outcome": "completed"}),
    ("POST", "/v1/onward-referrals/{onward}/withdrawal-acknowledgement", {"statement": "deleted"}),
    ("PUT", "/v1/webhook-endpoints/{endpoint}", {"url": "http://127.0.0.1:9/mine"}),
    ("POST", "/v1/webhook-endpoints/{endpoint}/verify", {}),
    ("POST", "/v1/webhook-endpoints/{endpoint}/rotate-secret", None),
    ("POST", "/v1/webhook-endpoints/{endpoint}/test", None),
    ("POST", "/v1/webhook-endpoints/{endpoint}/resume", None),
    ("DELETE", "/v1/webhook-endpoints/{endpoint}", None),
    ("GET", "/v1/webhook-deliveries/{delivery}", None),
    ("POST", "/v1/webhook-deliveries/{delivery}/replay", None),
    ("GET", "/v1/services/{service}/capacity", None),
    ("PUT", "/v1/services/{service}/capacity", report()),
]
_counted: ContextVar[list[str] | None] = ContextVar("counted", default=None)


@sqlalchemy_event.listens_for(Engine, "before_cursor_execute")
def _count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    counted = _counted.get()
    if counted is not None:
        counted.append(statement)


async def test_row_28_what_is_another_partners_is_answered_as_what_is_not_there(
    partners: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """By the same answer after the same statements, so in the same time; the next id in order is no better a guess."""
    async with partners.db.transaction() as tx:
        made = await register_endpoint(tx, partners.deps, caller("counselling"), "http://127.0.0.1:9/hook", None)
        onward_id = new_id()
        await enqueue(tx, partners.deps, [Notice(onward_id, partners.partners["counselling"], SENT, "counselling")])
    theirs = {"onward": await partners.request(await partners.open_case(consent())), "endpoint": made.endpoint.id}
    theirs |= {"service": partners.services["counselling"], "delivery": (await _deliveries(partners))[0]}
    statements: dict[str, list[str]] = {}
    for method, template, body in OF_A_PARTNER:
        found = {}
        for whose, ids in (("theirs", theirs), ("nobody's", dict.fromkeys(theirs, new_id())), ("next", _next(theirs))):
            caplog.clear()
            token = _counted.set(statements.setdefault(whose, []))
            path = template.format(**ids)
            answer = await partners.call(method, path, OF_PARTNERS, body, kind="idva", if_match='"2"')
            _counted.reset(token)
            found[whose] = (answer.status_code, answer.text, dict(answer.headers))
            noted = [vars(record) for record in caplog.records if record.msg == "not_theirs"]
            is_told = whose == "theirs" and "{onward}" in template and "acknowledgement" not in template
            expected = [("client-idva", theirs["onward"])] if is_told else []
            assert [(each["client_id"], each["onward_referral_id"]) for each in noted] == expected
        assert found["theirs"] == found["nobody's"] == found["next"], template
        assert (found["theirs"][0], "application/problem+json") == (404, found["theirs"][2]["content-type"]), template
        assert statements["theirs"] == statements["nobody's"], template
    assert statements["theirs"]


def _next(ids: dict[str, UUID]) -> dict[str, UUID]:
    return {name: UUID(int=id.int + 1) for name, id in ids.items()}


async def _deliveries(partners: Running) -> list[UUID]:
    answer = await partners.call("GET", "/v1/webhook-deliveries", "webhooks:manage")
    return [UUID(each["id"]) for each in answer.json()["items"]]


async def test_row_29_no_call_takes_a_field_that_is_the_hubs_to_set(partners: Running) -> None:
    """Nor one of another's; calls that are all said by their path refuse any field."""
    assert partners.http is not None
    document = (await partners.http.get("/openapi.json")).json()
    owned = dict.fromkeys(("tenant_id", "organisation_id", "version", "created_at", "verified", "sent_at"), "x")
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/") and "requestBody" in operation:
                where = re.sub(r"\{[a-z_]+\}", str(new_id()), path)
                answer = await partners.call(method.upper(), where, SCOPES, owned, if_match='"1"')
                refused = {place for place, code in places(answer) if code == "unknown_field"}
                assert refused == {f"/{name}" for name in owned}, (method, path)
                tried += 1
    assert tried >= 30
    onward_id = await partners.request(await partners.open_case(consent()))
    forced = await partners.call(
        "POST", f"/v1/onward-referrals/{onward_id}/accept", "onward:write", {"status": "closed"}, if_match='"2"'
    )
    assert places(forced) == [("/status", "unknown_field")]
    assert (await partners.row(onward_id)).status == "sent"
    empty = await partners.call("POST", f"/v1/onward-referrals/{onward_id}/accept", "onward:write", {}, if_match='"2"')
    assert (empty.status_code, empty.json()["status"]) == (200, "accepted")
    case_id = await partners.open_case()
    given = {"hop": "hub_to_partner", "decision": "refused", "consent": {"verified": True}, "id": str(new_id())}
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", given)
    assert places(answer) == [("/consent", "unknown_field"), ("/id", "unknown_field")]


async def test_row_33_each_wrong_day_postcode_and_number_is_named(partners: Running) -> None:
    """Where the hub keeps such of partners; dates of birth are intake's alone."""
    party = {"name": "Hub", "role": "controller"}
    wrong = {
        "starts_on": "2026-02-29",
        "ends_on": "2026-13-01",
        "review_on": "26-01-01",
        "parties": [party | {"phone": "call me"}, party | {"phone": "0" * 40}, party | {"email": "no"}],
    }
    assert places(await draft(partners, **wrong)) == [
        ("/parties/0/phone", "not_a_phone_number"),
        ("/parties/1/phone", "not_a_phone_number"),
        ("/parties/2/email", "not_an_email"),
        ("/starts_on", "not_a_date"),
        ("/review_on", "not_a_date"),
        ("/ends_on", "not_a_date"),
    ]
    place = PUBLIC["places"][0] | {"postcode": "ZZ99"}
    public = PUBLIC | {"places": [place], "phones": [{"number": "1" * 40}], "assured_on": "2025-02-29"}
    listed = await put(partners, f"services/{partners.services['counselling']}", ENTRY | {"public": public})
    assert sorted(places(listed)) == [
        ("/public/assured_on", "not_a_date"),
        ("/public/phones/0/number", "not_a_phone_number"),
        ("/public/places/0/postcode", "not_a_postcode"),
    ]
    agreement = partners.agreements["counselling"]
    for number in ("0", "+1", "1_0", "9" * 30, "-1", "1.0", "٣"):
        answer = await partners.call("GET", f"/v1/agreements/{agreement}/versions/{number}", "agreements:read")
        assert places(answer) == [("{number}", "out_of_range")]


HIDING = {
    "Alex\u202eelpmaxE": "bidi_control",
    "Alex\u2066": "bidi_control",
    "Al\u200bex": "invisible_character",
    "\ufeffAlex": "invisible_character",
    "Alex\x1b[31m": "control_character",
    "Al\x85ex": "control_character",
    "e" + "\u0301" * 30: "too_many_marks",
    "e" + "\u0301" * 10_000: "too_long",
    "\u200b": "invisible_character",
    "Al\u3164ex": "invisible_character",
    "Al\ue000ex": "control_character",
}


async def test_row_34_text_that_hides_something_is_refused_in_every_field(partners: Running) -> None:
    case_id, partner_id = await partners.open_case(), partners.partners["counselling"]
    for value, code in HIDING.items():
        bodies: list[tuple[str, str, dict[str, Any], str]] = [
            ("POST", "/v1/partners", {"organisation": "a", "name": value}, "/name"),
            ("POST", f"/v1/partners/{partner_id}/services", {"kind": "idva", "name": value}, "/name"),
            ("POST", f"/v1/cases/{case_id}/consents",
             {"hop": "hub_to_partner", "decision": "refused", "giver_note": value}, "/giver_note"),
            ("POST", f"/v1/cases/{case_id}/objections",
             {"to": "all", "reason": "unsafe", "decided_by": value}, "/decided_by"),
            ("PUT", f"/v1/cases/{case_id}/protection",
             {"restricted_to": None, "safe_address": True, "reason": "x", "decided_by": value}, "/decided_by"),
            ("POST", f"/v1/cases/{case_id}/information-requests", REQUEST | {"reason": value}, "/reason"),
            ("POST", f"/v1/onward-referrals/{new_id()}/withdrawal-acknowledgement",
             {"statement": "deleted", "note": value}, "/note"),
            ("POST", f"/v1/agreements/{new_id()}/suspend", {"by": value}, "/by"),
        ]  # fmt: skip
        for method, path, body, place in bodies:
            answer = await partners.call(method, path, SCOPES, body, if_match='"1"')
            assert (path, value[:9], places(answer)) == (path, value[:9], [(place, code)])
        assert places(await draft(partners, drafted_by=value)) == [("/drafted_by", code)]


async def test_row_34_text_is_kept_in_normal_form_and_measured_in_code_points(partners: Running) -> None:
    """Letters of another script stay as they were written, and so do emoji."""
    for written, kept in (
        ("Zoe\u0308", "Zo\u00eb"),
        ("\u0410lex", "\u0410lex"),
        ("\U0001f600" * 200, "\U0001f600" * 200),
        ("e\u0301" * 200, "\u00e9" * 200),
    ):
        body = {"organisation": f"a-{new_id()}", "name": written}
        answer = await partners.call("POST", "/v1/partners", "directory:write", body)
        assert (answer.status_code, answer.json()["name"]) == (201, kept)
    long = {"organisation": "a", "name": "\U0001f600" * 201}
    assert places(await partners.call("POST", "/v1/partners", "directory:write", long)) == [("/name", "too_long")]


PROGRAMS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'); DROP TABLE partner; --",
    "{{7*7}} ${7*7} %(name)s {0}",
    "&lt;b&gt; &amp;",
]


async def test_row_35_text_that_looks_like_a_program_is_kept_and_shown_as_text(partners: Running) -> None:
    for text in PROGRAMS:
        body = {"organisation": f"a-{new_id()}", "name": text}
        made = await partners.call("POST", "/v1/partners", "directory:write", body)
        assert (made.status_code, made.json()["name"]) == (201, text)
        assert (made.headers["content-type"], made.headers["x-content-type-options"]) == ("application/json", "nosniff")
    for text in ("a\r\nSet-Cookie: x=1", "a\nb", "a\tb"):
        body = {"organisation": "a", "name": text}
        answer = await partners.call("POST", "/v1/partners", "directory:write", body)
        assert places(answer) == [("/name", "control_character")]
    listed = (await partners.call("GET", "/v1/partners?limit=100", "cases:read")).json()["items"]
    assert [each["name"] for each in listed][2:] == PROGRAMS


class _Reader(HTMLParser):
    """Notes which elements a page has, with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, Any]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(st.one_of(st.sampled_from(PROGRAMS), st.text(st.characters(exclude_characters="\r\0"), min_size=1, max_size=40)))
def test_row_35_a_page_is_made_of_text_whatever_it_says(text: str) -> None:
    """The account of a person and the access export, which are the only pages that the hub makes."""
    plain, odd = (_read(page(word, [table(word, [word], [[word]])])) for word in ("plain", text))
    assert odd.tags == plain.tags
    assert "".join(odd.said) == "".join(plain.said).replace("plain", text)


def test_row_35_nothing_is_written_as_csv() -> None:
    """So no cell can be taken for a formula: registers go out as JSON and YAML. Whoever adds CSV mends this test."""
    sources = [path for room in ("hubkit", "services", "gateway", "onward") for path in Path(room).rglob("*.py")]
    assert len(sources) > 200
    assert [path for path in sources if re.search(r"csv\.(writer|DictWriter)", path.read_text(encoding="utf-8"))] == []


def test_row_35_a_log_line_is_one_line() -> None:
    record = logging.LogRecord("library", logging.ERROR, "f.py", 1, 'a\n{"level":"info"}', (), None)
    record.reason = 'b\r\n{"level":"info","event":"forged"}\u2028'
    line = JsonFormatter("partners").format(record)
    assert not {"\n", "\r"} & set(line)
    assert (json.loads(line)["event"], json.loads(line)["reason"]) == ("a", record.reason)


async def test_row_36_a_partner_names_no_headers(partners: Running) -> None:
    """What a webhook carries is the hub's to say: headers of a partner's own are not offered, under any name."""
    for name in ("headers", "custom_headers", "authorization", "auth", "method"):
        for headers in (
            {"X-A": "b\r\nwebhook-id: 1"},
            {"webhook-signature": "x"},
            {"Host": "a"},
            {"Authorization": "b"},
        ):
            body = {"url": "https://hooks.example.org/", name: headers}
            answer = await partners.call("POST", "/v1/webhook-endpoints", "webhooks:manage", body)
            assert places(answer) == [(f"/{name}", "unknown_field")]


NEVER_CALLED = BAD_URLS | {
    "https://hooks.example.org/\x00": "nul_character",
    "https://hooks.example.org/" + "a" * 65_536: "too_long",
    "https://[::1%lo]/": "ip_address_not_allowed",
    "https://[2002:7f00:1::]/": "ip_address_not_allowed",
    "https://169.254.169.254/latest/meta-data": "ip_address_not_allowed",
    "https://hub.example.org/v1/partners": "own_address",
    "https://HUB.example.org:8443/": "own_address",
}


@pytest.fixture
async def strict(url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """Run partners as in production: no private endpoints."""
    async with running(url, tmp_path, allow_private_endpoints=False) as made:
        await made.add_partner("counselling")
        yield made


async def test_rows_37_and_38_an_address_that_must_not_be_called_is_refused(strict: Running) -> None:
    """At registering, at changing, and as the address of a feed. A name that points inside is blocked when called."""
    made = await strict.call("POST", "/v1/webhook-endpoints", "webhooks:manage", {"url": "https://hooks.example.org/"})
    assert made.status_code == 201
    feed = FeedClient()
    for address, code in NEVER_CALLED.items():
        for method, path in (("POST", ""), ("PUT", f"/{made.json()['id']}")):
            answer = await strict.call(method, f"/v1/webhook-endpoints{path}", "webhooks:manage", {"url": address})
            assert (address[:80], places(answer)) == (address[:80], [("/url", code)])
        if code != "own_address":
            with pytest.raises(InvalidError):
                await feed.get(address)
    listed = (await strict.call("GET", "/v1/webhook-endpoints", "webhooks:manage")).json()["items"]
    assert [each["url"] for each in listed] == ["https://hooks.example.org/"]
    rules = {"domains": ["example.org", "127.1", "a b", "user@example.org"]}
    path = f"/v1/partners/{strict.partners['counselling']}/webhook-domains"
    refused = places(await strict.call("PUT", path, "directory:write", rules))
    assert [place for place, _ in refused] == ["/domains/1", "/domains/2", "/domains/3"]


async def test_row_39_keys_are_made_by_the_hub_alone(partners: Running) -> None:
    """A partner gives none, neither when it registers nor when it rotates."""
    url = "http://127.0.0.1:9/hook"
    made = await partners.call("POST", "/v1/webhook-endpoints", "webhooks:manage", {"url": url})
    rotate = f"/v1/webhook-endpoints/{made.json()['id']}/rotate-secret"
    for name, key in (
        ("secret", "whsec_eA=="),
        ("signing_key", "whpk_AAAA"),
        ("public_key", "whpk_AAAA"),
        ("keys", []),
    ):
        answer = await partners.call("POST", "/v1/webhook-endpoints", "webhooks:manage", {"url": url, name: key})
        assert places(answer) == [(f"/{name}", "unknown_field")]
        assert places(await partners.call("POST", rotate, "webhooks:manage", {name: key})) == [
            (f"/{name}", "unknown_field")
        ]


async def test_row_40_a_signature_is_no_way_in_and_a_wrong_challenge_verifies_nothing(partners: Running) -> None:
    """Partners answer by calls with their token; there is no signed callback. What verifies is in hubkit/webhooks."""
    assert partners.http is not None
    made = await partners.call("POST", "/v1/webhook-endpoints", "webhooks:manage", {"url": "http://127.0.0.1:9/hook"})
    path = f"/v1/webhook-endpoints/{made.json()['id']}/verify"
    signed = {"webhook-id": "a.b", "webhook-timestamp": "NaN", "webhook-signature": "v1,x " * 1_000}
    unsigned = await partners.http.post(path, json={"challenge": "x"}, headers=signed)
    assert (unsigned.status_code, unsigned.headers["content-type"]) == (401, "application/problem+json")
    for challenge, code in (
        ("x", "wrong_challenge"),
        ("é" * 200, "wrong_challenge"),
        ("x" * 201, "too_long"),
        ("", "too_short"),
        (5, "wrong_type"),
        ([], "wrong_type"),
    ):
        answer = await partners.call("POST", path, "webhooks:manage", {"challenge": challenge})
        assert places(answer) == [("/challenge", code)]
    listed = (await partners.call("GET", "/v1/webhook-endpoints", "webhooks:manage")).json()["items"]
    assert [each["status"] for each in listed] == ["pending"]


async def test_row_41_an_answer_out_of_turn_changes_nothing(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    decline, close = {"reasons": ["capacity_full"]}, {"outcome": "completed"}

    async def say(move: str, version: int, body: Any = None, id: UUID = onward_id, kind: str = "counselling") -> Any:
        path = f"/v1/onward-referrals/{id}/{move}"
        answer = await partners.call("POST", path, "onward:write", body, if_match=f'"{version}"', kind=kind)
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json().get("code", answer.json().get("version"))

    assert await say("accept", 2, id=new_id()) == (404, "not_found")
    assert await say("accept", 2, kind="idva") == (404, "not_found")
    assert await say("progress", 2) == (409, "wrong_state")
    assert await say("close", 2, close) == (409, "wrong_state")
    assert await say("accept", 2) == (200, 3)
    assert await say("accept", 2) == (200, 3)
    assert await say("decline", 3, decline) == (409, "wrong_state")
    assert await say("accept", 3) == (409, "wrong_state")
    assert await say("close", 2, close) == (412, "version_mismatch")
    assert await say("close", 3, close) == (200, 4)
    assert await say("close", 3, close) == (200, 4)
    for move, body in (("accept", None), ("progress", None), ("decline", decline)):
        assert await say(move, 4, body) == (409, "wrong_state")
    assert [each.status for each in await partners.said(onward_id)] == ["sent", "accepted", "closed"]


async def test_row_44_an_event_that_cannot_be_read_is_dead_and_others_flow(partners: Running) -> None:
    """Who may say what at the broker: its users and their permissions, in deploy/test_compose.py."""
    assert partners.app is not None
    kind, sinks = CaseOpenedV1.TYPE, partners.app.state.service.bus._sinks[CaseOpenedV1.TYPE]

    async def arrive(events: list[dict[str, Any]]) -> None:
        stored = asyncio.Event()

        async def ack() -> None:
            stored.set()

        for sink in sinks:
            sink(Message(kind, json.dumps(events).encode(), ack))
        await asyncio.wait_for(stored.wait(), 20)

    envelope = {"id": str(new_id()), "source": "triage", "subject": "x", "time": "2026-01-01T00:00:00+00:00"}
    data = json.loads(opened(new_id()).model_dump_json())
    wrong = {
        "unknown type": [{**envelope, "type": "case.opened.v2", "data": data}],
        "does not fit its contract": [
            {**envelope, "type": kind, "data": {**data, "case_id": "1"}, "id": str(new_id())}
        ],
        "not from its producer": [{**envelope, "type": kind, "data": data, "source": "routing", "id": str(new_id())}],
        "message too large": [{**envelope, "type": kind, "data": data, "subject": "x" * 2_000_000}],
    }
    for events in wrong.values():
        await arrive(events)
    case_id = new_id()
    good = {**envelope, "id": str(new_id()), "type": kind, "data": json.loads(opened(case_id).model_dump_json())}
    odd = {**good, "id": str(new_id()), "traceparent": 5}
    await arrive([odd])
    await arrive([good])

    async def is_known() -> bool:
        found = await partners.call("GET", f"/v1/cases/{case_id}/consents", "cases:read")
        return found.status_code == 200

    await until(is_known)
    assert sorted(row["reason"] for row in await list_events(partners.db, "dead")) == sorted(wrong)
    assert await list_events(partners.db, "pending") == []
