"""Who is given data of a case on asking: nobody, but on a ground of the ring-fence or on the person's word."""

from typing import Any

import pytest

from hubkit.contracts.codes import DATA_KINDS, HOPS
from hubkit.contracts.profile import RingFence
from services.partners.policy.ring_fence import Access, Answer, decide, is_persons_to_decide

FENCE = RingFence(
    id="unit",
    data=("case_data", "support_provision"),
    held_by="victim_unit",
    must_not_reach=("police", "witness_care"),
    exceptions=("safeguarding_risk",),
    reason="unit_ring_fence",
)
STRICT = FENCE.model_copy(update={"id": "strict", "held_by": "charity", "exceptions": (), "reason": "strict_fence"})


def answer(*fences: RingFence, consent_faults: list[str] | None = None, **asked: Any) -> Answer:
    access = Access(**{"requester": "police", "what": "case_data"} | asked)
    return decide(access, fences, consent_faults, "explicit_consent")


def test_a_fence_withholds_with_its_holder_and_its_reason() -> None:
    withheld = Answer("withheld", "victim_unit", "unit_ring_fence")
    assert answer(FENCE) == withheld
    assert answer(FENCE, requester="witness_care", what="support_provision") == withheld


def test_a_ground_that_the_fence_names_opens_it_and_is_the_reason() -> None:
    assert answer(FENCE, ground="safeguarding_risk") == Answer("released", "victim_unit", "safeguarding_risk")
    assert answer(FENCE, ground="court_order") == Answer("withheld", "victim_unit", "unit_ring_fence")


def test_every_fence_around_it_has_to_open() -> None:
    for fences in ((FENCE, STRICT), (STRICT, FENCE)):
        assert answer(*fences, ground="safeguarding_risk") == Answer("withheld", "charity", "strict_fence")
    wider = FENCE.model_copy(update={"id": "wider", "held_by": "charity"})
    assert answer(FENCE, wider, ground="safeguarding_risk").held_by == "victim_unit"


@pytest.mark.parametrize("asked", [{"requester": "probation"}, {"what": "case_information"}])
def test_without_a_fence_in_the_way_nothing_is_released_either(asked: dict[str, str]) -> None:
    for ground in (None, "safeguarding_risk"):
        assert answer(FENCE, ground=ground, **asked) == Answer("withheld", "hub", "agreement_missing")


def test_what_the_person_decides_is_released_on_their_word_alone() -> None:
    asked = {"requester": "charity", "what": "case_study"}
    assert answer(consent_faults=[], **asked) == Answer("released", "hub", None, "explicit_consent")
    refused = answer(consent_faults=["consent_refused", "consent_expired"], **asked)
    assert refused == Answer("withheld", "hub", "consent_refused")
    assert answer(consent_faults=None, **asked) == Answer("withheld", "hub", "agreement_missing")


def test_a_fence_stands_against_the_persons_word_too() -> None:
    fence = FENCE.model_copy(update={"data": ("case_study",)})
    assert answer(fence, consent_faults=[], what="case_study") == Answer("withheld", "victim_unit", "unit_ring_fence")


def test_the_person_decides_about_uses_that_are_hops() -> None:
    assert all(is_persons_to_decide(hop) for hop in HOPS)
    assert {kind for kind in DATA_KINDS if is_persons_to_decide(kind)} == {"case_study"}
