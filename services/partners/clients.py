"""Calls from partners to intake, which alone holds the person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from typing_extensions import override

from hubkit.egress import InternalClient
from hubkit.errors import UnavailableError

#: Well within the life of the permit under which it is asked.
_TIMEOUT_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Person:
    """Fields of a person at one version of the referral; for the answer alone, never to be stored or logged."""

    version: int
    fields: dict[str, Any]

    @override
    def __repr__(self) -> str:
        """Show no value."""
        return f"Person(version={self.version})"


async def fetch_person(client: InternalClient, token: str, referral_id: UUID, fields: Sequence[str]) -> Person:
    """Fetch exactly these fields from intake.

    Raises
    ------
    UnavailableError
        When intake does not answer, or not as agreed.
    """
    answer = await client.request(
        "POST",
        "/internal/disclosures",
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        body=orjson.dumps({"referral_id": str(referral_id), "fields": list(fields)}),
        timeout_s=_TIMEOUT_S,
    )
    if answer.status != 200:
        raise UnavailableError("The person's details cannot be read just now; send it again", retry_after_s=5)
    document = orjson.loads(answer.body)
    return Person(document["version"], {name: document["fields"].get(name) for name in fields})
