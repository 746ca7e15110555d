"""Encryption of single fields at rest, and blind indexes to find equal values without reading them.

A sealed value is bound to its place: the table and row choose the key, and table, column and row are authenticated,
so that a value copied to another row or column does not open.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = 1
_NONCE: Final = 12
_TAG: Final = 16
_KEY: Final = 32
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CryptoError(Exception):
    """A key or a sealed value is unusable. The message names no value and no key."""


@dataclass(frozen=True, slots=True)
class RecordSealer:
    """Seals and opens the columns of one row, with one key derivation for all of them."""

    _ring: "Keyring" = field(repr=False)
    _table: str
    _row: str
    _ciphers: dict[str, AESGCM] = field(repr=False)

    def seal(self, column: str, value: str | bytes) -> bytes:
        """Return `value` sealed under the current key for `column` of this row."""
        plain = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(_NONCE)
        sealed = self._cipher(self._ring.current).encrypt(nonce, plain, self._place(column))
        return self._ring.header + nonce + sealed

    def open(self, column: str, blob: bytes) -> bytes:
        """Return what `seal` was given.

        Raises
        ------
        CryptoError
            When it is damaged, from another place, or under a key that the ring does not hold.
        """
        key_id, start = _split(blob)
        nonce, sealed = blob[start : start + _NONCE], blob[start + _NONCE :]
        try:
            return self._cipher(key_id).decrypt(nonce, sealed, self._place(column))
        except InvalidTag:
            raise CryptoError("the sealed value does not open here") from None

    def open_text(self, column: str, blob: bytes) -> str:
        """Return the text that `seal` was given.

        Raises
        ------
        CryptoError
            As `open`, and when it is not text.
        """
        return _text(self.open(column, blob))

    def _place(self, column: str) -> bytes:
        return f"{self._table}/{column}/{self._row}".encode()

    def _cipher(self, key_id: str) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = AESGCM(self._ring.record_key(key_id, self._table, self._row))
        return cipher


@dataclass(frozen=True, slots=True)
class Keyring:
    """The master keys by key id; new values are sealed under the current one.

    Notes
    -----
    AES-256-GCM. Each row has its own key, HMAC-SHA256 of the master over table and row id (HKDF-Expand of one block,
    RFC 5869), so that the limit of 2**32 random nonces counts per row and key and is never near.
    A sealed value is: version byte, length of the key id, key id, 12 bytes of nonce, ciphertext with its tag.
    """

    current: str
    header: bytes
    _keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `{"current": "<key id>", "keys": {"<key id>": "<base64 of 32 bytes>"}}`.

        Raises
        ------
        CryptoError
            When it is anything else.
        """
        try:
            document = json.loads(text)
            current, encoded = document["current"], document["keys"]
            keys = {key_id: base64.b64decode(value, validate=True) for key_id, value in encoded.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CryptoError("the keyring is not in the expected form") from None
        if not keys or any(not _KEY_ID.fullmatch(key_id) or len(key) != _KEY for key_id, key in keys.items()):
            raise CryptoError("the keyring holds a malformed key id or a key that is not 32 bytes")
        if current not in keys:
            raise CryptoError("the keyring's current key is not among its keys")
        return cls(current, bytes([_VERSION, len(current)]) + current.encode(), keys)

    def record(self, table: str, row_id: object) -> RecordSealer:
        """Return the sealer for one row; `row_id` is what identifies it for good, as its text."""
        row = str(row_id)
        if not table or "/" in table or not row:
            raise CryptoError("a record is named by a table and a row id")
        return RecordSealer(self, table, row, {})

    def seal(self, value: str | bytes, *, context: str) -> bytes:
        """Return `value` sealed for `context`, which is `table/column/row-id`."""
        sealer, column = self._at(context)
        return sealer.seal(column, value)

    def open(self, blob: bytes, *, context: str) -> bytes:
        """Return what was sealed for `context`.

        Raises
        ------
        CryptoError
            When it is damaged, from another place, or under a key that the ring does not hold.
        """
        sealer, column = self._at(context)
        return sealer.open(column, blob)

    def open_text(self, blob: bytes, *, context: str) -> str:
        """Return the text that was sealed for `context`; raises as `open`."""
        return _text(self.open(blob, context=context))

    def needs_rotation(self, blob: bytes) -> bool:
        """Return whether `blob` is sealed under another key than the current one."""
        return key_id_of(blob) != self.current

    def record_key(self, key_id: str, table: str, row: str) -> bytes:
        """Return the key of one row: for `RecordSealer` alone."""
        master = self._keys.get(key_id)
        if master is None:
            raise CryptoError("the value is sealed under a key that this keyring does not hold")
        return hmac.digest(master, f"onward record v1\0{table}/{row}\x01".encode(), "sha256")

    def _at(self, context: str) -> tuple[RecordSealer, str]:
        parts = context.split("/", 2)
        if len(parts) != 3 or not all(parts):
            raise CryptoError("a context is table/column/row-id")
        return self.record(parts[0], parts[2]), parts[1]


def new_keyring(key_id: str, *, previous: str | None = None) -> str:
    """Return the text of a keyring with a fresh current key `key_id`, keeping the keys of `previous` for opening."""
    keys = json.loads(previous)["keys"] if previous else {}
    if key_id in keys or not _KEY_ID.fullmatch(key_id):
        raise CryptoError("a new key needs a new key id of letters, digits, '.', '_' and '-'")
    keys[key_id] = base64.b64encode(os.urandom(_KEY)).decode()
    return json.dumps({"current": key_id, "keys": keys})


def key_id_of(blob: bytes) -> str:
    """Return the id of the key that `blob` is sealed under.

    Raises
    ------
    CryptoError
        When `blob` is not a sealed value.
    """
    return _split(blob)[0]


def _split(blob: bytes) -> tuple[str, int]:
    start = 2 + blob[1] if len(blob) > 2 else 0
    if not start or blob[0] != _VERSION or len(blob) < start + _NONCE + _TAG:
        raise CryptoError("not a sealed value")
    try:
        return blob[2:start].decode("ascii"), start
    except UnicodeDecodeError:
        raise CryptoError("not a sealed value") from None


def _text(plain: bytes) -> str:
    try:
        return plain.decode()
    except UnicodeDecodeError:
        raise CryptoError("the sealed value is not text") from None


# --- blind indexes ---

_APOSTROPHES = re.compile(r"['’‘ʼ`´]")
_GAPS = re.compile(r"[\s\-‐‑‒–_]+")


def _name(value: str) -> str:
    # NFKD both before and after: casefolding can compose new sequences ("İ").
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", _APOSTROPHES.sub("", value)).casefold())
    return _GAPS.sub(" ", "".join(c for c in folded if not unicodedata.combining(c))).strip()


def _phone(value: str) -> str:
    compact = unicodedata.normalize("NFKC", value).replace("(0)", "").strip()
    digits = "".join(c for c in compact if c in "0123456789")
    if compact.startswith("+44"):
        return "0" + digits[2:]
    if digits.startswith("0044"):
        return "0" + digits[4:]
    return digits


def _email(value: str) -> str:
    return unicodedata.normalize("NFKC", value).strip().casefold()


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value.strip()).isoformat()
    except ValueError:
        return ""


def _code(value: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", value)).casefold()


_NORMALISERS: Final[dict[str, Callable[[str], str]]] = {
    "name": _name,
    "phone": _phone,
    "email": _email,
    "date": _date,
    "postcode": _code,
    "reference": _code,
}


class BlindIndex:
    """Turns a value into 16 bytes by which equal values are found, and nothing is read without the key.

    Parameters
    ----------
    key
        At least 32 bytes, used for nothing else. A new key means new indexes for every row.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _KEY:
            raise CryptoError("a blind index needs a key of 32 bytes")
        self._mac = hmac.new(key, digestmod=hashlib.sha256)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the key from base64; `<label>:<base64>` is read too (development keys carry such a label).

        Raises
        ------
        CryptoError
            When it is not base64 or too short.
        """
        try:
            return cls(base64.b64decode(text.rpartition(":")[2], validate=True))
        except (binascii.Error, ValueError):
            raise CryptoError("a blind index key is base64 of 32 bytes") from None

    def of(self, kind: str, value: str) -> bytes | None:
        """Return the index of `value` as a `kind`: `name`, `phone`, `email`, `date`, `postcode` or `reference`.

        Values that people write differently and mean the same have the same index. None when nothing is left to
        compare (a phone number without digits), so that empty values never match one another.
        """
        normal = _NORMALISERS[kind](value)
        if not normal:
            return None
        mac = self._mac.copy()
        mac.update(f"{kind}\0{normal}".encode())
        return mac.digest()[:16]
