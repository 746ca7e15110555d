"""Rows 18 and 19 of the bad-input matrix, at cursor and limit."""

import base64
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from hubkit.errors import BadRequestError
from hubkit.paging import Limit, Page, decode_cursor, encode_cursor

KEY = b"k" * 32
OTHER_KEY = b"x" * 32
POSITION = {"at": "2026-11-19T08:12:00Z", "id": "0192f1e4-7a30-7cc4-9a57-0b8f5ed0c1a2"}


def _refuses(key: bytes, owner: str, cursor: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        decode_cursor(key, owner, cursor)
    assert caught.value.reason == "invalid_cursor"


def test_a_cursor_leads_back_to_its_position() -> None:
    cursor = encode_cursor(KEY, "police", POSITION)
    assert decode_cursor(KEY, "police", cursor) == POSITION
    assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_ids_in_a_position_become_text() -> None:
    cursor = encode_cursor(KEY, "police", [UUID(POSITION["id"]), 7])
    assert decode_cursor(KEY, "police", cursor) == [POSITION["id"], 7]


def test_a_cursor_works_for_its_owner_and_key_alone() -> None:
    cursor = encode_cursor(KEY, "police", POSITION)
    _refuses(KEY, "partner", cursor)
    _refuses(KEY, "", cursor)
    _refuses(OTHER_KEY, "police", cursor)


def test_every_changed_character_is_found() -> None:
    cursor = encode_cursor(KEY, "police", [1])
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for index in range(len(raw)):
        changed = bytes(byte ^ (1 if at == index else 0) for at, byte in enumerate(raw))
        _refuses(KEY, "police", base64.urlsafe_b64encode(changed).decode().rstrip("="))


@pytest.mark.parametrize("cursor", ["", "x", "x" * 5000, "é", "a b", "\0", "=", "====", "AAAA", "../../etc", "A" * 43])
def test_garbage_is_refused(cursor: str) -> None:
    _refuses(KEY, "police", cursor)


def test_owner_and_position_cannot_be_shifted_into_each_other() -> None:
    assert encode_cursor(KEY, "a", [1]) != encode_cursor(KEY, "a[", [1])
    _refuses(KEY, "a[1]", encode_cursor(KEY, "a", []))


@pytest.mark.parametrize(("given", "limit"), [("1", 1), ("050", 50), ("100", 100), (50, 50)])
def test_a_limit_is_one_to_a_hundred(given: object, limit: int) -> None:
    assert TypeAdapter(Limit).validate_python(given) == limit


@pytest.mark.parametrize(
    "given", ["0", "101", "+5", "-1", "1_0", "1_000", " 5", "5 ", "5.0", "1e1", "٥", "", "1" + "0" * 21, "abc", 0, 101]
)
def test_any_other_limit_is_refused(given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Limit).validate_python(given)
    assert caught.value.errors()[0]["type"] == "out_of_range"


def test_the_last_page_has_no_cursor() -> None:
    assert Page[int](items=[1, 2]).model_dump() == {"items": [1, 2], "next_cursor": None}
