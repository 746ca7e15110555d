"""`POST /oauth/token`: errors here are those of RFC 6749, as every OAuth client expects them."""

import logging
from http import HTTPStatus
from math import ceil
from typing import Final, cast
from urllib.parse import parse_qsl

from fastapi import Request, Response

from gateway.actions import Deps
from gateway.actions.tokens import issue_token, read_credentials
from gateway.model import Credentials
from gateway.schemas import TokenAnswer, TokenErrorAnswer, TokenForm
from hubkit.auth import InvalidClientError
from hubkit.errors import BadRequestError, HubError, RateLimitedError, TooLargeError, UnavailableError
from hubkit.service import Service
from hubkit.web import OrjsonResponse, new_router, read_body

router = new_router(tags=["access"])
_log = logging.getLogger(__name__)

_FORM: Final = "application/x-www-form-urlencoded"
_MAX_BODY: Final = 16 * 1024
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Constant words: nothing of the request comes back, and nothing tells one wrong credential from another.
_WORDS: Final = {
    "invalid_request": "the request is not a token request as in RFC 6749, section 4.4",
    "invalid_client": "the client could not be authenticated",
    "unsupported_grant_type": "the grant type is client_credentials",
    "invalid_scope": "the client does not have this scope",
    "slow_down": "too many requests",
    "server_error": "not available just now; send it again",
}
_BODY: Final = {"required": True, "content": {_FORM: {"schema": TokenForm.model_json_schema()}}}
_REFUSED: Final = {"model": TokenErrorAnswer, "description": "No token (RFC 6749, section 5.2)."}


class _RefusedError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@router.post(
    "/oauth/token",
    response_model=TokenAnswer,
    responses={400: _REFUSED, 401: _REFUSED, 429: _REFUSED, 503: _REFUSED},
    openapi_extra={"requestBody": _BODY, "security": [{}, {"clientSecret": []}]},
)
async def token(request: Request) -> Response:
    """Get an access token, by a signed assertion (`private_key_jwt`, preferred) or `client_secret_basic`."""
    deps, service = cast("Deps", request.app.state.deps), cast("Service", request.app.state.service)
    try:
        form = await _form(request)
        shown = _credentials(request, form)
        _refuse_guessing(request, deps, shown.client_id)
        async with service.db.transaction() as tx:
            answer = await issue_token(tx, deps, shown, form.get("scope"))
        return OrjsonResponse(answer.model_dump())
    except (HubError, _RefusedError) as error:
        return _refusal(request, error)


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _RefusedError("invalid_request")
    raw = await read_body(request, _MAX_BODY)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError:
        raise _RefusedError("invalid_request") from None
    form = dict(pairs)
    if len(form) < len(pairs) or "grant_type" not in form:
        raise _RefusedError("invalid_request")
    if form["grant_type"] != "client_credentials":
        raise _RefusedError("unsupported_grant_type")
    return form


def _credentials(request: Request, form: dict[str, str]) -> Credentials:
    """Return the one way in which the client proves itself."""
    headers = request.headers.getlist("authorization")
    assertion = form.get("client_assertion")
    if len(headers) + (assertion is not None) > 1 or (assertion is None) != ("client_assertion_type" not in form):
        raise _RefusedError("invalid_request")
    if assertion is not None and form["client_assertion_type"] != _ASSERTION:
        raise InvalidClientError
    shown = read_credentials(authorization=headers[0] if headers else None, assertion=assertion)
    if form.get("client_id", shown.client_id) != shown.client_id:
        raise InvalidClientError
    return shown


def _refuse_guessing(request: Request, deps: Deps, client_id: str) -> None:
    request.state.failure_key = key = f"{request.client.host if request.client else ''} {client_id}"
    wait = deps.limits.failures.peek(key, deps.clock.now().timestamp())
    if wait:
        raise RateLimitedError(retry_after_s=wait)


def _refusal(request: Request, error: HubError | _RefusedError) -> Response:
    headers = {}
    if isinstance(error, InvalidClientError):
        wait = _count_failure(request)
        error = RateLimitedError(retry_after_s=wait) if wait else error
    if isinstance(error, InvalidClientError):
        status, code = HTTPStatus.UNAUTHORIZED, "invalid_client"
        headers["WWW-Authenticate"] = 'Basic realm="onward", charset="UTF-8"'
    elif isinstance(error, RateLimitedError):
        status, code = HTTPStatus.TOO_MANY_REQUESTS, "slow_down"
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_s or 1)))
    elif isinstance(error, UnavailableError):
        status, code = HTTPStatus.SERVICE_UNAVAILABLE, "server_error"
        headers["Retry-After"] = "1"
    else:
        status, code = HTTPStatus.BAD_REQUEST, _code(error)
    return OrjsonResponse({"error": code, "error_description": _WORDS[code]}, status, headers)


def _code(error: HubError | _RefusedError) -> str:
    if isinstance(error, _RefusedError):
        return error.code
    if isinstance(error, BadRequestError) and error.reason in _WORDS:
        return error.reason
    if isinstance(error, BadRequestError | TooLargeError):
        return "invalid_request"
    raise error


def _count_failure(request: Request) -> float:
    """Count one failure; return the seconds to wait when there were too many."""
    deps = cast("Deps", request.app.state.deps)
    key: str = getattr(request.state, "failure_key", request.client.host if request.client else "")
    wait = deps.limits.failures.take(key, deps.clock.now().timestamp())
    if not wait:
        _log.warning("token_refused", extra={"client_id": key.partition(" ")[2], "code": "invalid_client"})
    return wait
