"""Whatever is recorded, agreed and protected: the preview says, field for field, what is then really disclosed."""

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from hubkit.clock import ManualClock
from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.db import Database, table_of
from hubkit.errors import ForbiddenError, HubError
from services.partners.actions import safeguarding
from services.partners.actions.cases import open_cases
from services.partners.actions.disclose import Disclosed, read_onward_referral
from services.partners.actions.permits import why_not_read
from services.partners.actions.preview import Preview, preview_gate
from services.partners.actions.protection import NewProtection, set_protection
from services.partners.model import Status
from services.partners.policy.transitions import OPEN_TO_PARTNER
from services.partners.store import registry
from services.partners.tables import METADATA
from services.partners.tables.cases import Disclosure
from services.partners.tables.registry import Agreement, Partner, Service
from tests.services.partners.support import NOW, World, caller, consent, database, event, opened

EVERY = {name for names in DATA_CATEGORIES.values() for name in names}
FIRST = date(2026, 1, 1)
STAFF = caller("staff")


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Return the usual value often enough that what is asked is allowed now and then."""
    return st.sampled_from([usual] * (15 * len(others)) + list(others))


categories = st.sets(st.sampled_from(sorted(DATA_CATEGORIES)), min_size=4).map(sorted)
consents = st.builds(
    lambda decision, recipients, covered, method, hours, minutes: consent(
        decision,
        recipients=recipients,
        data_categories=tuple(covered),
        method=method,
        recorded_at=NOW - timedelta(hours=hours),
        expires_at=None if minutes is None else NOW + timedelta(minutes=minutes),
    ),
    mostly("given", "refused", "withdrawn"),
    mostly(("counselling",), (), ("idva",)),
    categories,
    mostly("spoken", "implied", None),
    st.integers(0, 3),
    mostly(None, -1, 0, 5),
)
agreements = st.fixed_dictionaries({
    "status": mostly("active", "suspended", "ended", "draft"),
    "data_categories": categories,
    "fields": st.none() | st.sets(st.sampled_from(sorted(EVERY)), min_size=9).map(sorted),
    "crimes_excluded": mostly([], ["sexual"], ["burglary.residential"]),
    "lawful_basis": st.sampled_from(["consent", "explicit_consent", "implied_opt_out", "agreement_in_place"]),
    "purposes": mostly(["counselling"], ["idva"]),
    "starts_on": mostly(FIRST, NOW.date(), NOW.date() + timedelta(days=1)),
    "ends_on": mostly(None, NOW.date(), NOW.date() - timedelta(days=1)),
})  # fmt: skip
cases = st.fixed_dictionaries({
    "crime_category": mostly("burglary.residential", "sexual.rape", "stalking_harassment.stalking"),
    "markers": st.sets(st.sampled_from(["domestic_abuse", "sexual_violence", "vulnerable"])).map(sorted).map(tuple),
    "age": mostly(40, 12, None),
})  # fmt: skip
standings = st.fixed_dictionaries({
    "status": mostly("active", "suspended"),
    "ring_fenced": mostly(False, True),
    "kept_from": mostly(None, ["police"], ["another"]),
})  # fmt: skip


@dataclass
class Stands:
    """What stands about one person and one partner."""

    consents: list[Any]
    agreement: dict[str, Any]
    case: dict[str, Any]
    partner: dict[str, Any]
    shares: str
    restricted: str
    safe_address: bool
    basis: str | None
    on_safeguarding: list[str] | None


situations = st.builds(
    Stands,
    st.lists(consents, min_size=1, max_size=2),
    agreements,
    cases,
    standings,
    mostly("case_data", "referral_data", "nothing"),
    mostly("open", "this", "nobody"),
    st.booleans(),
    st.sampled_from([None, "consent", "implied_opt_out", "agreement_in_place"]),
    st.none() | st.none() | categories,
)


@given(situations, situations)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_disclosed_is_what_the_preview_said(first: Stands, then: Stands) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(f"sqlite+aiosqlite:///{folder}/partners.db", first, then))


async def _play(url: str, first: Stands, then: Stands) -> None:
    clock = ManualClock(NOW)
    db = Database(url, source="partners", clock=clock)
    try:
        async with db._writer.begin() as conn:
            await conn.run_sync(METADATA.create_all)
        # Made before the person's decisions and the rest are set, so that it always begins where a referral can.
        world = World.make(db, clock, first.basis)
        await world.add_partner("counselling", **first.agreement)
        await _set_partner(world, first)
        case_id = await world.open_case(*first.consents, **first.case)
        await _protect(world, case_id, first)
        onward_id = await _refer(world, case_id, first)
        if onward_id is not None:
            await _compare(world, case_id, onward_id)
            await _change(world, case_id, then)
            await _compare(world, case_id, onward_id)
    finally:
        await db.aclose()


async def _refer(world: World, case_id: UUID, stands: Stands) -> UUID | None:
    """Refer onward, as routing asks or as two people decide; what was said before must come true."""
    said = await _preview(world, case_id)
    if stands.on_safeguarding is not None:
        return await _on_safeguarding(world, case_id, stands.on_safeguarding)
    onward_id = await world.request(case_id)
    row = await world.row(onward_id)
    assert said.allowed is (row.status in OPEN_TO_PARTNER)
    assert said.reasons == row.reasons
    assert said.allowed or row.status in (Status.REFUSED, Status.AWAITING_CONSENT)
    return onward_id


async def _on_safeguarding(world: World, case_id: UUID, covered: list[str]) -> UUID | None:
    partner, service = world.partners["counselling"], world.services["counselling"]
    wanted = safeguarding.NewDecision(partner, service, "vital_interests", tuple(covered), "in danger", "Robin", None)
    try:
        async with world.db.transaction() as tx:
            decided = await safeguarding.decide(tx, world.deps, STAFF, case_id, wanted)
            approved = await safeguarding.approve(tx, world.deps, STAFF, case_id, decided.id, "Kim")
    except HubError:
        return None
    id: UUID = approved.row.onward_referral_id
    return id


async def _change(world: World, case_id: UUID, then: Stands) -> None:
    world.clock.advance(timedelta(minutes=1))
    changed = World.make(world.db, world.clock, then.basis)
    object.__setattr__(world.deps, "profile_at", changed.deps.profile_at)
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], then.agreement)
    await _set_partner(world, then)
    async with world.db.transaction() as tx:
        triaged = opened(case_id, version=2, consents=then.consents, **then.case)
        await open_cases(tx, world.deps, [event(triaged)])
    await _protect(world, case_id, then)


async def _set_partner(world: World, stands: Stands) -> None:
    async with world.db.transaction() as tx:
        await tx.run(update(Partner).values(**stands.partner))
        await tx.run(update(Service).values(shares=stands.shares))


async def _protect(world: World, case_id: UUID, stands: Stands) -> None:
    named = {"open": None, "this": (world.partners["counselling"],), "nobody": ()}[stands.restricted]
    async with world.db.transaction() as tx:
        wanted = NewProtection(named, stands.safe_address, "why", "Kim")
        await set_protection(tx, world.deps, STAFF, case_id, wanted)


async def _preview(world: World, case_id: UUID) -> Preview:
    async with world.db.reading() as tx:
        _, [only] = await preview_gate(tx, world.deps, case_id, world.partners["counselling"], None)
    withheld = {each.field for each in only.fields_withheld}
    assert withheld | set(only.fields_shared) == EVERY
    assert not withheld & set(only.fields_shared)
    assert only.allowed is bool(only.fields_shared)
    assert only.allowed is not bool(only.reasons)
    return only


async def _compare(world: World, case_id: UUID, onward_id: UUID) -> None:
    said = await _preview(world, case_id)
    row = await world.row(onward_id)
    is_open = row.status in OPEN_TO_PARTNER
    assert said.onward_referral_id == (onward_id if is_open else None)
    async with world.db.reading() as tx:
        why_not = await why_not_read(tx, world.deps, row)
    assert not is_open or why_not == said.reasons
    read = await _read(world, onward_id)
    assert bool(why_not) is isinstance(read, HubError)
    if isinstance(read, ForbiddenError):
        assert not is_open or tuple(each.code for each in read.errors) == said.reasons
        return
    if isinstance(read, HubError):
        assert row.ready_at is None, "what was never allowed does not exist for the partner"
        return
    assert is_open
    assert set(read.fields) == set(said.fields_shared)
    table = table_of(Disclosure)
    async with world.db.reading() as tx:
        [kept] = await tx.rows(select(table).where(table.c.id == read.id))
    assert (kept.basis, set(kept.fields)) == (said.basis, set(said.fields_shared))
    assert kept.safeguarding_id == said.safeguarding_id
    assert kept.consent_ids == [str(id) for id in said.consent_ids]
    if said.agreement is None:
        assert kept.agreement_id == kept.safeguarding_id
    else:
        assert (kept.agreement_id, kept.agreement_version) == (said.agreement.id, said.agreement.version)


async def _read(world: World, onward_id: UUID) -> Disclosed | HubError:
    try:
        return await read_onward_referral(world.db, world.deps, caller(), onward_id)
    except HubError as refused:
        return refused


async def test_a_preview_waits_for_nobody(url: str) -> None:
    """It is for looking alone, also at what stands on safeguarding with a partner with which nothing is agreed."""
    clock = ManualClock(NOW)
    async with database(url, clock) as db:
        world = World.make(db, clock)
        partner_id = await world.add_partner("counselling")
        async with db.transaction() as tx:
            await tx.run(delete(Agreement))
        case_id = await world.open_case()
        assert await _on_safeguarding(world, case_id, ["identity"]) is not None
        async with db.transaction() as tx:
            await registry.partner(tx, partner_id, for_update=True)
            async with asyncio.timeout(5):
                said = await _preview(world, case_id)
        assert set(said.fields_shared) == set(DATA_CATEGORIES["identity"])
        assert {each.reason for each in said.fields_withheld} == {"not_in_decision"}
