"""Errors that callers may see, each with a stable code and a status; `hubkit.web` renders them as problem details."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in one place of a request.

    `pointer` is a JSON pointer into the body (`/person/email`), or `?name` for a query parameter, or a header's
    name. `detail` never repeats what was sent, since that may be a personal detail.
    """

    pointer: str
    code: str
    detail: str


class HubError(Exception):
    """Base of all errors with a code. `detail` is safe to show: codes and ids only, never what a person sent."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.reason = code or type(self).code
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


class BadRequestError(HubError):
    """The request cannot be understood at all."""

    status, code, title = 400, "bad_request", "The request cannot be understood"


class UnauthenticatedError(HubError):
    """No valid token. Says nothing about why."""

    status, code, title = 401, "unauthenticated", "A valid access token is needed"


class ForbiddenError(HubError):
    """The caller is known and may not do this."""

    status, code, title = 403, "forbidden", "This is not allowed"


class NotFoundError(HubError):
    """There is no such thing, or it is not the caller's to see."""

    status, code, title = 404, "not_found", "Not found"


class ConflictError(HubError):
    """The thing is in a state that does not allow this."""

    status, code, title = 409, "conflict", "The current state does not allow this"


class PreconditionFailedError(HubError):
    """`If-Match` names another version than the stored one."""

    status, code, title = 412, "version_mismatch", "It has changed since you read it"


class TooLargeError(HubError):
    """The body is larger than this route accepts."""

    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMediaTypeError(HubError):
    """Content type or encoding that this route does not read."""

    status, code, title = 415, "unsupported_media_type", "This content type is not read here"


class InvalidError(HubError):
    """Understood, and wrong: `errors` lists every fault with its place."""

    status, code, title = 422, "invalid", "Some fields are wrong"


class PreconditionRequiredError(HubError):
    """`If-Match` is needed and missing."""

    status, code, title = 428, "precondition_required", "Send If-Match with the version you read"


class RateLimitedError(HubError):
    """Too many requests; `retry_after_s` says when the next is welcome."""

    status, code, title = 429, "rate_limited", "Too many requests"


class UnavailableError(HubError):
    """Something this depends on is away. The same request may be sent again."""

    status, code, title = 503, "unavailable", "Not available just now; send it again"


class TransientError(Exception):
    """An event cannot be processed yet and may be later: it is retried with growing delay."""


class PermanentError(Exception):
    """An event can never be processed: it is set dead at once, with this reason."""
