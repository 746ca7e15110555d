"""Reads cases: lists, one with everything, and why it was decided so."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.triage.actions.deps import Deps
from services.triage.actions.pathways import latest, pathway_views
from services.triage.model import CaseStatus, Entry, Outputs, StoredDecision
from services.triage.policy import explanation
from services.triage.schemas.views import (
    CaseSummary,
    CaseView,
    ContactView,
    DecisionView,
    EntitlementView,
    EntryView,
    ExplanationView,
    OnwardView,
    RuleView,
)
from services.triage.store import cases, contacts, entries

Codes = dict[str, Any]

_ONWARD = "onward_referral."
_PATHWAY = "pathway."


async def list_cases(
    tx: Tx, status: CaseStatus | None, referral_id: UUID | None, before: UUID | None, limit: int
) -> tuple[list[CaseSummary], UUID | None]:
    """Return cases, the newest first, and the id to go on from (None on the last page)."""
    rows = await cases.list_cases(tx, status, referral_id, before, limit + 1)
    page = [CaseSummary.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


async def read_case(tx: Tx, deps: Deps, case_id: UUID) -> CaseView:
    """Return one case with its decision, contacts, onward referrals, pathways and timeline.

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    case = await cases.find_case(tx, case_id)
    if case is None:
        raise NotFoundError
    decisions = await cases.decisions_of(tx, case_id)
    heard = await entries.entries_of(tx, case_id)
    onward = latest(_codes_of(heard, _ONWARD), "onward_referral_id")
    decided = decisions[-1]
    profile = deps.profile(decided.versions.profile, case.received_at)
    outputs = asdict(Outputs()) | case.outputs | {"case_status": case.case_status}
    return CaseView(
        **outputs,
        id=case.id,
        referral_id=case.referral_id,
        status=case.status,
        version=case.version,
        decision=_decision(decided),
        entitlement=EntitlementView.model_validate(asdict(decided.entitlement)) if decided.entitlement else None,
        level=case.level,
        markers=case.facts.get("markers", []),
        crime_category=case.crime_category,
        needs=case.needs,
        received_at=case.received_at,
        opened_at=case.opened_at,
        repeat_of=case.facts.get("repeat_of"),
        lead_service_id=case.progress.get("lead_service_id"),
        contacts=[_contact(row.model_dump()) for row in await contacts.standing_of(tx, case_id)],
        onward=[OnwardView.model_validate({"reasons": [], **c, "id": c["onward_referral_id"]}) for c in onward],
        pathways=pathway_views(latest(_codes_of(heard, _PATHWAY), "pathway_id"), onward, profile),
        timeline=_timeline(decisions, heard),
    )


async def explain_case(tx: Tx, deps: Deps, case_id: UUID) -> ExplanationView:
    """Return why a case was decided so.

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    case = await cases.find_case(tx, case_id)
    if case is None:
        raise NotFoundError
    decided = (await cases.decisions_of(tx, case_id))[-1]
    version = decided.versions.profile
    texts = explanation.rule_texts(decided.decision, deps.profile(version, case.received_at), version)
    progress = cases.progress_of(case.progress)
    rights = decided.entitlement.level if decided.entitlement else None
    return ExplanationView(
        case_id=case_id,
        version=case.version,
        profile_version=version,
        summary=explanation.sentences(decided.decision, rights, case.needs, progress, case.outputs),
        rules=[RuleView(id=text.id, text=text.text, source=text.source) for text in texts],
    )


def _decision(stored: StoredDecision) -> DecisionView:
    codes = asdict(stored.decision)
    return DecisionView.model_validate(
        {
            **codes,
            "by_unit": codes["by_unit"] or None,
            "profile_version": stored.versions.profile,
            "calendar_version": stored.versions.calendar,
            "decided_at": stored.decided_at,
        }
    )


def _contact(row: Codes) -> ContactView:
    names = ("start", "amount", "unit")
    clock = {name: row[f"clock_{name}"] for name in names} if row["clock_start"] else None
    return ContactView.model_validate({**row, "clock": clock})


def _codes_of(heard: Sequence[Entry], type: str) -> list[Codes]:
    """Return what was heard of the state of things; amendments and the like have no version of it."""
    return [entry.codes for entry in heard if entry.type.startswith(type) and "version" in entry.codes]


def _timeline(decisions: Sequence[StoredDecision], heard: Sequence[Entry]) -> list[EntryView]:
    own = [EntryView(type=f"{found.kind}.decided", at=found.decided_at, codes=_codes(found)) for found in decisions]
    others = [EntryView(type=entry.type, at=entry.at, codes=entry.codes) for entry in heard]
    return sorted([*own, *others], key=lambda entry: entry.at)


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
        "details": stored.details or None,
    }
    return {name: value for name, value in codes.items() if value is not None}
