"""The register of victim information requests: each is kept, decided once, and nothing goes out by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.db import Tx
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.policy import information as policy
from services.partners.store import cases, rights

#: What staff wrote in words of their own: sealed, and never in a log.
_SEALED: Final = ("officer_reference", "information", "reason", "line_of_enquiry", "rebuttal")
_TABLE: Final = "information_request"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided. `ground` is why all, or the rest of what was asked, is refused."""

    outcome: str
    fields: tuple[str, ...]
    ground: str | None
    decided_by: str


async def register_request(
    tx: Tx, deps: Deps, caller: Caller, case_id: UUID, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Keep a request as it came; one for everything is refused with it. Returns it with its decision.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `in_the_future`.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    faults = [
        FieldError(f"/{name}", "in_the_future", "must not be in the future")
        for name in ("received_at", "notified_at")
        if asked[name] is not None and asked[name] > tx.now
    ]
    if faults:
        raise InvalidError(errors=faults)
    row = _row(tx, deps, caller, case_id, asked)
    await rights.add_request(tx, row)
    decision = None
    if row["is_blanket"]:
        refusal = Decision(policy.REFUSED, (), policy.BLANKET, "")
        decision = await _decide(tx, caller, row["id"], case_id, refusal)
    return _opened(deps, row) | {"decision": decision}


async def decide_request(
    tx: Tx, deps: Deps, caller: Caller, case_id: UUID, request_id: UUID, decision: Decision
) -> dict[str, Any]:
    """Decide a request, once; returns it with its decision. A ring-fence stays as it is for everybody else.

    Raises
    ------
    NotFoundError
        When there is no such request about this case.
    ConflictError
        `already_decided`.
    InvalidError
        `nothing_released`, `not_asked_for`, `needed_for_the_rest`, `written_request_missing`,
        `counselling_presumption`, `needed_with_refusal`, `refused_with_fields`.
    """
    found = await rights.lock_request(tx, case_id, request_id)
    if found is None:
        raise NotFoundError
    if await rights.decisions_of(tx, [request_id]):
        raise ConflictError("This request has been decided", code="already_decided")
    asked = policy.Asked(
        fields=frozenset(found.asked),
        is_blanket=found.is_blanket,
        is_written=found.written_request_held,
        is_counselling=found.counselling,
        is_rebutted=found.rebuttal is not None,
    )
    faults = policy.faults(asked, decision.outcome, decision.fields, decision.ground)
    if faults:
        raise InvalidError(errors=[FieldError(pointer, code, _WHY[code]) for pointer, code in faults])
    made = await _decide(tx, caller, request_id, case_id, decision)
    return _opened(deps, found.model_dump()) | {"decision": made}


_WHY: Final = {
    "nothing_released": "names what is released",
    "not_asked_for": "must only name what was asked for",
    "needed_for_the_rest": "is needed where not all is released that was asked for",
    "written_request_missing": "nothing is released without a written request",
    "counselling_presumption": "counselling information is released only where the presumption is rebutted",
    "needed_with_refusal": "is needed with a refusal",
    "refused_with_fields": "must be empty with a refusal",
}


async def list_requests(
    tx: Tx, deps: Deps, case_id: UUID, after: UUID | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Return the requests about a case with their decisions, oldest first.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    found = await rights.requests_in(tx, case_id, after, limit)
    decisions = await rights.decisions_of(tx, [each.id for each in found])
    return [_opened(deps, each.model_dump()) | {"decision": decisions.get(each.id)} for each in found]


async def _decide(tx: Tx, caller: Caller, request_id: UUID, case_id: UUID, decision: Decision) -> dict[str, Any]:
    row = {
        "id": new_id(),
        "request_id": request_id,
        "case_id": case_id,
        "outcome": decision.outcome,
        "released": list(decision.fields),
        "ground": decision.ground,
        "decided_by": decision.decided_by or None,
        "client_id": caller.client_id,
        "decided_at": tx.now,
    }
    await rights.add_decision(tx, row)
    return row


def _row(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, asked: Mapping[str, Any]) -> dict[str, Any]:
    id = new_id()
    sealer = deps.keyring.record(_TABLE, id)
    plain = {name: value for name, value in asked.items() if name not in (*_SEALED, "everything")}
    sealed = {name: sealer.seal(name, asked[name]) if asked[name] is not None else None for name in _SEALED}
    received_at: datetime = asked["received_at"] or tx.now
    return {
        **plain,
        **sealed,
        "id": id,
        "case_id": case_id,
        "asked": list(asked["asked"]),
        "is_blanket": asked["everything"],
        "client_id": caller.client_id,
        "received_at": received_at,
        "created_at": tx.now,
    }


def _opened(deps: Deps, row: Mapping[str, Any]) -> dict[str, Any]:
    sealer = deps.keyring.record(_TABLE, row["id"])
    texts = {name: sealer.open_text(name, row[name]) if row[name] is not None else None for name in _SEALED}
    return {**row, **texts}
