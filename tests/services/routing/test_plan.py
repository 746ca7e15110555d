"""What becomes of all pathways of a case: requests, choices, one lead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.contracts import OnwardReferralRecalledV1, OnwardReferralRequestedV1
from hubkit.contracts.envelope import Contract
from hubkit.contracts.profile import LeadProvider, Profile
from hubkit.ids import new_id
from services.routing.actions.tell import tell
from services.routing.model import CaseFacts, Listing, Pathway, PathwayStatus
from services.routing.policy import pathways as policy
from services.routing.policy.candidates import services_for
from services.routing.policy.plan import Changed, Plan, plan, reasons
from tests.services.routing.support import profile
from tests.services.routing.words import NOW, candidate, facts, listing, news, outcomes, pathway

PLAIN, CHOICE, LEAD = profile(), profile(informed_choice=True), profile(LeadProvider())
IDVA = listing(5, kind="idva")
SIGNPOST: dict[str, Any] = {"route": "signpost", "shares": "nothing"}


def planned(
    hub: Profile,
    pathways: Sequence[Pathway],
    listings: Sequence[Listing] = (listing(1), listing(2)),
    case: CaseFacts | None = None,
    requests: Mapping[str, int] | None = None,
    named: bool = True,
) -> Plan:
    """Return what becomes of pathways when their needs are named (again), or only asked for."""
    needs = frozenset(each.need for each in pathways)
    services = {need: services_for(need, listings) for need in needs}
    return plan(
        hub, case or facts(), pathways, Changed(needs if named else frozenset(), services, requests or {}), new_id
    )


def new(need: str = "counselling") -> Pathway:
    return pathway(need=need, status=PathwayStatus.NO_CANDIDATE, version=0)


def standing(status: str, *candidates: Any, **changes: Any) -> Pathway:
    return pathway(*candidates, status=PathwayStatus(status), **changes)


def of_one(found: Plan) -> Pathway:
    [after] = found.pathways
    return after


CHOSEN_FIRST, CHOSEN_SECOND = ({"counselling": UUID(int=number)} for number in (1, 2))


@pytest.mark.parametrize("status", ["exhausted", "no_candidate", "stopped", "signposted", "closed"])
def test_what_staff_ask_for_again_is_tried_again_with_everybody(status: str) -> None:
    before = standing(status, candidate(1, "declined"), candidate(2, "signposted", onward_referral_id=None))
    after = of_one(planned(PLAIN, [before], requests={"counselling": 4}))
    assert (after.status, after.requested_version, outcomes(after)) == (PathwayStatus.REQUESTED, 4, ["asked", None])


@pytest.mark.parametrize("version", [3, 4])
def test_what_was_asked_for_once_is_tried_again_once(version: int) -> None:
    before = standing("closed", candidate(1, "accepted"), requested_version=4)
    assert planned(PLAIN, [before], requests={"counselling": version}).pathways == ()


@pytest.mark.parametrize("status", ["requested", "awaiting_consent", "accepted", "led_elsewhere"])
def test_a_request_is_noted_where_there_is_nothing_to_try_again(status: str) -> None:
    before = standing(status, candidate(1, "asked"), candidate(2))
    after = of_one(planned(PLAIN, [before], requests={"counselling": 4}))
    assert after == replace(before, requested_version=4)


@pytest.mark.parametrize("status", ["signposted", "closed", "requested", "accepted", "led_elsewhere"])
def test_a_case_that_is_triaged_anew_leaves_alone_what_stands(status: str) -> None:
    before = standing(status, candidate(1, "accepted"), candidate(2))
    assert planned(PLAIN, [before]).pathways == ()


def test_a_request_that_ends_as_before_is_told_again() -> None:
    before = standing("signposted", candidate(1, "signposted", only_signposted=True, onward_referral_id=None))
    after = of_one(planned(PLAIN, [before], [listing(1, **SIGNPOST)], requests={"counselling": 2}))
    assert (after.status, after.version) == (PathwayStatus.SIGNPOSTED, before.version + 1)


def test_a_need_that_is_not_named_is_left_alone_unless_it_is_asked_for() -> None:
    before = [standing("exhausted"), standing("stopped", need="idva")]
    after = planned(PLAIN, before, [listing(1), IDVA], requests={"idva": 2}, named=False)
    assert [(each.need, each.status) for each in after.pathways] == [("idva", PathwayStatus.REQUESTED)]


@pytest.mark.parametrize(
    ("listings", "choices", "status", "asked"),
    [
        ([listing(1), listing(2)], {}, "awaiting_choice", []),
        ([listing(1), listing(2)], CHOSEN_SECOND, "requested", [2]),
        ([listing(1), listing(2, min_age=60)], CHOSEN_SECOND, "no_candidate", []),
        ([listing(1)], CHOSEN_SECOND, "no_candidate", []),
        ([listing(1, min_age=60)], {}, "no_candidate", []),
        ([listing(1, **SIGNPOST)], {}, "signposted", []),
        ([listing(1), listing(2)], {"idva": UUID(int=1)}, "awaiting_choice", []),
    ],
)
def test_nobody_is_asked_before_the_person_has_chosen(
    listings: list[Listing], choices: dict[str, UUID], status: str, asked: list[int]
) -> None:
    after = of_one(planned(CHOICE, [new()], listings, facts(choices=choices)))
    assert (after.status, [c.service_id.int for c in after.candidates if c.outcome == "asked"]) == (status, asked)


def test_the_chosen_service_is_first_and_the_others_say_why_they_are_not_asked() -> None:
    waits = of_one(planned(CHOICE, [new()]))
    assert planned(CHOICE, [waits]).pathways == ()
    after = of_one(planned(CHOICE, [waits], case=facts(choices=CHOSEN_SECOND)))
    assert [(c.service_id.int, c.eligible, c.reasons) for c in after.candidates] == [
        (2, True, ()), (1, False, ("not_chosen",)),
    ]  # fmt: skip
    declined = policy.after_news(
        after, replace(news(1, "declined"), onward_referral_id=after.onward_referral_id), new_id()
    )
    assert declined.status is PathwayStatus.EXHAUSTED


@pytest.mark.parametrize("status", ["requested", "awaiting_consent"])
def test_another_choice_takes_back_who_is_asked(status: str) -> None:
    before = standing(status, candidate(1, "asked"), candidate(2, eligible=False))
    assert planned(CHOICE, [before], case=facts(choices=CHOSEN_FIRST)).pathways == ()
    after = of_one(planned(CHOICE, [before], case=facts(choices=CHOSEN_SECOND)))
    assert [(c.service_id.int, c.outcome, c.reasons) for c in after.candidates] == [
        (2, "asked", ()), (1, "recalled", ("not_chosen",)),
    ]  # fmt: skip
    back = of_one(planned(CHOICE, [after], case=facts(choices=CHOSEN_FIRST)))
    assert [(c.service_id.int, c.outcome) for c in back.candidates] == [(1, "asked"), (2, "recalled")]


@pytest.mark.parametrize(("status", "outcome"), [("accepted", "accepted"), ("closed", "accepted")])
def test_another_choice_takes_nobody_from_the_service_that_has_the_person(status: str, outcome: str) -> None:
    before = standing(status, candidate(1, outcome), candidate(2))
    assert planned(CHOICE, [before], case=facts(choices=CHOSEN_SECOND)).pathways == ()


def test_another_choice_than_the_service_that_the_person_was_told_of_is_asked() -> None:
    told = candidate(1, "signposted", only_signposted=True, onward_referral_id=None)
    listings = [listing(1, **SIGNPOST), listing(2)]
    before = standing("signposted", told, candidate(2, eligible=False))
    after = of_one(planned(CHOICE, [before], listings, facts(choices=CHOSEN_SECOND)))
    assert (after.status, outcomes(after)) == (PathwayStatus.REQUESTED, ["asked", None])


def test_choices_mean_nothing_where_the_hub_does_not_offer_them() -> None:
    after = of_one(planned(PLAIN, [new()], case=facts(choices=CHOSEN_SECOND)))
    assert [c.service_id.int for c in after.candidates if c.outcome == "asked"] == [1]


def test_a_case_that_matches_one_service_waits_for_no_lead() -> None:
    wide = listing(1, also=("idva",))
    found = planned(LEAD, [new(), new("idva")], [wide])
    assert [each.status for each in found.pathways] == [PathwayStatus.REQUESTED] * 2
    assert found.review == ()


@pytest.mark.parametrize(
    "listings",
    [
        pytest.param([listing(1), IDVA], id="two needs"),
        pytest.param([listing(1), listing(2), listing(5, kind="idva", status="suspended")], id="two for one need"),
        pytest.param([listing(1, kind="multi_crime", teams=("counselling", "idva"))], id="two teams of one"),
    ],
)
def test_a_case_that_matches_several_services_waits_for_one_lead(listings: list[Listing]) -> None:
    found = planned(LEAD, [new(), new("idva")], listings)
    assert {each.status for each in found.pathways} <= {PathwayStatus.AWAITING_LEAD, PathwayStatus.NO_CANDIDATE}
    assert len(found.review) == 2
    assert planned(LEAD, found.pathways, listings).pathways == ()
    assert (
        len({each.status for each in planned(PLAIN, [new()], listings).pathways} & {PathwayStatus.AWAITING_LEAD}) == 0
    )


def test_a_service_that_is_only_signposted_to_is_no_lead() -> None:
    found = planned(LEAD, [new(), new("idva")], [listing(1, **SIGNPOST), IDVA])
    assert {each.need: each.status for each in found.pathways} == {
        "counselling": PathwayStatus.SIGNPOSTED, "idva": PathwayStatus.REQUESTED,
    }  # fmt: skip


def test_what_is_under_way_counts_when_another_service_joins_and_stays_under_way() -> None:
    first = of_one(planned(LEAD, [new()], [listing(1)]))
    found = planned(LEAD, [first, new("idva")], [listing(1), IDVA])
    assert [(each.need, each.status) for each in found.pathways] == [("idva", PathwayStatus.AWAITING_LEAD)]
    assert {(each.service_id.int, each.need) for each in found.review} == {(1, "counselling"), (5, "idva")}


def test_the_lead_is_asked_for_what_it_serves_and_the_rest_is_led_elsewhere() -> None:
    listings = [listing(1), listing(2), IDVA]
    waiting = planned(LEAD, [new(), new("idva")], listings).pathways
    found = planned(LEAD, waiting, listings, facts(lead_service_id=UUID(int=2)))
    by_need = {each.need: each for each in found.pathways}
    assert [(c.service_id.int, c.outcome, c.reasons) for c in by_need["counselling"].candidates] == [
        (2, "asked", ()), (1, None, ("led_elsewhere",)),
    ]  # fmt: skip
    assert by_need["idva"].status is PathwayStatus.LED_ELSEWHERE
    assert found.review == ()
    assert planned(LEAD, found.pathways, listings, facts(lead_service_id=UUID(int=2))).pathways == ()


def test_a_lead_that_no_need_knows_leads_nothing() -> None:
    waiting = planned(LEAD, [new(), new("idva")], [listing(1), IDVA]).pathways
    found = planned(LEAD, waiting, [listing(1), IDVA], facts(lead_service_id=new_id()))
    assert (found.pathways, len(found.review)) == ((), 2)


@pytest.mark.parametrize(
    ("status", "outcome", "after"),
    [("requested", "asked", "led_elsewhere"), ("awaiting_consent", "asked", "led_elsewhere"),
     ("accepted", "accepted", "accepted")],
)  # fmt: skip
def test_with_another_lead_only_what_was_accepted_stays(status: str, outcome: str, after: str) -> None:
    first = standing(status, candidate(1, outcome))
    found = planned(LEAD, [first, new("idva")], [listing(1), IDVA], facts(lead_service_id=UUID(int=5)))
    by_id = {first.id: first} | {each.id: each for each in found.pathways}
    assert by_id[first.id].status == after
    assert by_id[first.id].candidates[0].reasons == (("led_elsewhere",) if after == "led_elsewhere" else ())
    assert [each.status for each in found.pathways if each.need == "idva"] == [PathwayStatus.REQUESTED]


def test_another_lead_gets_what_was_led_elsewhere() -> None:
    listings = [listing(1), IDVA]
    waiting = planned(LEAD, [new(), new("idva")], listings).pathways
    first = planned(LEAD, waiting, listings, facts(lead_service_id=UUID(int=1))).pathways
    found = planned(LEAD, first, listings, facts(lead_service_id=UUID(int=5)))
    assert {each.need: each.status for each in found.pathways} == {
        "counselling": PathwayStatus.LED_ELSEWHERE, "idva": PathwayStatus.REQUESTED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (standing("awaiting_choice", candidate(1)), ("informed_choice_not_recorded",)),
        (standing("awaiting_lead", candidate(1)), ("lead_provider_not_agreed",)),
        (standing("led_elsewhere", candidate(1)), ("led_elsewhere",)),
        (standing("awaiting_consent", candidate(1, "asked", reasons=("consent_missing",))), ("consent_missing",)),
        (
            standing("no_candidate", *(candidate(n, eligible=False, reasons=("outside_area",)) for n in (1, 2))),
            ("outside_area",),
        ),
        (
            standing(
                "exhausted", candidate(1, "declined", reasons=("full",)), candidate(2, "refused", reasons=("no",))
            ),
            ("no",),
        ),
        (
            standing(
                "stopped",
                candidate(1, "refused", reasons=("consent_refused",)),
                candidate(2),
                onward_referral_id=UUID(int=2001),
            ),
            ("consent_refused",),
        ),
        (standing("requested", candidate(1, "asked")), ()),
        (standing("no_candidate"), ()),
    ],
)
def test_a_pathway_says_why_it_waits_or_has_ended(before: Pathway, expected: tuple[str, ...]) -> None:
    assert reasons(profile(LeadProvider(), informed_choice=True), before) == expected


_ENDS = {"declined": ("capacity_full",), "refused": ("agreement_expired",), "withdrawn": ("consent_withdrawn",)}
_LISTINGS = [listing(number) for number in (1, 2, 3)]


class Journey:
    """One pathway in a hub of informed choice, and what partners hears of its onward referrals."""

    def __init__(self) -> None:
        self.case = facts()
        self.now = of_one(planned(CHOICE, [new()], _LISTINGS))
        self.asked: list[UUID] = []
        self.recalled: set[UUID] = set()
        self.taken: set[UUID] = set()
        self.ended: set[UUID] = set()
        self.version = 1

    def emit(self, data: Contract, _subject: UUID | str) -> None:
        """Stand for the transaction."""
        if isinstance(data, OnwardReferralRequestedV1):
            assert data.onward_referral_id not in self.asked
            self.asked.append(data.onward_referral_id)
        if isinstance(data, OnwardReferralRecalledV1):
            self.recalled.add(data.onward_referral_id)

    def go(self, what: str, value: int) -> None:
        self.version += 1
        after = self._after(what, value)
        assert after.version >= self.now.version
        tell(self, self.now, after)  # type: ignore[arg-type]
        self.now = after

    def _after(self, what: str, value: int) -> Pathway:
        if what == "case_closed":
            return policy.close(self.now)
        if what == "silence":
            return policy.pass_over(self.now, new_id())
        if what == "consent":
            return policy.after_consent(self.now, (), NOW, new_id())
        if what in ("choose", "triaged", "requested"):
            return self._planned(what, value)
        return self._told(what, value)

    def _planned(self, what: str, value: int) -> Pathway:
        if what == "choose":
            self.case = replace(self.case, choices={"counselling": UUID(int=1 + value % 3)})
        requests = {"counselling": self.version} if what == "requested" else {}
        found = planned(CHOICE, [self.now], _LISTINGS, self.case, requests).pathways
        return found[0] if found else self.now

    def _told(self, what: str, value: int) -> Pathway:
        """Return the pathway after news of any onward referral that partners was asked for and that has not ended."""
        gone = self.ended | (self.taken if what in ("sent", "awaiting_consent") else set())
        live = [id for id in self.asked if id not in gone]
        if not live:
            return self.now
        id = live[value % len(live)]
        if what == "accepted":
            self.taken.add(id)
        if what in (*_ENDS, "closed"):
            self.ended.add(id)
        why = ("consent_missing",) if what == "awaiting_consent" else _ENDS.get(what, ())
        heard = replace(news(1, what, *why, version=self.version), onward_referral_id=id)
        return policy.after_news(self.now, heard, new_id())


_STEPS = st.sampled_from([
    "choose", "triaged", "requested", "case_closed", "silence", "consent", "sent", "awaiting_consent", "accepted",
    "closed", *_ENDS,
])  # fmt: skip


@given(st.lists(st.tuples(_STEPS, st.integers(0, 8)), max_size=14))
def test_whatever_happens_in_whatever_order_no_onward_referral_is_forgotten(steps: list[tuple[str, int]]) -> None:
    """Each one that partners was asked for is the one that stands, or was taken back, or partners has ended it."""
    journey = Journey()
    for step in steps:
        journey.go(*step)
        asked = [each for each in journey.now.candidates if each.outcome == "asked"]
        assert len(asked) <= 1
        if journey.now.status in (PathwayStatus.REQUESTED, PathwayStatus.AWAITING_CONSENT):
            assert journey.now.current == asked[0]
        assert set(journey.asked) - journey.recalled - journey.ended <= {journey.now.onward_referral_id}
