"""Whatever is recorded, agreed, changed and raced: each disclosure and attempt has a permit valid at its moment.

The gate is not asked here what it thinks: what must hold is written down once more, by hand, from the rules.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from hubkit.clock import ManualClock
from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.contracts.profile import Basis
from hubkit.db import Database, table_of
from hubkit.egress import Attempt
from hubkit.errors import HubError
from services.partners.actions.consents import Decision, record_consent
from services.partners.actions.disclose import Disclosed, read_onward_referral
from services.partners.actions.dispatch import Result, claim, record
from services.partners.actions.outgoing import Outgoing
from services.partners.actions.protection import NewProtection, set_protection
from services.partners.model import SENT
from services.partners.store import registry
from services.partners.tables import METADATA
from services.partners.tables.cases import Disclosure, Permit
from services.partners.tables.delivery import Attempt as AttemptRow
from services.partners.tables.delivery import Delivery
from services.partners.tables.registry import Partner
from tests.services.partners.delivery_support import register_verified
from tests.services.partners.support import NOW, World, caller, consent

_LONDON = ZoneInfo("Europe/London")
_STRICT = ("explicit_consent", "consent")
_FIRST = date(2026, 1, 1)

Step = tuple[Any, ...]
categories = st.lists(st.sampled_from(["identity", "contact", "needs", "risk"]), min_size=1, max_size=3, unique=True)
decisions = st.tuples(
    st.just("decide"),
    st.sampled_from(["given", "given", "refused", "withdrawn", "not_asked"]),
    categories,
    st.sampled_from([(), ("counselling",), ("idva",)]),
    st.sampled_from(["spoken", "implied", None]),
    st.none() | st.integers(1, 50),
    st.booleans(),
)
agreements = st.tuples(
    st.just("agree"),
    st.sampled_from(["active", "active", "suspended", "ended", "draft"]),
    categories,
    st.integers(-1, 1),
    st.none() | st.integers(-1, 1),
)
changes = st.one_of(
    decisions,
    agreements,
    st.tuples(st.just("wait"), st.integers(1, 30)),
    st.tuples(st.just("partner"), st.booleans()),
    st.tuples(st.just("basis"), st.sampled_from([None, "consent", "explicit_consent", "agreement_in_place"])),
    st.tuples(st.just("restrict"), st.booleans()),
    st.tuples(st.just("exclude")),
)
KINDS_OF_STEP = {
    "change": changes,
    "request": st.tuples(st.just("request")),
    "read": st.tuples(st.just("read"), st.none() | changes),
    "send": st.tuples(st.just("send"), st.none() | changes, st.sampled_from([200, 503])),
}
#: As often one as the other: `one_of` would count every kind of change as one.
steps = st.sampled_from(sorted(KINDS_OF_STEP)).flatmap(KINDS_OF_STEP.__getitem__)


@dataclass
class Hub:
    """A hub with one person and one partner, and by hand what stands about the two."""

    world: World
    clock: ManualClock
    case_id: UUID
    onward: list[UUID] = field(default_factory=list)
    basis: Basis | None = "agreement_in_place"
    is_excluded: bool = False
    is_restricted: bool = False
    is_active: bool = True
    agreement: dict[str, Any] = field(default_factory=dict)
    consents: list[dict[str, Any]] = field(default_factory=list)
    went_out: int = 0

    def may(self, names: set[str] | None = None) -> bool:
        """Return whether something (these fields) may go to the partner at this moment."""
        now = self.clock.now()
        today = now.astimezone(_LONDON).date()
        agreed = self.agreement
        if self.is_excluded or self.is_restricted or not self.is_active:
            return False
        if agreed["status"] != "active" or not agreed["starts_on"] <= today <= (agreed["ends_on"] or today):
            return False
        covered = set(agreed["data_categories"])
        about = [
            each
            for each in self.consents
            if each["decision"] != "not_asked" and (not each["recipients"] or "counselling" in each["recipients"])
        ]
        last = max((each["at"] for each in about), default=None)
        newest = [each for each in about if each["at"] == last]
        if any(each["decision"] in ("refused", "withdrawn") for each in newest):
            return False
        # The agreement's own basis is consent, so that it is needed whatever the profile says.
        methods = ("spoken",) if self.basis == "explicit_consent" else ("spoken", None)
        for each in newest:
            if each["method"] not in methods or (each["expires_at"] is not None and each["expires_at"] <= now):
                return False
            covered &= set(each["data_categories"])
        allowed = {name for category in covered for name in DATA_CATEGORIES[category]}
        return bool(newest and allowed) and (names is None or names <= allowed)


@given(st.lists(steps, min_size=3, max_size=14))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_disclosure_and_attempt_has_a_permit_that_was_valid_at_its_moment(plan: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(f"sqlite+aiosqlite:///{folder}/partners.db", plan))


async def _play(url: str, plan: list[Step]) -> None:
    clock = ManualClock(NOW)
    db = Database(url, source="partners", clock=clock)
    try:
        async with db._writer.begin() as conn:
            await conn.run_sync(METADATA.create_all)
        hub = await _hub(db, clock)
        for step in [("request",), *plan, ("read", None)]:
            await _do(hub, step)
            clock.advance(timedelta(seconds=1))
        await _check(hub)
    finally:
        await db.aclose()


async def _hub(db: Database, clock: ManualClock) -> Hub:
    world = World.make(db, clock)
    await world.add_partner("counselling")
    async with db.transaction() as tx:
        await register_verified(tx, world.deps, caller(), "http://127.0.0.1:9/hook", None)
    world.deps.handover.room = lambda _endpoint: 0  # nothing is leased with the request: all of it is claimed
    hub = Hub(world, clock, await world.open_case(consent()))
    hub.agreement = {
        "status": "active",
        "data_categories": ["identity", "contact", "crime", "needs"],
        "starts_on": _FIRST,
        "ends_on": None,
    }
    given_first = {
        "decision": "given",
        "data_categories": ["identity", "contact", "needs"],
        "recipients": ["counselling"],
        "method": "spoken",
        "at": NOW - timedelta(hours=1),
        "expires_at": None,
    }
    hub.consents = [given_first]
    return hub


async def _do(hub: Hub, step: Step) -> None:
    await _STEPS[step[0]](hub, *step[1:])


async def _decide(
    hub: Hub,
    decision: str,
    covered: list[str],
    recipients: tuple[str, ...],
    method: str | None,
    minutes: int | None,
    is_draft: bool,
) -> None:
    now = hub.clock.now()
    expires_at = now + timedelta(minutes=minutes) if minutes is not None else None
    said = Decision(
        "hub_to_partner",
        decision,
        recipients,
        tuple(covered),
        method,
        None,
        expires_at,
        draft=is_draft,
    )
    # Permits that a test holds would be waited for: nobody else settles them.
    await _settle_all(hub)
    await record_consent(hub.world.db, hub.world.deps, caller("staff"), hub.case_id, said)
    if not is_draft:
        hub.consents.append({
            "decision": decision, "data_categories": covered, "recipients": recipients, "method": method, "at": now,
            "expires_at": expires_at,
        })  # fmt: skip


async def _settle_all(hub: Hub) -> None:
    permit = table_of(Permit)
    async with hub.world.db.transaction() as tx:
        await tx.run(update(permit).where(permit.c.settled_at.is_(None)).values(settled_at=tx.now))


async def _agree(hub: Hub, status: str, covered: list[str], starts: int, ends: int | None) -> None:
    today = hub.clock.now().astimezone(_LONDON).date()
    hub.agreement = {
        "status": status,
        "data_categories": covered,
        "starts_on": today + timedelta(days=starts),
        "ends_on": today + timedelta(days=ends) if ends is not None else None,
    }
    async with hub.world.db.transaction() as tx:
        await registry.change_agreement(tx, hub.world.agreements["counselling"], hub.agreement)


async def _wait(hub: Hub, minutes: int) -> None:
    hub.clock.advance(timedelta(minutes=minutes))


async def _partner(hub: Hub, is_active: bool) -> None:
    hub.is_active = is_active
    async with hub.world.db.transaction() as tx:
        await tx.run(update(Partner).values(status="active" if is_active else "suspended"))


async def _basis(hub: Hub, basis: Basis | None) -> None:
    hub.basis = basis
    changed = World.make(hub.world.db, hub.clock, basis)
    object.__setattr__(hub.world.deps, "profile_at", changed.deps.profile_at)


async def _restrict(hub: Hub, is_restricted: bool) -> None:
    hub.is_restricted = is_restricted
    wanted = NewProtection(() if is_restricted else None, False, "why", "Kim")
    async with hub.world.db.transaction() as tx:
        await set_protection(tx, hub.world.deps, caller("staff"), hub.case_id, wanted)


async def _exclude(hub: Hub) -> None:
    hub.is_excluded = True
    await hub.world.exclude(hub.case_id)


async def _request(hub: Hub) -> None:
    hub.onward.append(await hub.world.request(hub.case_id))


async def _read(hub: Hub, meanwhile: Step | None) -> None:
    """Read the newest onward referral; something may change while intake is asked."""

    async def change() -> None:
        hub.world.intake.before = None
        if meanwhile is not None:
            await _do(hub, meanwhile)

    hub.world.intake.before = change
    found: Disclosed | None = None
    try:
        found = await read_onward_referral(hub.world.db, hub.world.deps, caller(), hub.onward[-1])
    except HubError:
        return
    finally:
        hub.world.intake.before = None
    hub.went_out += 1
    assert hub.may(set(found.fields)), "what was disclosed was not allowed at that moment"


async def _send(hub: Hub, meanwhile: Step | None, status: int) -> None:
    """Claim what is due; something may change between the claim and its result."""
    async with hub.world.db.transaction() as tx:
        claimed = await claim(tx, hub.world.deps, began=time.monotonic(), free=8, room={}, most_each=8)
    started = hub.clock.now()
    sending = [outgoing for outgoing in claimed if outgoing.type == SENT]
    assert not sending or hub.may(), "what is sent was not allowed when its permit was asked for"
    hub.went_out += len(sending)
    if meanwhile is not None and meanwhile[0] != "decide":
        await _do(hub, meanwhile)
    async with hub.world.db.transaction() as tx:
        await record(tx, hub.world.deps, [_result(outgoing, started, status) for outgoing in claimed])


def _result(outgoing: Outgoing, started: datetime, status: int) -> Result:
    error = "none" if status == 200 else "status"
    return Result(outgoing, started, Attempt(ok=status == 200, status=status, error_class=error, duration_ms=1))


_STEPS: dict[str, Callable[..., Awaitable[None]]] = {
    "decide": _decide,
    "agree": _agree,
    "wait": _wait,
    "partner": _partner,
    "basis": _basis,
    "restrict": _restrict,
    "exclude": _exclude,
    "request": _request,
    "read": _read,
    "send": _send,
}


async def _check(hub: Hub) -> None:
    """Each disclosure and attempt that was recorded has its own permit, valid then, for its own onward referral."""
    attempt, delivery = table_of(AttemptRow), table_of(Delivery)
    sent = select(attempt, delivery.c.onward_referral_id).join(delivery, delivery.c.id == attempt.c.delivery_id)
    async with hub.world.db.reading() as tx:
        permits = {row.id: row for row in await tx.rows(select(table_of(Permit)))}
        disclosed = await tx.rows(select(table_of(Disclosure)))
        attempted = await tx.rows(sent.where(delivery.c.type == SENT))
    moments = [(row.permit_id, row.onward_referral_id, row.disclosed_at) for row in disclosed]
    moments += [(row.permit_id, row.onward_referral_id, row.started_at) for row in attempted]
    assert len(moments) == hub.went_out
    assert len({permit_id for permit_id, _, _ in moments}) == len(moments)
    for permit_id, onward_id, at in moments:
        permit = permits[permit_id]
        assert permit.onward_referral_id == onward_id
        assert permit.issued_at <= at < permit.expires_at
