"""What partners says about consent and disclosure."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract


class ConsentRecordedV1(Contract):
    """The person decided on one hop: given or refused. Without recipients it is about all of them.

    Publisher: partners. Consumers: triage, routing. Routing opens pathways again that had stopped for want of consent.
    """

    TYPE: ClassVar[str] = "consent.recorded.v1"

    consent_id: UUID
    case_id: UUID
    hop: str
    decision: str
    recipients: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    recorded_at: datetime


class ConsentWithdrawnV1(ConsentRecordedV1):
    """The person took a consent back; what was queued has stopped.

    Publisher: partners. Consumer: triage.
    """

    TYPE: ClassVar[str] = "consent.withdrawn.v1"


class DisclosureMadeV1(Contract):
    """A partner received fields of a person: which, on which basis, under which agreement. Never the values.

    Publisher: partners. Consumer: triage.
    """

    TYPE: ClassVar[str] = "disclosure.made.v1"

    disclosure_id: UUID
    onward_referral_id: UUID
    case_id: UUID
    partner_id: UUID
    fields: tuple[str, ...]
    basis: str
    agreement_id: UUID
    agreement_version: int
    disclosed_at: datetime
