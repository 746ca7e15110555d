"""Bodies of onward referrals."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from hubkit.fields import StrictModel, code_of
from services.partners.model import DECLINE_REASONS, OUTCOMES, RECALL_REASONS, Onward
from services.partners.schemas.base import Answered, Distinct


class Decline(StrictModel):
    """Why the partner does not take the person on."""

    reasons: Annotated[Distinct[Annotated[str, code_of(DECLINE_REASONS, "reason")]], Field(min_length=1, max_length=10)]


class Close(StrictModel):
    """How the partner's work with the person ended."""

    outcome: Annotated[str, code_of(OUTCOMES, "outcome")]


class Recall(StrictModel):
    """Why hub staff take it back."""

    reason: Annotated[str, code_of(RECALL_REASONS, "reason")]


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
    """The person's fields that the gate allows this partner.

    `hash` is SHA-256 of `fields` as JSON (UTF-8, no spaces, keys sorted at every level); where other services are told
    of, with `other_services` in it.
    """

    id: UUID
    disclosed_at: datetime
    hash: str
    basis: str
    fields: dict[str, Any]


class OnwardDetail(OnwardSummary):
    """An onward referral with what is disclosed.

    `other_services` are the names of those that help the person too, where the hub tells of them.
    """

    other_services: tuple[str, ...]
    disclosure: DisclosureBody


def summary(row: Onward) -> OnwardSummary:
    """Return an onward referral as its partner and the hub see it."""
    return OnwardSummary(**_parts(row))


def detail(row: Onward, disclosed: object, other_services: tuple[str, ...]) -> OnwardDetail:
    """Return an onward referral with what is disclosed, which has the attributes of `DisclosureBody`."""
    return OnwardDetail(
        **_parts(row), other_services=other_services, disclosure=DisclosureBody.model_validate(disclosed)
    )


def _parts(row: Onward) -> dict[str, Any]:
    path = f"/v1/onward-referrals/{row.id}"
    return {
        "id": row.id,
        "kind": row.kind,
        "status": str(row.status),
        "version": row.version,
        "reasons": row.reasons,
        "outcome": row.outcome,
        "sent_at": row.sent_at,
        "changed_at": row.changed_at,
        "links": {"self": path, "actions": f"{path}/actions"},
    }


class Coded(Answered):
    """A code and what it means."""

    code: str
    text: str


class ActionBody(Answered):
    """One thing that a partner may do, or the codes of why not.

    `options` are the codes that go with it: the reasons of `decline`, the outcomes of `close`.
    """

    name: str
    allowed: bool
    reasons: tuple[str, ...]
    options: list[Coded]


class Actions(Answered):
    """What may be done now. `reasons` are why it stands where it stands."""

    status: str
    version: int
    reasons: list[Coded]
    actions: list[ActionBody]
