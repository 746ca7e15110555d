"""Everything the services say to each other: one model per event type, and who listens to which."""

from hubkit.contracts.agreement import AgreementChangedV1, ServiceListedV1
from hubkit.contracts.case import (
    CaseAssessedV1,
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    MessageRequestedV1,
    MessageSettledV1,
    ReviewOpenedV1,
)
from hubkit.contracts.consent import ConsentRecordedV1, ConsentWithdrawnV1, DisclosureMadeV1
from hubkit.contracts.envelope import Contract, Event
from hubkit.contracts.onward import (
    OnwardReferralAcceptedV1,
    OnwardReferralAmendedV1,
    OnwardReferralChasedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralRecalledV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralRequestedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    PathwayProposedV1,
)
from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.contracts.rights import ObjectionRecordedV1, PersonErasedV1

#: Who listens to which event. Every service declares the whole topology, so that start order does not matter:
#: an event published before its consumer first ran already has a queue to wait in.
CONSUMERS: dict[type[Contract], tuple[str, ...]] = {
    ReferralReceivedV1: ("triage",),
    CaseOpenedV1: ("intake", "routing", "partners"),
    CaseTriagedV1: ("intake", "routing", "partners"),
    CaseExcludedV1: ("intake", "routing", "partners"),
    CaseAssessedV1: ("routing", "partners"),
    CaseClosedV1: ("intake", "routing", "partners"),
    ReviewOpenedV1: ("triage",),
    MessageRequestedV1: ("intake",),
    MessageSettledV1: ("triage",),
    PathwayProposedV1: ("triage",),
    OnwardReferralRequestedV1: ("partners",),
    OnwardReferralRecalledV1: ("partners",),
    OnwardReferralChasedV1: ("partners", "triage"),
    OnwardReferralSentV1: ("intake", "triage", "routing"),
    OnwardReferralReceivedV1: ("intake", "triage", "routing"),
    OnwardReferralRefusedV1: ("intake", "triage", "routing"),
    OnwardReferralAcceptedV1: ("intake", "triage", "routing"),
    OnwardReferralDeclinedV1: ("intake", "triage", "routing"),
    OnwardReferralWithdrawnV1: ("intake", "triage", "routing"),
    OnwardReferralClosedV1: ("intake", "triage", "routing"),
    OnwardReferralAmendedV1: ("triage",),
    ConsentRecordedV1: ("triage", "routing"),
    ConsentWithdrawnV1: ("triage",),
    DisclosureMadeV1: ("triage",),
    ObjectionRecordedV1: ("triage", "intake"),
    PersonErasedV1: ("partners",),
    ServiceListedV1: ("routing",),
    AgreementChangedV1: ("routing",),
}

#: Who says which event. It alone may: the broker's permissions are made from this table, and every inbox asks it.
PRODUCERS: dict[type[Contract], str] = {
    ReferralReceivedV1: "intake",
    CaseOpenedV1: "triage",
    CaseTriagedV1: "triage",
    CaseExcludedV1: "triage",
    CaseAssessedV1: "triage",
    CaseClosedV1: "triage",
    ReviewOpenedV1: "routing",
    MessageRequestedV1: "triage",
    MessageSettledV1: "intake",
    PersonErasedV1: "intake",
    PathwayProposedV1: "routing",
    OnwardReferralRequestedV1: "routing",
    OnwardReferralRecalledV1: "routing",
    OnwardReferralChasedV1: "routing",
    OnwardReferralSentV1: "partners",
    OnwardReferralReceivedV1: "partners",
    OnwardReferralRefusedV1: "partners",
    OnwardReferralAcceptedV1: "partners",
    OnwardReferralDeclinedV1: "partners",
    OnwardReferralWithdrawnV1: "partners",
    OnwardReferralClosedV1: "partners",
    OnwardReferralAmendedV1: "partners",
    ConsentRecordedV1: "partners",
    ConsentWithdrawnV1: "partners",
    DisclosureMadeV1: "partners",
    ObjectionRecordedV1: "partners",
    ServiceListedV1: "partners",
    AgreementChangedV1: "partners",
}

#: Events that nobody waits for: each is only noted by its consumers. They may wait a moment to travel together.
PATIENT = frozenset({
    PathwayProposedV1.TYPE,
    OnwardReferralSentV1.TYPE,
    OnwardReferralReceivedV1.TYPE,
    OnwardReferralAmendedV1.TYPE,
    ConsentRecordedV1.TYPE,
    DisclosureMadeV1.TYPE,
})  # fmt: skip

#: Every contract by its event type.
BY_TYPE: dict[str, type[Contract]] = {contract.TYPE: contract for contract in CONSUMERS}

__all__ = [
    "BY_TYPE",
    "CONSUMERS",
    "PATIENT",
    "PRODUCERS",
    "AgreementChangedV1",
    "CaseAssessedV1",
    "CaseClosedV1",
    "CaseExcludedV1",
    "CaseOpenedV1",
    "CaseTriagedV1",
    "ConsentRecordedV1",
    "ConsentWithdrawnV1",
    "Contract",
    "DisclosureMadeV1",
    "Event",
    "MessageRequestedV1",
    "MessageSettledV1",
    "ObjectionRecordedV1",
    "OnwardReferralAcceptedV1",
    "OnwardReferralAmendedV1",
    "OnwardReferralChasedV1",
    "OnwardReferralClosedV1",
    "OnwardReferralDeclinedV1",
    "OnwardReferralRecalledV1",
    "OnwardReferralReceivedV1",
    "OnwardReferralRefusedV1",
    "OnwardReferralRequestedV1",
    "OnwardReferralSentV1",
    "OnwardReferralWithdrawnV1",
    "PathwayProposedV1",
    "PersonErasedV1",
    "ReferralReceivedV1",
    "ReviewOpenedV1",
    "ServiceListedV1",
]
