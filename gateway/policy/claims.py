"""Who a token request says it comes from: read, and not yet believed."""

import base64
import binascii
import json
import re
from typing import Final
from urllib.parse import unquote_plus

from gateway.model import Credentials

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX: Final = 8192


def is_client_id(value: object) -> bool:
    """Whether this could be the id of a client, and is safe to write to a log."""
    return isinstance(value, str) and _CLIENT_ID.fullmatch(value) is not None


def from_basic(authorization: str) -> Credentials | None:
    """Read `Authorization: Basic …`; id and secret are form-encoded in it (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _MAX:
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        return None
    return Credentials(client_id, secret=secret) if colon and secret and is_client_id(client_id) else None


def from_assertion(assertion: str) -> Credentials | None:
    """Read whose assertion this claims to be (`sub`; RFC 7523, section 3)."""
    parts = assertion.split(".")
    if len(assertion) > _MAX or len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1].encode("ascii") + b"=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    client_id = payload.get("sub") if isinstance(payload, dict) else None
    return (
        Credentials(client_id, assertion=assertion) if isinstance(client_id, str) and is_client_id(client_id) else None
    )
