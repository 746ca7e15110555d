"""Pure decisions of intake."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.model import Outcome, Stored
from services.intake.policy import arrivals
from services.intake.schemas import Referral
from tests.services.intake.support import NOW, REFERRAL, referral

LONDON = ZoneInfo("Europe/London")


def faults(body: dict[str, Any]) -> list[tuple[str, str]]:
    found = arrivals.faults_of(Referral.model_validate(body), NOW, LONDON)
    return [(fault.pointer, fault.code) for fault in found]


def consent(**changes: Any) -> dict[str, Any]:
    return referral(consents=[{**REFERRAL["consents"][1], **changes}])


def test_the_example_of_the_contract_has_no_fault() -> None:
    assert faults(referral()) == []


def receipt(unit: str, at: str) -> dict[str, str]:
    return {"unit": unit, "received_at": at}


EARLY, LATE = "2026-11-19T08:00:00Z", "2026-11-20T08:00:00Z"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (referral(received_at="2026-11-19T09:05:01+00:00"), ("/received_at", "in_future")),
        (referral(crime__recorded_at="2026-11-20T00:00:00+00:00"), ("/crime/recorded_at", "in_future")),
        (referral(crime__occurred_on="2026-11-20"), ("/crime/occurred_on", "in_future")),
        (referral(person__date_of_birth="2026-11-20"), ("/person/date_of_birth", "in_future")),
        (referral(person__date_of_birth="1800-01-01"), ("/person/date_of_birth", "too_long_ago")),
        (referral(risk__assessed_at="2027-01-01T00:00:00Z"), ("/risk/assessed_at", "in_future")),
        (referral(safe_contact__phone=False), ("/person/preferred_method", "unsafe_method")),
        (
            referral(source__received_by_unit=[receipt("a", EARLY), receipt("b", LATE)]),
            ("/source/received_by_unit/1/received_at", "in_future"),
        ),
        (
            referral(source__received_by_unit=[receipt("a", EARLY), receipt("a", EARLY)]),
            ("/source/received_by_unit/1/unit", "doubled"),
        ),
        (consent(recorded_at="2026-11-19T10:00:00Z"), ("/consents/0/recorded_at", "in_future")),
        (consent(expires_at="2026-11-19T08:30:00Z"), ("/consents/0/expires_at", "consent_expired")),
        (consent(expires_at="2026-11-01T08:30:00Z"), ("/consents/0/expires_at", "ends_before_start")),
    ],
)
def test_what_cannot_be_is_a_fault_with_its_place(body: dict[str, Any], expected: tuple[str, str]) -> None:
    assert faults(body) == [expected]


def test_a_clock_that_runs_five_minutes_ahead_is_no_fault() -> None:
    assert faults(referral(received_at="2026-11-19T09:05:00+00:00")) == []


@pytest.mark.parametrize("person", [None, {"phone": "07700900123"}])
def test_nobody_knows_a_person_without_name_and_reference(person: Any) -> None:
    assert faults(referral(person=person)) == []
    body = referral(person=person, source__reference=None)
    assert faults(body) == [("/person", "person_unknown")]


def test_a_row_of_a_transfer_needs_a_reference() -> None:
    parsed = Referral.model_validate(referral(source__reference=None))
    assert [fault.pointer for fault in arrivals.faults_of_row(parsed, NOW, LONDON)] == ["/source/reference"]


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(1990, 2, 3), date(2026, 2, 2), 35),
        (date(1990, 2, 3), date(2026, 2, 3), 36),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2024, 2, 29), 16),
        (date(2026, 1, 1), date(2026, 1, 1), 0),
    ],
)
def test_age_changes_on_the_anniversary(born: date, day: date, age: int) -> None:
    assert arrivals.age_on(born, day) == age


def test_arrivals_change_what_differs_from_their_predecessor() -> None:
    outcomes = [(step.outcome, step.version) for step in arrivals.steps_of(Stored(4, b"a"), [b"a", b"b", b"b", b"a"])]
    assert outcomes == [
        (Outcome.DUPLICATE, 4),
        (Outcome.UPDATED, 5),
        (Outcome.DUPLICATE, 5),
        (Outcome.UPDATED, 6),
    ]
