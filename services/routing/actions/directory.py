"""Keeps the directory's replica, and gives needs that nobody could meet another try."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from hubkit.contracts import AgreementChangedV1, Event, ServiceListedV1
from hubkit.db import Tx
from services.routing import store
from services.routing.actions.deps import Deps
from services.routing.actions.planning import Wanted, take_up
from services.routing.model import CATCH_ALL, REVIVABLE, Capacity, Listing, PathwayStatus

_REVIVE_STEP = 500


async def note_listings(tx: Tx, deps: Deps, events: Sequence[Event[ServiceListedV1]]) -> None:
    """Keep the directory's replica, and give needs that nobody could meet another try."""
    before = await store.find_services(tx, {event.data.service_id for event in events})
    listings = [(event.data.version, _listing(event.data)) for event in events]
    await store.save_listings(tx, listings)
    await _revive(tx, deps, [*before, *(listing for _, listing in listings)])


async def note_agreements(tx: Tx, deps: Deps, events: Sequence[Event[AgreementChangedV1]]) -> None:
    """Give needs that nobody could meet another try when a partner's agreement changes."""
    await _revive(tx, deps, await store.services_of(tx, {event.data.partner_id for event in events}))


async def _revive(tx: Tx, deps: Deps, changed: Sequence[Listing]) -> None:
    """Try pathways again that these services may be for, a step at a time.

    Those that had nobody left are; where one lead is to be agreed, so are those that wait for it, because the services
    among which it is chosen may be others now.
    """
    if not changed:
        return
    needs = _needs(changed)
    statuses = set(REVIVABLE)
    if deps.profile_at(tx.now).lead_provider is not None:
        statuses.add(PathwayStatus.AWAITING_LEAD)
    last: UUID | None = None
    while ids := await store.cases_with(tx, statuses, needs, last, _REVIVE_STEP):
        last = ids[-1]
        cases = await store.lock_cases(tx, ids)
        standing = await store.list_pathways(tx, ids)
        wanted = [
            Wanted(
                case,
                tuple(
                    p.need
                    for p in standing
                    if p.case_id == id and p.status in statuses and (needs is None or p.need in needs)
                ),
            )
            for id, case in cases.items()
            if case.is_open
        ]
        await take_up(tx, deps, wanted, standing)


def _needs(listings: Iterable[Listing]) -> frozenset[str] | None:
    """Return the needs that these services may be for; None for any, where one of them is a catch-all."""
    if any(listing.kind == CATCH_ALL for listing in listings):
        return None
    return frozenset(need for listing in listings for need in listing.needs)


def _listing(data: ServiceListedV1) -> Listing:
    said = data.capacity
    capacity = Capacity(said.open, said.places, said.waiting_weeks, said.as_of) if said is not None else None
    names = Listing.__dataclass_fields__.keys() - {"capacity"}
    return Listing(**{name: getattr(data, name) for name in names}, capacity=capacity)
