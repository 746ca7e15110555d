"""The message door: each event type goes to one action."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hubkit.contracts import (
    AgreementChangedV1,
    CaseAssessedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    ConsentRecordedV1,
    Contract,
    Event,
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    ServiceListedV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.routing import actions
from services.routing.actions import Deps

#: News after which nobody else is asked.
PATIENT = (
    OnwardReferralSentV1,
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

    news = to(actions.follow_onward)
    return {
        ServiceListedV1: to(actions.note_listings),
        AgreementChangedV1: to(actions.note_agreements),
        CaseOpenedV1: to(actions.open_pathways),
        CaseTriagedV1: to(actions.open_pathways),
        CaseAssessedV1: to(actions.add_needs),
        CaseExcludedV1: actions.stop_pathways,
        OnwardReferralSentV1: to(actions.note_sent),
        OnwardReferralRefusedV1: news,
        OnwardReferralDeclinedV1: news,
        OnwardReferralAcceptedV1: news,
        OnwardReferralWithdrawnV1: news,
        OnwardReferralClosedV1: news,
        ConsentRecordedV1: actions.note_consents,
    }
