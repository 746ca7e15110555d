"""What triage says."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract
from hubkit.contracts.referral import ConsentFacts, Facts


class DecisionFacts(Facts):
    """One decision: what, why, under which version of the profile, by which rules.

    `outcome` is one of accepted, excluded, out_of_scope, not_referred, channel_not_active, no_active_profile, pending,
    returned. `reason` is a code, absent when accepted.
    """

    outcome: str
    reason: str | None = None
    profile_version: str
    rules: tuple[str, ...] = ()


class CaseOpenedV1(Contract):
    """Triage accepted a referral: all that routing needs to find services and partners needs for the gate.

    Publisher: triage. Consumers: intake, routing, partners. `version` counts the changes of the case. `needs` open a
    pathway each.
    """

    TYPE: ClassVar[str] = "case.opened.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    source_organisation: str
    decision: DecisionFacts
    opened_at: datetime
    crime_category: str
    markers: tuple[str, ...] = ()
    role: str = "victim"
    age: int | None = None
    area_code: str | None = None
    risk_grade: str | None = None
    language: str | None = None
    entitlement: str | None = None
    priority: str | None = None
    needs: tuple[str, ...] = ()
    consents: tuple[ConsentFacts, ...] = ()


class CaseTriagedV1(CaseOpenedV1):
    """The facts of an open case changed (a corrected referral, a re-triage) and it stays open.

    Publisher: triage. Consumers: intake, routing, partners. The same fields as `case.opened`, all of them new.
    """

    TYPE: ClassVar[str] = "case.triaged.v1"


class CaseExcludedV1(Contract):
    """A referral is not taken on, or an open case turned out to be excluded: nothing goes to anybody, queued or new.

    Publisher: triage. Consumers: intake, routing, partners. `expected_route` says where the person is expected to get
    help instead, when the profile knows.
    """

    TYPE: ClassVar[str] = "case.excluded.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    source_organisation: str
    decision: DecisionFacts
    case_status: str | None = None
    expected_route: str | None = None


class CaseAssessedV1(Contract):
    """An assessment with the person found needs: `needs` are all of the case's needs from now on.

    Publisher: triage. Consumer: routing.
    """

    TYPE: ClassVar[str] = "case.assessed.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    needs: tuple[str, ...]
