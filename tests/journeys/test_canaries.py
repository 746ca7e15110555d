"""Personal details are in intake's sealed columns and in disclosures alone: canaries are searched everywhere."""

import base64
import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import evidence
from tests.support.canaries import Canaries
from tests.support.evidence import Eavesdropper, Scratch
from tests.support.hub import EmbeddedHub, FullHub, Hub, eventually, referral, without_onward_consent
from tests.support.ledger import waiting
from tests.support.receiver import Receiver

NDJSON, CSV = {"Content-Type": "application/x-ndjson"}, {"Content-Type": "text/csv"}


class Plant:
    """Sends canaries the whole way, right and wrong, and keeps every answer that is no disclosure."""

    def __init__(self, hub: Hub, canaries: Canaries) -> None:
        self.answers: list[tuple[str, bytes]] = []
        self.disclosed = b""
        self._hub = hub
        self._canaries = canaries

    def call(self, client: str, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._hub.call(client, method, path, **options)
        self.answers.append((f"answer to {method} {path.split('?')[0]}", str(answer.headers).encode() + answer.content))
        return answer

    def body(self, label: str, **changes: Any) -> dict[str, Any]:
        """Return a referral whose every personal detail is a canary."""
        made = referral(**self._canaries.person(label)) | changes
        made["crime"] = {**made["crime"], "reference": self._canaries.crime_reference}
        return made

    def post(self, body: Any, status: int = 202, key: str | None = None) -> str:
        """Post a referral and expect an answer; return the referral id if there is one."""
        headers = {"Idempotency-Key": str(uuid.uuid4()) if key is None else key}
        answer = self.call("police", "POST", "/v1/referrals", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return str(answer.json().get("id"))

    def sent(self, body: Any) -> tuple[str, dict[str, Any]]:
        """Post a referral that goes out; return its id and its case."""
        id = self.post(body)
        case = eventually(lambda: self._hub.case_onward(id, "sent"))
        for path in (f"/v1/cases/{case['id']}", f"/v1/cases/{case['id']}/explanation", f"/v1/cases?referral_id={id}"):
            self.call("hub", "GET", path)
        return id, case

    def accepted(self) -> None:
        """One that a partner fetches and accepts, then a correction of it."""
        body = self.body("accepted")
        id, case = self.sent(body)
        link = f"/v1/onward-referrals/{case['onward'][0]['id']}"
        fetched = self._hub.call("counselling", "GET", link)
        assert fetched.status_code == 200, fetched.text
        self.disclosed = fetched.content
        self.answers.append(("headers of a disclosure", str(fetched.headers).encode()))
        words = {"reasons": [self._canaries.text("reason to decline", "I know ", " from school")]}
        match = {"If-Match": fetched.headers["etag"]}
        assert self.call("counselling", "POST", f"{link}/decline", json=words, headers=match).status_code == 422
        assert self.call("counselling", "POST", f"{link}/accept", json={}, headers=match).status_code == 200
        self.call("counselling", "GET", "/v1/onward-referrals")
        self.call("counselling", "GET", "/v1/webhook-deliveries")
        corrected = self._canaries.person("corrected")
        assert self.post({**body, **corrected}) == id
        told = {"kind": "counselling", "status": "accepted"}
        eventually(lambda: told in self.call("police", "GET", f"/v1/referrals/{id}").json()["onward"])

    def decided_otherwise(self) -> None:
        """One that is excluded, one without consent, one withdrawn before it is fetched."""
        body = self.body("excluded")
        body["crime"]["category"] = "sexual.rape"
        excluded = self.post(body)
        self.post({**self.body("not asked"), "consents": without_onward_consent()["consents"]})
        _, case = self.sent(self.body("withdrawn"))
        no_code = {"hop": "hub_to_partner", "decision": self._canaries.text("decision", "ask ", " again")}
        assert self.call("hub", "POST", f"/v1/cases/{case['id']}/consents", json=no_code).status_code == 422
        withdrawal = {"hop": "hub_to_partner", "decision": "withdrawn", "recipients": ["counselling"]}
        assert self.call("hub", "POST", f"/v1/cases/{case['id']}/consents", json=withdrawal).status_code == 201
        link = f"/v1/onward-referrals/{case['onward'][0]['id']}"
        assert self.call("counselling", "GET", link).status_code == 403
        eventually(lambda: self.call("police", "GET", f"/v1/referrals/{excluded}").json()["decision"])

    def refused(self) -> None:
        """Referrals that are wrong in one place, with canaries there and in all others."""
        for field, value in self._wrong_values().items():
            body = self.body(f"refused for {field}")
            where, _, name = field.rpartition(".")
            (body[where] if where else body)[name] = value
            self.post(body, 422)
        key = str(uuid.uuid4())
        self.post(self.body("key used first"), key=key)
        self.post(self.body("key used again"), 422, key=key)
        self.post(self.body("no key"), 400, key="")
        self.post(self.body("bad key"), 400, key=self._canaries.text("bad key", "born to "))
        email = self._canaries.text("email as a key", "", "@example.org")
        self.post(self.body("keyed by email"), key=email)
        self._broken_requests()

    def _wrong_values(self) -> dict[str, Any]:
        text = self._canaries.text
        return {
            "person.date_of_birth": text("wrong date", "about ", "'s age"),
            "person.phone": text("wrong phone", "call "),
            "person.email": text("wrong email", "", " at example.org"),
            "person.given_name": text("wrong name", "hidden\u202e"),
            "person.language": text("wrong language", "speaks as "),
            f"person.{text('unknown key', 'brother ')}": 1,
            "crime.category": text("wrong category", "theft of "),
            "source.channel": text("wrong channel", "by "),
            "source.reference": text("wrong reference", "CMS "),
            "markers": [text("wrong marker", "child of ")],
            "needs": [text("wrong need", "lives with ")],
            "consents": [{"hop": text("wrong hop", "to "), "decision": "given"}],
            "received_at": text("wrong time", "when ", " came"),
            "narrative": [text("wrong type", "said ")],
        }

    def _broken_requests(self) -> None:
        whole = json.dumps(self.body("broken"), ensure_ascii=False).encode()
        key = {"Idempotency-Key": str(uuid.uuid4())}
        json_type = {"Content-Type": "application/json", **key}
        doubled = whole[:-1] + b', "narrative": "twice"}'
        for content, headers in (
            (whole[:-1], json_type),
            (doubled, json_type),
            (whole + b"\xff", json_type),
            (whole, {"Content-Type": "text/plain", **key}),
            (whole + b" " * 300_000, json_type),
            (whole, {**json_type, "Content-Encoding": "gzip"}),
        ):
            answer = self.call("police", "POST", "/v1/referrals", content=content, headers=headers)
            assert 400 <= answer.status_code < 500, answer.text
        self.call("counselling", "POST", "/v1/referrals", content=whole, headers=json_type)
        self.call("police", "POST", "/v1/referrals", content=whole, headers={**json_type, "Authorization": "Bearer no"})
        asked = self._canaries.text("in a URL")
        for path in (f"/v1/referrals/{asked}", f"/v1/cases?name={asked}", f"/v1/cases?limit={asked}", f"/{asked}"):
            assert self.call("hub", "GET", path).status_code < 500
        self.answers = [(place.replace(asked, "…"), text) for place, text in self.answers]

    def transferred(self) -> None:
        """Rows of transfers, good and bad, in both formats."""
        rows = [json.dumps(self.body(f"row {n}"), ensure_ascii=n % 2 == 0) for n in range(3)]
        for field, value in self._wrong_values().items():
            row = self.body(f"row refused for {field}")
            where, _, name = field.rpartition(".")
            (row[where] if where else row)[name] = value
            rows.append(json.dumps(row))
        rows += [
            rows[0][:-20],
            rows[0].replace('"narrative"', '"markers"'),
            f'"{self._canaries.text("only text")}"',
        ]
        rows += [json.dumps({**self.body("long row"), "narrative": self._canaries.text("long", "", "x" * 70_000)})]
        self._transfer("\n".join(rows), NDJSON, accepted=3, rejected=len(rows) - 3)

        header = "source.channel,source.reference,crime.category,person.given_name,person.phone,narrative"
        good = f"police_automatic,{uuid.uuid4().hex},theft.other"
        word, phone, said = (self._canaries.text(f"CSV {n}") for n in ("name", "phone", "narrative"))
        number = self._canaries.phone
        cells = [
            f'{good},{word},{number},"{said}"',
            f'{good},{word},{phone},"{said}"',
            f"{good},{word},{number},{said},{said}",
            f'{good},{word},{number},"{said}"x"',
            f'{good},{word},{number},"{said}',
        ]
        self._transfer("\n".join([header, *cells]), CSV, accepted=1, rejected=4)
        answer = self.call("police", "POST", "/v1/transfers", content=f"{header},{word}\n", headers=CSV)
        assert answer.status_code == 422

    def _transfer(self, content: str, headers: dict[str, str], **counts: int) -> None:
        answer = self.call("police", "POST", "/v1/transfers", content=content.encode(), headers=headers)
        assert answer.status_code == 202, answer.text
        link = answer.json()["links"]["self"]
        found = self.call("police", "GET", link).json()
        listed = self.call("police", "GET", f"{link}/rows?limit=100").json()["items"]
        assert {name: found[name] for name in counts} == counts, [row["errors"] for row in listed]


@contextlib.contextmanager
def overheard(hub: Hub) -> Iterator[Eavesdropper | None]:
    """Listen to the broker; inside one process there is none."""
    if not isinstance(hub, FullHub):
        yield None
        return
    with Eavesdropper(hub.stack.rabbit.url) as eavesdropper:
        yield eavesdropper


def test_personal_details_are_in_the_disclosure_and_nowhere_else(hub: Hub, counselling: Receiver) -> None:
    canaries = Canaries()
    plant = Plant(hub, canaries)
    with overheard(hub) as eavesdropper:
        plant.accepted()
        plant.decided_otherwise()
        plant.refused()
        plant.transferred()
        eventually(lambda: not waiting(hub), 60)
        if eavesdropper is not None:
            assert {"referral.received.v1", "disclosure.made.v1"} <= {type for type, _ in eavesdropper.bodies}
            assert canaries.search(eavesdropper.evidence) == []
    assert len(counselling.received) >= 3

    assert canaries.search(plant.answers) == []
    assert canaries.search(evidence.webhooks(counselling.received)) == []
    assert canaries.search(evidence.logs(hub)) == []
    assert canaries.search(evidence.metrics(hub)) == []
    assert canaries.search(evidence.tables(hub)) == []
    assert canaries.search_files(evidence.files(hub)) == []

    named = {f"accepted {name}" for name in ("given name", "family name", "address", "email", "instructions")}
    assert set(canaries.found_in(plant.disclosed)) == named | {"date of birth", "phone", "postcode", "crime reference"}


@pytest.fixture
def planted() -> tuple[Canaries, str]:
    canaries = Canaries()
    return canaries, canaries.text("accepted plant", "Ring ", " after six")


def test_search_finds_what_stands_in_a_table_and_in_its_file(hub: Hub, planted: tuple[Canaries, str]) -> None:
    canaries, value = planted
    scratch = Scratch(hub, "triage")
    scratch.write(value)
    try:
        assert canaries.search(evidence.tables(hub)) == ["triage.scratch.value: accepted plant"]
        assert canaries.search_files(evidence.files(hub)) != []
    finally:
        scratch.remove()


def test_search_finds_what_is_logged(hub: Hub, planted: tuple[Canaries, str]) -> None:
    canaries, value = planted
    log = hub.log if isinstance(hub, EmbeddedHub) else hub.stack.folder / "triage.log"  # type: ignore[attr-defined]
    with log.open("a") as end:
        end.write(json.dumps({"event": value}) + "\n")
    assert [found.rpartition(": ")[2] for found in canaries.search(evidence.logs(hub))] == ["accepted plant"]


def test_search_finds_what_a_partner_is_sent(counselling: Receiver, planted: tuple[Canaries, str]) -> None:
    canaries, value = planted
    httpx.post(f"{counselling.url}/{value}", headers={"x-said": value}, json={"said": value})
    found = canaries.search(evidence.webhooks(counselling.received))
    assert found == [f"{part} of a webhook: accepted plant" for part in ("body", "headers", "path")]


def test_search_finds_what_passes_the_broker(full_hub: Hub, planted: tuple[Canaries, str]) -> None:
    canaries, value = planted
    with overheard(full_hub) as eavesdropper:
        assert eavesdropper is not None
        eavesdropper.publish([("scratch", value.encode())])
        eventually(lambda: canaries.search(eavesdropper.evidence) == ["message scratch: accepted plant"], 5)


@pytest.mark.parametrize(
    "spelled",
    [
        str.upper,
        lambda value: value.replace(" ", "%20"),
        lambda value: value.replace(" ", "+"),
        lambda value: value.encode().hex(),
        lambda value: value.encode("utf-16-le").decode("latin-1"),
        lambda value: base64.b64encode(b"ab" + value.encode() + b"c").decode(),
        lambda value: hashlib.sha256(value.encode()).hexdigest(),
    ],
)
def test_search_knows_other_spellings(planted: tuple[Canaries, str], spelled: Any) -> None:
    canaries, value = planted
    assert canaries.found_in(b"before" + spelled(value).encode("latin-1") + b"after") == ["accepted plant"]
