"""One hub in a world of its own: its public calls, its clock, and when everything in it has come to rest."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select

from gateway.actions.clients import create_client
from hubkit.clock import SteeredClock
from hubkit.contracts import CONSUMERS
from hubkit.messaging import INBOX, OUTBOX
from hubkit.service import Service
from onward.scenarios.book import ScenarioError

_REST_S: Final = 20.0
#: How long between two looks, at first and at most.
_LOOK_S: Final = (0.01, 0.08)
_TRIES: Final = 5
#: A token lives five minutes of the hub's clock.
_TOKEN_LIFE: Final = timedelta(minutes=3)
_PARTNER_SCOPES: Final = ("onward:read", "onward:write")


class CallError(ScenarioError):
    """The hub refused a call; the message holds its status, code and faults.

    Attributes
    ----------
    status
        The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered."""

    body: Any
    etag: str | None


class World:
    """A running hub.

    Parameters
    ----------
    gateway
        The gateway's application, with the others at `state.apps`, all of them started.
    clients
        What the demonstration clients sign in with, by their names.
    """

    def __init__(self, gateway: FastAPI, clients: Mapping[str, Mapping[str, Any]], clock: SteeredClock) -> None:
        self.clock = clock
        self._services: dict[str, Service] = {
            module.rsplit(".", 1)[-1]: app.state.service for module, app in gateway.state.apps.items()
        }
        self._sign_in = {name: (each["client_id"], each["client_secret"]) for name, each in clients.items()}
        self._tokens: dict[str, tuple[datetime, str]] = {}
        transport = httpx.ASGITransport(app=gateway)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://hub", timeout=60)

    async def aclose(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def get(self, path: str, client: str = "hub") -> Any:
        """Return what a public call is answered."""
        return (await self.call(client, "GET", path)).body

    async def items(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}?limit=100{cursor}")
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def post(self, path: str, body: Any, client: str = "hub") -> Any:
        """Make a call that needs no version."""
        return (await self.call(client, "POST", path, json=body)).body

    async def change(self, of: str, call: str, body: Any, *, method: str = "POST", client: str = "hub") -> Any:
        """Make a call with the version of what is read at `of`; again, if that has changed meanwhile."""
        for attempt in range(_TRIES):
            etag = (await self.call(client, "GET", of)).etag
            headers = {"If-Match": etag} if etag else {}
            try:
                return (await self.call(client, method, call, json=body, headers=headers)).body
            except CallError as error:
                if error.status not in (409, 412) or "version" not in str(error) or attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_LOOK_S[0])
        raise AssertionError

    async def call(self, client: str, method: str, path: str, **options: Any) -> Answer:
        """Call the hub as one of its clients.

        Raises
        ------
        CallError
            When it is refused.
        """
        headers = {"Authorization": f"Bearer {await self._token(client)}", **options.pop("headers", {})}
        answer = await self._http.request(method, path, headers=headers, **options)
        for attempt in range(_TRIES):
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.1 * (attempt + 1))
            answer = await self._http.request(method, path, headers=headers, **options)
        if answer.status_code >= 400:
            raise CallError(f"{method} {path} was refused: {_refusal(answer)}", answer.status_code)
        return Answer(answer.json() if answer.content else None, answer.headers.get("etag"))

    async def let_in(self, organisation: str) -> str:
        """Return the name of a client of a partner organisation, registered as an operator would."""
        name = f"partner {organisation}"
        if name not in self._sign_in:
            db = self._services["gateway"].db
            async with db.transaction() as tx:
                made = await create_client(tx, organisation=organisation, scopes=_PARTNER_SCOPES)
            self._sign_in[name] = made.id, made.secret
        return name

    async def _token(self, client: str) -> str:
        now = self.clock.now()
        since, token = self._tokens.get(client, (None, ""))
        if since is None or not since <= now < since + _TOKEN_LIFE:
            form = {"grant_type": "client_credentials"}
            answer = await self._http.post("/oauth/token", data=form, auth=self._sign_in[client])
            if answer.status_code != 200:
                raise CallError(f"client {client} was not let in: {_refusal(answer)}", answer.status_code)
            token = str(answer.json()["access_token"])
            self._tokens[client] = now, token
        return token

    async def rest(self) -> None:
        """Let the clock go on, and wait until every event has taken effect everywhere.

        Only for waiting: what is compared comes from public calls.

        Raises
        ------
        ScenarioError
            When an event cannot take effect, or nothing comes to rest.
        """
        self.clock.go_on()
        end, look_s = time.monotonic() + _REST_S, _LOOK_S[0]
        while not await self._is_at_rest():
            if time.monotonic() > end:
                raise ScenarioError(f"the hub did not come to rest within {_REST_S:.0f} s{await self._waiting()}")
            await asyncio.sleep(look_s)
            look_s = min(_LOOK_S[1], look_s * 1.3)

    async def _is_at_rest(self) -> bool:
        """Whether each service has done as many events as there are for it.

        What was heard is counted before what was said: both only grow, so equal sums mean that nothing was under way.
        """
        heard: dict[str, int] = {}
        for name, service in self._services.items():
            if service.bus is not None:
                heard[name] = await self._heard(name, service)
        said = dict.fromkeys(heard, 0)
        for name in heard:
            async with self._services[name].db.reading() as tx:
                rows: Sequence[Any] = await tx.rows(select(OUTBOX.c.type, func.count()).group_by(OUTBOX.c.type))
            for row in rows:
                for consumer in _CONSUMERS.get(row[0], ()):
                    said[consumer] += int(row[1])
        return heard == said

    async def _waiting(self) -> str:
        """Return which events wait to be tried again, and why."""
        found = ""
        for name, service in self._services.items():
            if service.bus is not None:
                async with service.db.reading() as tx:
                    columns = (INBOX.c.type, INBOX.c.reason)
                    rows: Sequence[Any] = await tx.rows(select(*columns).where(INBOX.c.state == "pending"))
                found += "".join(f"; {name} waits with {row[0]}: {row[1]}" for row in rows)
        return found

    async def _heard(self, name: str, service: Service) -> int:
        async with service.db.reading() as tx:
            counts: Sequence[Any] = await tx.rows(select(INBOX.c.state, func.count()).group_by(INBOX.c.state))
            found = {str(row[0]): int(row[1]) for row in counts}
            if found.get("dead"):
                dead = await tx.row(select(INBOX.c.type, INBOX.c.reason).where(INBOX.c.state == "dead"))
                raise ScenarioError(f"{name} could not take an event in: {tuple(dead or ())}")
        return found.get("done", 0)


_CONSUMERS: Final = {contract.TYPE: services for contract, services in CONSUMERS.items()}


def _refusal(answer: httpx.Response) -> str:
    """Return the status, the code and the faults of a problem document."""
    try:
        problem = answer.json()
    except ValueError:
        return f"{answer.status_code}"
    faults = "".join(f"; {fault.get('pointer')} {fault.get('code')}" for fault in problem.get("errors") or () if fault)
    return f"{answer.status_code} {problem.get('code') or problem.get('error')}{faults}"
