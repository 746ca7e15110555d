"""How long a person's data is kept."""

from typing import Annotated, Final

from pydantic import Field

from hubkit.contracts import codes
from hubkit.contracts.profile.conditions import Condition
from hubkit.contracts.profile.part import Code, ProfilePart

#: How a case can have ended: closed, closed after the person declined, or never taken on, by what triage decided.
ENDS: Final = frozenset({"closed", "declined"}) | (codes.OUTCOMES - {"accepted", "pending"})


class Retention(ProfilePart):
    """How long the person's data is kept after the end of a case; codes and the record of disclosures stay.

    Of several that apply the longest counts. Without any, it is kept: nothing is made up where a source is silent.
    """

    ends: tuple[Annotated[str, Code("end", ENDS)], ...] = Field(min_length=1, description="how the case ended")
    days: int = Field(ge=1, le=40_000, description="days after the end")
    when: Condition = Field(Condition(), description="for which cases")
    source: str | None = Field(None, description="where the hub's text says so")
