"""Every hub's profile against the facts of that hub in `facts.yaml`.

The facts restate the source; what they leave out (null) the source does not say, and then the profile does not either.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from hubkit.contracts import codes
from hubkit.contracts.profile import Profile, Rule
from hubkit.profiles import read_versions

_FACTS: Final[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("facts.yaml").read_text(encoding="utf-8"))
_HUBS: Final = {hub["id"]: hub for hub in _FACTS["hubs"]}
_VOCABULARY: Final = _FACTS["vocabulary"]
_FILES: Final = {path.stem: path for path in Path("profiles").glob("*.yaml")}
_DOCUMENTS: Final = {"apcc2024": "APCC 2024", "camb2015": "Cambridgeshire press release 2015"}
_SOURCE: Final = re.compile(r"(?P<document>.+), lines? (?P<lines>\d+(?:(?:, | and | to )\d+)*)")
#: What the gate says where the person's consent is not enough; hubs have words of their own for it.
_CONSENT_CODES: Final = {"consent_missing", "consent_refused", "consent_withdrawn", "consent_expired"}

each_hub = pytest.mark.parametrize("hub", sorted(_HUBS))


#: Values for what the sources leave open; a rule that names one without a value is not there.
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "gwent": {"major_crime_exceptions": ["violence.homicide"]},
    "kent": {"held_back_crime_types": ["violence.homicide"], "transfer_time_local": "02:00"},
    "thames-valley": {"attempts_before_written_fallback": 2},
}


@functools.cache
def the_profile(hub: str) -> Profile:
    """Return the newest version in a hub's file, with values for what its source leaves open."""
    return read_versions(_FILES[hub], _PARAMETERS.get(hub))[-1]


def values(node: Any, key: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Yield every single value in a document, with the key that it stands under."""
    if isinstance(node, dict):
        for name, item in node.items():
            yield from values(item, name)
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield from values(item, key)
    else:
        yield key, node


def spoken(profile: Profile, key: str) -> set[Any]:
    """Return every word that a profile says under a key."""
    return {value for name, value in values(profile.model_dump(mode="json")) if name == key}


def test_there_is_a_profile_for_each_hub_and_no_other() -> None:
    assert sorted(_FILES) == sorted(_HUBS)
    assert len(_HUBS) == 20


@each_hub
def test_the_profile_is_valid_and_of_that_hub(hub: str) -> None:
    profile, facts = the_profile(hub), _HUBS[hub]
    assert (profile.id, profile.name, profile.force_area) == (hub, facts["hub_name"], facts["force_area"])
    assert profile.calendar.subdivision == {"wales": "WLS", "england": "ENG"}[facts["force_ids"]["nation"]]
    valid = facts["profile_valid"]
    first = f"{valid['from']}-01" if valid["from"] and valid.get("from_precision") == "month" else valid["from"]
    found = [day.isoformat() if day else None for day in (profile.valid_from, profile.valid_to)]
    assert found == [first, valid["to"]]


@each_hub
def test_the_profile_holds_without_any_value_for_what_is_open(hub: str) -> None:
    assert read_versions(_FILES[hub])


@each_hub
def test_every_source_is_a_line_about_that_hub(hub: str) -> None:
    first, last = _HUBS[hub]["section_lines"]
    raw = yaml.safe_load(_FILES[hub].read_text(encoding="utf-8"))
    sources = [value for key, value in values(raw) if key == "source"]
    assert sources
    for source in sources:
        found = _SOURCE.fullmatch(source)
        assert found, f"not a place in a source: {source}"
        assert found["document"] == _DOCUMENTS[_HUBS[hub]["seed"]]
        assert all(first <= int(line) <= last for line in re.findall(r"\d+", found["lines"])), source


@each_hub
def test_every_rule_says_in_words_what_it_does_and_where_it_stands(hub: str) -> None:
    rules: tuple[Rule, ...] = the_profile(hub).rules()
    assert [rule.id for rule in rules if not rule.text or not rule.source] == []


@each_hub
def test_every_channel_that_the_source_names_is_open(hub: str) -> None:
    named = {channel["channel"] for channel in _HUBS[hub]["intake"] if channel.get("accepted", True)}
    opened = {channel.channel for channel in the_profile(hub).channels}
    # A move to automatic referral says that there was another way before.
    implied = {"police_case_by_case"} if named == {"police_automatic"} and hub == "thames-valley" else set()
    assert opened == named | implied


@each_hub
def test_the_basis_of_each_hop_is_the_stated_one_or_none(hub: str) -> None:
    profile = the_profile(hub)
    stated = {hop["hop"]: hop["basis"] for hop in _HUBS[hub]["consent_model"] if hop["hop"] in codes.HOPS}
    assert {hop: profile.basis_for(hop) for hop in ("police_to_hub", "hub_to_partner")} == stated


@each_hub
def test_triage_is_by_whom_and_on_what_basis_the_source_says(hub: str) -> None:
    stated, profile = _HUBS[hub]["triage"], the_profile(hub)
    by = stated["performed_by"]
    performers = {profile.triage.performed_by, *(rule.by for rule in profile.triage.performers)} - {None}
    assert performers <= (set(by.values()) if isinstance(by, dict) else {by} - {None})
    assert list(profile.triage.basis) == (stated["basis"] or [])


@each_hub
def test_there_are_no_levels_but_the_stated_ones(hub: str) -> None:
    levels = {rule.level for rule in the_profile(hub).triage.levels}
    # The managers' judgement makes somebody enhanced; the facts list no levels for it.
    judged = {"enhanced"} if hub == "cambridgeshire" else set()
    assert levels == set(_HUBS[hub]["triage"]["levels"] or judged)


@each_hub
def test_deadlines_are_the_stated_ones_and_no_others(hub: str) -> None:
    stated = [rule.get("within") or rule.get("at") for rule in _HUBS[hub]["contact_rules"]]
    clocks = [rule.within or rule.at for rule in the_profile(hub).contacts]
    found = {(clock.amount, clock.unit) for clock in clocks if clock}
    assert found == {(clock["amount"], clock["unit"]) for clock in stated if clock}


@each_hub
def test_contact_methods_are_the_stated_ones_and_no_others(hub: str) -> None:
    stated = {
        method
        for rule in _HUBS[hub]["contact_rules"]
        if isinstance(rule.get("methods"), list)
        for method in rule["methods"]
    }
    assert {method for rule in the_profile(hub).contacts for method in rule.methods} == stated


@each_hub
def test_every_partner_that_the_source_names_is_there_as_it_names_it(hub: str) -> None:
    partners = {partner.name: partner for partner in the_profile(hub).partners}
    for stated in _HUBS[hub]["partners"]:
        partner = partners[stated["name"]]
        found = (partner.kind, partner.location, partner.commissioned)
        assert found == (stated["kind"], stated["location"], stated["commissioned"]), partner.name
        assert set(stated.get("teams", ())) <= set(partner.teams)
        assert set(stated.get("also", ())) <= set(partner.also)


@each_hub
def test_every_reason_that_the_hub_may_give_is_one_of_its_profile(hub: str) -> None:
    listed = [name for name, hubs in _VOCABULARY["reason"].items() if hub in hubs]
    said = {value for _, value in values(the_profile(hub).model_dump(mode="json"))}
    assert [reason for reason in listed if reason not in said] == []


@each_hub
def test_what_the_source_leaves_open_is_a_parameter_with_its_value_or_none(hub: str) -> None:
    assert set(the_profile(hub).parameters) == set(_VOCABULARY["profile_parameter"].get(hub, ()))


@each_hub
def test_a_hub_that_asks_for_consent_has_one_word_for_each_lack_of_it(hub: str) -> None:
    for sharing in the_profile(hub).sharing:
        assert set(sharing.reasons) in (set(), _CONSENT_CODES)


@pytest.mark.parametrize(
    "word",
    ["case_status", "content", "expected_route", "instrument", "role", "transport", "trigger", "next"],
)
def test_every_word_that_may_be_said_is_said_by_some_profile(word: str) -> None:
    key = {"case_status": ("case_status", "reopened_status")}.get(word, (word,))
    said = {value for hub in _HUBS for name in key for value in spoken(the_profile(hub), name)}
    assert [value for value in _VOCABULARY[f"value_of_{word}"] if value not in said] == []


def test_every_purpose_that_may_be_said_is_said_by_some_profile() -> None:
    said = {value for hub in _HUBS for value in spoken(the_profile(hub), "purpose")} | codes.PURPOSES
    assert [value for value in _VOCABULARY["value_of_purpose"] if value not in said] == []


@each_hub
def test_ring_fences_are_the_stated_ones(hub: str) -> None:
    stated = {fence["data"]: fence for fence in _HUBS[hub]["ring_fencing"] or ()}
    fences = {fence.data[0]: fence for fence in the_profile(hub).ring_fences}
    assert fences.keys() == stated.keys()
    for data, fence in fences.items():
        assert fence.held_by == stated[data]["held_by"]
        assert list(fence.exceptions) == (stated[data].get("exceptions") or [])
        assert set(fence.must_not_reach) <= set(_VOCABULARY["value_of_requester"])


@each_hub
def test_what_the_source_leaves_open_is_kept_as_a_question(hub: str) -> None:
    assert the_profile(hub).facts.open_questions
