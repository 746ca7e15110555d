"""The table of moves, and where the gate's verdict leads."""

from uuid import UUID

import pytest

from services.partners.model import Status
from services.partners.policy.gate import Allowed, Refused
from services.partners.policy.transitions import (
    LIVE,
    PARTNER_MOVES,
    TAKEN_BACK,
    TRANSITIONS,
    after_gate,
    may,
    reconsidered,
)

YES = Allowed(("given_name",), "consent", UUID(int=1), 1, ())


def test_the_table_covers_every_state() -> None:
    assert TRANSITIONS.keys() == set(Status)


def test_what_has_ended_never_moves() -> None:
    assert set(Status) - LIVE == {Status.REFUSED, Status.DECLINED, Status.CLOSED} | TAKEN_BACK


@pytest.mark.parametrize("to", sorted(TAKEN_BACK))
def test_every_stored_live_state_can_be_taken_back(to: Status) -> None:
    assert {status for status in Status if may(status, to)} == LIVE - {Status.REQUESTED}


def test_nothing_moves_backwards() -> None:
    order = [
        Status.REQUESTED, Status.AWAITING_CONSENT, Status.READY, Status.SENT, Status.RECEIVED, Status.ACCEPTED,
        Status.IN_SUPPORT,
    ]  # fmt: skip
    for position, status in enumerate(order):
        # Before it is sent, the person's or the agreement's change may make it wait again.
        earlier = set(order[:position]) - ({Status.AWAITING_CONSENT} if status is Status.READY else set())
        assert not TRANSITIONS[status] & earlier


def test_a_partner_cannot_move_what_it_was_not_told() -> None:
    for status in (Status.REQUESTED, Status.AWAITING_CONSENT, Status.READY, Status.REFUSED):
        assert not TRANSITIONS[status] & set(PARTNER_MOVES.values())


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (("consent_missing",), Status.AWAITING_CONSENT),
        (("consent_expired",), Status.AWAITING_CONSENT),
        (("consent_refused",), Status.REFUSED),
        (("agreement_expired", "consent_missing"), Status.REFUSED),
    ],
)
def test_only_a_missing_consent_is_waited_for(reasons: tuple[str, ...], expected: Status) -> None:
    assert after_gate(Refused(reasons)) is expected
    assert after_gate(YES) is Status.READY


@pytest.mark.parametrize("status", sorted(LIVE - {Status.REQUESTED}))
def test_an_excluded_case_takes_back_everything_live(status: Status) -> None:
    assert reconsidered(status, Refused(("case_excluded", "consent_missing"))) is Status.WITHDRAWN


@pytest.mark.parametrize("status", [Status.AWAITING_CONSENT, Status.READY])
def test_a_closed_case_takes_back_what_nobody_was_told_of(status: Status) -> None:
    assert reconsidered(status, Refused(("case_closed", "consent_missing"))) is Status.WITHDRAWN


@pytest.mark.parametrize("status", [Status.READY, Status.SENT, Status.RECEIVED, Status.ACCEPTED, Status.IN_SUPPORT])
def test_a_withdrawal_takes_back_what_was_told_and_an_ended_agreement_does_not(status: Status) -> None:
    assert reconsidered(status, Refused(("agreement_expired", "consent_withdrawn"))) is Status.WITHDRAWN
    assert reconsidered(status, Refused(("consent_refused",))) is Status.WITHDRAWN
    assert reconsidered(status, Refused(("agreement_expired",))) is status
    assert reconsidered(status, YES) is status


def test_what_waits_goes_on_or_ends_by_the_verdict() -> None:
    assert reconsidered(Status.AWAITING_CONSENT, YES) is Status.READY
    assert reconsidered(Status.AWAITING_CONSENT, Refused(("consent_missing",))) is Status.AWAITING_CONSENT
    assert reconsidered(Status.AWAITING_CONSENT, Refused(("consent_refused",))) is Status.REFUSED
