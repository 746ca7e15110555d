"""What a client can find out without a token: keys, how to get a token, and the whole API."""

from typing import Any, cast

from fastapi import Request, Response

from gateway.actions import Deps
from gateway.actions.description import Description
from gateway.schemas import PublicKeys, ServerMetadata
from hubkit.web import OrjsonResponse, new_router

router = new_router(tags=["access"])
#: Keys are published two minutes before they sign, so that a copy of this age misses none.
_CACHED = {"Cache-Control": "public, max-age=60"}


@router.get("/.well-known/jwks.json", response_model=PublicKeys)
async def jwks(request: Request) -> Response:
    """Get the keys that sign access tokens."""
    return OrjsonResponse(_deps(request).identity.keys.public_jwks(), headers=_CACHED)


@router.get("/.well-known/oauth-authorization-server", response_model=ServerMetadata)
async def metadata(request: Request) -> Response:
    """Get how to get a token (RFC 8414)."""
    issuer = _deps(request).issuer
    document = ServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/oauth/token",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        service_documentation=f"{issuer}/openapi.json",
    )
    return OrjsonResponse(document.model_dump(), headers=_CACHED)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """Get the whole public API as OpenAPI 3.1."""
    description = cast("Description", request.app.state.description)
    document: dict[str, Any] = await description.document()
    return OrjsonResponse(document, headers=_CACHED)


def _deps(request: Request) -> Deps:
    return cast("Deps", request.app.state.deps)
