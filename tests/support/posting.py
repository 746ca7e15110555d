"""Clients that post referrals as a police system should: again and again under one Idempotency-Key until answered."""

import asyncio
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from tests.support.hub import Hub, referral

_AGAIN = frozenset({429, 502, 503, 504})


def somebody(run: str, number: int) -> dict[str, Any]:
    """Return a referral of somebody new; only every other one has a reference, so that else the key alone decides."""
    body = referral()
    body["person"] |= {"given_name": run, "family_name": f"Example {number}", "phone": None, "preferred_method": None}
    body["person"]["email"] = f"{run}.{number}@example.org".lower().replace(" ", "-")
    if number % 2:
        body["source"]["reference"] = None
    return body


class Posting:
    """Posts referrals in a thread of its own, as many at once as there are posters.

    Attributes
    ----------
    accepted
        The referral id of each Idempotency-Key that was answered with 202.
    refused
        What any other final answer was, by key.
    statuses
        How often each status was answered; 0 counts the calls that were not answered.
    """

    def __init__(self, hub: Hub, bodies: Sequence[Mapping[str, Any]], *, posters: int = 16) -> None:
        self.accepted: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self._url = f"{hub.base_url}/v1/referrals"
        self._token = hub.token("police")
        self._work = [(str(uuid.uuid4()), orjson.dumps(body)) for body in bodies]
        self._posters = posters
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def wait_for(self, count: int, seconds: float = 60) -> None:
        """Return when so many have been answered."""
        end = time.monotonic() + seconds
        while len(self.accepted) + len(self.refused) < count:
            assert time.monotonic() < end, f"{len(self.accepted)} accepted, {dict(self.statuses)} in {seconds} s"
            time.sleep(0.002)

    def finish(self, seconds: float = 60) -> dict[str, str]:
        """Wait until every referral has its answer; return the referral ids by key."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"{len(self.accepted)} accepted, {dict(self.statuses)} in {seconds} s"
        assert not self.refused, self.refused
        assert len(self.accepted) == len(set(self.accepted.values())), "two referrals were answered with one id"
        return self.accepted

    async def _run(self) -> None:
        waiting = iter(self._work)
        limit = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as group:
            for _ in range(self._posters):
                group.create_task(self._poster(session, waiting))

    async def _poster(self, session: aiohttp.ClientSession, waiting: Iterator[tuple[str, bytes]]) -> None:
        for key, body in waiting:
            while (status := await self._post(session, key, body)) in _AGAIN or status == 0:
                await asyncio.sleep(0.1)

    async def _post(self, session: aiohttp.ClientSession, key: str, body: bytes) -> int:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.statuses[0] += 1
            return 0
        self.statuses[answer.status] += 1
        if answer.status == 202:
            self.accepted[key] = orjson.loads(text)["id"]
        elif answer.status not in _AGAIN:
            self.refused[key] = f"{answer.status} {text[:200]}"
        return answer.status
