"""What intake hears: the decisions of triage, the messages it asks for, and the news of onward referrals."""

from collections.abc import Callable, Mapping
from typing import Any

from hubkit.contracts import (
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    Contract,
    Event,
    MessageRequestedV1,
    ObjectionRecordedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.intake.actions import messages, progress

#: The status that a source may ask for is allowed to be a moment old, and so is a message.
PATIENT = (
    CaseOpenedV1,
    CaseTriagedV1,
    CaseExcludedV1,
    CaseClosedV1,
    MessageRequestedV1,
    OnwardReferralSentV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralWithdrawnV1,
    OnwardReferralClosedV1,
)


def handlers(wake: Callable[[], None]) -> Mapping[type[Contract], Handler]:
    """Return the handler of each event type that intake listens to; `wake` is called when a message is to be sent."""

    async def requested(tx: Tx, events: list[Event[Any]]) -> list[Deferred]:
        tx.after_commit(wake)
        return await messages.request_messages(tx, events)

    return {
        CaseOpenedV1: _decided,
        CaseTriagedV1: _decided,
        CaseExcludedV1: _decided,
        MessageRequestedV1: requested,
        CaseClosedV1: _closed,
        ObjectionRecordedV1: _objected,
        OnwardReferralSentV1: _onward,
        OnwardReferralReceivedV1: _onward,
        OnwardReferralRefusedV1: _onward,
        OnwardReferralAcceptedV1: _onward,
        OnwardReferralDeclinedV1: _onward,
        OnwardReferralWithdrawnV1: _onward,
        OnwardReferralClosedV1: _onward,
    }


async def _decided(tx: Tx, events: list[Event[Any]]) -> list[Deferred]:
    return await progress.record_decisions(tx, events)


async def _closed(tx: Tx, events: list[Event[Any]]) -> None:
    await messages.stop_closed(tx, events)


async def _objected(tx: Tx, events: list[Event[Any]]) -> None:
    await messages.heed_objections(tx, events)


async def _onward(tx: Tx, events: list[Event[Any]]) -> None:
    await progress.record_onward(tx, events)
