"""All outbound HTTP: internal calls between deployables, and webhooks to partners. Nothing else opens a connection."""

from hubkit.egress.addresses import AddressGuard, BlockedAddressError, check_webhook_url
from hubkit.egress.internal import AppInternalClient, HttpInternalClient, InternalClient, InternalResponse
from hubkit.egress.webhook import Attempt, ErrorClass, WebhookClient

__all__ = [
    "AddressGuard",
    "AppInternalClient",
    "Attempt",
    "BlockedAddressError",
    "ErrorClass",
    "HttpInternalClient",
    "InternalClient",
    "InternalResponse",
    "WebhookClient",
    "check_webhook_url",
]
