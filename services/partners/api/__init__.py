"""The HTTP door of partners."""

from services.partners.api import agreements, consents, onward, webhooks

ROUTERS = (onward.router, consents.router, agreements.router, webhooks.router)

__all__ = ["ROUTERS"]
