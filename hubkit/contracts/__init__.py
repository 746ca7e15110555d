"""Everything the services say to each other: one model per event type, and who listens to which."""

from hubkit.contracts.agreement import AgreementChangedV1, ServiceListedV1
from hubkit.contracts.case import CaseAssessedV1, CaseExcludedV1, CaseOpenedV1, CaseTriagedV1
from hubkit.contracts.consent import ConsentRecordedV1, ConsentWithdrawnV1, DisclosureMadeV1
from hubkit.contracts.envelope import Contract, Event
from hubkit.contracts.onward import (
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralRecalledV1,
    OnwardReferralRefusedV1,
    OnwardReferralRequestedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    PathwayProposedV1,
)
from hubkit.contracts.referral import ReferralReceivedV1

#: Who listens to which event. Every service declares the whole topology, so that start order does not matter:
#: an event published before its consumer first ran already has a queue to wait in.
CONSUMERS: dict[type[Contract], tuple[str, ...]] = {
    ReferralReceivedV1: ("triage",),
    CaseOpenedV1: ("intake", "routing", "partners"),
    CaseTriagedV1: ("intake", "routing", "partners"),
    CaseExcludedV1: ("intake", "routing", "partners"),
    CaseAssessedV1: ("routing",),
    PathwayProposedV1: ("triage",),
    OnwardReferralRequestedV1: ("partners",),
    OnwardReferralRecalledV1: ("partners",),
    OnwardReferralSentV1: ("intake", "triage", "routing"),
    OnwardReferralRefusedV1: ("intake", "triage", "routing"),
    OnwardReferralAcceptedV1: ("intake", "triage", "routing"),
    OnwardReferralDeclinedV1: ("intake", "triage", "routing"),
    OnwardReferralWithdrawnV1: ("intake", "triage", "routing"),
    OnwardReferralClosedV1: ("intake", "triage", "routing"),
    ConsentRecordedV1: ("triage", "routing"),
    ConsentWithdrawnV1: ("triage",),
    DisclosureMadeV1: ("triage",),
    ServiceListedV1: ("routing",),
    AgreementChangedV1: ("routing",),
}

#: Events that nobody waits for: each is only noted by its consumers. They may wait a moment to travel together.
PATIENT = frozenset({
    PathwayProposedV1.TYPE,
    OnwardReferralSentV1.TYPE,
    ConsentRecordedV1.TYPE,
    DisclosureMadeV1.TYPE,
})  # fmt: skip

#: Every contract by its event type.
BY_TYPE: dict[str, type[Contract]] = {contract.TYPE: contract for contract in CONSUMERS}

__all__ = [
    "BY_TYPE",
    "CONSUMERS",
    "PATIENT",
    "AgreementChangedV1",
    "CaseAssessedV1",
    "CaseExcludedV1",
    "CaseOpenedV1",
    "CaseTriagedV1",
    "ConsentRecordedV1",
    "ConsentWithdrawnV1",
    "Contract",
    "DisclosureMadeV1",
    "Event",
    "OnwardReferralAcceptedV1",
    "OnwardReferralClosedV1",
    "OnwardReferralDeclinedV1",
    "OnwardReferralRecalledV1",
    "OnwardReferralRefusedV1",
    "OnwardReferralRequestedV1",
    "OnwardReferralSentV1",
    "OnwardReferralWithdrawnV1",
    "PathwayProposedV1",
    "ReferralReceivedV1",
    "ServiceListedV1",
]
