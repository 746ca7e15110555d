"""A partner manages where it is told, and sees what it was told."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import Row

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import deliveries, endpoints
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.webhooks import (
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointRequest,
    EndpointWithSecret,
)

router = new_router("/v1", tags=["webhooks"])

Manager = Annotated[Caller, Depends(requires("webhooks:manage"))]


@router.post("/webhook-endpoints", status_code=201, summary="Register a webhook endpoint")
async def register(request: Request, response: Response, caller: Manager, body: EndpointRequest) -> EndpointWithSecret:
    """Register an endpoint. Keep the secret: it is not shown again."""
    async with database(request).transaction() as tx:
        made = await endpoints.register_endpoint(tx, dependencies(request), caller, body.url, body.types)
    response.headers["location"] = f"/v1/webhook-endpoints/{made.endpoint.id}"
    return EndpointWithSecret(secret=made.secret, **_endpoint(made.endpoint))


@router.get("/webhook-endpoints", summary="List your webhook endpoints")
async def list_endpoints(request: Request, caller: Manager) -> Page[Endpoint]:
    """List the endpoints; there are at most ten, on one page."""
    async with database(request).reading() as tx:
        rows = await endpoints.list_endpoints(tx, caller)
    return Page[Endpoint](items=[Endpoint(**_endpoint(row)) for row in rows])


@router.post("/webhook-endpoints/{endpoint_id}/rotate-secret", summary="Give a webhook endpoint new keys")
async def rotate_secret(request: Request, caller: Manager, endpoint_id: Id) -> EndpointWithSecret:
    """Make new keys. The old ones sign too for 24 hours, so that you can change yours meanwhile."""
    async with database(request).transaction() as tx:
        made = await endpoints.rotate_secret(tx, dependencies(request), caller, endpoint_id)
    return EndpointWithSecret(secret=made.secret, **_endpoint(made.endpoint))


@router.post("/webhook-endpoints/{endpoint_id}/resume", summary="Resume a paused webhook endpoint")
async def resume(request: Request, caller: Manager, endpoint_id: Id) -> Endpoint:
    """Have an endpoint called again that was paused because it answered 410, and what was parked meanwhile sent."""
    async with database(request).transaction() as tx:
        row = await endpoints.resume_endpoint(tx, dependencies(request), caller, endpoint_id)
    return Endpoint(**_endpoint(row))


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204, summary="Delete a webhook endpoint")
async def delete(request: Request, caller: Manager, endpoint_id: Id) -> None:
    """Delete an endpoint. What it had not been told can be read from the list of onward referrals."""
    async with database(request).transaction() as tx:
        await endpoints.delete_endpoint(tx, caller, endpoint_id)


@router.get("/webhook-deliveries", summary="List your webhook deliveries")
async def list_deliveries(
    request: Request,
    caller: Manager,
    state: DeliveryState | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """List deliveries, oldest first."""
    after = position(request, caller, "webhook-deliveries", cursor)
    async with database(request).reading() as tx:
        rows = await deliveries.list_own(tx, caller, state=state, after=after, limit=limit + 1)
    return page(request, caller, "webhook-deliveries", rows, limit, _delivery)


@router.post("/webhook-deliveries/{delivery_id}/replay", status_code=202, summary="Send a webhook delivery again")
async def replay(request: Request, caller: Manager, delivery_id: Id) -> Delivery:
    """Send a parked or delivered one again, with the same `webhook-id`; the gate is asked again."""
    async with database(request).transaction() as tx:
        row = await deliveries.replay_one(tx, dependencies(request), caller, delivery_id)
    return _delivery(row)


def _endpoint(row: Row[Any]) -> dict[str, Any]:
    shown = ("id", "url", "types", "status", "reason", "public_key", "created_at")
    until = row.previous_until if row.previous_keys is not None else None
    return {**{name: getattr(row, name) for name in shown}, "previous_keys_sign_until": until}


def _delivery(row: Row[Any]) -> Delivery:
    columns = {name: getattr(row, name) for name in Delivery.model_fields}
    return Delivery(**{**columns, "due_at": row.due_at if row.state == "queued" else None})
