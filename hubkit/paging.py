"""Lists in pages: a cursor marks a place by the key of the last row, is signed, and belongs to one caller."""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from hubkit.errors import BadRequestError

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_CURSOR = 1024

_DIGITS = re.compile("[0-9]{1,3}")
_SIGNATURE_BYTES = 32

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last."""

    model_config = ConfigDict(frozen=True)

    items: list[Item]
    next_cursor: str | None = None


def _limit(value: object) -> int:
    limit = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if isinstance(limit, int) and 1 <= limit <= MAX_LIMIT:
        return limit
    raise PydanticCustomError("out_of_range", "must be a whole number from 1 to 100")


#: Query parameter `limit`; declare it as `limit: Limit = DEFAULT_LIMIT`.
Limit = Annotated[
    int,
    Field(ge=1, le=MAX_LIMIT),
    BeforeValidator(_limit),
    Query(description=f"How many items to return at most, 1 to {MAX_LIMIT}."),
]


def encode_cursor(key: bytes, owner: str, position: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return the cursor of a place, in URL-safe characters.

    Parameters
    ----------
    key
        Secret for HMAC-SHA256.
    owner
        The caller (client id) it is made for, and the list if the caller reads several; it works for nothing else.
    position
        The sort key of the last row seen; ids and times become text. Anyone can read it: no personal details.
    """
    payload = orjson.dumps(position)
    return base64.urlsafe_b64encode(_sign(key, owner, payload) + payload).rstrip(b"=").decode("ascii")


def decode_cursor(key: bytes, owner: str, cursor: str) -> Any:
    """Return the position as it was given to `encode_cursor`, in JSON types.

    Raises
    ------
    BadRequestError
        `invalid_cursor`, when this caller was never given this cursor.
    """
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        signature, payload = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, _sign(key, owner, payload)):
            raise ValueError
        return orjson.loads(payload)
    except ValueError:
        raise BadRequestError("This cursor was not given to you by this list", code="invalid_cursor") from None


def _sign(key: bytes, owner: str, payload: bytes) -> bytes:
    # The length keeps owner and payload apart: no two pairs make the same message.
    name = owner.encode()
    return hmac.digest(key, b"cursor" + len(name).to_bytes(4, "big") + name + payload, "sha256")
