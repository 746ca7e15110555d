"""What becomes of the contacts that stand when others are planned."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import Calendar
from hubkit.deadlines import WorkingCalendar
from hubkit.ids import new_id
from services.triage.actions.contacts import reconcile
from services.triage.model import ContactState, Pause, PlannedContact, StoredContact
from tests.services.triage.support import NOW

CALENDAR = WorkingCalendar(Calendar(), ZoneInfo("Europe/London"))
CALL = PlannedContact(
    rule_id="call",
    unit=None,
    purpose="initial",
    by=None,
    methods=("phone",),
    mode="all",
    left_out=(),
    cautions=(),
    state=ContactState.PLANNED,
    due_at=NOW,
    due_reason=None,
)
HOUR = timedelta(hours=1)
LETTER = replace(CALL, rule_id="letter", methods=("letter",), due_at=NOW + HOUR)


def stored(contact: PlannedContact, *, asked: bool = False) -> StoredContact:
    return StoredContact(new_id(), new_id(), contact, new_id() if asked else None)


def test_the_same_plan_stays() -> None:
    found = reconcile([CALL], [stored(CALL)], CALENDAR, is_offer_answered=False)
    assert (found.new, found.ended, found.due_at) == ((), (), NOW)


def test_another_plan_of_the_same_rule_replaces_it_and_keeps_its_message() -> None:
    stands, later = stored(CALL, asked=True), replace(CALL, due_at=NOW + timedelta(hours=2))
    found = reconcile([later], [stands], CALENDAR, is_offer_answered=False)
    assert found.new == ((later, stands.message_id),)
    assert (found.ended, found.due_at) == (((stands.id, ContactState.REPLACED),), later.due_at)


def test_a_rule_that_no_longer_applies_loses_its_contact() -> None:
    stands = stored(CALL)
    found = reconcile([LETTER], [stands], CALENDAR, is_offer_answered=True)
    assert (found.new, found.ended) == (((LETTER, None),), ((stands.id, ContactState.REPLACED),))


def test_what_ends_with_the_offer_is_done_once_it_is_answered() -> None:
    stands = stored(replace(CALL, ends_with_offer=True))
    assert reconcile([], [stands], CALENDAR, is_offer_answered=True).ended == ((stands.id, ContactState.DONE),)
    assert reconcile([], [stands], CALENDAR, is_offer_answered=False).ended == ((stands.id, ContactState.REPLACED),)


def test_what_is_done_is_never_planned_again() -> None:
    done = stored(replace(CALL, state=ContactState.DONE))
    found = reconcile([CALL, LETTER], [done], CALENDAR, is_offer_answered=False)
    assert (found.new, found.ended, found.due_at) == (((LETTER, None),), (), LETTER.due_at)


CLOCK = replace(CALL, clock_start=NOW - HOUR, clock_amount=3, clock_unit="hours", due_at=NOW + 2 * HOUR)
PAUSED = replace(
    CLOCK,
    pauses=(Pause("police_asked_to_wait", NOW),),
    state=ContactState.SUSPENDED,
    due_at=None,
    due_reason="paused",
)
ENDED = (Pause("police_asked_to_wait", NOW, NOW + 5 * HOUR),)


def test_a_paused_contact_stays_while_its_plan_is_the_same_and_has_no_deadline() -> None:
    found = reconcile([CLOCK, LETTER], [stored(PAUSED)], CALENDAR, is_offer_answered=False)
    assert (found.new, found.moved, found.ended, found.due_at) == (((LETTER, None),), (), (), LETTER.due_at)


def test_a_contact_that_has_just_been_paused_or_resumed_stays_with_another_clock() -> None:
    stands = stored(replace(CLOCK, pauses=PAUSED.pauses))
    found = reconcile([CLOCK], [stands], CALENDAR, is_offer_answered=False)
    assert (found.new, found.moved, found.ended, found.due_at) == ((), ((stands.id, PAUSED),), (), None)
    stands = stored(replace(PAUSED, pauses=ENDED))
    found = reconcile([CLOCK], [stands], CALENDAR, is_offer_answered=False)
    resumed = replace(CLOCK, pauses=ENDED, due_at=NOW + 7 * HOUR)
    assert (found.new, found.moved, found.ended, found.due_at) == ((), ((stands.id, resumed),), (), resumed.due_at)
    settled = reconcile([CLOCK], [stored(resumed)], CALENDAR, is_offer_answered=False)
    assert (settled.new, settled.moved, settled.ended) == ((), (), ())


def test_another_plan_of_a_paused_contact_is_paused_as_well() -> None:
    stands, later = stored(PAUSED, asked=True), replace(CLOCK, methods=("letter",))
    found = reconcile([later], [stands], CALENDAR, is_offer_answered=False)
    assert found.new == ((replace(PAUSED, methods=("letter",)), stands.message_id),)
    assert (found.moved, found.ended) == ((), ((stands.id, ContactState.REPLACED),))


def test_a_paused_contact_whose_methods_all_became_unsafe_stays_suspended_once_it_is_resumed() -> None:
    unsafe = replace(CALL, methods=(), state=ContactState.SUSPENDED, due_at=None, due_reason="no_safe_method")
    (paused, _), *_ = reconcile([unsafe], [stored(PAUSED)], CALENDAR, is_offer_answered=False).new
    assert (paused.state, paused.due_reason) == (ContactState.SUSPENDED, "paused")
    stands = stored(replace(paused, pauses=ENDED))
    found = reconcile([unsafe], [stands], CALENDAR, is_offer_answered=False)
    assert found.moved == ((stands.id, replace(unsafe, pauses=ENDED)),)


def test_without_a_deadline_a_resumed_contact_has_none() -> None:
    by_nobody = replace(CALL, due_at=None, due_reason="no_deadline_in_profile", pauses=ENDED)
    found = reconcile([replace(by_nobody, pauses=())], [stored(by_nobody)], CALENDAR, is_offer_answered=False)
    assert (found.new, found.moved, found.ended, found.due_at) == ((), (), (), None)
