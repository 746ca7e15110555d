"""Standard Webhooks 1.0.0: keys, signing and verifying, symmetric (`v1`) and Ed25519 (`v1a`).

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SECRET, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
_MAX_SIGNATURES: Final = 8
_ID = re.compile(r"[!-\-/-~]{1,256}")  # printable ASCII without space and "."
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


class WebhookKeyError(ValueError):
    """A key is malformed, of the wrong kind or length. The message holds nothing of it."""


class WebhookVerificationError(Exception):
    """The message is not signed by a known key within the tolerance; it does not say why."""

    def __init__(self) -> None:
        super().__init__("the webhook signature does not verify")


def new_secret() -> str:
    """Return a new symmetric secret, `whsec_` and 32 random bytes."""
    return _SECRET + base64.b64encode(os.urandom(32)).decode()


def new_signing_pair() -> tuple[str, str]:
    """Return a new Ed25519 pair: the private `whsk_` (private and public bytes) and the public `whpk_`."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return _PRIVATE + base64.b64encode(key.private_bytes_raw() + public).decode(), _public_text(public)


def public_key_of(signing_key: str) -> str:
    """Return the `whpk_` that belongs to a `whsk_`.

    Raises
    ------
    WebhookKeyError
        When `signing_key` is not a `whsk_`.
    """
    key = _signer(signing_key)
    if isinstance(key, bytes):
        raise WebhookKeyError("a whsk_ key is needed")
    return _public_text(key.public_key().public_bytes_raw())


def sign(msg_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """Return the `webhook-signature` header: one signature for each of `secrets`, `whsec_` or `whsk_`.

    Parameters
    ----------
    msg_id
        The same on every attempt; printable ASCII without a full stop.
    timestamp
        Unix seconds of this attempt.
    body
        The very bytes that are sent.

    Raises
    ------
    WebhookKeyError
        When a secret is malformed.
    ValueError
        When the id or the timestamp cannot be signed, or no secret is given.
    """
    if not _ID.fullmatch(msg_id) or not _TIMESTAMP.fullmatch(str(timestamp)) or not secrets:
        raise ValueError("a webhook needs an id without '.', a timestamp in whole seconds and a secret")
    content = f"{msg_id}.{timestamp}.".encode() + body
    return " ".join(_signature(content, _signer(secret)) for secret in secrets)


def verify(headers: Mapping[str, str], body: bytes, keys: Sequence[str], *, now: int, tolerance_s: int = 300) -> str:
    """Check a received webhook against `keys` (`whsec_` or `whpk_`) and return its id.

    Parameters
    ----------
    headers
        Any mapping; names are compared without case.
    now
        Unix seconds; the timestamp may differ by `tolerance_s` either way.

    Raises
    ------
    WebhookVerificationError
        Whenever it is not proven genuine; malformed input included.
    WebhookKeyError
        When one of our own `keys` is malformed.
    """
    checkers = [_checker(key) for key in keys]
    named = {name.lower(): value for name, value in headers.items()}
    msg_id, stamp = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
    if not _ID.fullmatch(msg_id) or not _TIMESTAMP.fullmatch(stamp) or abs(now - int(stamp)) > tolerance_s:
        raise WebhookVerificationError
    content = f"{msg_id}.{stamp}.".encode() + body
    # Bounded, because every entry costs a signature check.
    for entry in named.get("webhook-signature", "").split(" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]:
        version, _, encoded = entry.partition(",")
        if any(_matches(version, encoded, content, checker) for checker in checkers):
            return msg_id
    raise WebhookVerificationError


def _matches(version: str, encoded: str, content: bytes, key: bytes | Ed25519PublicKey) -> bool:
    if version != ("v1" if isinstance(key, bytes) else "v1a"):
        return False
    try:
        given = base64.b64decode(encoded, validate=True)
        if isinstance(key, bytes):
            return hmac.compare_digest(given, hmac.digest(key, content, "sha256"))
        key.verify(given, content)
    except (ValueError, InvalidSignature):
        return False
    return True


def _signature(content: bytes, key: bytes | Ed25519PrivateKey) -> str:
    if isinstance(key, bytes):
        return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return "v1a," + base64.b64encode(key.sign(content)).decode()


@lru_cache(maxsize=4096)
def _signer(text: str) -> bytes | Ed25519PrivateKey:
    if text.startswith(_SECRET):
        return _symmetric(text)
    if not text.startswith(_PRIVATE):
        raise WebhookKeyError("a signing key begins with whsec_ or whsk_")
    raw = _decode(text, _PRIVATE)
    key = Ed25519PrivateKey.from_private_bytes(raw[:32]) if len(raw) == 64 else None
    if key is None or key.public_key().public_bytes_raw() != raw[32:]:
        raise WebhookKeyError("a whsk_ key is the 32 private and their 32 public bytes")
    return key


@lru_cache(maxsize=4096)
def _checker(text: str) -> bytes | Ed25519PublicKey:
    if text.startswith(_SECRET):
        return _symmetric(text)
    if not text.startswith(_PUBLIC):
        raise WebhookKeyError("a verifying key begins with whsec_ or whpk_")
    raw = _decode(text, _PUBLIC)
    if len(raw) != 32 or not _is_safe_point(raw):
        raise WebhookKeyError("a whpk_ key is a point of Ed25519, 32 bytes")
    return Ed25519PublicKey.from_public_bytes(raw)


def _symmetric(text: str) -> bytes:
    secret = _decode(text, _SECRET)
    if not 24 <= len(secret) <= 64:
        raise WebhookKeyError("a whsec_ secret is 24 to 64 bytes")
    return secret


def _decode(text: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raise WebhookKeyError(f"{prefix} is not followed by base64") from None


def _public_text(public: bytes) -> str:
    return _PUBLIC + base64.b64encode(public).decode()


_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P


def _is_safe_point(raw: bytes) -> bool:
    """Return whether `raw` encodes a point of the curve outside the small subgroup (RFC 8032 section 5.1.3).

    OpenSSL takes any 32 bytes, and under a key of small order one signature fits every message.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    xx = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if y >= _P or pow(xx, (_P - 1) // 2, _P) != 1:  # no such x, or x = 0: the points of order 1 and 2
        return False
    yy = y * y % _P
    # Points of order 4 have y = 0. Those of order 8 double to one of them, and doubling gives a multiple of xx + yy.
    return (yy + xx) % _P != 0 and y != 0
