"""What the bodies share."""

import re
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from hubkit.fields import BY_VALUE, StrictModel

T = TypeVar("T")
_DIGITS: Final = re.compile("[0-9]{1,6}")


class Answered(BaseModel):
    """Base of response bodies, read from rows and values of the actions."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Nothing(StrictModel):
    """No field: what the call does is said by its path alone."""


def whole_number(least: int, most: int) -> BeforeValidator:
    """Return the annotation for a number of an address, which is written in digits alone."""

    def check(value: object) -> int:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
            return number
        raise PydanticCustomError(
            "out_of_range", "must be a whole number from {least} to {most}", {"least": least, "most": most}
        )

    return BeforeValidator(check)


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


#: A list in a request; what is in it twice counts once.
Distinct = Annotated[tuple[T, ...], BY_VALUE, AfterValidator(_distinct)]
