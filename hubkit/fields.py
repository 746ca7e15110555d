"""Field types for request models: exactly one written form each, refused with a stable code that repeats nothing.

The types that are functions in lower case go into `Annotated`: `name: Annotated[str, text(100)]`.
"""

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_COMBINING_MARKS = 6

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?|GIR) ?([0-9][A-Z]{2})")
_PHONE = re.compile(r"\+?[0-9 ()-]{7,30}")
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
#: Controls, line and paragraph separators, noncharacters, surrogates, tags and what everybody reads as they please
#: (private use): never part of what a person means to say.
_CONTROLS = re.compile(
    "[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\uf8ff\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
    "\U000f0000-\U0010ffff]"
)
_CONTROLS_IN_LINES = re.compile(_CONTROLS.pattern.replace("\0-\x1f", "\0-\x08\x0b-\x1f"))
#: Characters that turn text round or hide in it, so that a name reads as another.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: What is not seen, beside the variation selectors that emoji and Japanese names are written with.
#: Source: Unicode Character Database, Default_Ignorable_Code_Point; and the blank of Braille.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u2800\u3164\ufeff\uffa0"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
#: Longer text may hold joiners: emoji and several scripts are written with them.
_INVISIBLE_IN_LINES = re.compile(_INVISIBLE.pattern.replace("\u200b-\u200d", "\u200b"))


class StrictModel(BaseModel):
    """Base of request models: no coercion, no unknown field, immutable, and its errors repeat no input."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


#: Lets an enum (or a tuple) be read from its JSON form in a strict model: `Annotated[Outcome, BY_VALUE]`.
BY_VALUE = Field(strict=False)


def _instant(value: object) -> datetime:
    try:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if isinstance(value, str) and _INSTANT.fullmatch(value.upper()):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("not_an_instant", "must be a date and time with offset, as in 2026-11-19T08:12:00+00:00")


def _local_date(value: object) -> date:
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("not_a_date", "must be a date that exists, as in 2026-11-19")


def _id(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and _UUID.fullmatch(value):
        return UUID(value)
    raise PydanticCustomError("not_an_id", "must be a UUID, as in 0192f1e4-7a30-7cc4-9a57-0b8f5ed0c1a2")


#: A moment, RFC 3339 with offset; kept as aware UTC.
Instant = Annotated[datetime, BeforeValidator(_instant)]
#: A calendar day, YYYY-MM-DD.
LocalDate = Annotated[date, BeforeValidator(_local_date)]
#: A UUID in its canonical text form with dashes.
Id = Annotated[UUID, BeforeValidator(_id)]


@dataclass(frozen=True, slots=True)
class _Checked:
    """Annotation of `str`: a check that returns the normal form, and what the JSON schema says of it."""

    check: Callable[[str], str]
    json_schema: tuple[tuple[str, Any], ...] = ()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # A tuple there, since annotations are hashed; a list in the document.
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in self.json_schema}
        return {**handler(schema), **said}


def text(max_length: int, *, multi_line: bool = False) -> _Checked:
    """Return the annotation for text that a person wrote: `Annotated[str, text(100)]`.

    It is put into Unicode normal form C and stripped, and must not be empty then.

    Parameters
    ----------
    max_length
        Limit in code points.
    multi_line
        Whether line feeds, tabs and joiners may appear. CR LF becomes LF.
    """

    def check(value: str) -> str:
        if multi_line:
            value = value.replace("\r\n", "\n")
        value = value.strip()
        if not value:
            raise PydanticCustomError("empty", "must not be empty")
        # The first test bounds the work of the others.
        if len(value) > 4 * max_length:
            raise _too_long(max_length)
        _refuse_characters(value, multi_line)
        value = unicodedata.normalize("NFC", value)
        if len(value) > max_length:
            raise _too_long(max_length)
        return value

    return _Checked(check, (("minLength", 1), ("maxLength", max_length)))


def _too_long(max_length: int) -> PydanticCustomError:
    return PydanticCustomError("too_long", "must have at most {limit} characters", {"limit": max_length})


def _refuse_characters(value: str, multi_line: bool) -> None:
    if (_CONTROLS_IN_LINES if multi_line else _CONTROLS).search(value):
        raise PydanticCustomError("control_character", "must not hold control characters")
    if value.isascii():
        return
    if _BIDI.search(value):
        raise PydanticCustomError("bidi_control", "must not hold characters that change the direction of text")
    if (_INVISIBLE_IN_LINES if multi_line else _INVISIBLE).search(value):
        raise PydanticCustomError("invisible_character", "must not hold invisible characters")
    marks = 0
    for character in unicodedata.normalize("NFC", value):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MAX_COMBINING_MARKS:
            raise PydanticCustomError("too_many_marks", "must not stack combining marks")


def code_of(known: Collection[str], what: str) -> _Checked:
    """Return the annotation for a code of a vocabulary: `Annotated[str, code_of(CHANNELS, "channel")]`.

    Parameters
    ----------
    known
        The codes; a refusal lists them, sorted.
    what
        What the codes name, for the refusal.
    """
    codes = tuple(sorted(known))
    lookup = frozenset(codes)

    def check(value: str) -> str:
        if value in lookup:
            return value
        raise PydanticCustomError(
            "unknown_code", "is not a known {what}; known are: {known}", {"what": what, "known": ", ".join(codes)}
        )

    return _Checked(check, (("enum", codes),))


def _code(value: str) -> str:
    if _CODE.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_code", "must be a code of at most 64 letters, digits and _ . : -")


def _postcode(value: str) -> str:
    match = _POSTCODE.fullmatch(value.strip().upper()) if value.isascii() else None
    if match is None:
        raise PydanticCustomError("not_a_postcode", "must be a full UK postcode")
    return f"{match[1]} {match[2]}"


def _phone(value: str) -> str:
    value = value.strip(" ")
    if _PHONE.fullmatch(value) and 7 <= sum(character.isdigit() for character in value) <= 15:
        return value
    raise PydanticCustomError("not_a_phone_number", "must be a telephone number of 7 to 15 digits")


def _email(value: str) -> str:
    if len(value) <= 254 and _EMAIL.fullmatch(value) and value.index("@") <= 64:
        return value
    raise PydanticCustomError("not_an_email", "must be an email address")


#: A short code in ASCII.
Code = Annotated[str, _Checked(_code, (("maxLength", 64), ("pattern", f"^{_CODE.pattern}$")))]
#: A UK postcode; kept in upper case with one space.
Postcode = Annotated[str, _Checked(_postcode, (("maxLength", 8),))]
#: A telephone number as people write it; kept as written.
Phone = Annotated[str, _Checked(_phone, (("maxLength", 31),))]
#: An email address with an ASCII domain.
Email = Annotated[str, _Checked(_email, (("format", "email"), ("maxLength", 254)))]
