"""What is said when a person uses their rights."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract


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
