"""`/v1/referrals`: send one, and ask what became of it."""

import re
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from hubkit.auth import Caller, requires
from hubkit.errors import BadRequestError
from hubkit.fields import Id
from hubkit.web import OrjsonResponse, new_router
from services.intake.actions.progress import read_status
from services.intake.actions.register import Register, check_referral, content_of
from services.intake.api.callers import organisation_of
from services.intake.model import RECEIVED
from services.intake.schemas import Receipt, Referral, StatusView

router = new_router("/v1/referrals", tags=["referrals"])

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEY_PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "1 to 255 visible ASCII characters, new for each referral and the same when it is sent again. "
    "Kept for 30 days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


@router.post("", status_code=202, response_model=Receipt, openapi_extra={"parameters": [_KEY_PARAMETER]})
async def post_referral(
    request: Request, body: Referral, caller: Annotated[Caller, Depends(requires("referrals:write"))]
) -> Response:
    """Take a referral in; answered once it is durable.

    The same key and body get the same answer, the same key and another body 422. A `source.reference` that the
    organisation has sent before makes it a correction of that referral.
    """
    state = request.app.state
    slot = state.deps.slot_of(caller.client_id, _idempotency_key(request))
    organisation = organisation_of(caller)
    check_referral(state.deps, body, state.service.clock.now())
    content = content_of(state.deps, body)
    command = Register(organisation, body, content, slot, request.headers.get("traceparent"))
    registered = await state.writer.submit(command)
    link = f"/v1/referrals/{registered.referral_id}"
    receipt = {"id": str(registered.referral_id), "status": RECEIVED, "links": {"self": link}}
    return OrjsonResponse(receipt, 202, {"Location": link})


def _idempotency_key(request: Request) -> str:
    values = request.headers.getlist("idempotency-key")
    if not values or values == [""]:
        raise BadRequestError("Send an Idempotency-Key", code="idempotency_key_missing")
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise BadRequestError(
            "Idempotency-Key must be 1 to 255 visible ASCII characters", code="idempotency_key_invalid"
        )
    return values[0]


@router.get("/{referral_id}")
async def get_referral(
    request: Request, referral_id: Id, caller: Annotated[Caller, Depends(requires("referrals:read"))]
) -> StatusView:
    """Say what became of a referral, to the organisation that sent it, as far as the hub lets it flow back."""
    state = request.app.state
    async with state.service.db.reading() as tx:
        return await read_status(tx, state.deps, referral_id, caller.organisation)
