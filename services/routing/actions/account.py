"""What routing has to say in the account of a person."""

from collections.abc import Collection
from uuid import UUID

from hubkit.account import Line
from hubkit.db import Tx
from services.routing import store


async def lines_of(tx: Tx, case_ids: Collection[UUID]) -> list[Line]:
    """Return the pathways of cases, each with its candidates and why they were or were not asked."""
    return await store.lines_about_cases(tx, case_ids)
