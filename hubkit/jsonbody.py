"""A strict JSON reader: one meaning for every body, or a refusal with a code and a place."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import orjson

from hubkit.errors import BadRequestError, FieldError, InvalidError

MAX_DEPTH = 16
MAX_INTEGER = 2**63 - 1
MAX_FAULTS = 50

_KEY = re.compile(rb'"[ \t\r\n]*:')
_STRUCTURE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SURROGATE = re.compile("[\ud800-\udfff]")

_DETAILS = {
    "duplicate_key": "appears more than once in the same object",
    "not_a_number": "must be a finite number",
    "lone_surrogate": "holds half of a surrogate pair",
    "nul_character": "holds the character U+0000",
    "too_deep": "objects and lists may be nested 16 deep",
    "integer_out_of_range": "must fit a signed 64-bit integer",
}


def pointer_of(parts: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a place.

    A key that does not look like a field name is shown as `*`: it may be text that a person wrote.
    """
    return "".join(f"/{part}" if isinstance(part, int) or _PLAIN_KEY.fullmatch(part) else "/*" for part in parts)


def parse_json(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Read one JSON text.

    Parameters
    ----------
    raw
        The body, UTF-8 without a byte order mark.
    max_depth
        How deep objects and lists may be nested; a flat object has depth 1.

    Raises
    ------
    BadRequestError
        `not_utf8` or `malformed_json`.
    InvalidError
        With one or more of `duplicate_key`, `not_a_number`, `lone_surrogate`, `nul_character`, `too_deep`,
        `integer_out_of_range`, each with its pointer.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_exactly(raw, max_depth)
    # orjson keeps the last of duplicate keys, U+0000 and large numbers. A body is fine if nothing even looks
    # like one of these; anything that does is read again, slowly and exactly.
    if b"\\u0000" in raw or _count_keys(value, max_depth) != len(_KEY.findall(raw)):
        return _parse_exactly(raw, max_depth)
    return value


def _count_keys(value: Any, max_depth: int) -> int:
    """Count the keys of all objects; -1 for a value that is too deep or holds a number beyond 64 bits."""
    keys, depth = 0, 0
    level: list[Any] = [[value]]
    while level:
        if depth > max_depth:
            return -1
        depth += 1
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                members: Any = container.values()
            else:
                members = container
            for member in members:
                kind = type(member)
                if kind is dict or kind is list:
                    below.append(member)
                elif (kind is int or kind is float) and not -MAX_INTEGER <= member <= MAX_INTEGER:
                    return -1
        level = below
    return keys


@dataclass(frozen=True, slots=True)
class _Fault:
    """Stands in a parsed value where a fault was found."""

    code: str


def _parse_exactly(raw: bytes, max_depth: int) -> Any:
    text = _decode(raw)
    if _is_too_deep(text, max_depth):
        raise InvalidError(errors=[_fault((), "too_deep")])
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
    except (ValueError, RecursionError):
        raise BadRequestError("The body is not JSON", code="malformed_json") from None
    errors = []
    for place, code in _faults(value, ()):
        errors.append(_fault(place, code))
        if len(errors) == MAX_FAULTS:
            break
    if errors:
        raise InvalidError(errors=errors)
    return value


def _decode(raw: bytes) -> str:
    try:
        if json.detect_encoding(raw) == "utf-8":
            return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise BadRequestError("The body is not UTF-8 without a byte order mark", code="not_utf8") from None


def _is_too_deep(text: str, max_depth: int) -> bool:
    """Look at brackets outside strings, so that no parser has to follow them down."""
    depth, in_string = 0, False
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif mark in "[{":
            depth += 1
            if depth > max_depth:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Fault("duplicate_key") if key in found else value
    return found


def _integer(text: str) -> int | _Fault:
    # The length goes first: Python refuses to convert thousands of digits.
    if len(text) > 20 or not -MAX_INTEGER - 1 <= int(text) <= MAX_INTEGER:
        return _Fault("integer_out_of_range")
    return int(text)


def _float(text: str) -> float | _Fault:
    value = float(text)
    return value if isfinite(value) else _Fault("not_a_number")


def _constant(_: str) -> _Fault:
    return _Fault("not_a_number")


def _faults(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    code = value.code if isinstance(value, _Fault) else _fault_of_text(value)
    if code is not None:
        yield place, code
    members: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        code = _fault_of_text(key)
        if code is not None:
            yield (*place, key), code
        yield from _faults(member, (*place, key))


def _fault_of_text(text: Any) -> str | None:
    if not isinstance(text, str):
        return None
    if "\0" in text:
        return "nul_character"
    return "lone_surrogate" if _SURROGATE.search(text) else None


def _fault(place: tuple[str | int, ...], code: str) -> FieldError:
    return FieldError(pointer_of(place), code, _DETAILS[code])
