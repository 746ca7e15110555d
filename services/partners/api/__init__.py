"""The HTTP door of partners."""

from services.partners.api.agreements import router as agreements
from services.partners.api.amendments import router as amendments
from services.partners.api.capacity import router as capacity
from services.partners.api.cases import router as cases
from services.partners.api.consents import router as consents
from services.partners.api.directory import router as directory
from services.partners.api.listings import router as listings
from services.partners.api.onward import router as onward
from services.partners.api.open_directory import router as open_directory
from services.partners.api.protection import router as protection
from services.partners.api.rights import router as rights
from services.partners.api.webhooks import router as webhooks

ROUTERS = (
    onward, amendments, consents, cases, protection, rights, directory, capacity, listings, open_directory, agreements,
    webhooks,
)  # fmt: skip

__all__ = ["ROUTERS"]
