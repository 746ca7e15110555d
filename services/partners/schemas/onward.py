"""Bodies of onward referrals."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from hubkit.fields import BY_VALUE, StrictModel, code_of
from services.partners.model import DECLINE_REASONS, OUTCOMES
from services.partners.schemas.base import Answered


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


class Decline(StrictModel):
    """Why the partner does not take the person on."""

    reasons: Annotated[
        tuple[Annotated[str, code_of(DECLINE_REASONS, "reason")], ...],
        BY_VALUE,
        Field(min_length=1, max_length=10),
        AfterValidator(_distinct),
    ]


class Close(StrictModel):
    """How the partner's work with the person ended."""

    outcome: Annotated[str, code_of(OUTCOMES, "outcome")]


class OnwardSummary(Answered):
    """An onward referral without anything about the person."""

    id: UUID
    kind: str
    status: str
    version: int
    reasons: tuple[str, ...]
    outcome: str | None
    sent_at: datetime | None
    changed_at: datetime
    links: dict[str, str]


class DisclosureBody(Answered):
    """The person's fields that the gate allows this partner. `hash` is SHA-256 of `fields` as JSON, keys sorted."""

    id: UUID
    disclosed_at: datetime
    hash: str
    basis: str
    fields: dict[str, Any]


class OnwardDetail(OnwardSummary):
    """An onward referral with what is disclosed."""

    disclosure: DisclosureBody


class ActionBody(Answered):
    """One thing that a partner may do, or the codes of why not."""

    name: str
    allowed: bool
    reasons: tuple[str, ...]


class Actions(Answered):
    """What may be done now."""

    status: str
    version: int
    actions: list[ActionBody]
