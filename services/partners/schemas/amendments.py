"""Bodies of amendments and receipts."""

from datetime import datetime
from uuid import UUID

from services.partners.schemas.base import Answered


class AmendmentBody(Answered):
    """What changed after it had been read: names of fields, never values. `fetched_at`: when it was read again."""

    id: UUID
    number: int
    fields: tuple[str, ...]
    made_at: datetime
    fetched_at: datetime | None


class ReceiptBody(Answered):
    """One reading: which fields were answered on what basis, and the hash of what was answered; never the values.

    So is what a webhook carried, with its id as `delivery_id`, whether or not it arrived. `hash` is that of the
    disclosure, so that both sides can show that they speak of the same content.
    """

    id: UUID
    disclosed_at: datetime
    hash: str
    fields: tuple[str, ...]
    basis: str
    agreement_id: UUID
    agreement_version: int
    referral_version: int
    delivery_id: UUID | None
