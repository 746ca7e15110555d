"""The message door of partners."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

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
    PersonErasedV1,
)
from hubkit.db import Tx
from hubkit.inbox import Deferred, Handler
from services.partners.actions.amendments import note_assessments, note_erasures
from services.partners.actions.cases import close_cases, exclude_cases, open_cases
from services.partners.actions.deps import Deps
from services.partners.actions.onward import recall_onward, request_onward
from services.partners.actions.reminders import remind

#: A case that is opened goes along with the first request for it, which comes a moment later.
PATIENT = (CaseOpenedV1,)


_ACTIONS: Final[dict[type[Contract], Callable[[Tx, Deps, list[Event[Any]]], Awaitable[list[Deferred] | None]]]] = {
    CaseOpenedV1: open_cases,
    CaseTriagedV1: open_cases,
    CaseExcludedV1: exclude_cases,
    CaseClosedV1: close_cases,
    CaseAssessedV1: note_assessments,
    OnwardReferralRequestedV1: request_onward,
    OnwardReferralRecalledV1: recall_onward,
    OnwardReferralChasedV1: remind,
    PersonErasedV1: note_erasures,
}


def handlers(deps: Deps) -> dict[type[Contract], Handler]:
    """Return what partners does with each event; cases first, since onward referrals build on them."""
    return {contract: _with(deps, action) for contract, action in _ACTIONS.items()}


def _with(deps: Deps, action: Callable[[Tx, Deps, list[Event[Any]]], Awaitable[list[Deferred] | None]]) -> Handler:
    async def handle(tx: Tx, events: list[Event[Any]]) -> Sequence[Deferred] | None:
        return await action(tx, deps, events)

    return handle
