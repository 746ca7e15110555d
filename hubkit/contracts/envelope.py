"""The envelope: CloudEvents 1.0 attribute names around one contract, several of them in one message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """The data of one event type. Within a version only optional fields are added; readers ignore unknown ones.

    Carries ids, codes and decisions; never a name, address, phone, email, date of birth or narrative.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    TYPE: ClassVar[str]


C = TypeVar("C", bound=Contract, covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[C]):
    """One event as a consumer sees it.

    `id` is the same on every delivery. `subject` is the id of what it is about. `time` is in UTC.
    """

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    data: C
    traceparent: str | None = None


def pack(bodies: list[bytes]) -> bytes:
    """Join encoded envelopes into one message, in the CloudEvents JSON batch format."""
    return b"[" + b",".join(bodies) + b"]"


def encode(
    *, id: UUID, source: str, subject: str, time: datetime, data: Contract, traceparent: str | None = None
) -> bytes:
    """Return one envelope as JSON bytes."""
    trace = f',"traceparent":"{traceparent}"' if traceparent else ""
    head = (
        f'{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{data.TYPE}","subject":"{subject}",'
        f'"time":"{time.isoformat()}","datacontenttype":"application/json"{trace},"data":'
    )
    return head.encode() + data.model_dump_json(exclude_none=True).encode() + b"}"


def decode(raw: dict[str, Any], contract: type[C]) -> Event[C]:
    """Read one envelope of a known type.

    Raises
    ------
    ValueError
        When an attribute is missing or the data does not fit the contract.
    """
    try:
        return Event(
            id=UUID(raw["id"]),
            type=raw["type"],
            source=raw["source"],
            subject=raw["subject"],
            time=datetime.fromisoformat(raw["time"]),
            data=contract.model_validate(raw["data"]),
            traceparent=trace if isinstance(trace := raw.get("traceparent"), str) else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an envelope: {type(error).__name__}") from error
