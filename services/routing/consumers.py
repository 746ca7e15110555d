"""The message door: each event type goes to one action."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hubkit.contracts import (
    AgreementChangedV1,
    CaseAssessedV1,
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    ConsentRecordedV1,
    Contract,
    Event,
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    ServiceListedV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.routing.actions import cases, directory, onward
from services.routing.actions.deps import Deps

#: News after which nobody else is asked.
PATIENT = (
    OnwardReferralSentV1,
    OnwardReferralReceivedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralWithdrawnV1,
    OnwardReferralClosedV1,
)


Action = Callable[[Tx, Deps, Sequence[Event[Any]]], Awaitable[Sequence[Deferred] | None]]


def handlers(deps: Deps) -> dict[type[Contract], Handler]:
    """Return the handlers in the order in which a mixed batch is applied: directory, cases, news, consents."""

    def to(action: Action) -> Handler:
        async def handle(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred] | None:
            return await action(tx, deps, events)

        return handle

    news = to(onward.follow_onward)
    return {
        ServiceListedV1: to(directory.note_listings),
        AgreementChangedV1: to(directory.note_agreements),
        CaseOpenedV1: to(cases.open_pathways),
        CaseTriagedV1: to(cases.open_pathways),
        CaseAssessedV1: to(cases.add_needs),
        CaseExcludedV1: to(cases.stop_pathways),
        CaseClosedV1: to(cases.close_pathways),
        OnwardReferralSentV1: to(onward.note_sent),
        OnwardReferralReceivedV1: to(onward.note_received),
        OnwardReferralRefusedV1: news,
        OnwardReferralDeclinedV1: news,
        OnwardReferralAcceptedV1: news,
        OnwardReferralWithdrawnV1: news,
        OnwardReferralClosedV1: news,
        ConsentRecordedV1: to(onward.note_consents),
    }
