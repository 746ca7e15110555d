"""The message door: each event type goes to one action."""

from collections.abc import Sequence
from typing import Any

from hubkit.contracts import (
    ConsentRecordedV1,
    ConsentWithdrawnV1,
    Contract,
    DisclosureMadeV1,
    Event,
    MessageSettledV1,
    ObjectionRecordedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralAmendedV1,
    OnwardReferralChasedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
    PathwayProposedV1,
    ReferralReceivedV1,
    ReviewOpenedV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.triage.actions.consents import hear_consents
from services.triage.actions.deps import Deps
from services.triage.actions.messages import settle_messages
from services.triage.actions.reviews import open_reviews
from services.triage.actions.timeline import note_events
from services.triage.actions.triage import triage_referrals

#: What is said about a case goes to its timeline, where nobody waits for it.
PATIENT = (
    PathwayProposedV1,
    OnwardReferralSentV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralWithdrawnV1,
    OnwardReferralClosedV1,
    OnwardReferralAmendedV1,
    OnwardReferralChasedV1,
    DisclosureMadeV1,
)


def handlers(deps: Deps) -> dict[type[Contract], Handler]:
    """Return the handlers in the order in which a mixed batch is applied: cases first, then what is said about them."""

    async def received(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred]:
        return await triage_referrals(tx, deps, events)

    async def reviewed(tx: Tx, events: list[Event[Any]]) -> None:
        await open_reviews(tx, deps, events)

    async def settled(tx: Tx, events: list[Event[Any]]) -> None:
        await settle_messages(tx, deps, events)

    async def consented(tx: Tx, events: list[Event[Any]]) -> None:
        await hear_consents(tx, deps, events)

    async def noted(tx: Tx, events: list[Event[Any]]) -> None:
        await note_events(tx, events)

    return {
        ReferralReceivedV1: received,
        ReviewOpenedV1: reviewed,
        MessageSettledV1: settled,
        PathwayProposedV1: noted,
        OnwardReferralSentV1: noted,
        OnwardReferralReceivedV1: noted,
        OnwardReferralRefusedV1: noted,
        OnwardReferralAcceptedV1: noted,
        OnwardReferralDeclinedV1: noted,
        OnwardReferralWithdrawnV1: noted,
        OnwardReferralClosedV1: noted,
        ConsentRecordedV1: consented,
        ConsentWithdrawnV1: consented,
        OnwardReferralAmendedV1: noted,
        OnwardReferralChasedV1: noted,
        DisclosureMadeV1: noted,
        ObjectionRecordedV1: noted,
    }
