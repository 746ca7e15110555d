"""Which agreements may stand beside each other, where cover is missing, what stops by a day: each at its boundary."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.partners.policy.agreements import MOVES, Gap, Loss, Outlook, Term, gaps, outlook, overlap

JUNE = date(2026, 6, 1)
MINE = Term("active", frozenset({"idva"}), date(2026, 6, 10), date(2026, 6, 20), UUID(int=1))


def on(day: int) -> date:
    """Return a day of June; 0 is the last of May."""
    return JUNE + timedelta(days=day - 1)


def term(number: int, first: int, last: int | None, **changes: Any) -> Term:
    ends = None if last is None else on(last)
    made = Term("active", frozenset({"idva"}), on(first), ends, UUID(int=number))
    return replace(made, **changes)


def test_an_agreement_holds_from_its_first_to_its_last_day() -> None:
    assert [day for day in range(31) if MINE.holds_on(on(day))] == list(range(10, 21))
    assert replace(MINE, ends_on=None).holds_on(date.max)


def test_the_last_day_is_the_one_that_was_agreed_or_the_day_of_the_end_whichever_comes_first() -> None:
    assert MINE.last_day == on(20)
    assert replace(MINE, ended_on=on(12)).last_day == on(12)
    assert replace(MINE, ended_on=on(25)).last_day == on(20)
    assert replace(MINE, ends_on=None, ended_on=on(12)).last_day == on(12)
    assert replace(MINE, ends_on=None).last_day is None


def test_a_draft_becomes_active_or_ends_and_what_has_ended_stays_so() -> None:
    assert dict(MOVES) == {
        "draft": {"active", "ended"},
        "active": {"suspended", "ended"},
        "suspended": {"active", "ended"},
        "ended": set(),
    }


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(20, 30, True), (21, 30, False), (1, 10, True), (1, 9, False), (20, None, True), (21, None, False),
     (1, None, True), (12, 13, True)],
)  # fmt: skip
def test_two_agreements_overlap_when_they_share_a_day(first: int, last: int | None, expected: bool) -> None:
    other = term(2, first, last)
    assert overlap(MINE, other) is expected
    assert overlap(other, MINE) is expected


def test_only_active_agreements_for_a_common_purpose_overlap() -> None:
    assert overlap(MINE, term(2, 1, None, purposes=frozenset({"idva", "isva"})))
    assert not overlap(MINE, term(2, 1, None, purposes=frozenset({"isva"})))
    for status in ("draft", "suspended", "ended"):
        assert not overlap(MINE, term(2, 1, None, status=status))
        assert not overlap(replace(MINE, status=status), term(2, 1, None, status=status))
    assert not overlap(MINE, term(2, 1, None, ended_on=on(9)))
    assert overlap(MINE, term(2, 1, None, ended_on=on(10)))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        # before it: the day before its first is not covered
        ([term(2, 1, 8)], [(9, 9, 2)]),
        ([term(2, 1, 9)], []),
        ([term(2, 1, 3), term(3, 1, 5)], [(6, 9, 3)]),
        ([term(3, 1, 5), term(2, 1, 5)], [(6, 9, 3)]),
        ([term(2, 1, None, ended_on=on(4))], [(5, 9, 2)]),
        # what begins with it, though it lasts that day alone, leaves no gap before it
        ([term(2, 10, 10)], []),
        # after it: the day after its last is not covered
        ([term(2, 22, None)], [(21, 21, 2)]),
        ([term(2, 21, None)], []),
        ([term(2, 25, 26), term(3, 23, 24)], [(21, 22, 3)]),
        ([term(3, 23, None), term(2, 23, None)], [(21, 22, 2)]),
        # what lasts on its last day alone leaves no gap after it
        ([term(2, 20, 20)], []),
        # both sides, in the order of the days
        ([term(2, 25, None), term(3, 1, 5)], [(6, 9, 3), (21, 24, 2)]),
        ([], []),
    ],
)
def test_a_gap_lies_between_an_agreement_and_the_nearest_other(
    others: list[Term], expected: list[tuple[int, int, int]]
) -> None:
    assert gaps(MINE, others) == [
        Gap(on(first), on(last), ("idva",), UUID(int=number)) for first, last, number in expected
    ]


def test_the_days_of_a_gap_are_counted_with_both_ends() -> None:
    assert Gap(on(9), on(9), ("idva",), UUID(int=2)).days == 1
    assert Gap(on(5), on(9), ("idva",), UUID(int=2)).days == 5


def test_a_draft_and_what_ended_before_it_began_cover_nothing() -> None:
    assert gaps(MINE, [term(2, 1, 5, status="draft"), term(3, 6, 8, ended_on=on(5))]) == []
    for status in ("active", "suspended", "ended"):
        assert gaps(MINE, [term(2, 1, 5, status=status)]) == [Gap(on(6), on(9), ("idva",), UUID(int=2))]


def test_gaps_are_found_for_each_purpose_and_equal_ones_named_together() -> None:
    mine = replace(MINE, purposes=frozenset({"idva", "isva", "counselling"}))
    both = term(2, 1, 5, purposes=frozenset({"isva", "idva"}))
    other = term(3, 1, 7, purposes=frozenset({"counselling"}))
    elsewhere = term(4, 1, 8, purposes=frozenset({"stalking"}))
    assert gaps(mine, [both, other, elsewhere]) == [
        Gap(on(6), on(9), ("idva", "isva"), UUID(int=2)),
        Gap(on(8), on(9), ("counselling",), UUID(int=3)),
    ]


def test_an_open_end_and_the_ends_of_the_calendar_have_no_gap_beyond_them() -> None:
    assert gaps(replace(MINE, ends_on=None), [term(2, 25, None)]) == []
    everything = replace(MINE, starts_on=date.min, ends_on=date.max)
    assert gaps(everything, [term(2, 1, 5), term(3, 25, None)]) == []


NOTHING = Outlook((), (), (), ())


@pytest.mark.parametrize(("last", "stops"), [(9, False), (10, True), (19, True), (20, False), (None, False)])
def test_an_agreement_stops_by_a_day_when_its_last_day_lies_before_it(last: int | None, stops: bool) -> None:
    one = term(1, 1, last)
    assert outlook([one], on(10), on(20)).stops == ((one,) if stops else ())


@pytest.mark.parametrize(("first", "starts"), [(10, False), (11, True), (20, True), (21, False)])
def test_an_agreement_starts_by_a_day_when_its_first_day_has_come_then_but_not_yet(first: int, starts: bool) -> None:
    one = term(1, first, None)
    found = outlook([one], on(10), on(20))
    assert found.starts == ((one,) if starts else ())
    assert found.gains == ((("idva", on(first)),) if starts else ())
    assert found.losses == ()


@pytest.mark.parametrize(
    ("terms", "losses"),
    [
        ([term(1, 1, 14)], [(15, None)]),
        ([term(1, 1, 10)], [(11, None)]),
        ([term(1, 1, 19)], [(20, None)]),
        ([term(1, 1, 20)], []),
        ([term(1, 1, 21)], []),
        ([term(1, 1, None)], []),
        # taken over without a day between
        ([term(1, 1, 14), term(2, 15, None)], []),
        ([term(1, 1, 12), term(2, 13, 16), term(3, 17, 25)], []),
        ([term(1, 1, 12), term(2, 13, 16)], [(17, None)]),
        ([term(1, 1, 14), term(2, 1, None)], []),
        ([term(1, 1, 14), term(2, 1, 16)], [(17, None)]),
        # covered again: by the end of the forecast, or too late for it
        ([term(1, 1, 14), term(2, 18, None), term(3, 19, None)], [(15, 17)]),
        ([term(1, 1, 14), term(2, 20, None)], [(15, 19)]),
        ([term(1, 1, 14), term(2, 21, None)], [(15, None)]),
        ([term(1, 1, None, ended_on=on(14))], [(15, None)]),
    ],
)
def test_cover_is_lost_from_the_first_day_without_it_until_the_next_with_it(
    terms: list[Term], losses: list[tuple[int, int | None]]
) -> None:
    assert outlook(terms, on(10), on(20)).losses == tuple(
        Loss("idva", on(since), None if until is None else on(until)) for since, until in losses
    )


def test_each_purpose_is_lost_and_gained_by_itself() -> None:
    terms = [
        term(1, 1, 14, purposes=frozenset({"idva", "isva"})),
        term(2, 1, 16, purposes=frozenset({"isva"})),
        term(3, 13, None, purposes=frozenset({"stalking"})),
        term(4, 12, 13, purposes=frozenset({"counselling", "stalking"})),
        term(5, 11, None, purposes=frozenset({"fraud"})),
    ]
    found = outlook(terms, on(10), on(20))
    assert found.losses == (Loss("idva", on(15), None), Loss("isva", on(17), None))
    assert found.gains == (("fraud", on(11)), ("stalking", on(12)))
    assert (found.stops, found.starts) == ((terms[0], terms[1], terms[3]), (terms[2], terms[3], terms[4]))


def test_the_forecast_counts_active_agreements_alone() -> None:
    for status in ("draft", "suspended", "ended"):
        assert outlook([term(1, 1, 14, status=status), term(2, 15, None, status=status)], on(10), on(20)) == NOTHING
    assert outlook([term(1, 15, 18, ended_on=on(12))], on(10), on(20)) == NOTHING


def test_a_forecast_for_today_finds_nothing_that_changes() -> None:
    assert outlook([term(1, 1, 10), term(2, 10, None)], on(10), on(10)) == NOTHING
    assert outlook([term(1, 1, None, ends_on=date.max)], on(10), date.max) == NOTHING
