"""The little of the partner API that a partner calls back, with invented referrals, and a record of the calls.

Bodies and states are those of the partners service; who may call is not checked beyond the form, for there is nobody
to protect.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Depends, FastAPI, Request, Response

from hubkit.clock import Clock
from hubkit.errors import ConflictError, ForbiddenError, NotFoundError, PreconditionFailedError, UnauthenticatedError
from hubkit.ids import new_id
from hubkit.web import OrjsonResponse, etag, if_match_version, new_app, new_router, read_body
from services.partners.model import RECTIFIED, SENT, WITHDRAWN, Status
from services.partners.policy.transitions import OVER, PARTNER_MOVES, may
from services.partners.schemas.onward import ActionBody, Actions, Close, Decline, OnwardDetail, OnwardSummary
from services.partners.schemas.protection import NewRectification
from services.partners.schemas.webhooks import EndpointRequest, EndpointWithSecret

KIND: Final = "counselling"
_TOKEN_S: Final = 300
_FIELDS: Final[dict[str, Any]] = {
    "given_name": "Alex",
    "family_name": "Example",
    "date_of_birth": "1990-02-03",
    "language": "en",
    "role": "victim",
    "phone": "07700900123",
    "email": "alex@example.org",
    "preferred_method": "phone",
    "safe_contact": dict.fromkeys(("phone", "text", "email"), True) | dict.fromkeys(("voicemail", "letter"), False),
    "needs": [KIND],
}
_BEGINS: Final = {WITHDRAWN: Status.WITHDRAWN, RECTIFIED: Status.CLOSED}


@dataclass(frozen=True, slots=True)
class Call:
    """What the partner asked of an onward referral: `read` or the name of a move; `at` on the monotonic clock."""

    onward_referral_id: UUID
    what: str
    status: int
    at: float


@dataclass(slots=True)
class _Referral:
    id: UUID
    status: Status
    version: int = 2
    reasons: tuple[str, ...] = ()
    outcome: str | None = None

    def move(self, to: Status, reasons: tuple[str, ...] = (), outcome: str | None = None) -> None:
        self.status, self.reasons, self.outcome, self.version = to, reasons, outcome, self.version + 1


@dataclass
class SandboxHub:
    """A hub of one partner, in memory.

    Parameters
    ----------
    secret, public_key
        What a partner that registers an endpoint is given to verify with.
    """

    clock: Clock
    secret: str
    public_key: str
    calls: list[Call] = field(default_factory=list)
    #: Set by each call.
    called: asyncio.Event = field(default_factory=asyncio.Event)
    #: The URLs of the endpoints that the partner registers.
    registered: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    _referrals: dict[UUID, _Referral] = field(default_factory=dict)
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def refer(self, type: str = SENT) -> UUID:
        """Return a new onward referral, in the state in which news of this type is sent."""
        made = _Referral(new_id(), _BEGINS.get(type, Status.SENT))
        self._referrals[made.id] = made
        return made.id

    def calls_about(self, onward_referral_id: UUID) -> list[Call]:
        """Return what the partner asked of one, in order."""
        return [call for call in self.calls if call.onward_referral_id == onward_referral_id]

    def find(self, onward_referral_id: UUID, what: str) -> "_Asked":
        """Return what a call is about; `_Asked` notes how it was answered.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        if onward_referral_id not in self._referrals:
            raise NotFoundError
        return _Asked(self, self._referrals[onward_referral_id], what)

    def check_token(self, request: Request) -> None:
        """Raise `UnauthenticatedError` unless the call carries the token that was given out."""
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise UnauthenticatedError

    def token(self) -> dict[str, Any]:
        """Return an answer of the token endpoint."""
        scope = "onward:read onward:write webhooks:manage"
        return {"access_token": self._token, "token_type": "Bearer", "expires_in": _TOKEN_S, "scope": scope}

    def endpoint(self, url: str) -> EndpointWithSecret:
        """Return a partner's endpoint as it is once it is registered, and say so."""
        self.registered.put_nowait(url)
        return EndpointWithSecret(
            id=new_id(),
            url=url,
            types=None,
            status="pending",
            public_key=self.public_key,
            secret=self.secret,
            created_at=self.clock.now(),
        )

    def summary(self, row: _Referral) -> dict[str, Any]:
        """Return what is answered of one, without anything about a person."""
        path = f"/v1/onward-referrals/{row.id}"
        return {
            "id": row.id,
            "kind": KIND,
            "status": str(row.status),
            "version": row.version,
            "reasons": row.reasons,
            "outcome": row.outcome,
            "sent_at": self.clock.now(),
            "changed_at": self.clock.now(),
            "links": {"self": path, "actions": f"{path}/actions"},
        }


class _Asked:
    """A call that is being answered: its end is noted, with the status of the answer."""

    def __init__(self, hub: SandboxHub, row: _Referral, what: str) -> None:
        self._hub, self.row, self._what = hub, row, what

    def __enter__(self) -> _Referral:
        return self.row

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        status = getattr(error, "status", 500) if error else 200
        self._hub.calls.append(Call(self.row.id, self._what, int(status), time.monotonic()))
        self._hub.called.set()


def _hub(request: Request) -> SandboxHub:
    hub: SandboxHub = request.app.state.hub
    return hub


def _partner(request: Request) -> SandboxHub:
    hub = _hub(request)
    hub.check_token(request)
    return hub


Hub = Annotated[SandboxHub, Depends(_hub)]
Partner = Annotated[SandboxHub, Depends(_partner)]

router = new_router()


@router.post("/oauth/token")
async def token(request: Request, hub: Hub) -> Response:
    """Give a token to whoever asks in the right form: `client_secret_basic`, or any assertion."""
    form = dict(parse_qsl((await read_body(request)).decode("latin-1")))
    if form.get("grant_type") != "client_credentials":
        return OrjsonResponse({"error": "unsupported_grant_type"}, 400)
    if "client_assertion" not in form and not request.headers.get("authorization", "").startswith("Basic "):
        return OrjsonResponse({"error": "invalid_client"}, 401)
    return OrjsonResponse(hub.token())


@router.post("/v1/webhook-endpoints", status_code=201)
async def register(hub: Partner, body: EndpointRequest) -> EndpointWithSecret:
    """Take the address of the partner's endpoint: the checks are played against it."""
    return hub.endpoint(body.url)


@router.delete("/v1/webhook-endpoints/{endpoint_id}", status_code=204)
async def delete(hub: Partner, endpoint_id: UUID) -> None:
    """Let a partner tidy up as it would at the hub."""


@router.get("/v1/onward-referrals/{onward_referral_id}")
async def read(hub: Partner, response: Response, onward_referral_id: UUID) -> OnwardDetail:
    """Disclose an invented person, as the gate would."""
    with hub.find(onward_referral_id, "read") as row:
        if row.status in OVER:
            raise ForbiddenError("The gate does not allow this disclosure now", code="consent_withdrawn")
        if may(row.status, Status.RECEIVED):
            row.move(Status.RECEIVED)
        response.headers["ETag"] = etag(row.version)
        disclosure = {"id": new_id(), "disclosed_at": hub.clock.now(), "hash": "0" * 64, "basis": "consent"}
        whole = {**hub.summary(row), "other_services": (), "disclosure": {**disclosure, "fields": _FIELDS}}
        return OnwardDetail.model_validate(whole)


@router.get("/v1/onward-referrals/{onward_referral_id}/actions")
async def actions(hub: Partner, response: Response, onward_referral_id: UUID) -> Actions:
    """Say what may be done now."""
    with hub.find(onward_referral_id, "actions") as row:
        response.headers["ETag"] = etag(row.version)
        bodies = [
            ActionBody(name=name, allowed=may(row.status, to), reasons=(), options=[])
            for name, to in PARTNER_MOVES.items()
        ]
        bodies.append(ActionBody(name="read", allowed=row.status not in OVER, reasons=(), options=[]))
        return Actions(status=row.status, version=row.version, reasons=[], actions=bodies)


@router.post("/v1/onward-referrals/{onward_referral_id}/receive")
async def receive(hub: Partner, response: Response, onward_referral_id: UUID) -> OnwardSummary:
    """Note that it has arrived."""
    with hub.find(onward_referral_id, "receive") as row:
        if may(row.status, Status.RECEIVED):
            row.move(Status.RECEIVED)
        response.headers["ETag"] = etag(row.version)
        return OnwardSummary.model_validate(hub.summary(row))


@router.post("/v1/onward-referrals/{onward_referral_id}/withdrawal-acknowledgement")
@router.post("/v1/onward-referrals/{onward_referral_id}/amendments/2/acknowledgement")
async def acknowledge(hub: Partner, onward_referral_id: UUID, body: NewRectification) -> Response:
    """Note that the partner has said what became of the data, or what it did about the sample of a rectification."""
    with hub.find(onward_referral_id, "acknowledgement"):
        return OrjsonResponse({"onward_referral_id": str(onward_referral_id), "statement": body.statement})


@router.post("/v1/onward-referrals/{onward_referral_id}/accept")
async def accept(hub: Partner, request: Request, response: Response, onward_referral_id: UUID) -> OnwardSummary:
    """Take the partner's yes."""
    return _moved(hub, request, response, onward_referral_id, ("accept", (), None))


@router.post("/v1/onward-referrals/{onward_referral_id}/decline")
async def decline(
    hub: Partner, request: Request, response: Response, onward_referral_id: UUID, body: Decline
) -> OnwardSummary:
    """Take the partner's no."""
    return _moved(hub, request, response, onward_referral_id, ("decline", body.reasons, None))


@router.post("/v1/onward-referrals/{onward_referral_id}/progress")
async def progress(hub: Partner, request: Request, response: Response, onward_referral_id: UUID) -> OnwardSummary:
    """Note that the support has begun."""
    return _moved(hub, request, response, onward_referral_id, ("progress", (), None))


@router.post("/v1/onward-referrals/{onward_referral_id}/close")
async def close(
    hub: Partner, request: Request, response: Response, onward_referral_id: UUID, body: Close
) -> OnwardSummary:
    """Note how it ended."""
    return _moved(hub, request, response, onward_referral_id, ("close", (), body.outcome))


def _moved(
    hub: SandboxHub, request: Request, response: Response, id: UUID, given: tuple[str, tuple[str, ...], str | None]
) -> OnwardSummary:
    name, reasons, outcome = given
    to = PARTNER_MOVES[name]
    with hub.find(id, name) as row:
        version = if_match_version(request)
        is_same = (row.status, row.reasons, row.outcome) == (to, reasons, outcome) and row.version == version + 1
        if not is_same:
            if row.version != version:
                raise PreconditionFailedError
            if not may(row.status, to):
                raise ConflictError(f"It is {row.status}", code="wrong_state")
            row.move(to, reasons, outcome)
        response.headers["ETag"] = etag(row.version)
        return OnwardSummary.model_validate(hub.summary(row))


def app_of(hub: SandboxHub) -> FastAPI:
    """Return the application that serves the hub."""
    app = new_app("Onward, partner's sandbox")
    app.state.hub = hub
    app.include_router(router)
    return app
