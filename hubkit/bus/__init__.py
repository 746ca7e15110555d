"""The bus: one interface, two adapters (RabbitMQ, and in-process on the same outbox and inbox)."""

from hubkit.bus.interface import Bus, Message, PublishError, queue_name
from hubkit.bus.local import LocalBus
from hubkit.bus.rabbit import RabbitBus

__all__ = ["Bus", "LocalBus", "Message", "PublishError", "RabbitBus", "queue_name"]
