"""The ledger: what the databases and the partner say of accepted referrals, and whether every account agrees.

Every accepted referral has exactly one row, one case, one pathway, one onward referral and one delivery, which took
effect at the partner once; the source is told so; every attempt had a permit that was valid when it began.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hubkit.contracts import BY_TYPE, CONSUMERS
from tests.support.hub import Hub
from tests.support.receiver import Received, Receiver

SERVICES = ("intake", "triage", "routing", "partners")
_SENT = "onward_referral.sent"
_UNPUBLISHED = "select count(*) from outbox where published_at is null"
_UNFINISHED = "select count(*) from inbox where state <> 'done'"
_SHOWN = 5
_NO_PERMIT = ("", datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _id(value: Any) -> str:
    """Return an id as it is in answers; SQLite keeps it without dashes."""
    return str(UUID(str(value)))


def _time(value: Any) -> datetime:
    """Return a moment as PostgreSQL gives it; SQLite keeps it as text without a zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def waiting(hub: Hub) -> dict[str, int]:
    """Return what is still under way in the databases, by place; nothing when all is done."""
    found: dict[str, int] = {}
    for service in SERVICES:
        [(outbox, inbox)] = hub.rows(service, f"select ({_UNPUBLISHED}), ({_UNFINISHED})")
        found |= {f"{service} outbox": outbox, f"{service} inbox": inbox}
    [(found["deliveries"],)] = hub.rows("partners", "select count(*) from delivery where state = 'queued'")
    return {place: count for place, count in found.items() if count}


@dataclass
class _Account:
    """Where one referral was found."""

    versions: list[int] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    decisions: int = 0
    entries: int = 0
    pathways: int = 0
    onward: list[str] = field(default_factory=list)
    onward_statuses: list[str] = field(default_factory=list)
    source_sees: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    delivery_states: list[str] = field(default_factory=list)
    received: set[str] = field(default_factory=set)

    def faults(self) -> list[str]:
        """Return what is not as it must be, the first step first."""
        said = {
            "referral": (self.versions, [1]),
            "status at the source": (self.statuses, ["accepted"]),
            "case": (len(self.cases), 1),
            "decision": (self.decisions, 1),
            "pathway": (self.pathways, 1),
            "onward referral": (self.onward_statuses, ["sent"]),
            "delivery": (self.delivery_states, ["delivered"]),
            "webhook-id": (sorted(self.received), sorted(self.deliveries)),
            "entry on the timeline": (self.entries, 1),
            "onward referral at the source": (self.source_sees, ["sent"]),
        }
        return [f"{what} is {found}, not {must}" for what, (found, must) in said.items() if found != must]


class Ledger:
    """Reads all accounts at one moment.

    Parameters
    ----------
    accepted
        The referral ids that were answered with 202.
    before
        Referrals that stood before and are no concern of this ledger.
    """

    def __init__(
        self, hub: Hub, accepted: Collection[str], received: Sequence[Received], before: Collection[str] = ()
    ) -> None:
        self._hub = hub
        self._accepted = set(accepted)
        self._received = received
        self._accounts: dict[str, _Account] = defaultdict(_Account)
        self._before = set(before)
        self._by_onward: dict[str, _Account] = {}
        self._read_intake()
        self._read_cases()
        self._read_onward()
        self._read_receiver()

    def faults(self) -> list[str]:
        """Return what does not agree; for the first few lost referrals also where their events are."""
        lost = {id: found for id in sorted(self._accepted) if (found := self._accounts[id].faults())}
        made_up = sorted(self._accounts.keys() - self._accepted)
        said = [f"{len(lost)} of {len(self._accepted)} accepted referrals are not right"] if lost else []
        for id in list(lost)[:_SHOWN]:
            said += [f"{id}: {'; '.join(lost[id])}", *(f"    {step}" for step in self._trail(id))]
        if made_up:
            said.append(f"{len(made_up)} referrals that nobody was answered for: {made_up[:_SHOWN]}")
        said += [f"{what}: {count}" for what, count in waiting(self._hub).items()]
        return said + self._unpermitted()

    def _read_intake(self) -> None:
        rows = self._hub.rows(
            "intake", "select r.id, r.version, r.status from referral r join person p on p.referral_id = r.id"
        )
        for id, version, status in self._of_run(rows):
            self._accounts[id].versions.append(version)
            self._accounts[id].statuses.append(status)
        for id, status in self._of_run(self._hub.rows("intake", "select referral_id, status from referral_onward")):
            self._accounts[id].source_sees.append(status)

    def _read_cases(self) -> None:
        by_case = {}
        for id, case_id in self._of_run(self._hub.rows("triage", "select referral_id, id from case_record")):
            self._accounts[id].cases.append(_id(case_id))
            by_case[_id(case_id)] = self._accounts[id]
        for (case_id,) in self._hub.rows("triage", "select case_id from decision"):
            if _id(case_id) in by_case:
                by_case[_id(case_id)].decisions += 1
        for (case_id,) in self._hub.rows("triage", f"select case_id from entry where type = '{_SENT}.v1'"):
            if _id(case_id) in by_case:
                by_case[_id(case_id)].entries += 1
        for (id,) in self._of_run(self._hub.rows("routing", "select referral_id from pathway")):
            self._accounts[id].pathways += 1

    def _read_onward(self) -> None:
        for id, onward_id, status in self._of_run(
            self._hub.rows("partners", "select referral_id, id, status from onward_referral")
        ):
            account = self._by_onward[_id(onward_id)] = self._accounts[id]
            account.onward.append(_id(onward_id))
            account.onward_statuses.append(status)
        for onward_id, id, state in self._hub.rows("partners", "select onward_referral_id, id, state from delivery"):
            if _id(onward_id) in self._by_onward:
                self._by_onward[_id(onward_id)].deliveries.append(_id(id))
                self._by_onward[_id(onward_id)].delivery_states.append(state)

    def _read_receiver(self) -> None:
        for one in self._received:
            if one.onward_referral_id in self._by_onward:
                self._by_onward[one.onward_referral_id].received.add(one.headers["webhook-id"])

    def _of_run(self, rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
        return ((_id(row[0]), *row[1:]) for row in rows if _id(row[0]) not in self._before)

    def _trail(self, referral_id: str) -> list[str]:
        """Return every event that speaks of a referral, whether it was published, and what each consumer did."""
        said = []
        for service in SERVICES:
            query = "select id, type, published_at is not null, body from outbox where body like "
            for id, type, is_published, _ in self._hub.rows(service, f"{query} '%{referral_id}%' order by id"):
                said.append(f"{type} from {service}, {'published' if is_published else 'NOT PUBLISHED'}")
                said[-1] += "".join(f", {name} {self._heard(name, id)}" for name in CONSUMERS[BY_TYPE[type]])
        return said

    def _heard(self, service: str, event_id: Any) -> str:
        id = UUID(str(event_id))
        query = f"select state, reason from inbox where event_id in ('{id if self._hub.is_full else id.hex}')"
        return (
            ", ".join(f"{state} {reason or ''}".strip() for state, reason in self._hub.rows(service, query))
            or "NOTHING"
        )

    def _unpermitted(self) -> list[str]:
        """Return the attempts, on record and at the partner, that no permit covers."""
        permits: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        by_id = {}
        query = "select id, onward_referral_id, issued_at, expires_at from permit"
        for id, onward_id, issued_at, expires_at in self._hub.rows("partners", query):
            permits[_id(onward_id)].append((_time(issued_at), _time(expires_at)))
            by_id[_id(id)] = (_id(onward_id), _time(issued_at), _time(expires_at))
        said, used = [], set()
        query = (
            "select a.permit_id, a.started_at, d.onward_referral_id, d.id from attempt a "
            f"join delivery d on d.id = a.delivery_id where d.type = '{_SENT}'"
        )
        for permit_id, started_at, onward_id, delivery_id in self._hub.rows("partners", query):
            whose, issued_at, expires_at = by_id.get(_id(permit_id) if permit_id else "", _NO_PERMIT)
            if whose != _id(onward_id) or not issued_at <= _time(started_at) < expires_at:
                said.append(f"an attempt of delivery {_id(delivery_id)} had no valid permit")
            if permit_id in used:
                said.append(f"a permit of delivery {_id(delivery_id)} was used twice")
            used.add(permit_id)
        for one in self._received:
            if one.event["type"] != _SENT:
                continue
            stamp, second = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC), timedelta(seconds=1)
            if not any(issued - second < stamp < expires for issued, expires in permits[one.onward_referral_id]):
                said.append(f"a webhook about {one.onward_referral_id} came without a valid permit")
        return said[:_SHOWN]


class Run:
    """One run on a hub that may have had others: what stood before it, and how it ended."""

    def __init__(self, hub: Hub, partner: Receiver) -> None:
        self._hub = hub
        self._partner = partner
        self._before = known(hub)
        self._heard = len(partner.received)

    def faults(self, accepted: Collection[str], seconds: float = 90) -> list[str]:
        """Wait until nothing is under way and the ledger agrees, but not for ever; return what does not agree."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (waiting(self._hub) or self._now(accepted)):
            time.sleep(0.3)
        time.sleep(0.3)  # for effects that nobody should have
        return self._now(accepted)

    def _now(self, accepted: Collection[str]) -> list[str]:
        return Ledger(self._hub, accepted, self._partner.received[self._heard :], self._before).faults()


def known(hub: Hub) -> set[str]:
    """Return the ids of all referrals that stand."""
    return {_id(id) for (id,) in hub.rows("intake", "select id from referral")}
