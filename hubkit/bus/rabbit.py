"""RabbitMQ through aio-pika, with the wrappers that its measured traps call for (docs/adr/0003).

One durable topic exchange, a quorum queue for each consumer and event type, publishing and consuming on separate
connections (an alarm that blocks publishers must not stop acknowledgements), `mandatory` on.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

import aio_pika
from aio_pika.abc import (
    AbstractIncomingMessage,
    AbstractRobustChannel,
    AbstractRobustConnection,
    AbstractRobustExchange,
)
from typing_extensions import override

from hubkit.bus.interface import Bus, Message, PublishError, queue_name
from hubkit.contracts import CONSUMERS

EXCHANGE = "hub.events"
_HEARTBEAT_S = (
    10  # a stuck broker is noticed after (heartbeat + 1) * 3 seconds; the library's default means three minutes
)
_PUBLISH_TIMEOUT_S = 10.0
_PREFETCH = 32  # messages of up to 64 events, for each queue
# Redelivery counts must never drop a message: our own inbox decides when an event is dead. Broker versions differ in
# their default limit, so it is set, and set high.
_QUEUE_ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}

_log = logging.getLogger(__name__)


class RabbitBus(Bus):
    """The bus between processes.

    Parameters
    ----------
    url
        `amqp://user:password@host:port/vhost`.
    service
        The deployable's name, shown at the broker.
    """

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._exchange: AbstractRobustExchange | None = None
        self._refused = asyncio.Event()
        self._publisher: AbstractRobustConnection | None = None
        self._queues: dict[str, str] = {}
        self._sink: Callable[[Message], None] = lambda _message: None

    @property
    @override
    def is_ready(self) -> bool:
        publisher = self._publisher
        return publisher is not None and publisher.connected.is_set()

    @property
    @override
    def keeps_messages(self) -> bool:
        return True

    @override
    def subscribe(self, service: str, types: list[str], sink: Callable[[Message], None]) -> None:
        self._queues = {queue_name(service, type): type for type in types}
        self._sink = sink

    @override
    async def publish(self, type: str, body: bytes, message_id: str) -> None:
        exchange = self._exchange
        if exchange is None:
            raise PublishError("not connected")
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/cloudevents-batch+json",
            message_id=message_id,  # unique per publish: the library matches returned messages by it
            type=type,
            app_id=self._service,
        )
        try:
            # During a reconnect the library waits without limit, so the limit is ours.
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await exchange.publish(message, routing_key=type, mandatory=True)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # A dropped connection cancels the waiting publish from inside the library.
            raise PublishError("the connection was dropped") from None
        except Exception as error:
            if isinstance(error, aio_pika.exceptions.ChannelClosed) and self._exchange is exchange:
                self._exchange = None
                self._refused.set()
            raise PublishError(type_name(error)) from error

    @override
    async def run(self) -> None:
        await asyncio.sleep(random.random() * 0.2)  # noqa: S311 - services that restart together should not call together
        publisher = await self._connect("publish")
        consumer: AbstractRobustConnection | None = None
        try:
            channel = await _channel(publisher)
            self._publisher, self._exchange = publisher, await _declare(channel)
            if self._queues:
                consumer = await self._connect("consume")
                await self._consume(consumer)
            while True:
                await self._refused.wait()
                self._refused.clear()
                # The broker closes the channel on which it refuses something. The library opens it anew, but gives up
                # when something is refused meanwhile, and what was refused is tried again soon.
                await _close(channel)
                await publisher.connected.wait()
                channel = await _channel(publisher)
                self._exchange = await _declare(channel)
        finally:
            self._exchange = self._publisher = None
            for connection in (consumer, publisher):
                if connection is not None:
                    await _close(connection)

    async def _connect(self, purpose: str) -> AbstractRobustConnection:
        return await aio_pika.connect_robust(
            self._url,
            timeout=5,
            heartbeat=_HEARTBEAT_S,
            reconnect_interval=1 + random.random(),  # noqa: S311 - spread, not secrecy
            client_properties={"connection_name": f"{self._service} {purpose}"},
        )

    async def _consume(self, connection: AbstractRobustConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=_PREFETCH)
        for name, type in self._queues.items():
            queue = await channel.declare_queue(name, durable=True, arguments=_QUEUE_ARGUMENTS)
            # Bound here too: this channel is the one that makes a queue anew that an operator has deleted.
            await queue.bind(EXCHANGE, type)
            await queue.consume(self._received)

    async def _received(self, incoming: AbstractIncomingMessage) -> None:
        async def ack() -> None:
            # A lost acknowledgement only means redelivery, and the inbox drops what it has.
            with contextlib.suppress(Exception):
                await incoming.ack()

        self._sink(Message(incoming.routing_key or incoming.type or "", incoming.body, ack))


async def _channel(publisher: AbstractRobustConnection) -> AbstractRobustChannel:
    channel: AbstractRobustChannel = await publisher.channel(publisher_confirms=True, on_return_raises=True)
    return channel


async def _close(what: AbstractRobustConnection | AbstractRobustChannel) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(3):
            await what.close()


async def _declare(channel: AbstractRobustChannel) -> AbstractRobustExchange:
    """Declare the exchange and all queues: an event published now waits for a consumer that starts later."""
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    for contract, services in CONSUMERS.items():
        for service in services:
            queue = await channel.declare_queue(
                queue_name(service, contract.TYPE), durable=True, arguments=_QUEUE_ARGUMENTS
            )
            await queue.bind(exchange, contract.TYPE)
    return exchange


def type_name(error: BaseException) -> str:
    """Return what went wrong as a word; messages of the library may quote the body."""
    return type(error).__name__
