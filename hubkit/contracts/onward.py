"""What routing and partners say about pathways and onward referrals."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract
from hubkit.contracts.referral import Facts


class CandidateFacts(Facts):
    """One service in a pathway: why it may take the person, or why not."""

    service_id: UUID
    partner_id: UUID
    eligible: bool
    reasons: tuple[str, ...] = ()


class PathwayProposedV1(Contract):
    """Routing ordered the services for one need, or has none left.

    Publisher: routing. Consumer: triage. `status` is one of requested, awaiting_consent, accepted, closed, exhausted,
    no_candidate, stopped.
    """

    TYPE: ClassVar[str] = "pathway.proposed.v1"

    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    version: int
    need: str
    status: str
    candidates: tuple[CandidateFacts, ...] = ()


class OnwardReferralRequestedV1(Contract):
    """Routing asks partners to refer a person to one service. Nothing is disclosed by it; the gate decides.

    Publisher: routing. Consumer: partners.
    """

    TYPE: ClassVar[str] = "onward_referral.requested.v1"

    onward_referral_id: UUID
    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    kind: str
    partner_id: UUID
    service_id: UUID


class OnwardReferralRecalledV1(Contract):
    """Routing takes a request back: `reason` is `no_answer` (the next is asked) or `accepted_elsewhere`.

    Publisher: routing. Consumer: partners. `accepted_elsewhere` holds even where this partner has accepted meanwhile:
    another one has the person, and routing decides between them.
    """

    TYPE: ClassVar[str] = "onward_referral.recalled.v1"

    onward_referral_id: UUID
    pathway_id: UUID
    case_id: UUID
    reason: str


class OnwardReferralChanged(Contract):
    """What all news of an onward referral carries.

    Publisher: partners. Consumers: intake, triage, routing. `version` grows by one with every change, so that a reader
    keeps the newest; 1 is the gate's first answer, which is told when it is no. `reasons` are codes of the gate or of
    the partner.
    """

    onward_referral_id: UUID
    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    kind: str
    partner_id: UUID
    service_id: UUID
    status: str
    version: int
    changed_at: datetime
    reasons: tuple[str, ...] = ()
    outcome: str | None = None


class OnwardReferralSentV1(OnwardReferralChanged):
    """The partner has been told: its endpoint took the webhook, or the onward referral waits in its inbox."""

    TYPE: ClassVar[str] = "onward_referral.sent.v1"


class OnwardReferralRefusedV1(OnwardReferralChanged):
    """The gate refused. `status` is `awaiting_consent` when the person's consent would mend it, else `refused`."""

    TYPE: ClassVar[str] = "onward_referral.refused.v1"


class OnwardReferralAcceptedV1(OnwardReferralChanged):
    """The partner takes the person on."""

    TYPE: ClassVar[str] = "onward_referral.accepted.v1"


class OnwardReferralDeclinedV1(OnwardReferralChanged):
    """The partner does not take the person on; `reasons` says why."""

    TYPE: ClassVar[str] = "onward_referral.declined.v1"


class OnwardReferralWithdrawnV1(OnwardReferralChanged):
    """The hub took it back: consent withdrawn, case excluded, or no longer needed."""

    TYPE: ClassVar[str] = "onward_referral.withdrawn.v1"


class OnwardReferralClosedV1(OnwardReferralChanged):
    """The partner's work has ended, with `outcome`."""

    TYPE: ClassVar[str] = "onward_referral.closed.v1"
