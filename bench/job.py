"""What the floor and the Celery chain share: their settings, the referral's model, sealing, the webhook."""

import hmac
import os
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from hubkit.auth import Verifier
from hubkit.contracts import codes
from hubkit.crypto import BlindIndex, Keyring
from hubkit.webhooks import sign

ISSUER = "http://hub.example.org"
#: The columns of a person that are sealed.
SEALED = (
    "given_name", "family_name", "date_of_birth", "address", "phone", "email", "instructions", "crime_reference",
    "narrative",
)  # fmt: skip


class Job(BaseModel):
    """Where everything is, and the keys; handed to a process as the file that `BENCH_JOB` names."""

    model_config = ConfigDict(frozen=True)

    database_url: str = Field(description="postgresql://…")
    amqp_url: str = ""
    jwks: dict[str, Any]
    field_keys: str
    webhook_url: str
    webhook_secret: str
    prefetch: int = 4
    webhook_signing_key: str = Field(default="", description="whsk_…, for the second signature")
    index_key: str = Field(default="", description="base64: finds persons again, unread")
    digest_key: str = Field(default="", description="any text: tells contents apart, unread")
    profile: str = Field(default="", description="the hub's profile, as a file")

    @classmethod
    def load(cls) -> Self:
        """Read the file that the environment names."""
        return cls.model_validate_json(Path(os.environ["BENCH_JOB"]).read_bytes())

    def verifier(self) -> Verifier:
        """Return what checks access tokens."""
        return Verifier(self.jwks, issuers=[ISSUER], audience=ISSUER)

    def keyring(self) -> Keyring:
        """Return what seals personal details."""
        return Keyring.parse(self.field_keys)

    def index(self) -> BlindIndex:
        """Return what finds equal personal details unread."""
        return BlindIndex.parse(self.index_key)

    def digest(self, use: str, content: bytes) -> bytes:
        """Return what tells two contents apart and, without the key, nothing about either."""
        return hmac.digest(self.digest_key.encode(), f"{use}\0".encode() + content, "sha256")


def _known(known: Collection[str]) -> Callable[[str], str]:
    known = frozenset(known)

    def check(value: str) -> str:
        if value not in known:
            raise ValueError("unknown code")
        return value

    return check


def _code(known: Collection[str]) -> AfterValidator:
    return AfterValidator(_known(known))


Words = Annotated[str, Field(min_length=1, max_length=100)]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$")]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9 ()-]{7,30}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z]{2,63}$")]
Postcode = Annotated[str, Field(pattern=r"^[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}$")]


class Strict(BaseModel):
    """No coercion, no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Source(Strict):
    channel: Annotated[str, _code(codes.CHANNELS)]
    reference: Reference | None = None
    unit: Reference | None = None


class Crime(Strict):
    reference: Reference | None = None
    category: Annotated[str, _code(codes.CRIMES)]
    occurred_on: date | None = None
    recorded_at: AwareDatetime | None = None
    reported_to_police: bool | None = None


class Address(Strict):
    lines: list[Words] = Field(default=[], max_length=6)
    postcode: Postcode | None = None


class Person(Strict):
    given_name: Words | None = None
    family_name: Words | None = None
    date_of_birth: date | None = None
    role: Annotated[str, _code(codes.ROLES)] = "victim"
    address: Address | None = None
    area_code: Annotated[str, Field(pattern=r"^[EWNS][0-9]{8}$")] | None = None
    phone: Phone | None = None
    email: Email | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    preferred_method: Annotated[str, _code(codes.METHODS)] | None = None


class SafeContact(Strict):
    phone: bool | None = None
    text: bool | None = None
    voicemail: bool | None = None
    email: bool | None = None
    letter: bool | None = None
    instructions: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class Risk(Strict):
    instrument: Annotated[str, _code(codes.RISK_INSTRUMENTS)] | None = None
    score: int | None = Field(default=None, ge=0, le=100)
    grade: Annotated[str, _code(codes.RISK_GRADES)] | None = None
    assessed_at: AwareDatetime | None = None


class Consent(Strict):
    hop: Annotated[str, _code(codes.HOPS)]
    decision: Annotated[str, _code(codes.CONSENT_DECISIONS)]
    recipients: list[Annotated[str, _code(codes.KINDS)]] = Field(default=[], max_length=50)
    data_categories: list[Annotated[str, _code(codes.DATA_CATEGORIES)]] = Field(default=[], max_length=20)
    method: Annotated[str, _code(codes.CONSENT_METHODS)] | None = None
    recorded_at: AwareDatetime
    expires_at: AwareDatetime | None = None


class Referral(Strict):
    """The referral of the public contract; most checks run inside pydantic's core."""

    source: Source
    crime: Crime
    person: Person
    safe_contact: SafeContact | None = None
    markers: list[Annotated[str, _code(codes.MARKERS)]] = Field(default=[], max_length=50)
    risk: Risk | None = None
    needs: list[Annotated[str, _code(codes.KINDS)]] = Field(default=[], max_length=50)
    consents: list[Consent] = Field(default=[], max_length=50)
    received_at: AwareDatetime | None = None
    narrative: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None


_CODED = {"source", "crime", "markers", "risk", "needs", "consents"}


def coded(referral: Referral) -> str:
    """Return the part of a referral that tells nothing of the person, as JSON."""
    return referral.model_dump_json(include=_CODED, exclude={"crime": {"reference"}}, exclude_none=True)


def sealed(keyring: Keyring, referral_id: UUID, referral: Referral) -> list[bytes | None]:
    """Return the personal details of a referral, each sealed for its row and column, in the order of `SEALED`."""
    seal = keyring.record("person", referral_id).seal
    return [None if value is None else seal(name, value) for name, value in zip(SEALED, _plain(referral), strict=True)]


def _plain(referral: Referral) -> tuple[str | bytes | None, ...]:
    person, contact = referral.person, referral.safe_contact
    return (
        person.given_name,
        person.family_name,
        person.date_of_birth.isoformat() if person.date_of_birth else None,
        orjson.dumps([*person.address.lines, person.address.postcode]) if person.address else None,
        person.phone,
        person.email,
        contact.instructions if contact else None,
        referral.crime.reference,
        referral.narrative,
    )


def facts(referral: Referral, age: int | None) -> str:
    """Return what triage needs to know of a referral, as JSON: the codes of the hub's `referral.received`."""
    person, safe = referral.person, referral.safe_contact
    found = referral.model_dump(
        mode="json",
        include=_FACTS,
        exclude={"crime": {"reference"}, "safe_contact": {"instructions"}},
        exclude_none=True,
    )
    if safe is not None and safe.instructions:
        found["safe_contact"]["has_instructions"] = True
    found |= {"channel": referral.source.channel, "unit": referral.source.unit, "age": age}
    return orjson.dumps(found | {name: getattr(person, name) for name in _OF_PERSON}).decode()


_FACTS = {"crime", "safe_contact", "markers", "risk", "needs", "consents"}
_OF_PERSON = ("role", "area_code", "language", "preferred_method")


def payload(onward_referral_id: str, now: str, kind: str = "counselling") -> bytes:
    """Return the thin body that the hub sends too: which onward referral, and where it can be read."""
    links = {"self": f"{ISSUER}/v1/onward-referrals/{onward_referral_id}"}
    data = {"onward_referral_id": onward_referral_id, "kind": kind, "links": links}
    return orjson.dumps({"type": "onward_referral.sent", "timestamp": now, "data": data})


def signed(
    delivery_id: str, now: int, body: bytes, secret: str, traceparent: str | None, signing_key: str = ""
) -> dict[str, str]:
    """Return the headers of a webhook, signed after Standard Webhooks (`v1`, and with a signing key `v1a` too)."""
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(delivery_id, now, body, [secret, signing_key] if signing_key else [secret]),
    }
    return headers | {"traceparent": traceparent} if traceparent else headers
