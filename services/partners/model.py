"""The words of partners: states, codes, and the values that its rooms hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

#: The webhook types that a partner's endpoint may ask for.
SENT = "onward_referral.sent"
WITHDRAWN = "onward_referral.withdrawn"
AMENDED = "onward_referral.amended"
REMINDER = "onward_referral.reminder"
RECTIFIED = "onward_referral.rectified"
NOTICE_TYPES = (SENT, WITHDRAWN, AMENDED, REMINDER, RECTIFIED)
#: News that goes out only while the gate allows the partner to read: each attempt has a permit.
GATED = frozenset({SENT, AMENDED, REMINDER})
#: The types that are about an endpoint itself, which every endpoint is told.
VERIFICATION = "endpoint.verification"
TEST = "endpoint.test"
ENDPOINT_TYPES = (VERIFICATION, TEST)

#: What a webhook carries, as the agreement says: a link alone, or with it what is disclosed, encrypted.
THIN, FULL = "thin", "full"
DELIVERIES = frozenset({THIN, FULL})
#: News that carries what is disclosed where the agreement says so.
CARRYING = frozenset({SENT, AMENDED})
#: Why an attempt was thin although the agreement says full.
NO_ENCRYPTION_KEY, TOO_LARGE = "no_encryption_key", "too_large"
#: Why a full one waits, and is not sent thin instead: intake does not answer.
DETAILS_UNAVAILABLE = "details_unavailable"

SERVICE_STATUSES = frozenset({"active", "suspended"})
#: Where a service sits; by whom and how it is reached.
LOCATIONS = frozenset({"in_house", "co_located", "hot_desk", "external"})
ROUTES = frozenset({"refer", "signpost"})
SHARES = frozenset({"case_data", "referral_data", "nothing"})
#: `approved` is what an active agreement is called before its first day; it is not stored.
AGREEMENT_STATUSES = frozenset({"draft", "approved", "active", "suspended", "ended"})
#: What a party to an agreement is under the UK GDPR (articles 4(7), 4(8) and 26).
PARTY_ROLES = frozenset({"controller", "joint_controller", "processor"})
#: Conditions for special category data: UK GDPR article 9(2)(a) to (j).
SPECIAL_CATEGORY_CONDITIONS = frozenset({
    "explicit_consent", "employment_social_protection", "vital_interests", "not_for_profit_body", "made_public",
    "legal_claims", "substantial_public_interest", "health_social_care", "public_health", "archiving_research",
})  # fmt: skip

#: Why a partner does not take a person on.
DECLINE_REASONS: Final[Mapping[str, str]] = {
    "capacity_full": "it has no room",
    "outside_area": "the person lives outside its area",
    "outside_criteria": "the person does not meet its criteria",
    "already_supported": "it supports the person already",
    "duplicate": "it has this referral already",
    "no_contact_details": "there is no way to reach the person",
    "wrong_contact_details": "the contact details are wrong",
    "unsafe_to_contact": "the person cannot be contacted safely",
    "contact_inappropriate": "it would not be right to contact the person",
    "person_declined": "the person does not want its support",
    "not_reached": "the person was not reached",
    "deceased": "the person has died",
}
#: How a partner's work with a person ended.
OUTCOMES: Final[Mapping[str, str]] = {
    "completed": "the support was completed",
    "partly_completed": "the support was partly completed",
    "person_ended": "the person ended it",
    "not_reached": "the person was not reached",
    "moved_away": "the person moved away",
    "passed_on": "another service went on with it",
    "deceased": "the person has died",
}
#: Why hub staff take an onward referral back.
RECALL_REASONS: Final[Mapping[str, str]] = {
    "not_needed": "the support is not needed any more",
    "sent_in_error": "it should not have been sent",
    "wrong_service": "another service is the right one",
    "unsafe_for_person": "it would not be safe for the person",
}
#: Why routing takes an onward referral back.
ROUTING_REASONS: Final[Mapping[str, str]] = {
    "no_answer": "nobody answered in time",
    "not_chosen": "the person chose another service",
    "led_elsewhere": "another service leads the case",
    "accepted_elsewhere": "another service has the person",
    "case_closed": "the hub's work has ended",
}
#: Why the gate refuses.
GATE_REASONS: Final[Mapping[str, str]] = {
    "address_protected": "the address is kept safe",
    "agreement_expired": "the data sharing agreement has ended",
    "agreement_missing": "there is no data sharing agreement",
    "agreement_not_started": "the data sharing agreement has not begun",
    "agreement_suspended": "the data sharing agreement is suspended",
    "anonymity_protected": "the law protects who the person is",
    "case_closed": "the hub's work has ended",
    "case_restricted": "the case is restricted to named partners",
    "best_interests_missing": "nobody has recorded that it is in the person's best interests",
    "capacity_lacking": "the person lacks the capacity to consent, and nobody may do it for them",
    "capacity_not_assessed": "whether the person can consent has not been assessed",
    "case_excluded": "the hub does not take the case on",
    "competence_missing": "whether the child can consent has not been assessed, and no parent has consented",
    "consent_expired": "the person's consent has run out",
    "consent_missing": "the person's consent is not recorded",
    "consent_refused": "the person refused",
    "consent_withdrawn": "the person took the consent back",
    "crime_type_excluded": "the agreement excludes this kind of crime",
    "data_category_not_covered": "consent and agreement have no data category in common",
    "giver_not_entitled": "who gave the consent may not give it",
    "not_in_agreement": "the agreement does not cover this field",
    "not_in_consent": "the consent does not cover this field",
    "not_in_decision": "the safeguarding decision does not cover this field",
    "not_in_service": "nothing is shared with this service",
    "partner_suspended": "the partner is suspended",
    "purpose_not_covered": "the agreement does not cover this purpose",
    "ring_fenced": "the data is ring-fenced from this organisation",
    "safeguarding_not_approved": "no second person has approved the safeguarding decision",
}
#: Why somebody may not do something now.
ACTION_REASONS: Final[Mapping[str, str]] = {
    "wrong_state": "the onward referral is in another state",
    "insufficient_scope": "the client's token does not allow it",
}
#: Every coded reason with its words.
REASONS: Final[Mapping[str, str]] = {
    **DECLINE_REASONS,
    **OUTCOMES,
    **RECALL_REASONS,
    **ROUTING_REASONS,
    **GATE_REASONS,
    **ACTION_REASONS,
}

#: Words of the public directory. Source: Open Referral UK 3.0 and RFC 5545, section 3.3.10.
PUBLIC_STATUSES = frozenset({"active", "inactive", "defunct", "temporarily closed"})
PLACE_TYPES = frozenset({"physical", "postal", "virtual"})
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
#: In what order the public directory may be read.
SORTS = frozenset({"added", "name", "modified"})
LANGUAGES = frozenset({"en", "cy"})
#: Who gives a consent. Source: the facts on consent (reference `domain.md`, section 5); the Mental Capacity Act 2005
#: for the last two.
GIVERS = frozenset({"self", "parent", "attorney", "court_deputy"})
CAPACITIES = frozenset({"presumed", "assessed_has", "assessed_lacks"})
COMPETENCES = frozenset({"gillick_assessed", "gillick_not_met"})
INTERPRETERS = frozenset({"none", "professional", "sign_language", "informal"})
#: On what something goes out without consent. Source: the same, section 3: vital interests (UK GDPR articles 6(1)(d),
#: 9(2)(c)), DPA 2018 schedule 1 paragraph 18 (children, individuals at risk), an order of a court.
LEGAL_GROUNDS = frozenset({
    "vital_interests", "safeguarding_of_children", "safeguarding_of_individuals_at_risk", "court_order",
})  # fmt: skip
#: Whether the person was told of a disclosure without consent, or why not.
PERSON_TOLD = frozenset({"told", "to_be_told", "not_told_unsafe"})
#: What a partner did with the data of somebody who took consent back.
STATEMENTS = frozenset({"deleted", "returned", "retained_by_law"})
#: What became of data that a partner had received, as it is told; and what it did about it.
CORRECTED, ERASED = "rectified", "erased"
ERASED_STATEMENTS = STATEMENTS | {"retained_own_purpose"}
RECTIFIED_STATEMENTS = ERASED_STATEMENTS | {CORRECTED}


class Status(StrEnum):
    """Where an onward referral stands. `requested` is the beginning and never stored: the gate answers at once."""

    REQUESTED = "requested"
    AWAITING_CONSENT = "awaiting_consent"
    REFUSED = "refused"
    READY = "ready"
    SENT = "sent"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    IN_SUPPORT = "in_support"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    RECALLED = "recalled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Onward:
    """One onward referral as it is stored. `team` is the part of the service, `basis` that of the gate's last yes."""

    id: UUID
    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    kind: str
    partner_id: UUID
    service_id: UUID
    team: str | None
    status: Status
    version: int
    reasons: tuple[str, ...]
    outcome: str | None
    basis: str | None
    created_at: datetime
    changed_at: datetime
    ready_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Portion:
    """What a full webhook is to carry: fields of the person of a referral, as the gate has just allowed them."""

    referral_id: UUID
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rectification:
    """What became of data that a partner had received: which fields, by name, were `rectified` or `erased` at the hub.

    It is the amendment of this number; the partner is to say until `acknowledge_by` what it did about it.
    """

    change: str
    number: int
    fields: tuple[str, ...]
    acknowledge_by: datetime


@dataclass(frozen=True, slots=True)
class GateResult:
    """The gate's answer for one onward referral: allowed with the permit for one attempt, or refused with codes.

    `portion` comes with a yes where the agreement says that webhooks carry the disclosure.
    """

    allowed: bool
    reasons: tuple[str, ...] = ()
    permit_id: UUID | None = None
    portion: Portion | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which services somebody asks the public directory for; None does not limit.

    `search` is looked for as it is written: no character of it stands for others.
    """

    search: str | None = None
    kind: str | None = None
    term: UUID | None = None
    taxonomy: UUID | None = None
    area: str | None = None
    organisation_id: UUID | None = None
    minimum_age: int | None = None
    maximum_age: int | None = None
    modified_after: datetime | None = None
    day: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    sort: str = "added"


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries a list shows; None means all."""

    partner_id: UUID | None = None
    state: str | None = None
    endpoint_id: UUID | None = None
    onward_referral_id: UUID | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One service as the directory may know it, with everything that decides whether it is shown."""

    service_id: UUID
    partner_id: UUID
    document: dict[str, Any]
    organisation: dict[str, Any]
    modified_at: datetime
    is_public: bool
    is_confidential: bool
    is_service_active: bool
    is_partner_public: bool
    is_partner_confidential: bool
    is_partner_active: bool


#: Why a person objects, and on what ground the hub may go on all the same (UK GDPR Article 21(1)).
OBJECTION_REASONS = frozenset({
    "does_not_want_support", "does_not_want_sharing", "does_not_want_contact", "unsafe", "other_situation",
})  # fmt: skip
OBJECTION_GROUNDS = frozenset({"compelling_grounds", "legal_claims", "safeguarding"})
#: Whom an objection may be about beside a kind of partner or a partner.
ALL, MESSAGES = "all", "messages"

#: Why a victim information request is refused, in whole or in part (Police, Crime, Sentencing and Courts Act 2022,
#: sections 44A to 44F, and its code of practice).
REFUSAL_GROUNDS = frozenset({
    "not_necessary", "not_proportionate", "not_relevant", "not_held", "blanket_request", "counselling_presumption",
})  # fmt: skip
#: What can be asked for beside the fields of a person.
RECORDS = frozenset({"assessment", "case_notes", "contact_records", "counselling_notes"})
COUNSELLING = "counselling_notes"
#: How the victim was told of a request, and why not.
NOTICE_METHODS = frozenset({"written", "spoken", "online", "by_representative"})
NO_NOTICE = frozenset({"would_prejudice_enquiry", "risk_of_harm", "not_reachable", "lacks_capacity", "deceased"})
