"""What every call asks of its caller."""

from hubkit.auth import Caller
from hubkit.errors import ForbiddenError


def organisation_of(caller: Caller) -> str:
    """Return the organisation that a caller acts for: what it sends belongs to it.

    Raises
    ------
    ForbiddenError
        When its token names none.
    """
    if not caller.organisation:
        raise ForbiddenError("This client acts for no organisation", code="no_organisation")
    return caller.organisation
