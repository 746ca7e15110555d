"""The message door: each event type goes to one action."""

from collections.abc import Sequence
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


def handlers(deps: Deps) -> dict[type[Contract], Handler]:
    """Return the handlers in the order in which a mixed batch is applied: directory, cases, news, consents."""

    async def opened(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.open_pathways(tx, deps, events)

    async def assessed(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred]:
        return await actions.add_needs(tx, deps, events)

    async def excluded(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.stop_pathways(tx, events)

    async def sent(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.note_sent(tx, deps, events)

    async def news(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.follow_onward(tx, deps, events)

    async def consented(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.note_consents(tx, events)

    async def listed(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.note_listings(tx, deps, events)

    async def agreed(tx: Tx, events: list[Event[Any]]) -> None:
        await actions.note_agreements(tx, deps, events)

    return {
        ServiceListedV1: listed,
        AgreementChangedV1: agreed,
        CaseOpenedV1: opened,
        CaseTriagedV1: opened,
        CaseAssessedV1: assessed,
        CaseExcludedV1: excluded,
        OnwardReferralSentV1: sent,
        OnwardReferralRefusedV1: news,
        OnwardReferralDeclinedV1: news,
        OnwardReferralAcceptedV1: news,
        OnwardReferralWithdrawnV1: news,
        OnwardReferralClosedV1: news,
        ConsentRecordedV1: consented,
    }
