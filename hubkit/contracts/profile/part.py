"""What every part of a profile is made of: how it tells its mistakes, codes, and the words of a hub."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

Basis = Literal[
    "explicit_consent",
    "consent",
    "victim_agreement",
    "consent_obtained_by_police",
    "implied_opt_out",
    "public_task",
    "joint_controller",
    "controller_internal",
    "agreement_in_place",
]

#: A word of the hub's own, as decisions store it.
Word = Annotated[str, Field(min_length=1, max_length=40)]
#: An id, a reason code or a name.
LongWord = Annotated[str, Field(min_length=1, max_length=80)]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a part beyond the form of one field.

    `loc` is the way to it from this part. `known` are the words that would be right, `fix` is what to do; `after` is
    the way, from this part, to what may be the cause when that itself is wrong.
    """

    loc: tuple[str | int, ...]
    words: str
    known: Collection[str] = ()
    fix: str | None = None
    after: tuple[str | int, ...] = ()

    def error(self) -> PydanticCustomError:
        """Return it as a validation error; a code of one vocabulary that is unknown is one as well."""
        context = {
            "words": self.words,
            "known": tuple(sorted(self.known)),
            "fix": self.fix,
            "after": self.after,
            "depth": len(self.loc),
        }
        return PydanticCustomError("mistake", "{words}", context)


class ProfilePart(BaseModel):
    """Base of all parts: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong in this part although each field is right by itself."""
        yield from ()

    @model_validator(mode="after")
    def _has_no_mistakes(self) -> Self:
        found = [
            InitErrorDetails(type=mistake.error(), loc=mistake.loc, input=self.__class__.__name__)
            for mistake in self.mistakes()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self


@dataclass(frozen=True, slots=True)
class Code:
    """Makes a text one of the codes of a vocabulary. `what` says what it is a code of."""

    what: str
    known: Collection[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check a text against the vocabulary."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Name the codes to editors."""
        return {**handler(schema), "enum": sorted(self.known)}

    def _check(self, value: str) -> str:
        if value not in self.known:
            raise Mistake((), f"unknown code: {self.what} {value}", self.known).error()
        return value


def _local_time(value: object) -> object:
    is_text = isinstance(value, str)
    if not isinstance(value, time) and not (is_text and re.fullmatch(r"\d\d:\d\d(:\d\d)?", str(value))):
        raise Mistake((), "not a time of day", fix="write hours and minutes, such as 09:00").error()
    return value


#: A time of day on the hub's clocks: numbers of seconds, and times with an offset, are none.
LocalTime = Annotated[
    time,
    BeforeValidator(_local_time),
    WithJsonSchema({"type": "string", "pattern": r"^[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?$"}),
]
