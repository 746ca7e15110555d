"""Bodies of partners and agreements."""

from datetime import date
from typing import Annotated
from uuid import UUID

from hubkit.fields import LocalDate, StrictModel, code_of
from services.partners.model import AGREEMENT_STATUSES
from services.partners.schemas.base import Answered


class AgreementTerms(StrictModel):
    """What of an agreement changes with time. Both dates are local and inclusive; `ends_on` null means open-ended."""

    status: Annotated[str, code_of(AGREEMENT_STATUSES, "agreement status")]
    starts_on: LocalDate
    ends_on: LocalDate | None = None


class ServiceBody(Answered):
    """A support service of a partner."""

    id: UUID
    kind: str
    name: str
    status: str


class PartnerBody(Answered):
    """A partner organisation with its services."""

    id: UUID
    organisation: str
    name: str
    status: str
    services: list[ServiceBody]


class AgreementBody(Answered):
    """A data sharing agreement."""

    id: UUID
    partner_id: UUID
    version: int
    status: str
    lawful_basis: str
    purposes: tuple[str, ...]
    data_categories: tuple[str, ...]
    crimes_excluded: tuple[str, ...]
    starts_on: date
    ends_on: date | None
