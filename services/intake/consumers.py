"""What intake hears: the decisions of triage, and the news of onward referrals."""

from collections.abc import Mapping
from typing import Any

from hubkit.contracts import (
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    Contract,
    Event,
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.intake.actions import progress

#: The status that a source may ask for is allowed to be a moment old.
PATIENT = (
    CaseOpenedV1,
    CaseTriagedV1,
    CaseExcludedV1,
    OnwardReferralSentV1,
    OnwardReferralRefusedV1,
    OnwardReferralAcceptedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralWithdrawnV1,
    OnwardReferralClosedV1,
)


def handlers() -> Mapping[type[Contract], Handler]:
    """Return the handler of each event type that intake listens to."""
    return {
        CaseOpenedV1: _decided,
        CaseTriagedV1: _decided,
        CaseExcludedV1: _decided,
        OnwardReferralSentV1: _onward,
        OnwardReferralRefusedV1: _onward,
        OnwardReferralAcceptedV1: _onward,
        OnwardReferralDeclinedV1: _onward,
        OnwardReferralWithdrawnV1: _onward,
        OnwardReferralClosedV1: _onward,
    }


async def _decided(tx: Tx, events: list[Event[Any]]) -> list[Deferred]:
    return await progress.record_decisions(tx, events)


async def _onward(tx: Tx, events: list[Event[Any]]) -> None:
    await progress.record_onward(tx, events)
