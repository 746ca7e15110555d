import base64
import json
import time

import pytest

from hubkit.crypto import BlindIndex, CryptoError, Keyring, key_id_of, new_keyring


@pytest.fixture
def ring() -> Keyring:
    return Keyring.parse(new_keyring("development-1"))


def test_what_was_sealed_opens_in_its_own_place(ring: Keyring) -> None:
    blob = ring.seal("Alex Example", context="person/given_name/7")
    assert ring.open_text(blob, context="person/given_name/7") == "Alex Example"
    assert ring.open(ring.seal(b"\xff\x00", context="a/b/c"), context="a/b/c") == b"\xff\x00"
    assert ring.open(ring.seal("", context="a/b/c"), context="a/b/c") == b""


def test_a_record_sealer_and_the_context_form_are_the_same(ring: Keyring) -> None:
    record = ring.record("person", 7)
    assert record.open_text("phone", ring.seal("07700900123", context="person/phone/7")) == "07700900123"
    assert ring.open_text(record.seal("phone", "07700900123"), context="person/phone/7") == "07700900123"


@pytest.mark.parametrize("place", ["person/given_name/8", "person/family_name/7", "other/given_name/7"])
def test_a_sealed_value_does_not_open_elsewhere(ring: Keyring, place: str) -> None:
    with pytest.raises(CryptoError):
        ring.open(ring.seal("Alex", context="person/given_name/7"), context=place)


def test_any_flipped_bit_is_noticed(ring: Keyring) -> None:
    blob = ring.seal("Alex", context="a/b/c")
    for position in range(len(blob)):
        damaged = bytearray(blob)
        damaged[position] ^= 1
        with pytest.raises(CryptoError):
            ring.open(bytes(damaged), context="a/b/c")


@pytest.mark.parametrize(
    "blob",
    [b"", b"\x01", b"\x01\xff", b"\x02\x01k" + bytes(40), b"\x01\x01k" + bytes(20), b"\x01\x02\xff\xfe" + bytes(40)],
)
def test_what_is_not_a_sealed_value_is_refused(ring: Keyring, blob: bytes) -> None:
    with pytest.raises(CryptoError):
        ring.open(blob, context="a/b/c")


def test_equal_values_are_sealed_differently(ring: Keyring) -> None:
    assert ring.seal("x", context="a/b/c") != ring.seal("x", context="a/b/c")


def test_a_rotated_ring_opens_the_old_and_names_what_needs_rotation() -> None:
    before = new_keyring("one")
    old = Keyring.parse(before)
    new = Keyring.parse(new_keyring("two", previous=before))
    blob = old.seal("Alex", context="a/b/c")
    assert (key_id_of(blob), new.needs_rotation(blob), old.needs_rotation(blob)) == ("one", True, False)
    assert new.open_text(blob, context="a/b/c") == "Alex"
    with pytest.raises(CryptoError, match="does not hold"):
        old.open(new.seal("Alex", context="a/b/c"), context="a/b/c")


def test_a_key_id_is_never_used_twice() -> None:
    with pytest.raises(CryptoError):
        new_keyring("one", previous=new_keyring("one"))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"current":"a","keys":{}}', '{"current":"a","keys":[]}', '{"current":"a","keys":{"a":1}}',
        '{"current":"a","keys":{"a":"c2hvcnQ="}}', '{"current":"a","keys":{"a":"not base64"}}',
        json.dumps({"current": "b", "keys": {"a": base64.b64encode(bytes(32)).decode()}}),
        json.dumps({"current": "ä", "keys": {"ä": base64.b64encode(bytes(32)).decode()}}),
    ],
)  # fmt: skip
def test_a_malformed_keyring_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(CryptoError) as refusal:
        Keyring.parse(text)
    assert "c2hvcnQ" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_no_key_shows_in_a_repr(ring: Keyring) -> None:
    assert "keys" not in repr(ring)
    assert "ring" not in repr(ring.record("person", 7))


@pytest.mark.parametrize("context", ["", "a", "a/b", "a//c", "/b/c"])
def test_an_incomplete_context_is_refused(ring: Keyring, context: str) -> None:
    with pytest.raises(CryptoError):
        ring.seal("x", context=context)


def test_nine_fields_of_a_record_cost_microseconds(ring: Keyring) -> None:
    def nine() -> float:
        began = time.perf_counter()
        record = ring.record("person", 7)
        for column in "abcdefghi":
            record.seal(column, "Alex Example of Example Street")
        return time.perf_counter() - began

    # The target is 5 us a field; ten times that still tells a key derivation per field from one per record.
    assert min(nine() for _ in range(200)) / 9 < 50e-6


index = BlindIndex(bytes(range(32)))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("name", "Zoë  O'Brien", " ZOE O’BRIEN "), ("name", "Anne-Marie", "anne marie"), ("name", "STRASSE", "straße"),
        ("name", "ＡＬＥＸ", "alex"), ("phone", "+44 7700 900123", "07700900123"),
        ("phone", "0044 (0)7700-900123", "07700 900 123"), ("phone", "+44 (0) 7700 900123", "07700900123"),
        ("email", " Alex@Example.ORG", "alex@example.org"), ("date", "1990-02-03", " 1990-02-03"),
        ("postcode", "ZZ99 9ZZ", "zz999zz"), ("reference", "CMS-1", "cms-1 "),
    ],
)  # fmt: skip
def test_values_that_mean_the_same_have_one_index(kind: str, one: str, other: str) -> None:
    assert index.of(kind, one) == index.of(kind, other) != None  # noqa: E711 - a chain, not a test for None


def test_the_index_depends_on_kind_value_and_key() -> None:
    found = {
        index.of("name", "1"),
        index.of("phone", "1"),
        index.of("name", "2"),
        BlindIndex(bytes(32)).of("name", "1"),
    }
    assert len(found) == 4
    assert {len(entry or b"") for entry in found} == {16}


@pytest.mark.parametrize(
    ("kind", "value"), [("phone", "unknown"), ("name", " \u0301"), ("date", "1990-02-30"), ("email", "")]
)
def test_nothing_to_compare_has_no_index(kind: str, value: str) -> None:
    assert index.of(kind, value) is None


def test_a_blind_index_key_may_carry_a_label() -> None:
    text = base64.b64encode(bytes(range(32))).decode()
    assert BlindIndex.parse(f"development:{text}").of("name", "a") == index.of("name", "a")
    for wrong in ("", "development:", "x", base64.b64encode(b"short").decode()):
        with pytest.raises(CryptoError):
            BlindIndex.parse(wrong)
