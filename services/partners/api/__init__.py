"""The HTTP door of partners."""

from services.partners.api.agreements import router as agreements
from services.partners.api.consents import router as consents
from services.partners.api.onward import router as onward
from services.partners.api.webhooks import router as webhooks

ROUTERS = (onward, consents, agreements, webhooks)

__all__ = ["ROUTERS"]
