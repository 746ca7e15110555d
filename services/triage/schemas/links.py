"""Bodies of links between cases."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from hubkit.fields import Id, StrictModel, code_of
from services.triage.schemas.views import View

#: How two cases belong together; each holds both ways.
RELATIONS = frozenset({"household", "family", "couple", "same_incident"})


class NewLink(StrictModel):
    """Another case that belongs to this one. Nothing is shared by it: each person keeps a case of their own."""

    case_id: Id
    relation: Annotated[str, code_of(RELATIONS, "relation")]


class LinkView(View):
    """A case that belongs to the one that was read."""

    case_id: UUID
    relation: str
    linked_by: str
    linked_at: datetime

    def is_same(self, other: "LinkView") -> bool:
        """Whether both say the same of the same case."""
        return (self.case_id, self.relation) == (other.case_id, other.relation)
