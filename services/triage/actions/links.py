"""Links cases that belong together, such as those of one household, without merging them or sharing anything."""

from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.triage.schemas.links import LinkView, NewLink
from services.triage.store import cases, links


async def link_cases(tx: Tx, case_id: UUID, body: NewLink, by: str) -> LinkView:
    """Link two cases; the same link again, from either side, is the one that stands.

    Raises
    ------
    NotFoundError
        When there is no such case.
    InvalidError
        `same_case`, `unknown_case`.
    """
    if await cases.find_case(tx, case_id) is None:
        raise NotFoundError
    if body.case_id == case_id:
        raise InvalidError(errors=[FieldError("/case_id", "same_case", "must be another case")])
    if await cases.find_case(tx, body.case_id) is None:
        raise InvalidError(errors=[FieldError("/case_id", "unknown_case", "is no case of this hub")])
    first, second = sorted((case_id, body.case_id))
    made = {"case_id": first, "other_id": second, "relation": body.relation}
    await links.add(tx, {"id": new_id(), **made, "linked_by": by, "linked_at": tx.now})
    view = LinkView(case_id=body.case_id, relation=body.relation, linked_by=by, linked_at=tx.now)
    standing, _ = await list_links(tx, case_id, None, _MANY)
    return next((each for each in standing if each.is_same(view)), view)


#: More cases than that do not belong to one household.
_MANY = 100


async def list_links(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> tuple[list[LinkView], UUID | None]:
    """Return the links of a case, oldest first, and the id to go on from (None on the last page).

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    if await cases.find_case(tx, case_id) is None:
        raise NotFoundError
    rows = await links.links_of(tx, case_id, after, limit + 1)
    views = [
        LinkView(
            case_id=row.other_id if row.case_id == case_id else row.case_id,
            relation=row.relation,
            linked_by=row.linked_by,
            linked_at=row.linked_at,
        )
        for row in rows[:limit]
    ]
    return views, rows[limit - 1].id if len(rows) > limit else None
