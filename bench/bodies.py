"""Invented referrals, about 2 kB each; every one leads to exactly one onward referral, to a counselling service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

_GIVEN = ("Alex", "Sam", "Jo", "Robin", "Charlie", "Kit", "Morgan", "Ash", "Lee", "Frances", "Nia", "Omar", "Priya")
_FAMILY = ("Example", "Sample", "Specimen", "Instance", "Pattern", "Model", "Draft", "Trial", "Proof", "Template")
_CRIMES = (
    "burglary.residential",
    "robbery.personal",
    "violence.with_injury",
    "damage.criminal_damage",
    "fraud.banking",
)
_NARRATIVE = (
    "Returned home at about half past six to find the kitchen door forced and the rooms searched. A laptop, two "
    "watches and a box of letters are missing. Has slept badly since, does not like to be alone in the house after "
    "dark, and would like to talk to somebody. Neighbours heard a van at about four. Scenes of crime have attended; "
    "glass has been boarded up. Prefers calls in the afternoon. Asked about security advice for older locks. "
)
_WIDE_CONSENT = ["identity", "contact", "crime", "needs"]


def referral(run: str, number: int) -> dict[str, Any]:
    """Return the body of one referral; `run` and `number` make its reference."""
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    recorded = yesterday.isoformat()
    given, family = _GIVEN[number % len(_GIVEN)], f"{_FAMILY[number % len(_FAMILY)]}-{number:x}"
    return {
        "source": {"channel": "police_automatic", "reference": f"{run}-{number}", "unit": None},
        "crime": {
            "reference": f"99/{number}/26",
            "category": _CRIMES[number % len(_CRIMES)],
            "occurred_on": (yesterday - timedelta(days=1)).date().isoformat(),
            "recorded_at": recorded,
            "reported_to_police": True,
        },
        "person": {
            "given_name": given,
            "family_name": family,
            "date_of_birth": f"{1950 + number % 50}-{1 + number % 12:02}-{1 + number % 28:02}",
            "role": "victim",
            "address": {"lines": [f"{number} Example Street", "Exampleton"], "postcode": "ZZ99 9ZZ"},
            "area_code": "E07000008",
            "phone": f"07700900{number % 1000:03}",
            "email": f"{run}.{number}@example.org".lower(),
            "language": "en",
            "preferred_method": "phone",
        },
        "safe_contact": {
            "phone": True, "text": True, "voicemail": False, "email": True, "letter": False,
            "instructions": "Ring twice, then wait",
        },
        "markers": ["vulnerable"],
        "risk": {"instrument": "dash", "score": None, "grade": None, "assessed_at": None},
        "needs": ["counselling"],
        "consents": [
            {"hop": "police_to_hub", "decision": "given", "recorded_at": recorded},
            {
                "hop": "hub_to_partner",
                "decision": "given",
                "recipients": ["counselling"],
                "method": "spoken",
                "data_categories": _WIDE_CONSENT,
                "recorded_at": recorded,
            },
        ],
        "received_at": None,
        "narrative": _NARRATIVE,
    }  # fmt: skip


def bodies(run: str, count: int) -> Iterator[bytes]:
    """Yield `count` referrals of a run as JSON."""
    return (orjson.dumps(referral(run, number)) for number in range(count))
