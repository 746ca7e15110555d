"""Deleting a person from a referral, on both databases: what is left, what is on record, what is found."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from hubkit.clock import ManualClock
from hubkit.contracts import PersonErasedV1
from hubkit.db import Database
from hubkit.messaging import OUTBOX
from services.intake.actions import account, retention
from services.intake.actions.export import held_about, record_export, register_fault
from services.intake.actions.register import register_referrals
from tests.services.intake.support import NOW, command, database, deps, referral


@pytest.fixture
async def db(url: str) -> Any:
    async with database(url, ManualClock(NOW)) as made:
        yield made


async def received(db: Database, reference: str) -> Any:
    async with db.transaction() as tx:
        [made] = await register_referrals(tx, deps(), [command(deps(), referral(source__reference=reference))])
    return made.referral_id  # type: ignore[union-attr]


async def test_a_deleted_person_opens_and_is_found_no_more_and_the_other_referral_stays(db: Database):
    first, second = [await received(db, reference) for reference in ("A", "B")]
    async with db.reading() as tx:
        assert await account.referrals_of_person(tx, second) == [first, second]
    async with db.transaction() as tx:
        erased = await retention.erase(tx, deps(), first, {"end": "closed"}, "dpo")
    assert erased is not None
    async with db.reading() as tx:
        assert await retention.is_gone(tx, deps(), erased)
        assert await account.referrals_of_person(tx, second) == [second]
        held = await held_about(tx, deps(), [first, second])
        assert [bool(each["fields"]) for each in held] == [False, True]
        assert await retention.deletable(tx, deps(), [first, second]) == ({second}, {})
    async with db.transaction() as tx:
        assert await retention.erase(tx, deps(), first, {}, "dpo") is None
    async with db.reading() as tx:
        said = await tx.rows(select(OUTBOX.c.subject).where(OUTBOX.c.type == PersonErasedV1.TYPE))
    assert [row.subject for row in said] == [str(first)]


async def test_a_hold_of_today_keeps_and_one_of_yesterday_does_not(db: Database):
    id = await received(db, "A")
    async with db.transaction() as tx:
        await retention.hold(tx, deps(), id, "complaint", date(2026, 11, 18), "dpo")
        assert await retention.deletable(tx, deps(), [id]) == ({id}, {})
        hold = await retention.hold(tx, deps(), id, "inquiry", date(2026, 11, 19), "dpo")
        assert await retention.deletable(tx, deps(), [id]) == (set(), {id: ["inquiry"]})
    async with db.transaction() as tx:
        assert await retention.erase(tx, deps(), id, {}, "dpo") is None
        await retention.lift(tx, deps(), hold, "dpo")
    async with db.transaction() as tx:
        await record_export(tx, deps(), [id, id], made_by="dpo", reviewed_by=None, hash="h")
    async with db.reading() as tx:
        assert await register_fault(tx, deps()) is None
        lines = await account.lines_of(tx, [id])
    assert [line.codes["kind"] for line in lines if line.what == "subject_record"] == [
        "hold", "hold", "hold_lifted", "export", "export",
    ]  # fmt: skip
