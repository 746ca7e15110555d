"""What anybody may ask the public directory for."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import KINDS
from hubkit.fields import Code, Id, Instant, StrictModel, code_of, text
from services.partners.model import DAYS, LANGUAGES, SORTS
from services.partners.schemas.base import whole_number

_MAX_PER_PAGE: Final = 100
_CLOCK: Final = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9])(?::[0-5][0-9])?")


def _flag(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise PydanticCustomError("not_true_or_false", "must be true or false")


def _clock(value: str) -> str:
    found = _CLOCK.fullmatch(value)
    if found is None:
        raise PydanticCustomError("not_a_time", "must be a time of day, as in 09:30")
    return found[1]


_Clock = Annotated[str, AfterValidator(_clock)]
_Age = Annotated[int, Field(ge=0, le=130), whole_number(0, 130)]


class InLanguage(StrictModel):
    """In which language: texts that are given in Welsh are Welsh with `cy`."""

    language: Annotated[str, code_of(LANGUAGES, "language")] = "en"


class Paged(StrictModel):
    """Which page, counted from 1."""

    page: Annotated[int, Field(ge=1, le=999_999), whole_number(1, 999_999)] = 1
    per_page: Annotated[int, Field(ge=1, le=_MAX_PER_PAGE), whole_number(1, _MAX_PER_PAGE)] = 50


class OrganisationsAsked(Paged, InLanguage):
    """Which organisations."""


class ServicesAsked(Paged, InLanguage):
    """Which services. Parameters that this directory does not know are refused: an ignored filter would mislead.

    `search` finds text as it is written, in names, descriptions and areas, in any case of letters. `area` is a code of
    the Office for National Statistics; services without areas are for everywhere. Both ages are those of the people
    who ask, inclusive. `day` (MO to SU), `start_time` and `end_time` find what is open on that day, from then or later,
    until then or earlier. `full` adds what belongs to each service.
    """

    search: Annotated[str, text(200)] | None = None
    kind: Annotated[str, code_of(KINDS, "kind")] | None = None
    taxonomy_term_id: Id | None = None
    taxonomy_id: Id | None = None
    organization_id: Id | None = None
    area: Code | None = None
    minimum_age: _Age | None = None
    maximum_age: _Age | None = None
    modified_after: Instant | None = None
    day: Annotated[str, code_of(DAYS, "day")] | None = None
    start_time: _Clock | None = None
    end_time: _Clock | None = None
    sort: Annotated[str, code_of(SORTS, "order")] = "added"
    full: Annotated[bool, BeforeValidator(_flag), Field(json_schema_extra={"type": "boolean"})] = False
