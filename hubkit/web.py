"""The HTTP edge every deployable shares: strict requests in, problem details out."""

import re
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, FastAPI, params
from fastapi.datastructures import Default, DefaultPlaceholder
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from hubkit.errors import (
    BadRequestError,
    FieldError,
    HubError,
    InvalidError,
    PreconditionRequiredError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from hubkit.jsonbody import parse_json, pointer_of
from hubkit.problems import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA, problem, problem_of, problem_of_status

__all__ = [
    "EdgeMiddleware",
    "HubApp",
    "OrjsonResponse",
    "StrictRequest",
    "StrictRoute",
    "body_limit",
    "etag",
    "if_match_version",
    "install_problem_handlers",
    "new_app",
    "new_router",
    "problem",
    "read_body",
]

MAX_BODY_BYTES = 256 * 1024
MAX_PATH_BYTES = 2048
MAX_QUERY_BYTES = 8192
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class OrjsonResponse(JSONResponse):
    """A JSON response of plain values, ids and times."""

    @override
    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


class EdgeMiddleware:
    """Refuses odd paths, adds security headers, and answers what no handler did.

    Nothing is raised further: a server would log the exception with its values.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_security(message.get("headers", ()))
            await send(message)

        refusal = _refuse_path(scope) or _refuse_host(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except ClientDisconnect:
            return
        except Exception as error:
            response = problem_of(error)
            # After the start there is no other answer; the server closes the connection on an unfinished one.
            if not started:
                await response(scope, receive, guarded)


_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def _with_security(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = {name for name, _ in headers}
    return [*headers, *(header for header in _SECURITY if header[0] not in named)]


def _refuse_path(scope: Scope) -> Response | None:
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or path.encode()
    if len(raw) > MAX_PATH_BYTES or len(scope["query_string"]) > MAX_QUERY_BYTES:
        return problem(HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long")
    dotted = "/." in path and any(segment in (".", "..") for segment in path.split("/"))
    # An encoded slash would make one path read as another after decoding.
    disguised = b"%" in raw and (b"%2f" in raw.lower() or b"%5c" in raw.lower())
    if dotted or disguised or "//" in path or "\\" in path or not path.isprintable():
        return problem_of_status(HTTPStatus.NOT_FOUND)
    return None


def _refuse_host(scope: Scope) -> Response | None:
    """Refuse two hosts, of which a proxy before us may have gone by the other, none, and what is no host.

    Source: RFC 9112 section 3.2.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1:
        return problem_of(BadRequestError(code="repeated_header"))
    if not (_HOST.fullmatch(hosts[0]) if hosts else scope.get("http_version") != "1.1"):
        return problem_of(BadRequestError(code="invalid_host"))
    return None


class StrictRequest(Request):
    """A request whose body has been read under the limit and, for JSON, parsed strictly."""

    def __init__(self, request: Request, raw: bytes, value: Any = None) -> None:
        super().__init__(request.scope, request.receive)
        self._body = raw
        self._value = value

    @override
    async def json(self) -> Any:
        return self._value


def body_limit(size: int) -> Callable[[Endpoint], Endpoint]:
    """Decorate an endpoint, below its route decorator, with another limit in bytes for its declared body."""

    def mark(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["body_limit"] = size
        return endpoint

    return mark


class StrictRoute(APIRoute):
    """A route that reads its declared body strictly, up to 256 kB or what `body_limit` says.

    A route that declares no body and reads `request.stream()` itself has no limit here.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if isinstance(options.get("response_class"), DefaultPlaceholder):
            # Still a default, so that models keep FastAPI's direct path to bytes.
            options["response_class"] = Default(OrjsonResponse)
        super().__init__(path, endpoint, **options)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        limit: int = getattr(self.endpoint, "body_limit", MAX_BODY_BYTES)
        field = self.body_field
        is_form = field is not None and isinstance(field.field_info, params.Form)
        is_required = field is not None and field.field_info.is_required()
        queries = [each for each in get_flat_params(self.dependant) if isinstance(each.field_info, params.Query)]
        known = frozenset(each.alias for each in queries)
        lists = frozenset(each.alias for each in queries if _is_list(each.field_info.annotation))

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.scope["query_string"], known, lists)
            if field is not None:
                request = await _read(request, limit, is_form=is_form, is_required=is_required)
            return await handler(request)

        return strict


def new_router(prefix: str = "", *, tags: Sequence[str] = ()) -> APIRouter:
    """Return a router whose routes are strict; an app of `new_app` takes no other."""
    return APIRouter(prefix=prefix, tags=list(tags), route_class=StrictRoute, redirect_slashes=False)


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Read a body whole.

    Raises
    ------
    TooLargeError
        As soon as more than `limit` bytes have been announced or have arrived.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise TooLargeError
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


async def _read(request: Request, limit: int, *, is_form: bool, is_required: bool) -> Request:
    content_type = request.headers.get("content-type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("Send the body without a content encoding", code="unsupported_content_encoding")
    raw = await read_body(request, limit)
    if not raw:
        # Whatever type it is said to be: many clients name one for nothing.
        if is_required:
            raise InvalidError(errors=[FieldError("", "body_missing", "a body is required")])
        return StrictRequest(request, raw)
    if content_type is None:
        raise UnsupportedMediaTypeError
    _check_type(content_type, _FORM_TYPES if is_form else ("application/json",))
    return StrictRequest(request, raw, None if is_form else parse_json(raw))


def _check_type(content_type: str, accepted: tuple[str, ...]) -> None:
    if content_type in accepted:
        return
    media_type, *options = content_type.lower().split(";")
    charsets = [
        value.strip(' "') for name, _, value in (o.partition("=") for o in options) if name.strip() == "charset"
    ]
    if media_type.strip() not in accepted or any(charset != "utf-8" for charset in charsets):
        raise UnsupportedMediaTypeError(f"Send {' or '.join(accepted)} in UTF-8")


def _is_list(annotation: Any) -> bool:
    origins = {getattr(part, "__origin__", part) for part in (annotation, *get_args(annotation))}
    return bool(origins & {list, set, tuple, frozenset, Sequence})


def _check_query(query: bytes, known: frozenset[str], lists: frozenset[str]) -> None:
    """Refuse a parameter that stands twice, and where there are any, one that is not known.

    A filter that is left out without a word misleads.
    """
    try:
        names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")]
    except (UnicodeDecodeError, ValueError):
        raise BadRequestError("The query is not UTF-8", code="invalid_query") from None
    if any(count > 1 and name not in lists for name, count in Counter(names).items()):
        raise BadRequestError("A query parameter is given more than once", code="repeated_parameter")
    unknown = [name for name in dict.fromkeys(names) if name not in known] if known else []
    if unknown:
        detail = "is not a parameter of this call"
        places = [pointer_of((name,)).removeprefix("/") for name in unknown]
        raise InvalidError(errors=[FieldError(f"?{place}", "unknown_field", detail) for place in places])


def if_match_version(request: Request) -> int:
    r"""Return the version in `If-Match: "3"`.

    Raises
    ------
    PreconditionRequiredError
        When the header is missing.
    BadRequestError
        `invalid_if_match`, when it is anything but one strong entity tag made by `etag`.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise PreconditionRequiredError
    digits = given[1:-1]
    if given != f'"{digits}"' or not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise BadRequestError('Send If-Match as you received the ETag, as in "3"', code="invalid_if_match")
    return int(digits)


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem response, and guard its edge with `EdgeMiddleware`."""

    async def answer(_: Request, error: Exception) -> Response:
        return problem_of(error)

    for kind in (HubError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)
    app.add_middleware(EdgeMiddleware)


def _has_lax_route(router: APIRouter) -> bool:
    for route in router.routes:
        # FastAPI keeps an included router whole; older versions copied its routes.
        included = getattr(route, "original_router", None)
        if included is not None and _has_lax_route(included):
            return True
        if isinstance(route, APIRoute) and not isinstance(route, StrictRoute):
            return True
    return False


class HubApp(FastAPI):
    """A FastAPI application that takes strict routes only and documents problems as its errors."""

    @override
    def include_router(self, router: APIRouter, **options: Any) -> None:
        if _has_lax_route(router):
            raise TypeError("make routers with hubkit.web.new_router")
        if options:
            super().include_router(router, **options)
            return
        # As they are: FastAPI would build each anew for this app, though nothing is added to it.
        self.router.routes.extend(router.routes)

    @override
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        if "Problem" in schemas:
            return document
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = PROBLEM_SCHEMA
        content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        components["responses"] = {"Problem": {"description": "The request was refused.", "content": content}}
        for path in document["paths"].values():
            for operation in path.values():
                responses = operation["responses"]
                if "HTTPValidationError" in str(responses.get("422")):
                    del responses["422"]
                responses["default"] = {"$ref": "#/components/responses/Problem"}
        return document


def new_app(title: str, *, version: str = "1", description: str = "", **options: Any) -> HubApp:
    """Return an application with strict routes, problem responses and OpenAPI 3.1 at `/openapi.json`.

    Parameters
    ----------
    options
        Further arguments of `FastAPI`, such as `lifespan`.
    """
    app = HubApp(
        title=title,
        version=version,
        description=description,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        **options,
    )
    app.router.route_class = StrictRoute
    install_problem_handlers(app)
    return app
