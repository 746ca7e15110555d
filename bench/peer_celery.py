"""The peer: the same job as a Celery 5 chain, built as its guides show and given every advantage that costs no code.

A FastAPI endpoint checks the token, validates, seals, stores, commits and starts a chain of four tasks over RabbitMQ;
each task is one PostgreSQL transaction, and the last posts the signed webhook. SQLAlchemy Core with psycopg, prefork,
late acknowledgement, no results, no gossip. Tokens are remembered once checked, as in the hub. It has neither outbox
nor inbox: a crash between commit and publish loses a referral.

    uvicorn bench.peer_celery:api        celery -A bench.peer_celery worker
"""

import time
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import orjson
import requests
from celery import Celery, chain  # type: ignore[import-untyped]
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from bench.job import SEALED, Job, Referral, coded, payload, sealed, signed
from hubkit.auth import Caller
from hubkit.errors import HubError
from hubkit.ids import new_id

_COLUMNS = ("referral_id", *SEALED)
_INSERT_REFERRAL = text(
    "INSERT INTO referral (id, client_id, idempotency_key, coded) VALUES (:id, :client_id, :key, :coded) "
    "ON CONFLICT DO NOTHING"
)
_INSERT_PERSON = text(f"INSERT INTO person VALUES ({', '.join(f':{name}' for name in _COLUMNS)})")
_SET_STATUS = text("UPDATE referral SET status = :status WHERE id = :id RETURNING coded")
_INSERT_CASE = text("INSERT INTO hub_case VALUES (:id, :referral_id, :outcome, :need) ON CONFLICT DO NOTHING")
_CASE = text("SELECT id, need FROM hub_case WHERE referral_id = :id")
_INSERT_PATHWAY = text("INSERT INTO pathway VALUES (:id, :referral_id, :need, 'requested') ON CONFLICT DO NOTHING")
_INSERT_DELIVERY = text(
    "INSERT INTO delivery VALUES (:id, :referral_id, :onward_id, :body, now()) ON CONFLICT DO NOTHING"
)

JOB = Job.load()
celery = Celery("bench", broker=JOB.amqp_url)
celery.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=JOB.prefetch,
    worker_concurrency=4,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
api = FastAPI()


@cache
def engine() -> Engine:
    """Return this process's connections: made at the first use, so after a worker has forked."""
    url = JOB.database_url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(url, pool_size=32, max_overflow=8)


@cache
def session() -> requests.Session:
    """Return this process's connection to the partner."""
    return requests.Session()


_verifier, _keyring = JOB.verifier(), JOB.keyring()


def caller(authorization: Annotated[str, Header()] = "") -> Caller:
    """Return who calls, or refuse."""
    try:
        known = _verifier.verify(authorization.removeprefix("Bearer "))
        known.require("referrals:write")
    except HubError as error:
        raise HTTPException(error.status) from None
    return known


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
    by: Annotated[Caller, Depends(caller)],
    idempotency_key: Annotated[str, Header()],
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Store a referral and start its chain."""
    referral_id = new_id()
    person = sealed(_keyring, referral_id, referral)
    row = {"id": referral_id, "client_id": by.client_id, "key": idempotency_key, "coded": coded(referral)}
    with engine().begin() as connection:
        if not connection.execute(_INSERT_REFERRAL, row).rowcount:
            raise HTTPException(409)
        connection.execute(_INSERT_PERSON, dict(zip(_COLUMNS, (referral_id, *person), strict=True)))
    known = str(referral_id)
    chain(intake.si(known), triage.si(known), routing.si(known), partners.si(known, traceparent)).delay()
    return {"id": known, "status": "received", "links": {"self": f"/v1/referrals/{known}"}}


@celery.task  # type: ignore[untyped-decorator]
def intake(referral_id: str) -> None:
    """Take the referral up."""
    with engine().begin() as connection:
        connection.execute(_SET_STATUS, {"id": referral_id, "status": "taken"})


@celery.task  # type: ignore[untyped-decorator]
def triage(referral_id: str) -> None:
    """Decide, and open a case."""
    with engine().begin() as connection:
        facts = orjson.loads(connection.execute(_SET_STATUS, {"id": referral_id, "status": "accepted"}).scalar_one())
        case = {"id": new_id(), "referral_id": referral_id, "outcome": "accepted", "need": facts["needs"][0]}
        connection.execute(_INSERT_CASE, case)


@celery.task  # type: ignore[untyped-decorator]
def routing(referral_id: str) -> None:
    """Find who helps."""
    with engine().begin() as connection:
        need = connection.execute(_CASE, {"id": referral_id}).one().need
        connection.execute(_INSERT_PATHWAY, {"id": new_id(), "referral_id": referral_id, "need": need})


@celery.task  # type: ignore[untyped-decorator]
def partners(referral_id: str, traceparent: str | None) -> None:
    """Tell the partner."""
    delivery_id, onward_id = new_id(), new_id()
    body = payload(str(onward_id), datetime.now(UTC).isoformat())
    row = {"id": delivery_id, "referral_id": referral_id, "onward_id": onward_id, "body": body}
    with engine().begin() as connection:
        if not connection.execute(_INSERT_DELIVERY, row).rowcount:
            return  # this task was delivered again
        headers = signed(str(delivery_id), int(time.time()), body, JOB.webhook_secret, traceparent)
        session().post(JOB.webhook_url, data=body, headers=headers, timeout=10).raise_for_status()
