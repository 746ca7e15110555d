"""The payloads that partners receive: thin, so that what they say of a person is nothing, but for what is encrypted.

`schemas/events.py` describes each of them for the catalogue.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.partners.model import (
    AMENDED,
    CORRECTED,
    RECTIFIED,
    REMINDER,
    SENT,
    TEST,
    VERIFICATION,
    WITHDRAWN,
    Rectification,
)


def onward(
    type: str,
    now: datetime,
    about: tuple[UUID, str],
    public_url: str,
    *,
    acknowledge_by: datetime | None = None,
    number: int = 0,
) -> bytes:
    """Return what happened to which onward referral, and where it can be read through the gate.

    Parameters
    ----------
    about
        The onward referral, and the kind of support that it is for.
    acknowledge_by
        Until when the partner is to say what it did with the data.
    number
        Which one it is, where news of this type comes more than once.
    """
    data = _about(about, public_url)
    if number:
        data["number"] = number
    if acknowledge_by is not None:
        data["acknowledge_by"] = acknowledge_by
        data["links"]["acknowledgement"] = f"{data['links']['self']}/withdrawal-acknowledgement"
    return _payload(type, now, data)


def with_disclosure(body: bytes, disclosure: str) -> bytes:
    """Return a thin payload with what is disclosed in it, which is compact JWE."""
    document = orjson.loads(body)
    document["data"]["disclosure"] = disclosure
    return orjson.dumps(document)


def rectified(now: datetime, about: tuple[UUID, str], public_url: str, what: Rectification) -> bytes:
    """Return that data which the partner had received is other than it was: names of fields, and no value."""
    data = _about(about, public_url)
    data |= {"number": what.number, "change": what.change, "fields": list(what.fields)}
    data["acknowledge_by"] = what.acknowledge_by
    data["links"]["acknowledgement"] = f"{data['links']['self']}/amendments/{what.number}/acknowledgement"
    return _payload(RECTIFIED, now, data)


def verification(type: str, now: datetime, endpoint_id: UUID, challenge: str, public_url: str) -> bytes:
    """Return the question whether this address is the partner's: it answers with the challenge, or posts it back."""
    link = f"{public_url}/v1/webhook-endpoints/{endpoint_id}/verify"
    data = {"endpoint_id": str(endpoint_id), "challenge": challenge, "links": {"verify": link}}
    return _payload(type, now, data)


def test(type: str, now: datetime, endpoint_id: UUID) -> bytes:
    """Return a piece of news that means nothing, for an endpoint to be tried with."""
    return _payload(type, now, {"endpoint_id": str(endpoint_id)})


def samples(now: datetime, id: UUID, public_url: str, *, challenge: str) -> dict[str, bytes]:
    """Return a body of each type that concerns nobody, about the onward referral or endpoint `id`.

    The catalogue `docs/events.md` shows them, and `onward partner sandbox` sends them.
    """
    about, due = (id, "counselling"), (now + timedelta(days=10)).replace(hour=23, minute=59, second=59)
    return {
        SENT: onward(SENT, now, about, public_url),
        WITHDRAWN: onward(WITHDRAWN, now, about, public_url, acknowledge_by=due, number=1),
        AMENDED: onward(AMENDED, now, about, public_url, number=1),
        REMINDER: onward(REMINDER, now, about, public_url, number=1),
        RECTIFIED: rectified(now, about, public_url, Rectification(CORRECTED, 2, ("phone", "address"), due)),
        VERIFICATION: verification(VERIFICATION, now, id, challenge, public_url),
        TEST: test(TEST, now, id),
    }


def is_echo(answer: bytes, challenge: str | None) -> bool:
    """Return whether an endpoint's answer to its verification is `{"challenge": …}` with the very challenge."""
    try:
        said = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and is_challenge(said.get("challenge"), challenge)


def is_challenge(given: object, challenge: str | None) -> bool:
    """Return whether `given` is the challenge that is open."""
    return challenge is not None and isinstance(given, str) and hmac.compare_digest(given.encode(), challenge.encode())


def _about(about: tuple[UUID, str], public_url: str) -> dict[str, Any]:
    onward_id, kind = about
    link = f"{public_url}/v1/onward-referrals/{onward_id}"
    return {"onward_referral_id": str(onward_id), "kind": kind, "links": {"self": link}}


def _payload(type: str, now: datetime, data: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"type": type, "timestamp": now, "data": data}, option=orjson.OPT_UTC_Z)
