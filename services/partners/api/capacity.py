"""Whether services have room."""

from typing import Annotated

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.web import new_router
from services.partners.actions import capacity
from services.partners.api.common import database
from services.partners.schemas.capacity import CapacityBody, CapacityReport

router = new_router("/v1/services/{service_id}/capacity", tags=["capacity"])


@router.get("")
async def read_capacity(
    request: Request, caller: Annotated[Caller, Depends(requires("onward:read"))], service_id: Id
) -> CapacityBody:
    """Read what was said last of one of this partner's services; the hub reads it of any."""
    async with database(request).reading() as tx:
        return CapacityBody.model_validate(await capacity.read_capacity(tx, caller, service_id))


@router.put("")
async def report_capacity(
    request: Request,
    caller: Annotated[Caller, Depends(requires("onward:write"))],
    service_id: Id,
    body: CapacityReport,
) -> CapacityBody:
    """Say whether one of this partner's services has room; the hub (with `directory:write`) says it of any."""
    report = capacity.Report(**body.model_dump())
    async with database(request).transaction() as tx:
        return CapacityBody.model_validate(await capacity.report_capacity(tx, caller, service_id, report))
