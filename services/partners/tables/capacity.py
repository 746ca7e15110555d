"""Whether services have room, as their partners said last."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Uuid
from sqlmodel import Field

from services.partners.tables.base import Base


class Capacity(Base, table=True):
    """The newest report of one service. `as_of` is when it was so, `reported_at` when it was said."""

    __tablename__ = "capacity"

    service_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("service.id"), primary_key=True))
    open: bool
    places: int | None = None
    waiting_weeks: int | None = None
    as_of: datetime
    reported_at: datetime
    reported_by: str = Field(max_length=128)
