"""Reads cases: lists, one with everything, and why it was decided so."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from hubkit.contracts import PathwayProposedV1
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.triage import store
from services.triage.actions.deps import Deps
from services.triage.model import CaseStatus, DecisionKind, Entry, StoredDecision
from services.triage.policy import explanation
from services.triage.schemas import (
    CandidateView,
    CaseSummary,
    CaseView,
    DecisionView,
    EntitlementView,
    EntryView,
    ExplanationView,
    OnwardView,
    PathwayView,
    RuleView,
)

Codes = dict[str, Any]


async def list_cases(
    tx: Tx, status: CaseStatus | None, referral_id: UUID | None, before: UUID | None, limit: int
) -> tuple[list[CaseSummary], UUID | None]:
    """Return cases, the newest first, and the id to go on from (None on the last page)."""
    rows = await store.list_cases(tx, status, referral_id, before, limit + 1)
    page = [CaseSummary.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


async def read_case(tx: Tx, case_id: UUID) -> CaseView:
    """Return one case with its decision, contacts, onward referrals, pathways and timeline.

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    case = await store.find_case(tx, case_id)
    if case is None:
        raise NotFoundError
    decisions = await store.decisions_of(tx, case_id)
    entries = await store.entries_of(tx, case_id)
    triaged = _latest_triage(decisions)
    return CaseView(
        id=case.id,
        referral_id=case.referral_id,
        status=case.status,
        version=case.version,
        decision=_decision(triaged),
        entitlement=EntitlementView.model_validate(asdict(triaged.entitlement)) if triaged.entitlement else None,
        level=case.level,
        markers=case.facts.get("markers", []),
        crime_category=case.crime_category,
        needs=case.needs,
        received_at=case.received_at,
        opened_at=case.opened_at,
        repeat_of=case.facts.get("repeat_of"),
        contacts=await store.contacts_of(tx, case_id),
        onward=_onward(entry.codes for entry in entries if entry.type.startswith("onward_referral.")),
        pathways=_pathways(entry.codes for entry in entries if entry.type == PathwayProposedV1.TYPE),
        timeline=_timeline(decisions, entries),
    )


async def explain_case(tx: Tx, deps: Deps, case_id: UUID) -> ExplanationView:
    """Return why a case was decided so.

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    case = await store.find_case(tx, case_id)
    if case is None:
        raise NotFoundError
    triaged = _latest_triage(await store.decisions_of(tx, case_id))
    texts = explanation.rule_texts(triaged.decision, deps.rulebook.profile, triaged.versions.profile)
    rights = triaged.entitlement.level if triaged.entitlement else None
    return ExplanationView(
        case_id=case_id,
        version=case.version,
        profile_version=triaged.versions.profile,
        summary=explanation.sentences(triaged.decision, rights, case.needs),
        rules=[RuleView(id=text.id, text=text.text, source=text.source) for text in texts],
    )


def _latest_triage(decisions: Sequence[StoredDecision]) -> StoredDecision:
    return next(found for found in reversed(decisions) if found.kind == DecisionKind.TRIAGE)


def _decision(stored: StoredDecision) -> DecisionView:
    return DecisionView(
        **asdict(stored.decision),
        profile_version=stored.versions.profile,
        calendar_version=stored.versions.calendar,
        decided_at=stored.decided_at,
    )


def _latest(news: Iterable[Codes], key: str) -> list[Codes]:
    """Return the newest of each thing's news, whatever order they arrived in; things stay in order of first mention."""
    found: dict[str, Codes] = {}
    for codes in news:
        standing = found.setdefault(codes[key], codes)
        if codes["version"] > standing["version"]:
            found[codes[key]] = codes
    return list(found.values())


def _onward(news: Iterable[Codes]) -> list[OnwardView]:
    return [
        OnwardView.model_validate({**codes, "id": codes["onward_referral_id"], "reasons": codes.get("reasons", [])})
        for codes in _latest(news, "onward_referral_id")
    ]


def _pathways(news: Iterable[Codes]) -> list[PathwayView]:
    return [
        PathwayView(
            id=codes["pathway_id"],
            need=codes["need"],
            status=codes["status"],
            candidates=[_candidate(found) for found in codes.get("candidates", [])],
        )
        for codes in _latest(news, "pathway_id")
    ]


def _candidate(codes: Codes) -> CandidateView:
    return CandidateView.model_validate({"reasons": [], **codes})


def _timeline(decisions: Sequence[StoredDecision], entries: Sequence[Entry]) -> list[EntryView]:
    own = [EntryView(type=f"{found.kind}.decided", at=found.decided_at, codes=_codes(found)) for found in decisions]
    heard = [EntryView(type=entry.type, at=entry.at, codes=entry.codes) for entry in entries]
    return sorted([*own, *heard], key=lambda entry: entry.at)


def _codes(stored: StoredDecision) -> Codes:
    codes = {
        "version": stored.case_version,
        "outcome": stored.decision.outcome,
        "reason": stored.decision.reason,
        "rules": list(stored.decision.rules),
        "level": stored.level,
        "needs": list(stored.needs),
        "profile_version": stored.versions.profile,
        "decided_by": stored.decided_by,
    }
    return {name: value for name, value in codes.items() if value is not None}
