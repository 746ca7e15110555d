"""Rows 1 to 8 of the bad-input matrix, at the parser."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.errors import BadRequestError, InvalidError
from hubkit.jsonbody import parse_json, pointer_of

BIG = 2**63


def _faults(raw: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as caught:
        parse_json(raw)
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        (b'{"a": NaN}', "/a", "not_a_number"),
        (b'{"a": [1, Infinity]}', "/a/1", "not_a_number"),
        (b'{"a": -Infinity}', "/a", "not_a_number"),
        (b'{"a": 1e400}', "/a", "not_a_number"),
        (b"-1e400", "", "not_a_number"),
        (b'{"a": "\\ud800"}', "/a", "lone_surrogate"),
        (b'{"a": "x\\udc00y"}', "/a", "lone_surrogate"),
        (b'{"\\ud800": 1}', "/*", "lone_surrogate"),
        (b'{"a": {"b": "x\\u0000"}}', "/a/b", "nul_character"),
        (b'{"a\\u0000": 1}', "/*", "nul_character"),
        (b'{"a": 1, "a": 1}', "/a", "duplicate_key"),
        (b'{"p": [{"a": 1, "b": 2, "\\u0061" : 3}]}', "/p/0/a", "duplicate_key"),
        (b'{"a" : 1, "a"\n: 2, "b": "\\":"}', "/a", "duplicate_key"),
        (b'{"a": %d}' % BIG, "/a", "integer_out_of_range"),
        (b'{"a": %d}' % (-BIG - 1), "/a", "integer_out_of_range"),
        (b'{"a": 1%s}' % (b"0" * 30), "/a", "integer_out_of_range"),
        (b'{"a": 1%s}' % (b"0" * 5000), "/a", "integer_out_of_range"),
        (b"9" * 20_000, "", "integer_out_of_range"),
        (b"[" * 17 + b"]" * 17, "", "too_deep"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "", "too_deep"),
        (b"[" * 900 + b"]" * 900, "", "too_deep"),
        (b"[" * 100_000, "", "too_deep"),
        (b'{"a":[' * 50_000, "", "too_deep"),
    ],
)
def test_a_faulty_value_is_refused_with_its_place_and_code(raw: bytes, pointer: str, code: str) -> None:
    assert _faults(raw) == [(pointer, code)]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-32-be"),
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\xaf"}',
    ],
)
def test_only_utf8_without_byte_order_mark_is_read(raw: bytes) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_json(raw)
    assert caught.value.reason == "not_utf8"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"{]", b"{'a': 1}", b'{"a": 1,}', b"[1] 2", b'"\x00"', b'"a\nb"', b"01", b"// x\n1", b"]" * 40]
)
def test_malformed_text_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_json(raw)
    assert caught.value.reason == "malformed_json"


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 16 + b"]" * 16,
        b'{"a":' * 16 + b"1" + b"}" * 16,
        b'{"a": %d, "b": %d, "c": 1e19}' % (BIG - 1, -BIG),
        b'{"a": "\\\\u0000", "b": "\\"a\\": [[[[[[[[[[[[[[[[[[[[["}',
        b'{"a": {"x": 1}, "b": {"x": 1}}',
        '{"å": "\\ud83d\\ude00 😀"}'.encode(),
        b"null",
        b"  [1, 2.5, true, null]\r\n",
    ],
)
def test_everything_else_reads_as_the_standard_library_reads_it(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


def test_every_fault_is_listed_up_to_a_limit() -> None:
    assert _faults(b'{"a": NaN, "b": "\\u0000"}') == [("/a", "not_a_number"), ("/b", "nul_character")]
    assert len(_faults(b"[" + b",".join([b"NaN"] * 500) + b"]")) == 50


def test_a_pointer_never_repeats_free_text() -> None:
    assert pointer_of(("person", 0, "given_name")) == "/person/0/given_name"
    assert pointer_of(("Alex Example", "~", "", "x" * 100)) == "/*/*/*/*"


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"\\", b"[", b'":', b'{"a":1},'])
def test_the_longest_hostile_body_takes_bounded_time(piece: bytes) -> None:
    raw = b'["' + piece * (256_000 // len(piece))
    started = time.perf_counter()
    with pytest.raises((BadRequestError, InvalidError)):
        parse_json(raw)
    assert time.perf_counter() - started < 2


_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-BIG, BIG - 1) | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.booleans())
def test_what_is_written_is_read_back(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(), max_depth=20) == value


@given(
    st.lists(st.sampled_from(["a", "b", "c", '"', ":", '\\":', "d"]), max_size=6), st.sampled_from(["", " ", "\n\t"])
)
def test_a_repeated_key_is_always_found(keys: list[str], space: str) -> None:
    members = [json.dumps(key) + space + ":" + json.dumps(key + '":') for key in keys]
    raw = ("{" + ",".join(members) + "}").encode()
    if len(set(keys)) == len(keys):
        assert parse_json(raw) == json.loads(raw)
    else:
        assert {code for _, code in _faults(raw)} == {"duplicate_key"}
