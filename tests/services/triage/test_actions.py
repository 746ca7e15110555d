"""What batches of events do to the tables, and what triage says about them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from hubkit.clock import ManualClock
from hubkit.contracts import DisclosureMadeV1, OnwardReferralRefusedV1, PathwayProposedV1, ReferralReceivedV1
from hubkit.db import Database
from hubkit.errors import ConflictError, NotFoundError, PreconditionFailedError
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.profiles import ProfileBook
from services.triage.actions.change import record_assessment
from services.triage.actions.deps import Deps
from services.triage.actions.read import explain_case, read_case
from services.triage.actions.timeline import note_events
from services.triage.actions.triage import triage_referrals
from services.triage.schemas.requests import Assessment
from services.triage.schemas.views import CaseView
from services.triage.store import cases
from services.triage.tables import CaseRow, ContactRow, DecisionRow
from tests.services.triage.support import CAMBRIDGESHIRE, NOW, deps_of, event, received

DEPS = Deps(ProfileBook.load(CAMBRIDGESHIRE))
VERSIONS = DEPS.ground(NOW).versions

Said = list[tuple[str, dict[str, Any]]]


async def triaged(db: Database, *referrals: ReferralReceivedV1, deps: Deps = DEPS) -> Said:
    """Triage a batch; return what was said, in order."""
    async with db.transaction() as tx:
        assert await triage_referrals(tx, deps, [event(referral) for referral in referrals]) == []
    return [(row["type"], orjson.loads(row["body"])["data"]) for row in tx.events]


async def case_of(db: Database, referral: ReferralReceivedV1) -> CaseView:
    async with db.reading() as tx:
        row = await tx.row(select(CaseRow.id).where(CaseRow.referral_id == referral.referral_id))
        assert row is not None
        return await read_case(tx, DEPS, row.id)


async def count(db: Database, model: Any) -> int:
    async with db.reading() as tx:
        row = await tx.row(select(func.count()).select_from(model))
        assert row is not None
        return int(row[0])


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = db._writer.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    yield statements
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)


async def test_a_referral_opens_one_case_with_all_that_routing_and_partners_need(db: Database) -> None:
    consent = {"hop": "hub_to_partner", "decision": "given", "recipients": ["counselling"], "recorded_at": NOW}
    referral = received(
        markers=["vulnerable"],
        needs=["counselling"],
        consents=[consent],
        area_code="E07000008",
        risk={"grade": "medium"},
    )
    ((type, said),) = await triaged(db, referral)
    assert type == "case.opened.v1"
    assert said["decision"] == {
        "outcome": "accepted",
        "profile_version": "2024.1",
        "rules": ["victims_code.vulnerable_or_intimidated", "support_requested_or_enhanced", "contacted"],
    }
    expected = {
        "version": 1, "source_organisation": "demo-police", "entitlement": "enhanced", "needs": ["counselling"],
        "crime_category": "burglary.residential", "area_code": "E07000008", "risk_grade": "medium", "age": 36,
    }  # fmt: skip
    assert expected.items() <= said.items()
    assert said["consents"][0]["recipients"] == ["counselling"]
    assert "priority" not in said
    case = await case_of(db, referral)
    assert str(case.id) == said["case_id"]
    assert (case.status, case.version, case.decision.outcome) == ("open", 1, "accepted")
    assert [(contact.state, contact.due_at, contact.calendar_version) for contact in case.contacts] == [
        ("planned", None, VERSIONS.calendar)
    ]


async def test_an_excluded_referral_says_so_and_plans_nothing(db: Database) -> None:
    referral = received(crime="sexual.rape", needs=["isva"])
    ((type, said),) = await triaged(db, referral)
    assert type == "case.excluded.v1"
    assert said["decision"]["reason"] == "rape"
    assert (said["case_status"], said["expected_route"]) == (
        "closed_without_contact",
        "direct_by_investigating_officer",
    )
    case = await case_of(db, referral)
    assert (case.status, case.needs, case.contacts, case.opened_at) == ("excluded", [], [], None)


async def test_a_corrected_referral_is_triaged_again_in_the_same_case(db: Database) -> None:
    first = received(markers=["vulnerable"])
    await triaged(db, first)
    ((type, said),) = await triaged(db, first.model_copy(update={"version": 2, "needs": ("counselling",)}))
    assert (type, said["version"], said["needs"]) == ("case.triaged.v1", 2, ["counselling"])
    case = await case_of(db, first)
    assert case.version == 2
    assert [entry.type for entry in case.timeline] == ["triage.decided", "triage.decided"]
    assert len(case.contacts) == 1  # whose plan is the same
    assert (await count(db, CaseRow), await count(db, DecisionRow), await count(db, ContactRow)) == (1, 2, 1)


async def test_a_late_exclusion_stops_an_open_case_and_its_contacts(db: Database) -> None:
    first = received(markers=["vulnerable"])
    await triaged(db, first)
    crime = first.crime.model_copy(update={"category": "sexual.rape"})
    ((type, _),) = await triaged(db, first.model_copy(update={"version": 2, "crime": crime}))
    assert type == "case.excluded.v1"
    case = await case_of(db, first)
    assert (case.status, case.contacts) == ("excluded", [])
    ((type, said),) = await triaged(db, first.model_copy(update={"version": 3}))
    assert (type, said["version"]) == ("case.triaged.v1", 3)


async def test_a_case_that_was_never_open_opens_with_the_correction(db: Database) -> None:
    rape = received(crime="sexual.rape")
    await triaged(db, rape)
    crime = rape.crime.model_copy(update={"category": "theft.other"})
    ((type, said),) = await triaged(db, rape.model_copy(update={"version": 2, "crime": crime}))
    assert (type, said["version"]) == ("case.opened.v1", 2)


async def test_versions_may_come_in_any_order_and_twice(db: Database) -> None:
    first = received()
    second = first.model_copy(update={"version": 2, "needs": ("counselling",)})
    ((type, said),) = await triaged(db, second, first)
    assert (type, said["needs"]) == ("case.opened.v1", ["counselling"])
    assert await triaged(db, first, second) == []
    assert (await case_of(db, first)).version == 1


async def test_a_batch_costs_the_same_statements_whatever_its_size(db: Database) -> None:
    sizes = []
    for size in (2, 40):
        batch = [received(markers=["vulnerable"]) for _ in range(size)]
        for version in (1, 2):
            with counted(db) as statements:
                await triaged(db, *(referral.model_copy(update={"version": version}) for referral in batch))
            sizes.append(len(statements))
    assert sizes[:2] == sizes[2:]
    assert max(sizes) <= 9


async def test_two_replicas_open_one_case_and_the_later_version_is_tried_again(db: Database) -> None:
    first = received()
    second = first.model_copy(update={"version": 2})
    async with db.transaction() as tx:
        await triage_referrals(tx, DEPS, [event(first)])
        rival = asyncio.create_task(_deferred(db, second))
        await asyncio.sleep(0.2)
        assert not rival.done()
    # On SQLite, with its one writer, the rival begins after the first has committed and sees its case.
    assert [item.reason for item in await rival] == ["the case is being opened elsewhere"] * db.is_postgresql
    await _deferred(db, second)
    assert (await case_of(db, first)).version == 2


async def _deferred(db: Database, referral: ReferralReceivedV1) -> list[Deferred]:
    async with db.transaction() as tx:
        return await triage_referrals(tx, DEPS, [event(referral)])


async def test_news_of_a_case_stand_on_it_with_the_latest_version_of_each(db: Database) -> None:
    referral = received(needs=["counselling"])
    await triaged(db, referral)
    case_id = (await case_of(db, referral)).id
    pathway, onward, partner, service = (new_id() for _ in range(4))
    common = {"pathway_id": pathway, "case_id": case_id, "referral_id": referral.referral_id}
    candidate = {"service_id": service, "partner_id": partner, "eligible": True}
    proposed = {**common, "need": "counselling", "candidates": [candidate]}
    changed = {
        **common, "onward_referral_id": onward, "kind": "counselling", "partner_id": partner, "service_id": service,
        "changed_at": NOW,
    }  # fmt: skip
    refused = [
        OnwardReferralRefusedV1(**changed, status="refused", version=3, reasons=("agreement_expired",)),
        OnwardReferralRefusedV1(**changed, status="awaiting_consent", version=2, reasons=("consent_missing",)),
    ]
    disclosed = DisclosureMadeV1(
        disclosure_id=new_id(), onward_referral_id=onward, case_id=case_id, partner_id=partner, fields=("phone",),
        basis="consent", agreement_id=new_id(), agreement_version=1, disclosed_at=NOW,
    )  # fmt: skip
    news = [
        PathwayProposedV1(**proposed, status=status, version=n) for n, status in ((2, "accepted"), (1, "requested"))
    ]
    async with db.transaction() as tx:
        await note_events(tx, [event(data) for data in (*news, *refused, disclosed)])
    case = await case_of(db, referral)
    assert [(item.id, item.status, item.version, item.reasons) for item in case.onward] == [
        (onward, "refused", 3, ["agreement_expired"])
    ]
    assert [(item.id, item.need, item.status) for item in case.pathways] == [(pathway, "counselling", "accepted")]
    assert case.pathways[0].candidates[0].model_dump() == {**candidate, "reasons": []}
    assert len(case.timeline) == 6
    assert {entry.type for entry in case.timeline} >= {"disclosure.made.v1", "triage.decided"}


async def test_assessed_needs_stay_when_the_source_corrects_its_referral(db: Database) -> None:
    referral = received(needs=["counselling"])
    await triaged(db, referral)
    case_id = (await case_of(db, referral)).id
    async with db.transaction() as tx:
        found = await record_assessment(tx, DEPS, case_id, 1, Assessment(needs=("idva", "idva", "advocacy")), "staff")
    assert (found.version, found.needs) == (2, ["advocacy", "idva"])
    assert [(row["type"], orjson.loads(row["body"])["data"]["needs"]) for row in tx.events] == [
        ("case.triaged.v1", ["advocacy", "idva"]),
        ("case.assessed.v1", ["advocacy", "idva"]),
    ]
    ((_, said),) = await triaged(db, referral.model_copy(update={"version": 2, "needs": ("mental_health",)}))
    assert (said["version"], said["needs"]) == (3, ["advocacy", "idva"])


async def test_an_assessment_needs_an_open_case_of_the_version_that_was_read(db: Database) -> None:
    opened, excluded = received(), received(crime="sexual.rape")
    await triaged(db, opened, excluded)

    async def assess(case_id: UUID, version: int) -> None:
        async with db.transaction() as tx:
            await record_assessment(tx, DEPS, case_id, version, Assessment(needs=("idva",)), "staff")

    with pytest.raises(NotFoundError):
        await assess(new_id(), 1)
    with pytest.raises(PreconditionFailedError):
        await assess((await case_of(db, opened)).id, 2)
    with pytest.raises(ConflictError) as caught:
        await assess((await case_of(db, excluded)).id, 1)
    assert caught.value.reason == "wrong_state"


async def test_an_explanation_uses_the_words_of_the_profile_that_decided_and_of_no_other(
    db: Database, tmp_path: Path
) -> None:
    referral = received(crime="sexual.rape")
    await triaged(db, referral)
    case_id = (await case_of(db, referral)).id
    async with db.reading() as tx:
        told = await explain_case(tx, DEPS, case_id)
        later = await explain_case(tx, deps_of(tmp_path, "{version: t2}"), case_id)
    assert told.summary == [
        "The hub does not take this referral on, and nobody contacts the person from here.",
        "The reason is: rape.",
        "Help is expected to come another way: direct by investigating officer.",
    ]
    assert (
        told.rules[0].text
        == "Victims of rape are referred straight to a specialist service by the investigating officer."
    )
    assert told.rules[0].source == "APCC 2024, lines 421 and 434"
    assert [(rule.id, rule.text) for rule in later.rules] == [("rape", None)]


async def test_the_earliest_deadline_stands_on_the_case(db: Database, tmp_path: Path) -> None:
    text = """
    contacts:
      - {id: a, within: {amount: 48, unit: hours}}
      - {id: b, within: {amount: 24, unit: hours}}
    """
    await triaged(db, received(), deps=deps_of(tmp_path, text))
    async with db.reading() as tx:
        (row,) = await cases.list_cases(tx, None, None, None, 10)
    assert row.due_at == NOW + timedelta(hours=24)


async def test_a_case_opens_at_the_time_of_its_transaction(db: Database) -> None:
    assert isinstance(db.clock, ManualClock)
    db.clock.advance(timedelta(minutes=5))
    referral = received()
    await triaged(db, referral)
    assert (await case_of(db, referral)).opened_at == NOW + timedelta(minutes=5)
