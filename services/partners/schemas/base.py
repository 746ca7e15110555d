"""What the bodies share."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from hubkit.fields import BY_VALUE

T = TypeVar("T")


class Answered(BaseModel):
    """Base of response bodies, read from rows and values of the actions."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


#: A list in a request; what is in it twice counts once.
Distinct = Annotated[tuple[T, ...], BY_VALUE, AfterValidator(_distinct)]
