"""Somebody who lives in another police area is referred to the hub there, which takes them in as a referral."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.hub import EmbeddedHub, Hub, eventually, referral
from tests.support.receiver import Receiver

#: Invented: no area of England or Wales has this code.
ELSEWHERE = "E07999999"
DATA = ["identity", "contact", "crime", "needs"]


@pytest.fixture(scope="module")
def here() -> Iterator[Hub]:
    hub = EmbeddedHub()
    add_hub(hub, "hub-there")
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def there() -> Iterator[Hub]:
    hub = EmbeddedHub()
    client_of(hub, "hub-here", "referrals:write,referrals:read")
    yield hub
    hub.close()


def staff(hub: Hub, method: str, path: str, body: Any, **headers: str) -> Any:
    answer = hub.call("hub", method, path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer


def client_of(hub: Hub, organisation: str, scopes: str) -> None:
    """Register a system of an organisation, as the operator does; `organisation` is its name among the clients."""
    made = hub.operate("client", "create", "--organisation", organisation, "--scopes", scopes)
    hub.clients = {**hub.clients, organisation: json.loads(made)}


def add_hub(hub: Hub, organisation: str) -> None:
    """Let another hub be a partner of kind `hub` for its area, under an agreement on the hop between hubs."""
    partner = staff(hub, "POST", "/v1/partners", {"organisation": organisation, "name": "Hub there"}).json()
    service = {"name": "Hub there", "kind": "hub", "areas": [ELSEWHERE]}
    staff(hub, "POST", f"/v1/partners/{partner['id']}/services", service)
    terms = {
        "partner_id": partner["id"], "lawful_basis": "consent", "purposes": ["hub"], "hops": ["hub_to_hub"],
        "data_categories": DATA, "starts_on": "2026-01-01", "drafted_by": "One Person",
    }  # fmt: skip
    made = staff(hub, "POST", "/v1/agreements", terms)
    path = f"/v1/agreements/{made.json()['id']}/approve"
    staff(hub, "POST", path, {"approved_by": "Another Person"}, **{"If-Match": made.headers["etag"]})
    client_of(hub, organisation, "onward:read,onward:write,webhooks:manage")


def ask_for_hub(hub: Hub, referral_id: str) -> dict[str, Any]:
    """Ask for the hub of the person's area, as staff do; return the case."""
    case = eventually(lambda: hub.case(referral_id))
    path = f"/v1/cases/{case['id']}"
    version = hub.call("hub", "GET", path).headers["etag"]
    staff(hub, "POST", f"{path}/onward-referrals", {"needs": ["hub"]}, **{"If-Match": version})
    return case


def taken_in(onward_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return what was disclosed as a referral from a neighbouring hub; what was not disclosed is not said."""
    person = ("given_name", "family_name", "date_of_birth", "role", "language", "address", "phone", "email")
    known = {name: value for name, value in fields.items() if value is not None}
    return {
        "source": {"channel": "neighbouring_hub", "reference": onward_id},
        "crime": {"category": known["crime_category"], "reference": known.get("crime_reference")},
        "person": {name: known[name] for name in person if name in known} | {"area_code": ELSEWHERE},
        "safe_contact": known.get("safe_contact"),
        "needs": [need for need in known.get("needs", []) if need != "hub"],
    }


def test_a_person_of_another_area_is_referred_to_the_hub_there_and_taken_in_by_it(here: Hub, there: Hub) -> None:
    with Receiver() as receiver:
        endpoint = here.endpoint("hub-there", receiver.url)
        sent = referral()
        sent["person"]["area_code"] = ELSEWHERE
        id = here.accepted(sent)
        case = ask_for_hub(here, id)

        def to_hub(status: str) -> Any:
            found = here.case(id)["onward"]  # type: ignore[index]
            return next((each for each in found if each["kind"] == "hub" and each["status"] == status), None)

        # The consent to share with counselling is none to another hub.
        onward = eventually(lambda: to_hub("awaiting_consent"))
        assert onward["reasons"] == ["consent_missing"]
        consent = {"hop": "hub_to_hub", "decision": "given", "recipients": ["hub"], "method": "spoken"}
        staff(here, "POST", f"/v1/cases/{case['id']}/consents", consent | {"data_categories": DATA})
        webhook = eventually(lambda: receiver.about(onward["id"]))[0]
        here.remove_endpoint("hub-there", endpoint["id"])
    assert (webhook.event["type"], webhook.event["data"]["kind"]) == ("onward_referral.sent", "hub")

    link = f"/v1/onward-referrals/{onward['id']}"
    read = here.call("hub-there", "GET", link)
    assert read.status_code == 200, read.text
    body = taken_in(onward["id"], read.json()["disclosure"]["fields"])
    answer = there.call("hub-here", "POST", "/v1/referrals", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status_code == 202, answer.text
    path = f"/v1/referrals/{answer.json()['id']}"
    decision = eventually(lambda: there.call("hub-here", "GET", path).json()["decision"])
    assert decision["outcome"] == "accepted"
    accepted = here.call("hub-there", "POST", f"{link}/accept", json={}, headers={"If-Match": read.headers["etag"]})
    assert accepted.status_code == 200, accepted.text
    assert eventually(lambda: to_hub("accepted"))


def test_a_person_of_this_area_is_not_referred_to_the_hub_there(here: Hub) -> None:
    id = here.accepted(referral())
    ask_for_hub(here, id)

    def pathway() -> Any:
        found = here.case(id)["pathways"]  # type: ignore[index]
        return next((each for each in found if each["need"] == "hub"), None)

    assert eventually(pathway)["status"] == "no_candidate"
