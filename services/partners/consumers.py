"""The message door of partners."""

from collections.abc import Sequence
from typing import Any

from hubkit.contracts import (
    CaseAssessedV1,
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    Contract,
    Event,
    OnwardReferralChasedV1,
    OnwardReferralRecalledV1,
    OnwardReferralRequestedV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.partners.actions.amendments import note_assessments
from services.partners.actions.cases import close_cases, exclude_cases, open_cases
from services.partners.actions.deps import Deps
from services.partners.actions.onward import recall_onward, request_onward
from services.partners.actions.reminders import remind

#: A case that is opened goes along with the first request for it, which comes a moment later.
PATIENT = (CaseOpenedV1,)


def handlers(deps: Deps) -> dict[type[Contract], Handler]:
    """Return what partners does with each event; cases first, since onward referrals build on them."""

    async def on_case(tx: Tx, events: list[Event[Any]]) -> None:
        await open_cases(tx, deps, events)

    async def on_exclusion(tx: Tx, events: list[Event[Any]]) -> None:
        await exclude_cases(tx, deps, events)

    async def on_closing(tx: Tx, events: list[Event[Any]]) -> None:
        await close_cases(tx, deps, events)

    async def on_assessment(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred]:
        return await note_assessments(tx, deps, events)

    async def on_request(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred]:
        return await request_onward(tx, deps, events)

    async def on_recall(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred]:
        return await recall_onward(tx, deps, events)

    async def on_chase(tx: Tx, events: list[Event[Any]]) -> None:
        await remind(tx, deps, events)

    return {
        CaseOpenedV1: on_case,
        CaseTriagedV1: on_case,
        CaseExcludedV1: on_exclusion,
        CaseClosedV1: on_closing,
        CaseAssessedV1: on_assessment,
        OnwardReferralRequestedV1: on_request,
        OnwardReferralRecalledV1: on_recall,
        OnwardReferralChasedV1: on_chase,
    }
