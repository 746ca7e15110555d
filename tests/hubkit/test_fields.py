"""Rows 9 to 12 and 34 of the bad-input matrix, and the formats of row 33, at the field types."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from hubkit.fields import (
    BY_VALUE,
    Code,
    Email,
    Id,
    Instant,
    LocalDate,
    Phone,
    Postcode,
    StrictModel,
    code_of,
    text,
)

UUID_TEXT = "0192f1e4-7a30-7cc4-9a57-0b8f5ed0c1a2"


class Colour(StrEnum):
    RED = "red"


class Sample(StrictModel):
    at: Instant | None = None
    on: LocalDate | None = None
    id: Id | None = None
    count: int | None = None
    yes: bool | None = None
    name: Annotated[str, text(10)] | None = None
    story: Annotated[str, text(10, multi_line=True)] | None = None
    code: Code | None = None
    channel: Annotated[str, code_of({"post", "fax"}, "channel")] | None = None
    postcode: Postcode | None = None
    phone: Phone | None = None
    email: Email | None = None
    colour: Annotated[Colour, BY_VALUE] | None = None


def _refusal(name: str, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({name: value})
    return caught.value.errors()[0]["type"]


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("at", "2026-11-19T08:12:00+01:00", datetime(2026, 11, 19, 7, 12, tzinfo=UTC)),
        ("at", "2026-11-19T08:12:00.123456789Z", datetime(2026, 11, 19, 8, 12, 0, 123456, tzinfo=UTC)),
        ("at", "2026-11-19t08:12:00z", datetime(2026, 11, 19, 8, 12, tzinfo=UTC)),
        ("at", datetime(2026, 11, 19, 8, 12, tzinfo=UTC), datetime(2026, 11, 19, 8, 12, tzinfo=UTC)),
        ("on", "2024-02-29", date(2024, 2, 29)),
        ("id", UUID_TEXT, UUID(UUID_TEXT)),
        ("id", UUID_TEXT.upper(), UUID(UUID_TEXT)),
        ("name", "  Zoe\u0308  ", "Zo\u00eb"),
        ("name", "\u65e5\u672c\U0001f600", "\u65e5\u672c\U0001f600"),
        ("name", "=cmd|' /C", "=cmd|' /C"),
        ("name", "<b>", "<b>"),
        ("story", "a\r\nb\tc", "a\nb\tc"),
        ("story", "\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("code", "burglary.residential", "burglary.residential"),
        ("channel", "fax", "fax"),
        ("postcode", "zz999zz", "ZZ99 9ZZ"),
        ("postcode", "ZZ99 9ZZ", "ZZ99 9ZZ"),
        ("phone", "+44 (0)7700 900-123", "+44 (0)7700 900-123"),
        ("email", "alex.o'neil+x@mail.example.org", "alex.o'neil+x@mail.example.org"),
        ("colour", "red", Colour.RED),
    ],
)
def test_a_good_value_is_kept_in_its_normal_form(name: str, given: object, kept: object) -> None:
    assert getattr(Sample.model_validate({name: given}), name) == kept


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-19T08:12:00",
        "2026-11-19",
        "2026-11-19 08:12:00Z",
        "2026-11-19T08:12Z",
        "2026-13-19T08:12:00Z",
        "2026-11-19T08:12:60Z",
        "2026-11-19T08:12:00+99:99",
        "0001-01-01T00:00:00+23:00",
        "1763539920",
        1763539920,
        1763539920.5,
        True,
        datetime(2026, 11, 19, 8, 12),  # noqa: DTZ001 - a naive one on purpose
        "٢٠٢٦-11-19T08:12:00Z",
    ],
)
def test_an_instant_without_offset_or_from_a_number_is_refused(value: object) -> None:
    assert _refusal("at", value) == "not_an_instant"


@pytest.mark.parametrize(
    "value", ["2026-02-29", "20260201", "2026-W01-1", "2026-02-01T00:00:00Z", 20000, "01/02/2026", datetime.now(UTC)]
)
def test_a_date_has_one_form(value: object) -> None:
    assert _refusal("on", value) == "not_a_date"


@pytest.mark.parametrize("value", [f"{{{UUID_TEXT}}}", f"urn:uuid:{UUID_TEXT}", UUID_TEXT.replace("-", ""), 1, ""])
def test_an_id_has_one_form(value: object) -> None:
    assert _refusal("id", value) == "not_an_id"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("count", "5", "int_type"),
        ("count", 5.0, "int_type"),
        ("count", True, "int_type"),
        ("yes", "yes", "bool_type"),
        ("yes", 1, "bool_type"),
        ("name", 5, "string_type"),
        ("name", b"x", "string_type"),
        ("colour", "blue", "enum"),
        ("nonsense", "x", "extra_forbidden"),
    ],
)
def test_nothing_is_coerced_and_nothing_unknown_is_taken(name: str, value: object, kind: str) -> None:
    assert _refusal(name, value) == kind


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("name", "", "empty"),
        ("name", " \u00a0 ", "empty"),
        ("name", "x" * 11, "too_long"),
        ("name", "e\u0301" * 11, "too_long"),
        ("name", "x" * 100_000, "too_long"),
        ("name", "a\nb", "control_character"),
        ("name", "a\rb", "control_character"),
        ("name", "a\x00b", "control_character"),
        ("name", "a\x1b[0m", "control_character"),
        ("name", "a\x85b", "control_character"),
        ("name", "a\u2028b", "control_character"),
        ("name", "a\U000e0041", "control_character"),
        ("name", "a\ufffeb", "control_character"),
        ("name", "a\ufdd0b", "control_character"),
        ("name", "a\ue000b", "control_character"),
        ("name", "a\U000f0000b", "control_character"),
        ("name", "a\u206ab", "invisible_character"),
        ("name", "a\u3164b", "invisible_character"),
        ("name", "\u2800", "invisible_character"),
        ("name", "a\u180eb", "invisible_character"),
        ("name", "a\u034fb", "invisible_character"),
        ("name", "a\U0001d173b", "invisible_character"),
        ("story", "a\u115fb", "invisible_character"),
        ("story", "a\rb", "control_character"),
        ("story", "a\x0bb", "control_character"),
        ("name", "a\u202eb", "bidi_control"),
        ("name", "a\u2066b", "bidi_control"),
        ("story", "a\u200fb", "bidi_control"),
        ("name", "a\u200bb", "invisible_character"),
        ("name", "a\u200db", "invisible_character"),
        ("name", "a\ufeffb", "invisible_character"),
        ("story", "a\u200bb", "invisible_character"),
        ("name", "a" + "\u0335" * 9, "too_many_marks"),
        ("name", "a" + "\u0335" * 10_000, "too_long"),
        ("code", "no spaces", "not_a_code"),
        ("code", "é", "not_a_code"),
        ("code", "x" * 65, "not_a_code"),
        ("code", "x\n", "not_a_code"),
        ("channel", "pigeon", "unknown_code"),
        ("postcode", "12345", "not_a_postcode"),
        ("postcode", "ZZ99", "not_a_postcode"),
        ("postcode", "ＺZ99 9ZZ", "not_a_postcode"),
        ("phone", "call me", "not_a_phone_number"),
        ("phone", "123456", "not_a_phone_number"),
        ("phone", "1" * 40, "not_a_phone_number"),
        ("phone", "07700\u0669900123", "not_a_phone_number"),
        ("phone", "0770+0900123", "not_a_phone_number"),
        ("email", "alex", "not_an_email"),
        ("email", "alex@example", "not_an_email"),
        ("email", "alex@exämple.org", "not_an_email"),
        ("email", "a..b@example.org", "not_an_email"),
        ("email", "a@-x.org", "not_an_email"),
        ("email", "a@b.org\n", "not_an_email"),
        ("email", "a@" + "b." * 140 + "org", "not_an_email"),
        ("email", "a" * 65 + "@example.org", "not_an_email"),
    ],
)
def test_a_bad_text_is_refused_with_a_stable_code(name: str, value: str, kind: str) -> None:
    assert _refusal(name, value) == kind


@pytest.mark.parametrize("name", [name for name in Sample.model_fields if name not in ("name", "story")])
def test_a_refusal_repeats_nothing(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({name: "QuiteSecret Ö"})
    assert "Secret" not in str(caught.value)


def test_an_unknown_code_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"channel": "pigeon"})
    assert caught.value.errors()[0]["msg"] == "is not a known channel; known are: fax, post"


def test_a_strict_model_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Sample(count=1).count = 2  # type: ignore[misc]


def test_instants_are_written_in_utc() -> None:
    sample = Sample.model_validate({"at": "2026-11-19T09:12:00+01:00"})
    assert '"at":"2026-11-19T08:12:00Z"' in sample.model_dump_json()


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Instant, {"type": "string", "format": "date-time"}),
        (LocalDate, {"type": "string", "format": "date"}),
        (Id, {"type": "string", "format": "uuid"}),
        (Email, {"type": "string", "format": "email", "maxLength": 254}),
        (Annotated[str, text(9)], {"type": "string", "minLength": 1, "maxLength": 9}),
        (Annotated[str, code_of(["b", "a"], "x")], {"type": "string", "enum": ["a", "b"]}),
        (Code, {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"}),
        (Phone, {"type": "string", "maxLength": 31}),
        (Postcode, {"type": "string", "maxLength": 8}),
    ],
)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_tells_the_written_form(annotation: Any, schema: dict[str, Any], mode: Any) -> None:
    assert TypeAdapter(annotation).json_schema(mode=mode) == schema
