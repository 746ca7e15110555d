"""Settings of the routing service."""

from typing import ClassVar

from hubkit.config import Settings


class RoutingSettings(Settings):
    """Read from `ROUTING_…`; nothing beyond what every deployable has."""

    PREFIX: ClassVar[str] = "ROUTING_"
