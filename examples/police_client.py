"""A police system: sends one referral and watches what may flow back.

    .venv/bin/python examples/police_client.py                  # the referral below, to the hub of `make run`
    .venv/bin/python examples/police_client.py --no-consent     # nothing goes to a partner
    .venv/bin/python examples/police_client.py --need idva --channel police_case_by_case
    .venv/bin/python examples/police_client.py --file my.json --wait 30

It signs in with `private_key_jwt` (its key is in .data/demo.json) and sends the referral again, under the same
Idempotency-Key, until the hub has answered: nothing is lost and nothing is doubled.
"""

import argparse
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OKPKey

REFERRAL: dict[str, Any] = {
    "source": {"channel": "police_automatic", "reference": None, "unit": None},
    "crime": {
        "reference": "35/44871/26",
        "category": "burglary.residential",
        "occurred_on": "2026-11-18",
        "recorded_at": "2026-11-19T08:12:00+00:00",
        "reported_to_police": True,
    },
    "person": {
        "given_name": "Alex",
        "family_name": "Example",
        "date_of_birth": "1990-02-03",
        "role": "victim",
        "address": {"lines": ["1 Example Street"], "postcode": "ZZ99 9ZZ"},
        "area_code": "E07000008",
        "phone": "07700900123",
        "email": "alex@example.org",
        "language": "en",
        "preferred_method": "phone",
    },
    "safe_contact": {
        "phone": True, "text": True, "voicemail": False, "email": True, "letter": False, "instructions": None,
    },
    "markers": ["vulnerable"],
    "risk": {"instrument": "dash", "score": None, "grade": None, "assessed_at": None},
    "needs": ["counselling"],
    "consents": [
        {"hop": "police_to_hub", "decision": "given", "recorded_at": "2026-11-19T08:10:00+00:00"},
        {
            "hop": "hub_to_partner",
            "decision": "given",
            "recipients": ["counselling"],
            "method": "spoken",
            "data_categories": ["identity", "contact", "crime", "needs"],
            "recorded_at": "2026-11-19T08:10:00+00:00",
        },
    ],
    "received_at": None,
    "narrative": None,
}  # fmt: skip


def sign_in(http: httpx.Client, client: dict[str, Any]) -> str:
    """Return an access token; the client proves who it is with its private key (RFC 7523)."""
    now = int(datetime.now(UTC).timestamp())
    audience = http.get("/.well-known/oauth-authorization-server").raise_for_status().json()["token_endpoint"]
    claims = {"iss": client["client_id"], "sub": client["client_id"], "aud": audience, "jti": str(uuid.uuid4())}
    key = OKPKey.import_key(client["private_jwk"])
    header = {"alg": "Ed25519", "kid": key.kid}
    assertion = jwt.encode(header, {**claims, "iat": now, "exp": now + 120}, key, algorithms=["Ed25519"])
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    return str(http.post("/oauth/token", data=form).raise_for_status().json()["access_token"])


def send(http: httpx.Client, referral: dict[str, Any], key: str) -> dict[str, Any]:
    """Post the referral, again and again under one key, until it has been answered."""
    while True:
        try:
            answer = http.post("/v1/referrals", json=referral, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(1)
            continue
        if answer.status_code in (409, 429, 502, 503, 504):
            time.sleep(float(answer.headers.get("retry-after", 1)))
            continue
        if answer.status_code != 202:
            raise SystemExit(f"refused with {answer.status_code}: {answer.text}")
        return dict(answer.json())


def main() -> None:
    """Send one referral and print what becomes of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", default=".data/demo.json", help="who we are and where the hub is")
    parser.add_argument("--file", help="a referral as JSON, instead of the one in this file")
    parser.add_argument("--need", default="counselling", help="the need that it names, whose service may be told")
    parser.add_argument("--channel", default="police_automatic", help="the channel that it comes by")
    parser.add_argument("--no-consent", action="store_true", help="leave out the consent to share with a partner")
    parser.add_argument("--wait", type=float, default=5, help="seconds to watch for news")
    arguments = parser.parse_args()
    demo = json.loads(Path(arguments.demo).read_text())
    referral = json.loads(Path(arguments.file).read_text()) if arguments.file else REFERRAL
    if not arguments.file:
        referral["source"]["reference"] = f"CMS-{uuid.uuid4().hex[:8].upper()}"
        referral["source"]["channel"] = arguments.channel
        referral["needs"] = referral["consents"][1]["recipients"] = [arguments.need]
    if arguments.no_consent:
        referral["consents"] = [c for c in referral["consents"] if c["hop"] != "hub_to_partner"]
    with httpx.Client(base_url=demo["base_url"], timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {sign_in(http, demo['clients']['police'])}"
        accepted = send(http, referral, str(uuid.uuid4()))
        print(f"accepted for good: {accepted['id']}")
        shown, until = None, time.monotonic() + arguments.wait
        while time.monotonic() < until:
            status = http.get(accepted["links"]["self"]).raise_for_status().json()
            if status != shown:
                print(json.dumps({key: status[key] for key in ("status", "decision", "onward")}))
            shown = status
            if status["decision"] and any(onward["status"] == "accepted" for onward in status["onward"]):
                break
            time.sleep(0.2)


if __name__ == "__main__":
    main()
