"""What is said when a person uses their rights."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract


class PersonErasedV1(Contract):
    """Everything that the hub held of the person of one referral has been deleted; codes stay.

    Publisher: intake. Consumer: partners, which tells every recipient (UK GDPR article 19).
    """

    TYPE: ClassVar[str] = "person.erased.v1"

    referral_id: UUID
    erased_at: datetime


class ObjectionRecordedV1(Contract):
    """The person objects to a use of their data, and the hub has decided on it.

    Publisher: partners. Consumers: triage, intake. `to` is all, messages, a kind of partner or a partner's id, and
    `outcome` upheld or refused. What is upheld about partners is a refusal in the consents as well; what is upheld
    about messages means that none is sent any more.
    """

    TYPE: ClassVar[str] = "objection.recorded.v1"

    objection_id: UUID
    case_id: UUID
    referral_id: UUID
    to: str
    reason: str
    outcome: str
    decided_at: datetime
