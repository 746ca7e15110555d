"""Checks one row of a transfer as strictly as the body of a request."""

from datetime import datetime

from pydantic import ValidationError

from hubkit import problems
from hubkit.errors import FieldError
from services.intake.actions.deps import Deps
from services.intake.actions.transfers import Line, checked_line
from services.intake.api.formats import RawRow
from services.intake.schemas import Referral

_MAX_FAULTS = 20


def checked(deps: Deps, row: RawRow, organisation: str, now: datetime) -> Line:
    """Return a row as a command, or with what is wrong with it."""
    if row.error is not None:
        return Line(row.line, None, [row.error])
    try:
        referral = Referral.model_validate(row.value)
    except ValidationError as error:
        return Line(row.line, None, _faults(error))
    return checked_line(deps, row.line, referral, organisation, now)


def _faults(error: ValidationError) -> list[FieldError]:
    faults = error.errors(include_url=False, include_input=False)[:_MAX_FAULTS]
    return [problems._field_error({**fault, "loc": ("body", *fault["loc"])}) for fault in faults]
