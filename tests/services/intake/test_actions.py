"""Registration, events, rotation: on SQLite and PostgreSQL."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, text

from hubkit.clock import ManualClock
from hubkit.contracts import CaseExcludedV1, CaseOpenedV1, Event, OnwardReferralAcceptedV1, OnwardReferralSentV1
from hubkit.contracts.case import DecisionFacts
from hubkit.contracts.profile import FlowBack
from hubkit.crypto import new_keyring
from hubkit.db import Database
from hubkit.errors import InvalidError, NotFoundError
from hubkit.ids import new_id
from hubkit.messaging import OUTBOX
from services.intake.actions.deps import Deps
from services.intake.actions.disclose import count_keys, read_fields, rotate_keys
from services.intake.actions.progress import KEYS_KEPT, forget_old_keys, read_status, record_decisions, record_onward
from services.intake.actions.register import Register, register_referrals
from services.intake.model import Outcome, Registered
from services.intake.tables import METADATA
from tests.services.intake.support import FIELD_KEYS, NOW, command, deps, referral


async def register(db: Database, deps: Deps, *commands: Register) -> list[Any]:
    async with db.transaction() as tx:
        return list(await register_referrals(tx, deps, commands))


async def events(db: Database) -> list[dict[str, Any]]:
    async with db.reading() as tx:
        rows = await tx.rows(select(OUTBOX.c.body).order_by(OUTBOX.c.id))
    return [json.loads(row.body)["data"] for row in rows]


async def count(db: Database, table: str) -> int:
    async with db.reading() as tx:
        row = await tx.row(text(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return int(row[0])


async def test_a_new_referral_is_announced_with_codes_alone(db: Database) -> None:
    [result] = await register(db, deps(), command(deps(), referral(), "k"))

    assert (result.outcome, result.version) == (Outcome.ACCEPTED, 1)
    [event] = await events(db)
    assert event["referral_id"] == str(result.referral_id)
    assert (event["version"], event["age"], event["area_code"]) == (1, 36, "E07000008")
    assert event["crime"]["category"] == "burglary.residential"
    assert event["consents"][1]["recipients"] == ["counselling"]
    assert "repeat_of" not in event
    assert not {"Alex", "Example", "07700900123"} & set(json.dumps(event).split('"'))


async def test_a_correction_names_the_fields_that_it_changed_and_no_value(db: Database) -> None:
    await register(db, deps(), command(deps(), referral(), "a"))
    await register(db, deps(), command(deps(), referral(person__phone="07700900999"), "b"))
    await register(db, deps(), command(deps(), referral(person__phone="07700900999", needs=["idva"]), "c"))
    await register(db, deps(), command(deps(), referral(person__phone="07700900999", needs=["idva"]), "d"))

    first, second, third = await events(db)
    assert "changed_in" not in first
    assert second["changed_in"] == {"phone": 2}
    assert third["changed_in"] == {"phone": 2, "needs": 3}
    assert "07700900999" not in json.dumps([second, third])


DETAILS = {
    "source__from": "Citizens Advice, Ely",
    "source__intake_method": "phone",
    "source__received_by_unit": [{"unit": "bureau", "received_at": "2026-11-19T08:30:00+01:00"}],
    "person__lives_in_area": False,
    "person__local_authority_area": "area_x",
    "purpose": "hate_crime_report",
}


async def test_where_it_came_from_and_what_for_is_announced_and_the_organisation_is_not(db: Database) -> None:
    survey = {"hop": "survey", "decision": "refused", "recorded_at": "2026-11-19T08:10:00+00:00"}
    await register(db, deps(), command(deps(), referral(consents=[survey], **DETAILS), "k"))

    [event] = await events(db)
    assert event["received_by_unit"] == [{"unit": "bureau", "received_at": "2026-11-19T07:30:00Z"}]
    assert (event["lives_in_area"], event["local_authority_area"]) == (False, "area_x")
    assert event["purpose"] == "hate_crime_report"
    assert [consent["hop"] for consent in event["consents"]] == ["survey"]
    assert "Citizens" not in json.dumps(event)
    async with db.reading() as tx:
        row = await tx.row(text("SELECT source_from, intake_method FROM referral"))
    assert row is not None
    assert tuple(row) == ("Citizens Advice, Ely", "phone")


async def test_a_correction_replaces_who_refers_and_what_for(db: Database) -> None:
    await register(db, deps(), command(deps(), referral(**DETAILS), "a"))
    [corrected] = await register(db, deps(), command(deps(), referral(source__from="Age UK"), "b"))

    first, second = await events(db)
    assert (corrected.outcome, second["version"]) == (Outcome.UPDATED, 2)
    assert (first["purpose"], second.get("purpose"), second["received_by_unit"]) == ("hate_crime_report", None, [])
    async with db.reading() as tx:
        row = await tx.row(text("SELECT source_from, intake_method FROM referral"))
    assert row is not None
    assert tuple(row) == ("Age UK", None)


@pytest.mark.parametrize(("born", "age", "announced"), [(None, 17, 17), ("1990-02-03", 17, 36), (None, None, None)])
async def test_an_age_counts_where_the_date_of_birth_is_not_known(
    db: Database, born: str | None, age: int | None, announced: int | None
) -> None:
    body = referral(person__date_of_birth=born, person__age=age)
    await register(db, deps(), command(deps(), body, "k"))

    assert [event.get("age") for event in await events(db)] == [announced]


async def test_the_same_key_and_body_has_the_same_answer_and_no_second_effect(db: Database) -> None:
    body = referral(source__reference=None)
    [first] = await register(db, deps(), command(deps(), body, "k"))
    again, alongside = await register(db, deps(), command(deps(), body, "k"), command(deps(), body, "k"))

    assert first.referral_id == again.referral_id == alongside.referral_id
    assert len(await events(db)) == 1


async def test_the_same_key_with_another_body_is_refused(db: Database) -> None:
    first, other = await register(
        db, deps(), command(deps(), referral(), "k"), command(deps(), referral(needs=[]), "k")
    )
    [later] = await register(db, deps(), command(deps(), referral(needs=[]), "k"))

    assert isinstance(first, Registered)
    assert isinstance(other, InvalidError)
    assert other.reason == later.reason == "idempotency_key_reused"
    assert await count(db, "referral") == 1


async def test_the_same_key_of_another_client_is_another_key(db: Database) -> None:
    body = referral(source__reference=None)
    one, two = await register(
        db, deps(), command(deps(), body, "k", client="a"), command(deps(), body, "k", client="b")
    )
    assert one.referral_id != two.referral_id


async def test_without_a_reference_every_referral_is_new(db: Database) -> None:
    body = referral(source__reference=None)
    one, two = await register(db, deps(), command(deps(), body, "a"), command(deps(), body, "b"))
    assert one.referral_id != two.referral_id


async def test_an_unchanged_reference_is_a_duplicate_without_an_event(db: Database) -> None:
    [first] = await register(db, deps(), command(deps(), referral(), "a"))
    [again] = await register(db, deps(), command(deps(), referral(), "b"))
    [replay] = await register(db, deps(), command(deps(), referral(), "b"))

    assert again == Registered(first.referral_id, Outcome.DUPLICATE, 1)
    assert replay.referral_id == first.referral_id
    assert len(await events(db)) == 1


async def test_a_changed_reference_is_a_correction_with_a_higher_version(db: Database) -> None:
    [first] = await register(db, deps(), command(deps(), referral(), "a"))
    changed = referral(person__family_name="Changed", needs=["idva"])
    [second] = await register(db, deps(), command(deps(), changed, "b"))

    assert second == Registered(first.referral_id, Outcome.UPDATED, 2)
    assert [(event["version"], event["needs"]) for event in await events(db)] == [(1, ["counselling"]), (2, ["idva"])]
    async with db.reading() as tx:
        view = await read_fields(tx, deps(), first.referral_id, ["family_name", "needs"])
    assert (view.version, view.fields) == (2, {"family_name": "Changed", "needs": ["idva"]})
    assert await count(db, "person") == 1


async def test_corrections_within_one_batch_are_taken_in_order(db: Database) -> None:
    bodies = [referral(), referral(), referral(needs=["idva"]), referral()]
    results = await register(db, deps(), *(command(deps(), body, str(n)) for n, body in enumerate(bodies)))

    assert [(result.outcome, result.version) for result in results] == [
        ("accepted", 1),
        ("duplicate", 1),
        ("updated", 2),
        ("updated", 3),
    ]
    assert len({result.referral_id for result in results}) == 1
    assert [event["version"] for event in await events(db)] == [1, 2, 3]
    [replay] = await register(db, deps(), command(deps(), bodies[2], "2"))
    assert replay.referral_id == results[0].referral_id


async def test_a_reference_of_another_organisation_is_another_referral(db: Database) -> None:
    one, two = await register(
        db, deps(), command(deps(), referral()), command(deps(), referral(), organisation="other")
    )
    assert one.referral_id != two.referral_id


@pytest.mark.parametrize(
    "changes",
    [
        {"person__phone": None, "person__email": None},
        {"person__date_of_birth": None, "person__email": None},
        {"person__date_of_birth": "1991-01-01", "person__phone": None},
        {"person__given_name": "ALEX", "person__phone": "+44 7700 900123", "person__date_of_birth": None},
    ],
    ids=["name and birth", "name and phone", "name and email", "written differently"],
)
async def test_the_same_person_is_a_repeat_of_the_earliest(db: Database, changes: dict[str, Any]) -> None:
    [first] = await register(db, deps(), command(deps(), referral()))
    await register(db, deps(), command(deps(), referral(source__reference="B"), "b"))
    await register(db, deps(), command(deps(), referral(source__reference="C", **changes), "c"))

    assert [event.get("repeat_of") for event in await events(db)] == [None, *[str(first.referral_id)] * 2]


async def test_another_name_on_the_same_phone_is_another_person(db: Database) -> None:
    await register(db, deps(), command(deps(), referral()))
    await register(db, deps(), command(deps(), referral(source__reference="B", person__given_name="Sam")))
    assert all("repeat_of" not in event for event in await events(db))


async def test_a_repeat_is_found_within_one_batch_and_a_correction_is_no_repeat_of_itself(db: Database) -> None:
    first, _ = await register(db, deps(), command(deps(), referral()), command(deps(), referral(source__reference="B")))
    await register(db, deps(), command(deps(), referral(needs=[])))
    assert [event.get("repeat_of") for event in await events(db)] == [None, str(first.referral_id), None]


async def test_a_batch_is_a_constant_number_of_statements(db: Database) -> None:
    statements: list[str] = []
    event.listen(db._writer.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for size in (2, 200):
        statements.clear()
        batch = [command(deps(), referral(source__reference=f"R-{size}-{n}"), f"{size}-{n}") for n in range(size)]
        await register(db, deps(), *batch)
        assert len([sql for sql in statements if sql.startswith(("INSERT", "SELECT", "UPDATE"))]) <= 6


async def test_many_writers_of_the_same_references_make_each_once(db: Database) -> None:
    def batch(writer: int) -> list[Register]:
        return [
            command(deps(), referral(source__reference=f"R-{(n * 7 + writer) % 20}"), f"{writer}-{n}")
            for n in range(20)
        ]

    results = await asyncio.gather(*(register(db, deps(), *batch(writer)) for writer in range(6)))

    assert await count(db, "referral") == await count(db, "outbox") == 20
    assert len({result.referral_id for batch_results in results for result in batch_results}) == 20


async def test_age_counts_on_the_local_day_of_receipt(db: Database) -> None:
    late = "2026-07-01T23:30:00+00:00"  # 2 July in London
    body = referral(person__date_of_birth="2008-07-02", received_at=late)
    await register(db, deps(), command(deps(), body))
    [event] = await events(db)
    assert event["age"] == 18


def decided(referral_id: UUID, version: int, outcome: str = "accepted") -> Event[Any]:
    decision = DecisionFacts(
        outcome=outcome, reason=None if outcome == "accepted" else "crime_excluded", profile_version="1"
    )
    common = {"case_id": new_id(), "referral_id": referral_id, "version": version, "source_organisation": "police"}
    case = (
        CaseOpenedV1(**common, decision=decision, opened_at=NOW, crime_category="burglary.residential")
        if outcome == "accepted"
        else CaseExcludedV1(**common, decision=decision)
    )
    return Event(new_id(), case.TYPE, "triage", str(case.case_id), NOW, case)


def onward(referral_id: UUID, onward_id: UUID, version: int, contract: Any, status: str) -> Event[Any]:
    data = contract(
        onward_referral_id=onward_id, pathway_id=new_id(), case_id=new_id(), referral_id=referral_id, kind="idva",
        partner_id=new_id(), service_id=new_id(), status=status, version=version, changed_at=NOW,
    )  # fmt: skip
    return Event(new_id(), data.TYPE, "partners", str(onward_id), NOW, data)


async def test_the_newest_decision_stands_whatever_the_order(db: Database) -> None:
    [registered] = await register(db, deps(), command(deps(), referral()))
    id = registered.referral_id
    unknown = decided(new_id(), 1)
    async with db.transaction() as tx:
        deferred = await record_decisions(tx, [decided(id, 2, "excluded"), decided(id, 1), unknown])
    assert [item.event_id for item in deferred] == [unknown.id]
    async with db.transaction() as tx:
        assert await record_decisions(tx, [decided(id, 1)]) == []
    async with db.reading() as tx:
        view = await read_status(tx, deps(), id, "police")
    assert (view.status, view.decision.outcome if view.decision else None) == ("excluded", "excluded")


async def test_status_shows_what_the_profile_lets_flow_back(db: Database) -> None:
    [registered] = await register(db, deps(), command(deps(), referral()))
    id, onward_id = registered.referral_id, new_id()
    async with db.transaction() as tx:
        await record_decisions(tx, [decided(id, 1)])
        await record_onward(tx, [onward(id, onward_id, 3, OnwardReferralAcceptedV1, "accepted")])
    async with db.transaction() as tx:
        await record_onward(tx, [onward(id, onward_id, 2, OnwardReferralSentV1, "sent")])
    async with db.reading() as tx:
        open_view = await read_status(tx, deps(), id, "police")
        ring_fenced = await read_status(tx, deps(FlowBack(decision=False, onward=False)), id, "police")
    assert open_view.status == "accepted"
    assert [(item.kind, item.status) for item in open_view.onward] == [("idva", "accepted")]
    assert (ring_fenced.status, ring_fenced.decision, ring_fenced.onward) == ("received", None, [])


async def test_another_organisation_is_told_nothing(db: Database) -> None:
    [registered] = await register(db, deps(), command(deps(), referral()))
    async with db.reading() as tx:
        with pytest.raises(NotFoundError):
            await read_status(tx, deps(), registered.referral_id, "other")


async def test_rotation_seals_everything_anew_and_nothing_is_lost(db: Database) -> None:
    [first] = await register(db, deps(), command(deps(), referral()))
    await register(db, deps(), *(command(deps(), referral(source__reference=f"R-{n}")) for n in range(4)))
    rotated = deps(field_keys=new_keyring("second", previous=FIELD_KEYS))
    resealed = []
    while not resealed or resealed[-1]:
        async with db.transaction() as tx:
            resealed.append(await rotate_keys(tx, rotated, 2))
    assert resealed == [2, 2, 1, 0]
    async with db.reading() as tx:
        assert await count_keys(tx) == {"second": 5}
        view = await read_fields(tx, rotated, first.referral_id, ["given_name", "date_of_birth", "address"])
    assert view.fields == {
        "given_name": "Alex",
        "date_of_birth": "1990-02-03",
        "address": {"lines": ["1 Example Street"], "postcode": "ZZ99 9ZZ"},
    }


async def test_no_personal_value_stands_in_any_column(db: Database) -> None:
    canaries = {
        "person__given_name": "Canarygiven",
        "person__family_name": "Canaryfamily",
        "person__date_of_birth": "1971-03-07",
        "person__address": {"lines": ["77 Canary Street"], "postcode": "ZZ99 9ZZ"},
        "person__phone": "07700900777",
        "person__email": "canary@example.org",
        "safe_contact__instructions": "ask for canary-word",
        "crime__reference": "35/77777/26",
        "narrative": "the canary story",
    }
    await register(db, deps(), command(deps(), referral(**canaries), "canary-key"))
    await register(db, deps(), command(deps(), referral(**canaries, needs=[]), "canary-key-2"))
    dump = await dumped(db)
    assert "burglary.residential" in dump
    needles = ["canary", "1971-03-07", "19710307", "ZZ99", "07700900777", "77777"]
    assert [needle for needle in needles if needle.lower() in dump.lower()] == []


async def dumped(db: Database) -> str:
    parts = []
    async with db.reading() as tx:
        for table in METADATA.sorted_tables:
            for row in await tx.rows(select(table)):
                for value in row:
                    parts.append(value.decode("latin-1") if isinstance(value, bytes) else str(value))
    return "\n".join(parts)


async def test_old_idempotency_keys_are_forgotten_and_young_ones_kept(db: Database) -> None:
    await register(db, deps(), command(deps(), referral(), "old"))
    assert isinstance(db.clock, ManualClock)
    db.clock.advance(KEYS_KEPT)
    await register(db, deps(), command(deps(), referral(), "young"))
    db.clock.advance(KEYS_KEPT / 2)
    async with db.transaction() as tx:
        assert await forget_old_keys(tx, tx.now) == 1
    assert await count(db, "idempotency") == 1
