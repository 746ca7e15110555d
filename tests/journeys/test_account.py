"""The account of a person names everything that a partner got, and nothing else, whatever has happened."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.hub import Hub, eventually, referral
from tests.support.receiver import Receiver

KINDS = ("counselling", "isva", "idva")
CATEGORIES = ["identity", "contact", "crime", "needs"]


@dataclass
class Partners:
    """What every partner got, by its own records: its webhooks, and what it was answered when it read.

    `made` are the referrals as they were sent, by case, to be corrected.
    """

    hub: Hub
    receivers: dict[str, Receiver] = field(default_factory=dict)
    read: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def told(self) -> Counter[str]:
        return Counter(one.headers["webhook-id"] for each in self.receivers.values() for one in each.received)

    def fetch(self, kind: str, onward_id: str) -> None:
        answer = self.hub.call(kind, "GET", f"/v1/onward-referrals/{onward_id}")
        if answer.status_code == 200:
            given = answer.json()["disclosure"]
            fields = [*given["fields"], *(["other_services"] if answer.json()["other_services"] else [])]
            self.read[given["id"]] = (given["hash"], onward_id, tuple(sorted(fields)))


@pytest.fixture
def partners(hub: Hub) -> Iterator[Partners]:
    with ExitStack() as stack:
        found = Partners(hub)
        for kind in KINDS:
            found.receivers[kind] = stack.enter_context(Receiver())
            endpoint = hub.endpoint(kind, found.receivers[kind].url)
            stack.callback(hub.remove_endpoint, kind, endpoint["id"])
        yield found


def referral_of(person: dict[str, str], needs: list[str], consents: list[str]) -> dict[str, Any]:
    made = referral(needs=needs)
    made["person"] |= person
    made["consents"] = [one for one in made["consents"] if one["hop"] != "hub_to_partner"]
    for kind in consents:
        given = {"hop": "hub_to_partner", "decision": "given", "recipients": [kind], "method": "spoken",
                 "data_categories": CATEGORIES, "recorded_at": "2026-11-19T08:10:00+00:00"}  # fmt: skip
        made["consents"].append(given)
    return made


def act(chance: random.Random, hub: Hub, partners: Partners, case: dict[str, Any]) -> None:
    """Let one thing happen to a case."""
    step = chance.choice(("fetch", "fetch", "consent", "object", "correct", "access", "replay", "down", "answer"))
    kind = chance.choice(KINDS)
    if step == "consent":
        decision = chance.choice(("given", "refused", "withdrawn"))
        body = {"hop": "hub_to_partner", "decision": decision, "recipients": [kind], "method": "spoken",
                "data_categories": chance.sample(CATEGORIES, 3)}  # fmt: skip
        assert hub.call("hub", "POST", f"/v1/cases/{case['id']}/consents", json=body).status_code == 201
    elif step == "object":
        body = {"to": kind, "reason": "does_not_want_sharing"}
        assert hub.call("hub", "POST", f"/v1/cases/{case['id']}/objections", json=body).status_code == 201
    elif step == "correct":
        made = partners.made[case["id"]]
        made["person"]["language"] = chance.choice(("en", "cy", "pl"))
        hub.accepted(made)
    elif step == "access":
        body = {"requester": "insurer", "what": chance.choice(("case_data", "case_study"))}
        assert hub.call("hub", "POST", f"/v1/cases/{case['id']}/access-requests", json=body).status_code == 201
    elif step == "replay":
        for delivery in hub.call(kind, "GET", "/v1/webhook-deliveries").json()["items"][:2]:
            hub.call(kind, "POST", f"/v1/webhook-deliveries/{delivery['id']}/replay")
    elif step == "down":
        partners.receivers[kind].status = chance.choice((204, 204, 500))
    else:
        touch(chance, hub, partners, case, kind, step)


def touch(chance: random.Random, hub: Hub, partners: Partners, case: dict[str, Any], kind: str, step: str) -> None:
    listed = hub.call("hub", "GET", f"/v1/cases/{case['id']}").json()["onward"]
    for onward in listed:
        if onward["kind"] == kind and step == "fetch":
            partners.fetch(kind, onward["id"])
        elif onward["kind"] == kind:
            move = chance.choice(("accept", "decline"))
            body = {"reasons": ["capacity_full"]} if move == "decline" else {}
            headers = {"If-Match": f'"{chance.randint(1, 4)}"'}
            hub.call(kind, "POST", f"/v1/onward-referrals/{onward['id']}/{move}", json=body, headers=headers)


def settled(hub: Hub) -> bool:
    """Whether nothing is on its way, between the services or to a partner."""
    waiting = sum(
        hub.rows(service, "SELECT count(*) FROM outbox WHERE published_at IS NULL")[0][0]
        for service in ("intake", "triage", "routing", "partners")
    )
    [[begun]] = hub.rows("partners", "SELECT count(*) FROM delivery WHERE lease_token IS NOT NULL")
    [[open]] = hub.rows("partners", "SELECT count(*) FROM permit WHERE settled_at IS NULL")
    return not (waiting or begun or open)


def account(hub: Hub, *whom: str) -> dict[str, Any]:
    return dict(json.loads(hub.operate("person", "account", *whom, "--json")))


def undisturbed(hub: Hub, partners: Partners, cases: list[str]) -> list[dict[str, Any]] | None:
    """Return the accounts of cases unless a partner was told something while they were made: an attempt came due."""
    told = partners.told()
    found = [account(hub, "--case", case) for case in cases] if settled(hub) else None
    return found if partners.told() == told else None


def lines(found: dict[str, Any], what: str) -> list[dict[str, Any]]:
    return [line for line in found["lines"] if line["what"] == what]


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_reached_a_partner_is_missing_and_nothing_is_extra(
    hub: Hub, partners: Partners, seed: int
) -> None:
    chance = random.Random(seed)
    persons = [
        {"given_name": f"P{uuid.uuid4().hex[:6]}", "family_name": "Random", "phone": f"0770090{n:04}"} for n in (1, 2)
    ]
    cases: list[list[dict[str, Any]]] = [[], []]
    for number, person in enumerate(persons):
        for _ in range(2):  # the same person comes twice, each time as a case of its own
            needs = chance.sample(KINDS, 2)
            made = referral_of(person, needs, chance.sample(needs, chance.randint(0, 2)))
            id = hub.accepted(made)
            cases[number].append(eventually(lambda id=id: hub.case(id)))  # type: ignore[misc]
            partners.made[cases[number][-1]["id"]] = made
    eventually(lambda: settled(hub))
    for _ in range(25):
        act(chance, hub, partners, chance.choice(chance.choice(cases)))
    for receiver in partners.receivers.values():
        receiver.status = 204
    chosen = [chance.choice(own)["id"] for own in cases]

    found = eventually(lambda: undisturbed(hub, partners, chosen), 60)

    assert [sorted(one["cases"]) for one in found] == [sorted(case["id"] for case in own) for own in cases]
    every = [line for one in found for line in one["lines"]]
    attempts = Counter(line["codes"]["delivery_id"] for line in every if line["what"] == "attempt")
    assert attempts == partners.told()
    assert partners.told()
    read = {
        line["id"]: (line["codes"]["hash"], line["codes"]["onward_referral_id"], tuple(sorted(line["codes"]["fields"])))
        for line in every
        if line["what"] == "disclosure"
    }
    assert read == partners.read
    assert not [line for line in every if line["what"] == "permit" and line["codes"]["use"] == "unknown"]
    for one in found:
        assert [line["at"] for line in one["lines"]] == sorted(line["at"] for line in one["lines"])
        assert {line["service"] for line in one["lines"]} == {"intake", "triage", "routing", "partners"}
    for passage in (line for line in every if line["what"] == "disclosure"):
        assert passage["named"]["partner"]
        assert passage["codes"]["agreement_version"] >= 1
        known = {line["id"] for line in every if line["what"] == "consent"}
        assert set(passage["codes"]["consent_ids"]) <= known


def test_one_person_is_found_by_referral_case_and_reference_and_no_detail_is_shown(hub: Hub) -> None:
    name = f"Q{uuid.uuid4().hex[:8]}"
    made = referral_of({"given_name": name, "phone": "07700900555"}, ["counselling"], ["counselling"])
    again = referral_of({"given_name": name.upper(), "phone": "+447700900555"}, ["counselling"], [])
    other = referral_of({"given_name": f"{name}x", "phone": "07700900555"}, ["counselling"], [])
    ids = [hub.accepted(one) for one in (made, again, other)]
    cases = [eventually(lambda id=id: hub.case(id)) for id in ids]  # type: ignore[misc]
    eventually(lambda: settled(hub))

    found = account(hub, "--referral", ids[1])

    assert found["referrals"] == sorted(ids[:2])
    assert found["cases"] == sorted(case["id"] for case in cases[:2])
    assert account(hub, "--case", cases[0]["id"])["hash"] == found["hash"]
    assert account(hub, "--reference", f"police-development:{made['source']['reference']}")["hash"] == found["hash"]
    text = hub.operate("person", "account", "--referral", ids[0])
    assert name not in text
    assert "07700900555" not in json.dumps(found)
    assert lines(found, "decision")
    assert "consent" in text


def test_a_correction_and_what_was_read_before_and_after_it_are_told(hub: Hub, partners: Partners) -> None:
    made = referral_of({"given_name": f"C{uuid.uuid4().hex[:8]}"}, ["counselling"], ["counselling"])
    id = hub.accepted(made)
    case = eventually(lambda: hub.case(id))
    [onward] = eventually(lambda: hub.call("hub", "GET", f"/v1/cases/{case['id']}").json()["onward"])
    partners.fetch("counselling", onward["id"])
    made["person"]["language"] = "cy"
    hub.accepted(made)
    amendments = f"/v1/onward-referrals/{onward['id']}/amendments"
    eventually(lambda: hub.call("counselling", "GET", amendments).json()["items"])
    partners.fetch("counselling", onward["id"])
    eventually(lambda: settled(hub))

    def once_triage_has_heard() -> dict[str, Any] | None:
        found = account(hub, "--case", case["id"])
        return found if lines(found, "onward_referral.amended.v1") else None

    found = eventually(once_triage_has_heard)

    [amendment] = lines(found, "amendment")
    assert (amendment["codes"]["fields"], amendment["codes"]["number"]) == (["language"], 1)
    assert {line["id"] for line in lines(found, "disclosure")} == partners.read.keys()
    told = {line["id"]: line["codes"]["type"] for line in lines(found, "delivery")}
    attempted = {told[line["codes"]["delivery_id"]] for line in lines(found, "attempt")}
    assert attempted == {"onward_referral.sent", "onward_referral.amended"}
