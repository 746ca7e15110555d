"""Amendments: what a partner has read has changed, so it is told which fields, and reads again through the gate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts import CaseAssessedV1, CaseOpenedV1, Event, OnwardReferralAmendedV1, PersonErasedV1
from hubkit.contracts.codes import ASSESSMENT
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from services.partners.actions import acknowledgements
from services.partners.actions.deliveries import Notice, enqueue
from services.partners.actions.deps import Deps
from services.partners.actions.notify import tell_allowed
from services.partners.actions.own import own
from services.partners.model import AMENDED, CORRECTED, ERASED, RECTIFIED, Onward, Rectification
from services.partners.policy.amendments import Content, changed_since
from services.partners.policy.transitions import OVER, TOLD
from services.partners.store import amendments, cases, onward, protection, registry, words

_NOTHING: Final = Content()
#: What is read in the place of words that were erased.
_NO_WORDS: Final = "(erased)"
#: What of an assessment travels to partners; the rest of the event says which case it is about.
_ASSESSED: Final = ("needs", "kind", "assessed_by", "sections", "findings", "risk_grade", "assessed_at")


async def note_changes(tx: Tx, deps: Deps, events: Sequence[Event[CaseOpenedV1]], known: Collection[UUID]) -> None:
    """Amend what partners have read of cases whose referral was corrected; those first heard of now have no readers."""
    newest: dict[UUID, Content] = {}
    standing = {event.data.case_id for event in events if event.data.changed_in}
    contents = await amendments.content_of(tx, standing) if standing else {}
    for event in events:
        data = event.data
        if data.changed_in:
            content = newest.get(data.case_id) or contents.get(data.case_id, _NOTHING)
            changed = dict(content.changed_in)
            for name, version in data.changed_in.items():
                changed[name] = max(version, changed.get(name, 0))
            newest[data.case_id] = replace(content, changed_in=changed)
    news = {id: content for id, content in newest.items() if content != contents.get(id, _NOTHING)}
    await amendments.put_content(tx, news)
    heard = {id: content for id, content in news.items() if id in known}
    await _amend(tx, deps, heard)
    await _rectify(tx, deps, heard)


async def note_assessments(tx: Tx, deps: Deps, events: Sequence[Event[CaseAssessedV1]]) -> list[Deferred]:
    """Keep the newest assessment of each case, and amend what partners have read; those of unknown cases wait."""
    known = await cases.lock_cases(tx, {event.data.case_id for event in events})
    contents = await amendments.content_of(tx, known) if known else {}
    news: dict[UUID, Content] = {}
    for event in events:
        data = event.data
        content = news.get(data.case_id) or contents.get(data.case_id, _NOTHING)
        if data.case_id in known and data.version > content.assessment_version:
            facts = data.model_dump(mode="json", include=set(_ASSESSED))
            news[data.case_id] = replace(content, assessment=facts, assessment_version=data.version)
    await amendments.put_content(tx, news)
    await _amend(tx, deps, news)
    return [Deferred(event.id, "the case is not known yet") for event in events if event.data.case_id not in known]


async def note_erasures(tx: Tx, deps: Deps, events: Sequence[Event[PersonErasedV1]]) -> None:
    """Tell every recipient that the hub has erased what it had read, whether or not its own work goes on.

    What staff and partners wrote in words about the person is overwritten. Codes, decisions and hashes stay: they
    answer for what was done.
    """
    referrals = {event.data.referral_id for event in events}
    known_cases = await words.cases_of(tx, referrals)
    await cases.lock_cases(tx, known_cases)
    await words.overwrite(tx, known_cases, lambda table, id, name: deps.keyring.record(table, id).seal(name, _NO_WORDS))
    rows = await onward.lock_of(tx, referrals)
    known = await amendments.known_of(tx, [row.id for row in rows]) if rows else {}
    contents = await amendments.content_of(tx, {row.case_id for row in rows}) if rows else {}
    read = {row: tuple(known[row.id].fields) for row in rows if row.id in known}
    await _tell_recipients(tx, deps, ERASED, read, contents)


async def content_of(tx: Tx, case_id: UUID) -> Content:
    """Return what is known of the content of a locked case."""
    return (await amendments.content_of(tx, [case_id])).get(case_id, _NOTHING)


async def note_reading(tx: Tx, deps: Deps, row: Onward, content: Content, referral_version: int) -> None:
    """Note that a partner has read an onward referral of a locked case; what changed while it was read is told of."""
    if content == _NOTHING:
        return
    await amendments.mark_fetched(tx, row.id, referral_version, content.assessment_version)
    await note_sending(tx, deps, row, content, referral_version)


async def note_sending(tx: Tx, deps: Deps, row: Onward, content: Content, referral_version: int) -> None:
    """Tell a partner of what changed while the person was read that a webhook is about to carry to it."""
    if content.referral_version > referral_version:
        await _amend(tx, deps, {row.case_id: content}, {row.id})


async def note_arrivals(tx: Tx, onward_by_permit: Mapping[UUID, UUID]) -> None:
    """Note that partners have what webhooks carried to them, by the permits under which they did."""
    if onward_by_permit:
        for row in await amendments.carried(tx, onward_by_permit):
            await amendments.mark_fetched(tx, row.onward_referral_id, row.referral_version, row.assessment_version)


async def list_amendments(tx: Tx, caller: Caller, onward_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return the amendments of the caller's onward referral, oldest first.

    Raises
    ------
    NotFoundError
        When it is not the caller's, or it was never told of it.
    """
    await _check_own(tx, caller, onward_id)
    return await amendments.amendments_of(tx, onward_id, after, limit)


async def list_receipts(tx: Tx, caller: Caller, onward_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return what the caller has read of its onward referral, oldest first: names and hashes, no values.

    Raises
    ------
    NotFoundError
        When it is not the caller's, or it was never told of it.
    """
    await _check_own(tx, caller, onward_id)
    return await amendments.receipts_of(tx, onward_id, after, limit)


async def _check_own(tx: Tx, caller: Caller, onward_id: UUID) -> None:
    partner_id = await registry.partner_of(tx, caller.organisation)
    if own(await onward.read(tx, [onward_id]), caller, partner_id).sent_at is None:
        raise NotFoundError


async def _amend(tx: Tx, deps: Deps, contents: Mapping[UUID, Content], only: Collection[UUID] | None = None) -> None:
    """Make an amendment of each live onward referral of which fields that were read are other ones now."""
    if not contents:
        return
    rows = await onward.lock_live(tx, contents, TOLD)
    rows = [row for row in rows if only is None or row.id in only]
    known = await amendments.known_of(tx, [row.id for row in rows]) if rows else {}
    changed = {row: changed_since(known[row.id], contents[row.case_id]) for row in rows if row.id in known}
    amended = {row: fields for row, fields in changed.items() if fields}
    if not amended:
        return
    numbers = await _keep(tx, amended, contents)
    # The others find it in the list, once they may read again.
    await tell_allowed(tx, deps, AMENDED, list(amended), numbers)


async def _rectify(tx: Tx, deps: Deps, contents: Mapping[UUID, Content]) -> None:
    """Tell recipients whose work has ended which fields of what they had read were corrected.

    An assessment is no correction of what they had read, but news of a person who is theirs no more.
    """
    if not contents:
        return
    rows = await onward.lock_live(tx, contents, OVER)
    known = await amendments.known_of(tx, [row.id for row in rows]) if rows else {}
    changed: dict[Onward, tuple[str, ...]] = {}
    for row in rows:
        if row.id in known:
            fields = changed_since(known[row.id], contents[row.case_id])
            changed[row] = tuple(name for name in fields if name != ASSESSMENT)
    await _tell_recipients(tx, deps, CORRECTED, changed, contents)


async def _tell_recipients(
    tx: Tx, deps: Deps, change: str, changed: Mapping[Onward, tuple[str, ...]], contents: Mapping[UUID, Content]
) -> None:
    """Tell recipients what became of data that they had read, and ask what they did about it; no gate is in the way.

    Nothing of the person is in it. Whoever has stated that it holds nothing any more is not told.

    Source: UK GDPR article 19.
    """
    gone = await protection.disposed_of(tx, [row.id for row in changed]) if changed else set()
    told = {row: fields for row, fields in changed.items() if fields and row.id not in gone}
    if not told:
        return
    numbers = await _keep(tx, told, contents, change)
    due = await acknowledgements.ask(tx, deps, dict.fromkeys(told, change), numbers)
    notices = []
    for row, fields in told.items():
        what = Rectification(change, numbers[row.id], fields, due[row.id])
        notices.append(
            Notice(row.id, row.partner_id, RECTIFIED, row.kind, urgent=True, number=what.number, rectification=what)
        )
    await enqueue(tx, deps, notices)


async def _keep(
    tx: Tx,
    amended: Mapping[Onward, tuple[str, ...]],
    contents: Mapping[UUID, Content],
    change: str | None = None,
) -> dict[UUID, int]:
    """Store and say which fields were amended; returns the number of each amendment, by onward referral."""
    last = await amendments.last_numbers(tx, [row.id for row in amended])
    numbers = {row.id: last.get(row.id, 0) + 1 for row in amended}
    entries = []
    for row, fields in amended.items():
        _say(tx, row, numbers[row.id], fields, change)
        entries.append(_entry(tx, row, contents.get(row.case_id, _NOTHING), numbers[row.id], fields))
    await amendments.add(tx, entries)
    return numbers


def _entry(tx: Tx, row: Onward, content: Content, number: int, fields: Sequence[str]) -> dict[str, Any]:
    return {
        "id": new_id(),
        "onward_referral_id": row.id,
        "case_id": row.case_id,
        "number": number,
        "fields": list(fields),
        "referral_version": content.referral_version,
        "assessment_version": content.assessment_version,
        "made_at": tx.now,
        "fetched_at": None,
    }


def _say(tx: Tx, row: Onward, number: int, fields: tuple[str, ...], change: str | None) -> None:
    event = OnwardReferralAmendedV1(
        onward_referral_id=row.id,
        case_id=row.case_id,
        partner_id=row.partner_id,
        number=number,
        fields=fields,
        amended_at=tx.now,
        change=change,
    )
    tx.emit(event, row.id)
