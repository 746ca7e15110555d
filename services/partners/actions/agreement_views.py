"""What staff see of the agreement register: an agreement with its warnings, its versions, and the days to come."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

from hubkit.contracts.codes import ONWARD_HOPS
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from services.partners.actions.agreements import read_agreement
from services.partners.model import FULL, NO_ENCRYPTION_KEY
from services.partners.policy import agreement_terms, agreements
from services.partners.policy.agreement_terms import Standing
from services.partners.policy.gate import SHARED
from services.partners.policy.transitions import LIVE
from services.partners.store import agreements as store
from services.partners.store import endpoints, registry

#: A service of this kind takes any need for which the directory has no service of its own.
_CATCH_ALL: Final = "other"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something about an agreement that somebody should look at. `pointer` is the place in it, if it has one."""

    code: str
    detail: str
    pointer: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    days: int | None = None
    purposes: tuple[str, ...] = ()
    agreement_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """An agreement that stops or starts: on `on`, its last or its first day."""

    agreement_id: UUID
    reference: str
    partner_id: UUID
    purposes: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True)
class Route:
    """A partner and a purpose whose cover ends or begins on `since`; `until` is the last day without it, if known."""

    partner_id: UUID
    purpose: str
    service_ids: tuple[UUID, ...]
    since: date
    until: date | None = None
    onward_referral_ids: tuple[UUID, ...] = ()


@dataclass(slots=True)
class Forecast:
    """What stops and starts after `today` and by `on`."""

    today: date
    on: date
    stops: list[Moment] = field(default_factory=list)
    starts: list[Moment] = field(default_factory=list)
    lost: list[Route] = field(default_factory=list)
    gained: list[Route] = field(default_factory=list)

    @property
    def onward_referrals_stopping(self) -> int:
        """How many live onward referrals lose their agreement."""
        return sum(len(route.onward_referral_ids) for route in self.lost)


async def read_with_warnings(tx: Tx, agreement_id: UUID, today: date) -> tuple[Standing, list[Warned]]:
    """Return an agreement and what somebody should look at.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    standing = await read_agreement(tx, agreement_id)
    rows = await registry.agreements_of(tx, standing.partner_id)
    found = warnings(standing, [store.term_of(row) for row in rows if row.id != agreement_id], today)
    return standing, [*found, *await _about_keys(tx, standing)]


async def _about_keys(tx: Tx, standing: Standing) -> list[Warned]:
    """Warn where webhooks stay thin although the agreement says full."""
    if standing.status == "ended" or standing.terms.delivery != FULL:
        return []
    told = await endpoints.of_partners(tx, [standing.partner_id])
    if told and all(each.encryption_key is not None for each in told):
        return []
    detail = "webhooks of the partner stay thin where an endpoint of it has no key to encrypt with, or it has none"
    return [Warned(NO_ENCRYPTION_KEY, detail, "/delivery")]


def warnings(standing: Standing, others: Sequence[agreements.Term], today: date) -> list[Warned]:
    """Return what somebody should look at; `others` are the partner's other agreements."""
    if standing.status == "ended":
        return []
    return [*_about_itself(standing, today), *_beside_others(standing, others)]


def _about_itself(standing: Standing, today: date) -> Iterator[Warned]:
    terms = standing.terms
    if terms.review_on is not None and terms.review_on < today:
        late = (today - terms.review_on).days
        yield Warned("review_overdue", "its review is overdue", "/review_on", terms.review_on, today, late)
    if standing.status != "draft" and standing.approved_by is None:
        yield Warned("approval_not_recorded", "it came into force before approvals were recorded")
    if standing.proposed is not None:
        yield Warned("change_waits_for_approval", "proposed terms wait for a second person", "/proposed")
    for pointer in agreement_terms.not_stated(terms):
        yield Warned("not_stated", "the Data Sharing Code asks an agreement to say this", pointer)


def _beside_others(standing: Standing, others: Sequence[agreements.Term]) -> Iterator[Warned]:
    terms = standing.proposed.terms if standing.proposed is not None else standing.terms
    mine = agreements.Term("active", frozenset(terms.purposes), terms.starts_on, terms.ends_on, standing.id)
    for other in others:
        if agreements.overlap(mine, other):
            common = tuple(sorted(mine.purposes & other.purposes))
            detail = "another active agreement covers these purposes at the same time"
            yield Warned("agreement_overlaps", detail, "/purposes", purposes=common, agreement_id=other.id)
    for gap in agreements.gaps(mine, others):
        yield Warned(
            "gap",
            "no agreement covers these purposes on these days",
            first_day=gap.first_day,
            last_day=gap.last_day,
            days=gap.days,
            purposes=gap.purposes,
            agreement_id=gap.other_id,
        )


async def list_versions(tx: Tx, agreement_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return the versions of an agreement, oldest first.

    Raises
    ------
    NotFoundError
        When there is no such agreement.
    """
    await read_agreement(tx, agreement_id)
    return await store.versions(tx, agreement_id, after, limit)


async def read_version(tx: Tx, agreement_id: UUID, number: int) -> Any:
    """Return one version of an agreement.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    found = await store.version(tx, agreement_id, number)
    if found is None:
        raise NotFoundError
    return found


async def forecast(tx: Tx, today: date, on: date) -> Forecast:
    """Return which agreements, routes and live onward referrals stop by a day, and what starts.

    Raises
    ------
    InvalidError
        `in_the_past`.
    """
    if on < today:
        raise InvalidError(errors=[FieldError("?on", "in_the_past", "must not be before today")])
    rows = [row for row in await store.in_force_or_to_come(tx) if not ONWARD_HOPS.isdisjoint(row.hops)]
    by_partner: dict[UUID, list[Any]] = {}
    for row in rows:
        by_partner.setdefault(row.partner_id, []).append(row)
    services = await store.sharing_services(tx, by_partner.keys(), SHARED)
    live = await store.referrals_to(tx, by_partner.keys(), LIVE)
    found = Forecast(today, on)
    for partner_id, held in by_partner.items():
        outlook = agreements.outlook([store.term_of(row) for row in held], today, on)
        known = {row.id: row for row in held}
        found.stops += [_moment(known[term.id], term.last_day) for term in outlook.stops]
        found.starts += [_moment(known[term.id], term.starts_on) for term in outlook.starts]
        own = [service for service in services if service.partner_id == partner_id]
        found.lost += [_lost(partner_id, loss, own, live) for loss in outlook.losses]
        found.gained += [Route(partner_id, purpose, _taking(own, purpose), day) for purpose, day in outlook.gains]
    return found


def _moment(row: Any, on: date | None) -> Moment:
    return Moment(row.id, row.reference or str(row.id), row.partner_id, tuple(row.purposes), on or row.starts_on)


def _lost(
    partner_id: UUID, loss: agreements.Loss, services: Sequence[Any], live: Mapping[tuple[UUID, str], list[UUID]]
) -> Route:
    stopping = tuple(live.get((partner_id, loss.purpose), ()))
    return Route(partner_id, loss.purpose, _taking(services, loss.purpose), loss.since, loss.until, stopping)


def _taking(services: Sequence[Any], purpose: str) -> tuple[UUID, ...]:
    """Return the services that a need for this kind of support may go to."""
    return tuple(each.id for each in services if {purpose, _CATCH_ALL} & {each.kind, *each.also, *each.teams})
