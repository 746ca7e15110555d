"""A real broker with the permissions of `deploy/development`: a service says its own events and no other's."""

import asyncio
import contextlib
import json
import secrets
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused

from hubkit.bus import PublishError, RabbitBus
from hubkit.bus.rabbit import EXCHANGE
from hubkit.contracts import BY_TYPE, PRODUCERS
from tests.support.access import Broker

DEFINITIONS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "development" / "rabbitmq-definitions.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=[user["name"] for user in DEFINITIONS["users"]])
def service(request: pytest.FixtureRequest) -> str:
    """Return the name of a service that has a user at the broker."""
    name: str = request.param
    return name


@pytest.fixture
def url(service: str, rabbit_server: Broker, rabbit_url: str) -> Iterator[str]:
    """Return the AMQP URL of a user with the service's permissions, in a virtual host of this test's own."""
    user, password = f"{service}-{secrets.token_hex(4)}", secrets.token_hex(12)
    parts = urllib.parse.urlsplit(rabbit_url)
    rabbit_server.api("PUT", f"/api/users/{user}", {"password": password, "tags": ""})
    for kind in ("permissions", "topic_permissions"):
        for entry in DEFINITIONS[kind]:
            if entry["user"] == service:
                rights = {name: value for name, value in entry.items() if name not in ("user", "vhost")}
                rabbit_server.api("PUT", f"/api/{kind.replace('_', '-')}{parts.path}/{user}", rights)
    yield f"amqp://{user}:{password}@{parts.hostname}:{parts.port}{parts.path}"
    rabbit_server.api("DELETE", f"/api/users/{user}")


@contextlib.asynccontextmanager
async def running(url: str, service: str) -> AsyncIterator[RabbitBus]:
    """Run a service's bus; it declares the whole topology first."""
    bus = RabbitBus(url, service)
    task = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(30):
            while not bus.is_ready and not task.done():
                await asyncio.sleep(0.02)
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(bus: RabbitBus, kind: str) -> None:
    """Publish as the relay does: again, until the broker has taken it."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(PublishError):
                return await bus.publish(kind, b"[]", secrets.token_hex(8))
            await asyncio.sleep(0.05)


async def refusal(bus: RabbitBus, kind: str) -> str:
    """Publish until the broker has answered, and return how it refused."""
    async with asyncio.timeout(30):
        while True:
            try:
                await bus.publish(kind, b"[]", secrets.token_hex(8))
            except PublishError as error:
                if str(error) != "not connected":
                    return str(error)
            else:
                return "taken"
            await asyncio.sleep(0.05)


async def test_the_broker_refuses_an_event_of_another_service(service: str, url: str) -> None:
    """Row 44 of the bad-input matrix. What is the service's own goes out before, between and after."""
    own = [kind for kind, contract in BY_TYPE.items() if PRODUCERS[contract] == service]
    async with running(url, service) as bus:
        for kind in own:
            await bus.publish(kind, b"[]", secrets.token_hex(8))
        for kind in BY_TYPE:
            if kind not in own:
                assert await refusal(bus, kind) == "ChannelAccessRefused", kind
        await say(bus, own[0])
        for kind in ("case.unheard_of.v1", f"x.{own[0]}", f"{own[0]}.x"):
            assert await refusal(bus, kind) == "ChannelAccessRefused", kind
            await say(bus, own[-1])
        assert bus.is_ready


async def test_the_refusal_closes_the_channel(service: str, url: str) -> None:
    foreign = next(kind for kind, contract in BY_TYPE.items() if PRODUCERS[contract] != service)
    async with running(url, service), await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)

        with pytest.raises(ChannelAccessRefused):
            await exchange.publish(aio_pika.Message(b"[]"), foreign)

        assert channel.is_closed
