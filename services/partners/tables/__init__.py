"""The tables of partners, on metadata of its own."""

from hubkit.messaging import add_messaging_tables
from services.partners.tables import (
    amendments,
    capacity,
    cases,
    delivery,
    domains,
    listings,
    protection,
    registry,
    rights,
)
from services.partners.tables.base import METADATA, Base

add_messaging_tables(METADATA)

__all__ = [
    "METADATA", "Base", "amendments", "capacity", "cases", "delivery", "domains", "listings", "protection", "registry",
    "rights",
]  # fmt: skip
