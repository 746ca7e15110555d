"""Records what an assessment with the person found."""

from collections.abc import Collection
from uuid import UUID

from hubkit.contracts import CaseAssessedV1
from hubkit.db import Tx
from hubkit.errors import ConflictError, NotFoundError, PreconditionFailedError
from services.triage import store
from services.triage.actions.deps import Deps
from services.triage.model import CaseStatus
from services.triage.schemas import AssessmentView


async def record_assessment(
    tx: Tx, deps: Deps, case_id: UUID, version: int, needs: Collection[str], by: str
) -> AssessmentView:
    """Make `needs` all needs of an open case; a later correction of its referral does not change them.

    Parameters
    ----------
    version
        The version of the case that the caller has read.
    by
        The client that recorded it.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError
        No such case; it has another version; it is not open (`wrong_state`).
    """
    case = await store.lock_case(tx, case_id)
    if case is None:
        raise NotFoundError
    if case.version != version:
        raise PreconditionFailedError
    if case.status != CaseStatus.OPEN:
        raise ConflictError("Only an open case is assessed", code="wrong_state")
    found = sorted(set(needs))
    assessment_id = await store.store_assessment(tx, case, found, by, deps.versions)
    event = CaseAssessedV1(case_id=case_id, referral_id=case.referral_id, version=version + 1, needs=tuple(found))
    tx.emit(event, case_id)
    return AssessmentView(id=assessment_id, case_id=case_id, version=version + 1, needs=found, recorded_at=tx.now)
