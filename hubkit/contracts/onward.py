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

    Publisher: routing. Consumer: triage. `status` is one of requested, awaiting_consent, awaiting_choice,
    awaiting_lead, signposted, accepted, closed, exhausted, no_candidate, stopped, led_elsewhere. `service_id` is the
    service that is asked, has accepted or was named to the person, `team` which part of it; `reasons` say why a pathway
    waits or ended.
    """

    TYPE: ClassVar[str] = "pathway.proposed.v1"

    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    version: int
    need: str
    status: str
    candidates: tuple[CandidateFacts, ...] = ()
    service_id: UUID | None = None
    partner_id: UUID | None = None
    team: str | None = None
    onward_referral_id: UUID | None = None
    reasons: tuple[str, ...] = ()
    changed_at: datetime | None = None


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
    team: str | None = None


class OnwardReferralRecalledV1(Contract):
    """Routing takes a request back, for a `reason`.

    `no_answer` (the next is asked), `not_chosen` (the person chose another), `led_elsewhere` (another leads the case),
    `case_closed`, or `accepted_elsewhere`.

    Publisher: routing. Consumer: partners. `accepted_elsewhere` holds even where this partner has accepted meanwhile:
    another one has the person, and routing decides between them.
    """

    TYPE: ClassVar[str] = "onward_referral.recalled.v1"

    onward_referral_id: UUID
    pathway_id: UUID
    case_id: UUID
    reason: str


class OnwardReferralChasedV1(Contract):
    """Nobody has answered for a while: the partner is reminded, and staff see it.

    Publisher: routing. Consumers: partners, triage. `answer_due_at` is when the next service is asked.
    """

    TYPE: ClassVar[str] = "onward_referral.chased.v1"

    onward_referral_id: UUID
    pathway_id: UUID
    case_id: UUID
    partner_id: UUID
    chased_at: datetime
    answer_due_at: datetime | None = None


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


class OnwardReferralReceivedV1(OnwardReferralChanged):
    """The partner has it: it has read it, or has said that it arrived."""

    TYPE: ClassVar[str] = "onward_referral.received.v1"


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
    """The hub took it back.

    `status` is `withdrawn` for the person's decision or the end of the case, `expired` when nobody answered in time,
    and `recalled` when routing or staff do not want it any more.
    """

    TYPE: ClassVar[str] = "onward_referral.withdrawn.v1"


class OnwardReferralAmendedV1(Contract):
    """Fields changed that the partner had read: which, never how. It is told to read them again, through the gate.

    Publisher: partners. Consumer: triage. `number` counts the amendments of one onward referral. `change` is
    `rectified` where the partner's work had ended: it is told which fields, reads nothing, and is asked what it did;
    and `erased` where the hub holds the fields no more.
    """

    TYPE: ClassVar[str] = "onward_referral.amended.v1"

    onward_referral_id: UUID
    case_id: UUID
    partner_id: UUID
    number: int
    fields: tuple[str, ...]
    amended_at: datetime
    change: str | None = None


class OnwardReferralClosedV1(OnwardReferralChanged):
    """The partner's work has ended, with `outcome`."""

    TYPE: ClassVar[str] = "onward_referral.closed.v1"
