"""`python -m bench parts`: what a referral costs at a light load at least, each part measured alone.

Between the POST and the webhook lie three hand-overs by the broker, four commits (intake, triage, routing, partners)
and three calls by HTTP (gateway, intake, partner). Each is done twenty times a second here, with nothing around it: no
decision, no query, no second process that wants the cores. The hub cannot be faster than their sum.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import uvloop

from bench.measure import percentile
from bench.systems import SinkProgram, describe_machine
from hubkit.bus import Message, RabbitBus
from hubkit.contracts import ReferralReceivedV1
from hubkit.egress import WebhookClient
from hubkit.webhooks import new_secret
from tests.support.servers import PostgresServer, RabbitServer

#: How often each part lies between the POST and the webhook.
PARTS = {"hand-over": 3, "commit": 4, "call": 3}
_BODY = b"x" * 1500
_WARM = 10


async def _times(count: int, rate: float, once: Callable[[], Awaitable[float]]) -> list[float]:
    """Do something `count` times at a steady rate; return how many milliseconds each took, without the first few."""
    found = []
    for _ in range(_WARM + count):
        found.append(await once())
        await asyncio.sleep(1 / rate)
    return found[_WARM:]


async def hand_over(url: str, count: int, rate: float) -> list[float]:
    """Return the milliseconds from publishing to the consumer's call, through a quorum queue by the hub's own bus."""
    came: asyncio.Queue[float] = asyncio.Queue()
    sender, taker = RabbitBus(url, "intake"), RabbitBus(url, "triage")
    acknowledging: set[asyncio.Future[None]] = set()

    def take(message: Message) -> None:
        came.put_nowait(time.monotonic())
        acknowledging.add(asyncio.ensure_future(message.ack()))

    taker.subscribe("triage", [ReferralReceivedV1.TYPE], take)
    running = [asyncio.create_task(bus.run()) for bus in (sender, taker)]
    while not (sender.is_ready and taker.is_ready):
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)

    async def once() -> float:
        began = time.monotonic()
        await sender.publish(ReferralReceivedV1.TYPE, _BODY, str(began))
        return 1000 * (await came.get() - began)

    try:
        return await _times(count, rate, once)
    finally:
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def commit(url: str, count: int, rate: float) -> list[float]:
    """Return the milliseconds of one insert that is on disk when it is answered."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("CREATE TABLE part (id bigserial PRIMARY KEY, body bytea)")
        insert = await connection.prepare("INSERT INTO part (body) VALUES ($1)")

        async def once() -> float:
            began = time.monotonic()
            await insert.fetch(_BODY)
            return 1000 * (time.monotonic() - began)

        return await _times(count, rate, once)
    finally:
        await connection.close()


async def call(url: str, count: int, rate: float) -> list[float]:
    """Return the milliseconds of one POST over a kept connection, by the hub's own client, to a server of raw bytes."""
    client = WebhookClient(allow_http=True, allow_private=True)

    async def once() -> float:
        began = time.monotonic()
        attempt = await client.post(url, {}, _BODY)
        if not attempt.ok:
            raise RuntimeError(f"the sink did not answer: {attempt.error_class}")
        return 1000 * (time.monotonic() - began)

    try:
        return await _times(count, rate, once)
    finally:
        await client.aclose()


async def measure(amqp_url: str, database_url: str, sink_url: str, count: int, rate: float) -> dict[str, list[float]]:
    """Return the milliseconds of each part, in the order in which they were measured."""
    return {
        "hand-over": await hand_over(amqp_url, count, rate),
        "commit": await commit(database_url, count, rate),
        "call": await call(sink_url, count, rate),
    }


def lines(found: dict[str, list[float]]) -> list[str]:
    """Return what is printed: each part with its share, and their sum."""
    medians = {name: percentile(values, 0.5) for name, values in found.items()}
    shares = {name: PARTS[name] * value for name, value in medians.items()}
    parts = [f"  {name:10} p50 {medians[name]:5.2f} ms, {PARTS[name]} times {shares[name]:5.2f} ms" for name in found]
    return [*parts, f"  together   {sum(shares.values()):.2f} ms at least"]


def main(arguments: list[str]) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench parts", description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--rate", type=float, default=20.0, help="a second")
    chosen = parser.parse_args(arguments)
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in describe_machine().items()), flush=True)
    sink = SinkProgram()
    try:
        sink.wait_ready(f"{sink.url}/ready")
        sink.take("parts", new_secret())
        with PostgresServer() as postgres, RabbitServer() as rabbit:
            urls = (rabbit.url, postgres.create_database("parts"), f"{sink.url}/parts")
            found = uvloop.run(measure(*urls, chosen.count, chosen.rate))
    finally:
        sink.stop()
    print(*lines(found), sep="\n")
    return 0
