"""All outbound HTTP: calls to deployables and to addresses in the settings, webhooks to partners, feeds of others.

Nothing else opens a connection.
"""

from hubkit.egress.addresses import (
    AddressGuard,
    BlockedAddressError,
    check_domain,
    check_webhook_url,
    host_of,
    is_under,
)
from hubkit.egress.feed import FeedClient
from hubkit.egress.identity import ClientIdentity, IdentityError
from hubkit.egress.internal import AppInternalClient, HttpInternalClient, InternalClient, InternalResponse
from hubkit.egress.webhook import Attempt, ErrorClass, WebhookClient

__all__ = [
    "AddressGuard",
    "AppInternalClient",
    "Attempt",
    "BlockedAddressError",
    "ClientIdentity",
    "ErrorClass",
    "FeedClient",
    "HttpInternalClient",
    "IdentityError",
    "InternalClient",
    "InternalResponse",
    "WebhookClient",
    "check_domain",
    "check_webhook_url",
    "host_of",
    "is_under",
]
