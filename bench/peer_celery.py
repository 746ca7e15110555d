"""The peer: the same job as a Celery 5 chain, with the same promise, and every advantage that costs no code.

A FastAPI endpoint checks the token, validates, takes the idempotency key, stores or corrects the referral and the
sealed person with its blind indexes, looks for earlier referrals of the same person, commits, and starts a chain of
three tasks over RabbitMQ. Each does what the hub's service of its name does, in one PostgreSQL transaction: triage
decides by the same profile, opens the case and plans the contacts; routing asks the directory; partners keeps the
facts of the case and the person's consents, asks the gate under the case's lock and issues a permit. It then posts the
webhook with both signatures, and notes the attempt and the status. SQLAlchemy Core with psycopg, statements one by
one; prefork, no results, no gossip.

No accepted referral is lost, as in the hub, and by what Celery and RabbitMQ have for it: an outbox row with the
referral, which goes when its chain was published; confirmed publishing to quorum queues; acknowledgement after the
task, and tasks that may run twice. The token is verified on every request, as the guides of FastAPI and joserfc show.
There is no schedule of retries: a webhook that fails is noted and not sent again.

    uvicorn bench.peer_celery:api        celery -A bench.peer_celery worker
"""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import requests
from celery import Celery, chain  # type: ignore[import-untyped]
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Row, create_engine

from bench import peer_sql as sql
from bench.job import ISSUER, SEALED, Job, Person, Referral, facts, payload, sealed, signed
from bench.peer_rules import age_on, decide, refusals
from hubkit.contracts.referral import ConsentFacts, ReferralReceivedV1
from hubkit.deadlines import WorkingCalendar
from hubkit.ids import new_id
from hubkit.profiles import load_profile

JOB = Job.load()
celery = Celery("bench", broker=JOB.amqp_url)
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    task_ignore_result=True,
    worker_prefetch_multiplier=JOB.prefetch,
    worker_concurrency=4,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(_hand_over_what_a_crash_left)
    yield


def _hand_over_what_a_crash_left() -> None:
    with engine().begin() as connection:
        left = connection.execute(sql.LEFT_OVER).mappings().all()
    for handing in left:
        _hand_over(handing)


api = FastAPI(lifespan=_lifespan)
_keyring, _index = JOB.keyring(), JOB.index()
_keys = KeySet.import_key_set(JOB.jwks)  # type: ignore[arg-type]  # as read from JSON
_claims = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": ISSUER},
    exp={"essential": True},
    client_id={"essential": True},
    org={"essential": True},
)
_profile = load_profile(JOB.profile)
_zone = ZoneInfo(_profile.timezone)
_calendar = WorkingCalendar(_profile.calendar, _zone)
_versions = {"profile_version": _profile.version, "calendar_version": _calendar.version}


@cache
def engine() -> Engine:
    """Return this process's connections: made at the first use, so after a worker has forked."""
    url = JOB.database_url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(url, pool_size=32, max_overflow=8)


@cache
def session() -> requests.Session:
    """Return this process's connection to the partner."""
    return requests.Session()


async def caller(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    """Return the claims of who calls, or refuse."""
    try:
        token = jwt.decode(authorization.removeprefix("Bearer "), _keys, algorithms=["Ed25519"])
        _claims.validate(token.claims)
    except (JoseError, ValueError):
        raise HTTPException(401) from None
    if token.header.get("typ") != "at+jwt":
        raise HTTPException(401)
    if "referrals:write" not in token.claims.get("scope", "").split():
        raise HTTPException(403)
    return token.claims


async def body(request: Request) -> Referral:
    """Return the referral, read from the bytes: FastAPI would make a dict first, which strict dates refuse."""
    try:
        return Referral.model_validate_json(await request.body())
    except ValidationError as error:
        raise HTTPException(422, error.errors(include_input=False, include_url=False)) from None


@api.get("/readyz")
def ready() -> dict[str, str]:
    """Say that requests are taken."""
    return {"status": "ready"}


@api.post("/v1/referrals", status_code=202)
def take(
    referral: Annotated[Referral, Depends(body)],
    by: Annotated[dict[str, Any], Depends(caller)],
    idempotency_key: Annotated[str, Header()],
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Store a referral and start its chain; one that stands already unchanged is only answered."""
    content = JOB.digest("content", referral.model_dump_json(exclude_defaults=True).encode())
    slot = UUID(bytes=JOB.digest("slot", f"{by['client_id']}\0{idempotency_key}".encode())[:16])
    key = {"slot": slot, "request": content, "referral_id": new_id()}
    with engine().begin() as connection:
        if not connection.execute(sql.CLAIM_KEY, key).rowcount:
            known = connection.execute(sql.KEY, key).one()
            if known.request != content:
                raise HTTPException(422)
            return _answer(known.referral_id)
        referral_id, is_new = _store(connection, key, by["org"], referral)
        if not is_new:
            return _answer(referral_id)
        person: dict[str, Any] = {"referral_id": referral_id}
        person |= zip(sql.INDEXES, _indexes(referral.person), strict=True)
        person |= zip(SEALED, sealed(_keyring, referral_id, referral), strict=True)
        connection.execute(sql.UPSERT_PERSON, person)
        earlier = connection.execute(sql.EARLIER, person).scalars().all()
        handing = {"id": new_id(), "referral_id": referral_id, "traceparent": traceparent}
        handing["repeat_of"] = min(earlier) if earlier else None
        connection.execute(sql.HAND_OVER, handing)
    _hand_over(handing)
    return _answer(referral_id)


def _hand_over(handing: Mapping[str, Any]) -> None:
    """Start a stored referral's chain; what is stored after a crash is started with the endpoint."""
    id, repeat_of = str(handing["referral_id"]), handing["repeat_of"] and str(handing["repeat_of"])
    chain(triage.si(id, repeat_of), routing.si(id), partners.si(id, handing["traceparent"])).delay()
    with engine().begin() as connection:
        connection.execute(sql.UNHURRIED)
        connection.execute(sql.HANDED_OVER, handing)


def _store(connection: Connection, key: dict[str, Any], organisation: str, referral: Referral) -> tuple[UUID, bool]:
    """Store a referral, or correct the one of its reference; return its id and whether that changed anything."""
    received_at = referral.received_at or datetime.now(UTC)
    born = referral.person.date_of_birth
    row = {
        "id": key["referral_id"],
        "version": 1,
        "source_organisation": organisation,
        "source_reference": referral.source.reference,
        "content": key["request"],
        "facts": facts(referral, age_on(born, received_at.astimezone(_zone).date()) if born else None),
        "received_at": received_at,
    }
    stored: UUID | None = connection.execute(sql.UPSERT_REFERRAL, row).scalar_one_or_none()
    known: UUID = stored or connection.execute(sql.REFERRAL_OF_SOURCE, row).scalar_one()
    if known != key["referral_id"]:
        connection.execute(sql.POINT_KEY, {"slot": key["slot"], "referral_id": known})
    return known, stored is not None


def _indexes(person: Person) -> list[UUID | None]:
    """Return the blind indexes: two persons are the same when name and date of birth, phone or email are."""
    name = _index.of("name", f"{person.given_name} {person.family_name}")
    born = person.date_of_birth.isoformat() if person.date_of_birth else None
    others = [
        _index.of(kind, value) if value else None
        for kind, value in (("date", born), ("phone", person.phone), ("email", person.email))
    ]
    if name is None or not (person.given_name and person.family_name):
        return [None, None, None]
    return [UUID(bytes=hashlib.sha256(name + other).digest()[:16]) if other else None for other in others]


def _answer(referral_id: UUID) -> dict[str, Any]:
    return {"id": str(referral_id), "status": "received", "links": {"self": f"/v1/referrals/{referral_id}"}}


@celery.task  # type: ignore[untyped-decorator]
def triage(referral_id: str, repeat_of: str | None) -> None:
    """Decide, open a case, plan the contacts, and tell the source."""
    with engine().begin() as connection:
        row = connection.execute(sql.REFERRAL, {"id": referral_id}).one()
        known = ReferralReceivedV1.model_validate({
            **row.facts, "referral_id": row.id, "version": row.version, "received_at": row.received_at,
            "source_organisation": row.source_organisation, "repeat_of": repeat_of,
        })  # fmt: skip
        decision = decide(_profile, _calendar, known, datetime.now(UTC))
        case = vars(decision) | {
            "id": new_id(),
            "referral_id": row.id,
            "version": row.version,
            "source_organisation": row.source_organisation,
            "status": "open" if decision.outcome == "accepted" else "excluded",
            "crime_category": known.crime.category,
            "needs": list(decision.needs),
            "outputs": orjson.dumps(decision.outputs).decode(),
            "facts": known.model_dump_json(exclude_none=True),
            "received_at": row.received_at,
            "due_at": min((at for contact in decision.contacts if (at := contact["due_at"])), default=None),
        }
        case_id = connection.execute(sql.UPSERT_CASE, case).scalar_one_or_none()
        if case_id is None:
            return  # this task was delivered again
        lists = {name: list(getattr(decision, name)) for name in ("rules", "categories", "needs")}
        about = {"case_id": case_id, **_versions}
        connection.execute(
            sql.INSERT_DECISION, vars(decision) | lists | about | {"id": new_id(), "case_version": row.version}
        )
        if row.version > 1:
            connection.execute(sql.REPLACE_CONTACTS, about)
        for contact in decision.contacts:
            left_out = orjson.dumps(contact["left_out"]).decode()
            connection.execute(sql.INSERT_CONTACT, contact | about | {"id": new_id(), "left_out": left_out})
        told = {"id": row.id, "outcome": decision.outcome, "reason": decision.reason}
        connection.execute(sql.TELL_DECISION, told)


@celery.task  # type: ignore[untyped-decorator]
def routing(referral_id: str) -> None:
    """Find who helps with each need."""
    with engine().begin() as connection:
        case = connection.execute(sql.CASE, {"id": referral_id}).one()
        wanted = {"area": case.facts.get("area_code"), "age": case.facts.get("age")}
        for need in case.needs if case.status == "open" else ():
            found = connection.execute(sql.CANDIDATES, {"need": need, **wanted}).all()
            first = found[0]._asdict() if found else {"service_id": None, "partner_id": None}
            pathway = {
                "id": new_id(),
                "case_id": case.id,
                "referral_id": case.referral_id,
                "need": need,
                "status": "requested" if found else "no_candidate",
                "candidates": orjson.dumps([candidate._asdict() for candidate in found]).decode(),
                "onward_referral_id": new_id() if found else None,
            }
            connection.execute(sql.INSERT_PATHWAY, pathway | first)


@celery.task  # type: ignore[untyped-decorator]
def partners(referral_id: str, traceparent: str | None) -> None:
    """Keep what the gate needs to know, ask it, and tell the partners that it allows."""
    with engine().begin() as connection:
        case = connection.execute(sql.CASE, {"id": referral_id}).one()
        connection.execute(sql.KEEP_FACTS, case._asdict() | {"case_id": case.id})
        connection.execute(sql.LOCK_CASE, {"case_id": case.id})
        for consent in case.facts["consents"]:
            connection.execute(sql.INSERT_CONSENT, _consent(case.id, ConsentFacts.model_validate(consent)))
        consents = connection.execute(sql.CONSENTS, {"id": case.id}).all()
        allowed = {
            asked.onward_referral_id
            for asked in connection.execute(sql.ASKED, {"id": case.id}).all()
            if _refer(connection, case, asked, consents, traceparent)
        }
        # Also what was queued when this task was delivered before, and not sent.
        queued = connection.execute(sql.UNSENT, {"id": referral_id}).all()
        permits = [_permit(each) for each in queued if each.onward_referral_id in allowed]
        if permits:
            connection.execute(sql.INSERT_PERMIT, permits)
    issued = {permit["onward_referral_id"]: permit["id"] for permit in permits}
    for delivery in queued:
        if delivery.onward_referral_id in issued:
            _tell(delivery, issued[delivery.onward_referral_id])


def _consent(case_id: UUID, consent: ConsentFacts) -> dict[str, Any]:
    source_key = hashlib.sha256(f"{case_id}{consent.model_dump_json()}".encode()).hexdigest()
    lists = {"recipients": list(consent.recipients), "data_categories": list(consent.data_categories)}
    return vars(consent) | lists | {"id": new_id(), "case_id": case_id, "source_key": source_key}


def _permit(delivery: Row[Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = {"issued_at": now, "expires_at": now + timedelta(seconds=20)}
    return {"id": new_id(), "onward_referral_id": delivery.onward_referral_id, **times}


def _refer(
    connection: Connection, case: Row[Any], asked: Row[Any], consents: Sequence[Row[Any]], traceparent: str | None
) -> bool:
    """Ask the gate about one onward referral, queue its news when it is new, and return whether it may be told."""
    now = datetime.now(UTC)
    terms = {"partner_id": asked.partner_id, "need": asked.need, "today": now.astimezone(_zone).date()}
    agreement = connection.execute(sql.AGREEMENT, terms).one_or_none()
    reasons = refusals(_profile.basis_for("hub_to_partner"), case, asked, agreement, consents, now)
    onward = {
        "id": asked.onward_referral_id,
        "pathway_id": asked.id,
        "case_id": case.id,
        "referral_id": case.referral_id,
        "kind": asked.need,
        "partner_id": asked.partner_id,
        "service_id": asked.service_id,
        "status": "refused" if reasons else "ready",
        "version": 1,
        "reasons": reasons,
    }
    if connection.execute(sql.INSERT_ONWARD, onward).rowcount:
        if reasons:
            connection.execute(sql.TELL_ONWARD, onward | {"onward_referral_id": onward["id"]})
        else:
            body = payload(str(onward["id"]), now.isoformat(), asked.need)
            delivery = {"id": new_id(), "onward_referral_id": onward["id"], "referral_id": case.referral_id}
            connection.execute(
                sql.INSERT_DELIVERY, delivery | {"body": body, "state": "queued", "traceparent": traceparent}
            )
    return not reasons


def _tell(delivery: Row[Any], permit_id: UUID) -> None:
    """Post one webhook, and note the attempt and what became of it."""
    now = datetime.now(UTC)
    headers = signed(
        str(delivery.id), int(now.timestamp()), delivery.body, JOB.webhook_secret, delivery.traceparent,
        JOB.webhook_signing_key,
    )  # fmt: skip
    status, began = None, time.monotonic()
    with suppress(requests.RequestException):
        status = session().post(JOB.webhook_url, data=delivery.body, headers=headers, timeout=10).status_code
    duration_ms, is_ok = round(1000 * (time.monotonic() - began)), status is not None and status < 300
    attempt = {
        "id": new_id(), "delivery_id": delivery.id, "number": 1, "started_at": now, "duration_ms": duration_ms,
        "status": status, "error_class": "none" if is_ok else "status" if status else "connection",
    }  # fmt: skip
    state = {"id": delivery.id, "state": "delivered" if is_ok else "failed", "last_status": status}
    with engine().begin() as connection:
        connection.execute(sql.INSERT_ATTEMPT, attempt)
        connection.execute(sql.CHANGE_DELIVERY, state)
        connection.execute(sql.SETTLE_PERMIT, {"permit_id": permit_id})
        if is_ok:
            connection.execute(sql.MARK_SENT, {"id": delivery.onward_referral_id})
        told = delivery._asdict() | {"kind": orjson.loads(delivery.body)["data"]["kind"]}
        connection.execute(sql.TELL_ONWARD, told | {"status": "sent" if is_ok else "ready"})
