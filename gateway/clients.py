"""The way to the services."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.model import Upstream
from gateway.settings import GatewaySettings
from hubkit.egress import HttpInternalClient, InternalClient
from hubkit.errors import UnavailableError


def upstreams(settings: GatewaySettings, given: Mapping[str, InternalClient]) -> dict[Upstream, InternalClient]:
    """Return a client for each service: the one that is given, else one over HTTP to the address in the settings."""
    return {
        name: given[name] if name in given else HttpInternalClient(getattr(settings, f"{name}_url"), connections=256)
        for name in Upstream
    }


async def fetch_openapi(client: InternalClient) -> dict[str, Any]:
    """Return a service's own OpenAPI document.

    Raises
    ------
    UnavailableError
        When the service is away, or answers with anything else.
    """
    answer = await client.request("GET", "/openapi.json", headers={"accept": "application/json"})
    try:
        document = json.loads(answer.body) if answer.status == 200 else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UnavailableError(retry_after_s=1)
    return document
