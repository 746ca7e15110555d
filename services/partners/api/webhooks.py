"""A partner manages where it is told, and sees what it was told."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import Row

from hubkit.auth import Caller, requires
from hubkit.fields import Id, Instant
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import deliveries, endpoints
from services.partners.actions.secured import Secured
from services.partners.api.common import Cursor, database, dependencies, no_fields, page, position
from services.partners.model import ENDPOINT_TYPES, Sought
from services.partners.schemas.webhooks import (
    Attempt,
    Delivery,
    DeliveryState,
    DeliveryWithAttempts,
    DomainRules,
    Endpoint,
    EndpointRequest,
    EndpointWithSecret,
    Replayed,
    ReplayRequest,
    VerifyRequest,
)

router = new_router("/v1", tags=["webhooks"])

Manager = Annotated[Caller, Depends(requires("webhooks:manage"))]
Directory = Annotated[Caller, Depends(requires("directory:write"))]


@router.post("/webhook-endpoints", status_code=201, summary="Register a webhook endpoint")
async def register(request: Request, response: Response, caller: Manager, body: EndpointRequest) -> EndpointWithSecret:
    """Register an endpoint. Keep the secret: it is not shown again.

    It is told nothing before it has answered `endpoint.verification`, which it is sent at once, with status 2xx and
    `{"challenge": …}`; or post the challenge to `verify`.
    """
    async with database(request).transaction() as tx:
        made = await endpoints.register_endpoint(
            tx, dependencies(request), caller, body.url, body.types, _secured(body)
        )
    response.headers["location"] = f"/v1/webhook-endpoints/{made.endpoint.id}"
    return EndpointWithSecret(secret=made.secret, **_endpoint(made.endpoint))


@router.get("/webhook-endpoints", summary="List your webhook endpoints")
async def list_endpoints(request: Request, caller: Manager) -> Page[Endpoint]:
    """List the endpoints; there are at most ten, on one page."""
    async with database(request).reading() as tx:
        rows = await endpoints.list_endpoints(tx, caller)
    return Page[Endpoint](items=[Endpoint(**_endpoint(row)) for row in rows])


@router.put("/webhook-endpoints/{endpoint_id}", summary="Change a webhook endpoint")
async def change(request: Request, caller: Manager, endpoint_id: Id, body: EndpointRequest) -> Endpoint:
    """Change what was registered: what is not given is not kept. Another URL must be verified again.

    From this answer on nothing goes to the old one. What is on its way may still be encrypted with the key before: keep
    its private part for a minute.
    """
    row = await endpoints.change_endpoint(
        database(request), dependencies(request), caller, endpoint_id, body.url, body.types, _secured(body)
    )
    return Endpoint(**_endpoint(row))


@router.post("/webhook-endpoints/{endpoint_id}/verify", summary="Verify a webhook endpoint")
async def verify(request: Request, caller: Manager, endpoint_id: Id, body: VerifyRequest) -> Endpoint:
    """Post back the challenge that the endpoint was sent; or, without one, have a new one sent to it."""
    async with database(request).transaction() as tx:
        row = await endpoints.verify_endpoint(tx, dependencies(request), caller, endpoint_id, body.challenge)
    return Endpoint(**_endpoint(row))


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    summary="Give a webhook endpoint new keys",
    dependencies=[Depends(no_fields)],
)
async def rotate_secret(request: Request, caller: Manager, endpoint_id: Id) -> EndpointWithSecret:
    """Make new keys. The old ones sign too for 24 hours, so that you can change yours meanwhile."""
    async with database(request).transaction() as tx:
        made = await endpoints.rotate_secret(tx, dependencies(request), caller, endpoint_id)
    return EndpointWithSecret(secret=made.secret, **_endpoint(made.endpoint))


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    status_code=202,
    summary="Send a webhook endpoint a test event",
    dependencies=[Depends(no_fields)],
)
async def test(request: Request, caller: Manager, endpoint_id: Id) -> Delivery:
    """Send `endpoint.test`, which concerns nobody; its delivery shows what became of it."""
    async with database(request).transaction() as tx:
        row = await endpoints.send_test(tx, dependencies(request), caller, endpoint_id)
    return _delivery(row)


@router.post(
    "/webhook-endpoints/{endpoint_id}/resume",
    summary="Resume a paused webhook endpoint",
    dependencies=[Depends(no_fields)],
)
async def resume(request: Request, caller: Manager, endpoint_id: Id) -> Endpoint:
    """Have an endpoint called again that was paused because it answered 410, and what was parked meanwhile sent."""
    async with database(request).transaction() as tx:
        row = await endpoints.resume_endpoint(tx, dependencies(request), caller, endpoint_id)
    return Endpoint(**_endpoint(row))


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204, summary="Delete a webhook endpoint")
async def delete(request: Request, caller: Manager, endpoint_id: Id) -> None:
    """Delete an endpoint; answered when no attempt at it is under way any more.

    What it had not been told can be read from the list of onward referrals.
    """
    await endpoints.delete_endpoint(database(request), caller, endpoint_id)


def _wanted(
    state: DeliveryState | None = None,
    endpoint_id: Id | None = None,
    onward_referral_id: Id | None = None,
    since: Instant | None = None,
) -> Sought:
    return Sought(state=state, endpoint_id=endpoint_id, onward_referral_id=onward_referral_id, since=since)


@router.get("/webhook-deliveries", summary="List your webhook deliveries")
async def list_deliveries(
    request: Request,
    caller: Manager,
    wanted: Annotated[Sought, Depends(_wanted)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """List deliveries, oldest first: in a state, at an endpoint, of an onward referral, made since a moment."""
    after = position(request, caller, "webhook-deliveries", cursor)
    async with database(request).reading() as tx:
        rows = await deliveries.list_own(tx, caller, wanted, after=after, limit=limit + 1)
    return page(request, caller, "webhook-deliveries", rows, limit, _delivery)


@router.get("/webhook-deliveries/{delivery_id}", summary="Read a webhook delivery and its attempts")
async def show(request: Request, caller: Manager, delivery_id: Id) -> DeliveryWithAttempts:
    """Read one delivery with every attempt and what became of it."""
    async with database(request).reading() as tx:
        row, made = await deliveries.show_own(tx, caller, delivery_id)
    attempts = [Attempt(**{name: getattr(each, name) for name in Attempt.model_fields}) for each in made]
    return DeliveryWithAttempts(**_delivery(row).model_dump(), made=attempts)


@router.post("/webhook-deliveries/replay", status_code=202, summary="Send many webhook deliveries again")
async def replay_many(request: Request, caller: Manager, body: ReplayRequest) -> Replayed:
    """Send again what was made since a moment, each with the same `webhook-id`; the gate is asked for each anew."""
    async with database(request).transaction() as tx:
        queued = await deliveries.replay_since(
            tx, dependencies(request), caller, body.since, states=body.states, endpoint_id=body.endpoint_id
        )
    return Replayed(queued=queued)


@router.get("/partners/{partner_id}/webhook-domains", summary="Read the domains of a partner's webhooks")
async def read_domains(request: Request, partner_id: Id, _: Directory) -> DomainRules:
    """Read the domains at or below which the partner's endpoints must lie."""
    async with database(request).reading() as tx:
        return DomainRules(domains=tuple(await endpoints.domain_rules(tx, partner_id)))


@router.put("/partners/{partner_id}/webhook-domains", summary="Set the domains of a partner's webhooks")
async def set_domains(request: Request, partner_id: Id, body: DomainRules, _: Directory) -> DomainRules:
    """Hold new endpoints of the partner, and changed ones, to these domains; none means any."""
    async with database(request).transaction() as tx:
        return DomainRules(domains=tuple(await endpoints.set_domain_rules(tx, partner_id, body.domains)))


@router.post(
    "/webhook-deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Send a webhook delivery again",
    dependencies=[Depends(no_fields)],
)
async def replay(request: Request, caller: Manager, delivery_id: Id) -> Delivery:
    """Send a parked or delivered one again, with the same `webhook-id`; the gate is asked again."""
    async with database(request).transaction() as tx:
        row = await deliveries.replay_one(tx, dependencies(request), caller, delivery_id)
    return _delivery(row)


def _secured(body: EndpointRequest) -> Secured:
    return Secured(body.encryption_key, body.mutual_tls)


def _endpoint(row: Row[Any]) -> dict[str, Any]:
    shown = (
        "id", "url", "types", "status", "reason", "verified_at", "public_key", "encryption_key", "mutual_tls",
        "created_at",
    )  # fmt: skip
    until = row.previous_until if row.previous_keys is not None else None
    return {**{name: getattr(row, name) for name in shown}, "previous_keys_sign_until": until}


def _delivery(row: Row[Any]) -> Delivery:
    columns = {name: getattr(row, name) for name in Delivery.model_fields}
    columns["due_at"] = row.due_at if row.state == "queued" else None
    columns["onward_referral_id"] = None if row.type in ENDPOINT_TYPES else row.onward_referral_id
    return Delivery(**columns)
