"""Problem details (RFC 9457): how every error is answered, with a code and a place, and nothing echoed."""

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, get_args

import orjson
import sqlalchemy.exc
from fastapi.exceptions import RequestValidationError
from pydantic_core.core_schema import ErrorType
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hubkit.errors import FieldError, HubError, InvalidError, UnavailableError
from hubkit.jsonbody import pointer_of

PROBLEM_TYPE = "urn:onward:problem:"
PROBLEM_MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("hubkit.web")


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem response (RFC 9457) of type `urn:onward:problem:<code>`.

    Parameters
    ----------
    status, code, title, detail
        As in `HubError`; none of them may repeat what was sent.
    errors
        The faults, each with its place.
    headers
        More response headers.
    """
    body: dict[str, Any] = {
        "type": PROBLEM_TYPE + code,
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code,
    }
    if errors:
        body["errors"] = [{"pointer": error.pointer, "code": error.code, "detail": error.detail} for error in errors]
    return Response(orjson.dumps(body), status, headers, PROBLEM_MEDIA_TYPE)


def problem_of(error: Exception) -> Response:
    """Return the response that answers an exception; what nobody expected is logged: type and frames, no values."""
    if isinstance(error, RequestValidationError):
        error = InvalidError(errors=[_field_error(fault) for fault in error.errors()])
    elif isinstance(error, HTTPException):
        return problem_of_status(error.status_code, error.headers)
    elif not isinstance(error, HubError):
        error = _problem_of_surprise(error)
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    return problem(error.status, error.reason, error.title, error.detail, error.errors, headers)


_BY_STATUS = {kind.status: (kind.code, kind.title) for kind in HubError.__subclasses__()}


def problem_of_status(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answer what Starlette raises. Its own `detail` may be free text, so the status alone is shown."""
    phrase = HTTPStatus(status).phrase
    code, title = _BY_STATUS.get(status, (phrase.lower().replace(" ", "_").replace("-", "_"), phrase))
    return problem(status, code, title, headers=headers)


def _problem_of_surprise(error: Exception) -> HubError:
    away = is_unavailability(error)
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    what = f"{kind} at {' < '.join(reversed(frames))}"  # whole: of a message with arguments only its words are logged
    _log.log(logging.WARNING if away else logging.ERROR, what)
    return UnavailableError(retry_after_s=1) if away else HubError()


def is_unavailability(error: Exception) -> bool:
    """Tell whether an exception says that the database or network is away, so that sending again may work."""
    if isinstance(
        error, OSError | sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError | sqlalchemy.exc.TimeoutError
    ):
        return True
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return True
    # SQLSTATE classes: connection, rolled back for a conflict, out of resources, operator intervention.
    # Source: PostgreSQL documentation, appendix A.
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(state, str) and state[:2] in ("08", "40", "53", "57")


_ERROR_TYPES = frozenset(get_args(ErrorType))
_WRONG_TYPE = (
    "bool_parsing",
    "int_parsing",
    "int_parsing_size",
    "int_from_float",
    "float_parsing",
    "is_instance_of",
    "none_required",
)
#: Codes of pydantic's own errors, and their words where its message is not used.
_CODES: dict[str, tuple[str, str | None]] = {
    "missing": ("missing", "is required"),
    "extra_forbidden": ("unknown_field", "is not a field of this request"),
    "literal_error": ("unknown_code", None),
    "enum": ("unknown_code", None),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), ("not_an_object", "must be an object")),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), ("not_a_list", "must be a list")),
    **dict.fromkeys(("string_too_long", "too_long"), ("too_long", None)),
    **dict.fromkeys(("string_too_short", "too_short"), ("too_short", None)),
    **dict.fromkeys(
        ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of", "finite_number"),
        ("out_of_range", None),
    ),
    **dict.fromkeys(("string_type", "int_type", "bool_type", "float_type", *_WRONG_TYPE), ("wrong_type", None)),
}


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    kind, message = fault["type"], fault["msg"]
    if kind in _CODES:
        code, detail = _CODES[kind]
        return FieldError(_pointer(fault["loc"]), code, detail or message.replace("Input should be", "must be"))
    if kind in _ERROR_TYPES:
        # Some of pydantic's messages quote the input, so none of the rest is shown.
        return FieldError(_pointer(fault["loc"]), "invalid_value", "is not valid")
    return FieldError(_pointer(fault["loc"]), kind, message)


def _pointer(location: Sequence[str | int]) -> str:
    where, parts = location[0], location[1:]
    if where == "body":
        return pointer_of(parts)
    name = pointer_of(parts).removeprefix("/")
    return {"query": f"?{name}", "path": f"{{{name}}}"}.get(str(where), name)


_TEXT = {"type": "string"}
#: The JSON schema of a problem, for OpenAPI.
PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
}
