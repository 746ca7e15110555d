"""Bodies of capacity."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hubkit.fields import Instant, StrictModel
from services.partners.schemas.base import Answered


class CapacityReport(StrictModel):
    """Whether a service takes people, how many more (`places`) and how long they wait; what is absent is not said."""

    open: bool
    places: Annotated[int, Field(ge=0, le=100_000)] | None = None
    waiting_weeks: Annotated[int, Field(ge=0, le=520)] | None = None
    as_of: Instant


class CapacityBody(Answered):
    """The newest report of a service."""

    service_id: UUID
    open: bool
    places: int | None
    waiting_weeks: int | None
    as_of: datetime
    reported_at: datetime
