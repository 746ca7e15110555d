"""What changed after a partner had read it: told field by field, read again through the gate, whatever the order."""

import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from hubkit.contracts import CaseAssessedV1, OnwardReferralAmendedV1
from hubkit.db import table_of
from hubkit.ids import new_id
from services.partners.actions.amendments import note_assessments
from services.partners.actions.cases import open_cases
from services.partners.actions.dispatch import claim
from services.partners.actions.onward import recall_one
from services.partners.policy.amendments import Content, Known, changed_since
from services.partners.store import registry
from services.partners.tables.amendments import Amendment
from services.partners.tables.delivery import Delivery
from tests.services.partners.support import NOW, Running, World, consent, event, opened, recomputed
from tests.services.partners.test_disclose import read, rows
from tests.services.partners.test_onward import add_endpoint

ALL = ("identity", "contact", "needs", "assessment")


def corrected(case_id: UUID, version: int, **changed_in: int) -> Any:
    return event(opened(case_id, version=version, consents=[consent(data_categories=ALL)], changed_in=changed_in))


def assessed(case_id: UUID, version: int, *needs: str) -> Any:
    facts: dict[str, Any] = {"kind": "full", "assessed_by": "case_manager", "sections": ("safety",)}
    return event(
        CaseAssessedV1(
            case_id=case_id,
            referral_id=case_id,
            version=version,
            needs=needs,
            assessed_at=NOW,
            risk_grade="high",
            **facts,
        )
    )


async def correct(world: World, *events: Any) -> None:
    async with world.db.transaction() as tx:
        await open_cases(tx, world.deps, events)


async def assess(world: World, *events: Any) -> list[Any]:
    async with world.db.transaction() as tx:
        return await note_assessments(tx, world.deps, events)


async def amendments(world: World) -> list[tuple[int, list[str], bool]]:
    return [(row.number, row.fields, row.fetched_at is not None) for row in await rows(world, Amendment)]  # type: ignore[attr-defined]


async def told(world: World) -> list[tuple[str, int, str, str | None]]:
    table = table_of(Delivery)
    async with world.db.reading() as tx:
        found = await tx.rows(select(table).order_by(table.c.id))
    return [(row.type.removeprefix("onward_referral."), row.number, row.state, row.reason) for row in found]


async def read_one(world: World) -> tuple[UUID, UUID]:
    """Return a case and its onward referral, which the partner has read."""
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], {"data_categories": list(ALL)})
    case_id = await world.open_case(consent(data_categories=ALL))
    onward_id = await world.request(case_id)
    await read(world, onward_id)
    await add_endpoint(world)
    return case_id, onward_id


def test_only_what_was_read_counts_and_only_what_is_newer() -> None:
    known = Known(("phone", "email", "assessment"), 3, 4)
    content = Content({"phone": 4, "email": 3, "address": 9}, {}, 4)
    assert changed_since(known, content) == ("phone",)
    assert changed_since(known, Content({}, {}, 5)) == ("assessment",)


async def test_a_correction_tells_which_fields_and_the_next_reading_settles_it(world: World) -> None:
    case_id, onward_id = await read_one(world)
    await correct(world, corrected(case_id, 2, phone=2, crime_reference=2))
    assert await amendments(world) == [(1, ["phone"], False)]
    assert await told(world) == [("amended", 1, "queued", None)]
    said = (await world.said(onward_id))[-1]
    assert isinstance(said, OnwardReferralAmendedV1)
    assert (said.number, said.fields) == (1, ("phone",))
    world.intake.version = 2
    await read(world, onward_id)
    assert await amendments(world) == [(1, ["phone"], True)]


async def test_each_correction_is_news_of_its_own(world: World) -> None:
    case_id, _ = await read_one(world)
    await correct(world, corrected(case_id, 2, phone=2))
    await correct(world, corrected(case_id, 3, phone=2, email=3))
    assert await amendments(world) == [(1, ["phone"], False), (2, ["email"], False)]
    assert await told(world) == [("amended", 1, "queued", None), ("amended", 2, "queued", None)]


@pytest.mark.parametrize("seed", range(4))
async def test_redelivered_and_reordered_corrections_come_to_the_same(world: World, seed: int) -> None:
    case_id, onward_id = await read_one(world)
    history = [corrected(case_id, 2, phone=2), corrected(case_id, 3, phone=2, email=3), assessed(case_id, 4, "idva")]
    arriving = history * 2
    random.Random(seed).shuffle(arriving)
    for each in arriving:
        await (assess(world, each) if isinstance(each.data, CaseAssessedV1) else correct(world, each))
    fields = sorted(name for _, names, _ in await amendments(world) for name in names)
    assert fields == ["assessment", "email", "phone"]
    world.intake.version = 3
    await read(world, onward_id)
    assert {fetched for _, _, fetched in await amendments(world)} == {True}


async def test_what_nobody_has_read_is_not_amended(world: World) -> None:
    case_id = await world.open_case(consent(data_categories=ALL))
    await world.request(case_id)
    await correct(world, corrected(case_id, 2, phone=2))
    assert await amendments(world) == []


async def test_what_changes_while_it_is_read_is_amended_at_once(world: World) -> None:
    case_id = await world.open_case(consent(data_categories=ALL))
    onward_id = await world.request(case_id)

    async def change() -> None:
        await correct(world, corrected(case_id, 2, phone=2))

    world.intake.before = change
    await read(world, onward_id)
    assert await amendments(world) == [(1, ["phone"], False)]


async def test_who_may_not_read_any_more_is_not_told_to_read_again(world: World) -> None:
    case_id, _ = await read_one(world)
    async with world.db.transaction() as tx:
        await registry.change_agreement(tx, world.agreements["counselling"], {"status": "suspended"})
    await correct(world, corrected(case_id, 3, phone=2))
    assert await amendments(world) == [(1, ["phone"], False)]
    assert await told(world) == []


async def test_the_gate_is_asked_again_before_each_attempt_and_a_recall_stops_the_news(world: World) -> None:
    world.deps.handover.room = lambda _endpoint: 0
    case_id, onward_id = await read_one(world)
    await correct(world, corrected(case_id, 2, phone=2))
    async with world.db.transaction() as tx:
        [outgoing] = await claim(tx, world.deps, began=0.0, free=10, room={}, most_each=10)
    assert (outgoing.type, outgoing.permit_id is not None) == ("onward_referral.amended", True)
    await correct(world, corrected(case_id, 3, email=3))
    async with world.db.transaction() as tx:
        await recall_one(tx, world.deps, onward_id, "not_needed")
    assert {(type, state, reason) for type, _, state, reason in await told(world)} == {
        ("amended", "stopped", "withdrawn"), ("withdrawn", "queued", None),
    }  # fmt: skip


async def test_an_assessment_of_a_case_not_known_yet_waits(world: World) -> None:
    assert len(await assess(world, assessed(new_id(), 2, "idva"))) == 1


async def test_the_assessment_travels_as_codes_where_consent_and_agreement_cover_it(partners: Running) -> None:
    await partners.add_partner("stalking", data_categories=["identity", "assessment"])
    case_id = await partners.open_case(
        consent(recipients=("stalking",), data_categories=("identity", "assessment")),
        consent(data_categories=("identity", "assessment")),
    )
    await assess(partners, assessed(case_id, 2, "idva", "counselling"))
    onward_id = await partners.request(case_id, "stalking")
    path = f"/v1/onward-referrals/{onward_id}"
    body = (await partners.call("GET", path, "onward:read", kind="stalking")).json()
    assert body["disclosure"]["fields"]["assessment"] == {
        "needs": ["idva", "counselling"], "kind": "full", "assessed_by": "case_manager", "sections": ["safety"],
        "findings": [], "risk_grade": "high", "assessed_at": "2026-11-19T09:00:00Z",
    }  # fmt: skip
    assert "assessment" not in partners.intake.asked[-1]["fields"]
    # The agreement with counselling does not cover it.
    other = await partners.request(case_id)
    fields = (await partners.call("GET", f"/v1/onward-referrals/{other}", "onward:read")).json()["disclosure"]["fields"]
    assert "assessment" not in fields
    [receipt] = (await partners.call("GET", f"{path}/receipts", "onward:read", kind="stalking")).json()["items"]
    assert (receipt["id"], receipt["hash"]) == (body["disclosure"]["id"], body["disclosure"]["hash"])
    assert recomputed(body) == receipt["hash"]
    assert receipt["fields"] == list(body["disclosure"]["fields"])
    assert "Alex" not in str(receipt)
    await assess(partners, assessed(case_id, 3, "counselling"))
    listed = await partners.call("GET", f"{path}/amendments", "onward:read", kind="stalking")
    assert [(each["number"], each["fields"], each["fetched_at"]) for each in listed.json()["items"]] == [
        (1, ["assessment"], None)
    ]
    for name in ("amendments", "receipts"):
        assert (await partners.call("GET", f"{path}/{name}", "onward:read")).status_code == 404
