"""What persons object to, and what investigators ask for about victims. Rows are never changed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Uuid
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class Objection(Base, table=True):
    """The person objects to a use of their data. `outcome` is upheld, or refused on a `ground`.

    `consent_id` is the refusal in the consents by which it takes effect.
    """

    __tablename__ = "objection"
    __table_args__ = (Index("ix_objection_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    recipient: str = Field(max_length=64)
    reason: str = Field(max_length=40)
    method: str | None = Field(None, max_length=16)
    outcome: str = Field(max_length=16)
    ground: str | None = Field(None, max_length=40)
    consent_id: UUID | None = None
    decided_by: str | None = Field(None, max_length=80)
    client_id: str = Field(max_length=128)
    objected_at: datetime
    decided_at: datetime


class InformationRequest(Base, table=True):
    """A victim information request, as it came. What is bytes is sealed: it may be about the victim or an officer.

    `asked` are fields and kinds of records by their codes.
    """

    __tablename__ = "information_request"
    __table_args__ = (Index("ix_information_request_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    requesting_body: str = Field(max_length=120)
    officer_reference: bytes
    written_request_held: bool
    asked: list[str] = Field(sa_column=Column(CODES, nullable=False))
    is_blanket: bool
    information: bytes
    reason: bytes
    line_of_enquiry: bytes
    notified_at: datetime | None = None
    notified_how: str | None = Field(None, max_length=24)
    not_notified_because: str | None = Field(None, max_length=40)
    counselling: bool
    rebuttal: bytes | None = None
    client_id: str = Field(max_length=128)
    received_at: datetime
    created_at: datetime


class InformationDecision(Base, table=True):
    """What was decided on a victim information request; there is one. `ground` is why all or the rest is refused."""

    __tablename__ = "information_decision"
    __table_args__ = (Index("ix_information_decision_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    request_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("information_request.id"), nullable=False, unique=True))
    case_id: UUID
    outcome: str = Field(max_length=16)
    released: list[str] = Field(sa_column=Column(CODES, nullable=False))
    ground: str | None = Field(None, max_length=40)
    decided_by: str | None = Field(None, max_length=80)
    client_id: str = Field(max_length=128)
    decided_at: datetime
