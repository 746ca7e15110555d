"""The words of triage: frozen values that its rules read and make."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from hubkit.contracts.referral import ReferralReceivedV1


class CaseStatus(StrEnum):
    """Whether the hub works on the case."""

    OPEN = "open"
    EXCLUDED = "excluded"


class ContactState(StrEnum):
    """What became of a planned contact."""

    PLANNED = "planned"
    SUSPENDED = "suspended"
    REPLACED = "replaced"


class DecisionKind(StrEnum):
    """What a stored decision is about."""

    TRIAGE = "triage"
    ASSESSMENT = "assessment"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rules look at: one referral as codes, and what has been decided about it so far.

    `consents` holds the latest decision for each hop. `offence_age` is the most the person can have been at the time of
    the offence, in whole years, as far as it is known.
    """

    crime: str
    channel: str
    received_at: datetime
    markers: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    unit: str | None = None
    role: str = "victim"
    age: int | None = None
    offence_age: int | None = None
    risk_grade: str | None = None
    reported_to_police: bool | None = None
    crime_recorded_at: datetime | None = None
    consents: Mapping[str, str] | None = None
    entitlement: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the hub takes the referral on. `rules` are the ids of all rules that applied, the deciding one first."""

    outcome: str = "accepted"
    reason: str | None = None
    rules: tuple[str, ...] = ()
    case_status: str | None = None
    expected_route: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether a case is opened."""
        return self.outcome == "accepted"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Enhanced or standard rights under the Victims' Code, with the categories that gave them."""

    level: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A method of contact that must not be used, and the code of the reason."""

    method: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedContact:
    """A contact with the person that triage plans.

    `methods` is None where the hub's text names none, and then staff choose, but none of `left_out`. `due_at` is None
    without a deadline; `due_reason` then says why.
    """

    rule_id: str
    purpose: str
    by: str | None
    methods: tuple[str, ...] | None
    mode: str | None
    left_out: tuple[LeftOut, ...]
    cautions: tuple[str, ...]
    state: ContactState
    due_at: datetime | None
    due_reason: str | None


@dataclass(frozen=True, slots=True)
class Triaged:
    """All that triage decides about one referral; the later fields are empty when it is not accepted."""

    decision: Decision
    entitlement: Entitlement | None = None
    level: str | None = None
    needs: tuple[str, ...] = ()
    contacts: tuple[PlannedContact, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredCase:
    """What triage must know of a case that stands, before it decides again."""

    id: UUID
    referral_version: int
    version: int
    opened_at: datetime | None
    assessed_needs: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case as it is from now on, after a decision about its referral.

    `before` is None for a new case. `opened_at` is None while it was never accepted.
    """

    case_id: UUID
    referral: ReferralReceivedV1
    triaged: Triaged
    opened_at: datetime | None
    before: StoredCase | None = None

    @property
    def version(self) -> int:
        """The version of the case after this change."""
        return self.before.version + 1 if self.before else 1

    @property
    def status(self) -> CaseStatus:
        """Whether the hub works on it."""
        return CaseStatus.OPEN if self.triaged.decision.is_accepted else CaseStatus.EXCLUDED


@dataclass(frozen=True, slots=True)
class Versions:
    """Under which profile and calendar a decision is made."""

    profile: str
    calendar: str


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it was stored. `decided_by` is None where the rules alone decided."""

    kind: str
    case_version: int
    decision: Decision
    entitlement: Entitlement | None
    level: str | None
    needs: tuple[str, ...]
    versions: Versions
    decided_by: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline: what was said, and its codes."""

    type: str
    at: datetime
    codes: dict[str, Any]
