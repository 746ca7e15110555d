"""The floor: the same job in one process, with nothing between the request and the webhook that could be left out.

A bare ASGI application under uvicorn checks a real access token (remembered once checked), validates the referral,
seals the personal details, commits three rows together with whoever else is waiting, answers, posts the signed webhook
over kept connections and marks it delivered, many at a time. No broker, no outbox, no policy, no second process: what
those cost shows in the distance from here.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvicorn
from pydantic import ValidationError

from bench.job import SEALED, Job, Referral, coded, payload, sealed, signed
from hubkit.errors import HubError
from hubkit.ids import new_id

_PERSON = ", ".join(f"${number}::bytea[]" for number in range(5, 5 + len(SEALED)))
_AFTER = 5 + len(SEALED)
#: Three rows of every waiting referral in one statement, which is one transaction; a repeated key inserts nothing.
_INSERT = f"""
WITH r AS (
    INSERT INTO referral (id, client_id, idempotency_key, coded)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING RETURNING id),
p AS (
    INSERT INTO person SELECT * FROM unnest($1::uuid[], {_PERSON}) AS new(id) WHERE new.id IN (SELECT id FROM r)),
d AS (
    INSERT INTO delivery (id, referral_id, onward_referral_id, body, traceparent)
    SELECT d, i, o, b, t FROM unnest(${_AFTER}::uuid[], $1::uuid[], ${_AFTER + 1}::uuid[], ${_AFTER + 2}::bytea[],
                                     ${_AFTER + 3}::text[]) AS new(d, i, o, b, t) WHERE i IN (SELECT id FROM r))
SELECT id FROM r
"""
_MARK = "UPDATE delivery SET delivered_at = now() WHERE id = ANY($1::uuid[])"
_GROUP, _SENDERS, _MARK_S = 256, 32, 0.05

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class _Waiting:
    """A referral on its way into the database, and who waits for that."""

    id: UUID
    client_id: str
    key: str
    coded: str
    person: list[bytes | None]
    delivery_id: UUID
    onward_id: UUID
    body: bytes
    traceparent: str | None
    stored: asyncio.Future[bool]


class Floor:
    """The application."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._verifier = job.verifier()
        self._keyring = job.keyring()
        self._arrivals: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._outgoing: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._delivered: list[UUID] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        status, answer = 404, b"{}"
        if scope["method"] == "POST" and scope["path"] == "/v1/referrals":
            status, answer = await self._take(dict(scope["headers"]), await _body(receive))
        elif scope["path"] == "/readyz":
            status = 200
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _take(self, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        try:
            caller = self._verifier.verify(headers.get(b"authorization", b"")[7:].decode())
            caller.require("referrals:write")
            referral = Referral.model_validate_json(body)
        except HubError as error:
            return error.status, b"{}"
        except ValidationError as error:
            return 422, error.json(include_input=False, include_url=False).encode()
        key = headers.get(b"idempotency-key")
        if not key:
            return 400, b"{}"
        waiting = self._prepare(caller.client_id, key.decode(), referral, headers.get(b"traceparent"))
        self._arrivals.put_nowait(waiting)
        if not await waiting.stored:
            return 409, b"{}"
        link = f"/v1/referrals/{waiting.id}"
        return 202, orjson.dumps({"id": str(waiting.id), "status": "received", "links": {"self": link}})

    def _prepare(self, client_id: str, key: str, referral: Referral, traceparent: bytes | None) -> _Waiting:
        referral_id, onward_id = new_id(), new_id()
        return _Waiting(
            id=referral_id,
            client_id=client_id,
            key=key,
            coded=coded(referral),
            person=sealed(self._keyring, referral_id, referral),
            delivery_id=new_id(),
            onward_id=onward_id,
            body=payload(str(onward_id), datetime.now(UTC).isoformat()),
            traceparent=traceparent.decode() if traceparent else None,
            stored=asyncio.get_running_loop().create_future(),
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=_SENDERS)
        async with (
            asyncpg.create_pool(self._job.database_url, min_size=2, max_size=2) as pool,
            aiohttp.ClientSession(connector=connector) as session,
        ):
            works = [self._write(pool), self._mark(pool), *(self._send(session) for _ in range(_SENDERS))]
            tasks = [asyncio.create_task(work) for work in works]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, pool: asyncpg.Pool) -> None:
        while True:
            group = [await self._arrivals.get()]
            while len(group) < _GROUP and not self._arrivals.empty():
                group.append(self._arrivals.get_nowait())
            rows = ((w.id, w.client_id, w.key, w.coded, *w.person, w.delivery_id, w.onward_id, w.body, w.traceparent)
                    for w in group)  # fmt: skip
            new = {row[0] for row in await pool.fetch(_INSERT, *map(list, zip(*rows, strict=True)))}
            for waiting in group:
                waiting.stored.set_result(waiting.id in new)
                if waiting.id in new:
                    self._outgoing.put_nowait(waiting)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while True:
            waiting = await self._outgoing.get()
            identity = str(waiting.delivery_id)
            secret = self._job.webhook_secret
            headers = signed(identity, int(time.time()), waiting.body, secret, waiting.traceparent)
            async with session.post(self._job.webhook_url, data=waiting.body, headers=headers) as answer:
                if answer.status == 204:
                    self._delivered.append(waiting.delivery_id)

    async def _mark(self, pool: asyncpg.Pool) -> None:
        while True:
            await asyncio.sleep(_MARK_S)
            if self._delivered:
                delivered, self._delivered = self._delivered, []
                await pool.execute(_MARK, delivered)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(Floor(Job.load()), port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning",
                server_header=False, date_header=False, timeout_keep_alive=75)  # fmt: skip


if __name__ == "__main__":
    main()
