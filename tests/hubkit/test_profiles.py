import logging
import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from hubkit.contracts.profile import Profile
from hubkit.profiles import Prepared, ProfileBook, ProfileError, book, load_profile

PROFILES = sorted(Path("profiles").glob("*.yaml"))
SMALL = {"id": "small", "name": "Small Hub", "version": "1", "channels": [{"channel": "self_referral"}]}


def written(tmp_path: Path, *documents: object) -> Path:
    path = tmp_path / "hub.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return path


def small(version: str, **changes: object) -> dict[str, object]:
    return {**SMALL, "version": version, **changes}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_of_the_repository_is_valid_and_named_after_its_hub(path: Path) -> None:
    assert {profile.id for profile in ProfileBook.load(path).versions} == {path.stem}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_rule_of_every_profile_names_its_source_and_says_it_in_words(path: Path) -> None:
    versions = ProfileBook.load(path).versions
    assert [rule.id for one in versions for rule in one.rules() if not rule.source or not rule.text] == []


def test_a_silent_profile_has_no_level_no_deadline_and_no_basis(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, SMALL))
    assert (profile.triage.levels, profile.contacts, profile.routing.answer_within) == ((), (), None)
    assert profile.basis_for("hub_to_partner") is None


def test_cambridgeshire_names_no_deadline() -> None:
    profile = load_profile("profiles/cambridgeshire.yaml")
    assert [contact.within for contact in profile.contacts] == [None]
    assert profile.basis_for("hub_to_partner") == "agreement_in_place"
    assert profile.basis_for("police_to_hub") is None


def test_words_of_yaml_that_look_like_something_else_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "hub.yaml"
    text = (
        "id: small\nname: no\nversion: v1\nchannels: [{channel: self_referral}]\ncalendar: {working_from: 09:00, "
        "working_to: 17:30}\nvalid_from: 2024\nvalid_to: 2024-02\n"
    )
    path.write_text(text, encoding="utf-8")

    profile = load_profile(path)

    assert profile.name == "no"
    assert (str(profile.calendar.working_from), str(profile.calendar.working_to)) == ("09:00:00", "17:30:00")
    assert (profile.valid_from, profile.valid_to) == (date(2024, 1, 1), date(2024, 2, 29))


# Parameters


def with_parameters(**parameters: object) -> dict[str, object]:
    return small(
        "1",
        parameters=parameters,
        channels=[{"channel": "self_referral", "active_from": "$begins"}],
        exclusions=[{"id": "held_back", "reason": "r", "when": {"crimes": "$crimes"}}],
        contacts=[
            {"id": "written", "when": {"any_of": [{"min_failed_attempts": "$attempts"}]}},
            {"id": "always", "purpose": "offer"},
        ],
    )


def test_a_parameter_stands_for_its_value(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, with_parameters(begins="2024-02", crimes=["sexual"], attempts=2)))

    assert profile.channels[0].active_from == date(2024, 2, 1)
    assert profile.exclusions[0].when.crimes == ("sexual",)
    assert profile.contacts[0].when.any_of[0].min_failed_attempts == 2


def test_without_its_value_a_rule_is_left_out_and_elsewhere_the_one_key(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, with_parameters(begins=None, crimes=None, attempts=None)))

    assert profile.channels[0].active_from is None
    assert profile.exclusions == ()
    assert [rule.id for rule in profile.contacts] == ["always"]


def test_an_empty_list_is_no_value_and_its_rule_is_about_nobody(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, with_parameters(begins=None, crimes=[], attempts=2)))

    assert profile.exclusions == ()
    assert profile.parameters["crimes"] == []


def test_a_given_value_comes_before_that_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, with_parameters(begins=None, crimes=["sexual"], attempts=2))

    profile = load_profile(path, {"attempts": 3})

    assert profile.contacts[0].when.any_of[0].min_failed_attempts == 3
    assert profile.exclusions[0].when.crimes == ("sexual",)
    assert profile.parameters["attempts"] == 3


def test_a_bad_value_is_refused_where_it_is_used(tmp_path: Path) -> None:
    path = written(tmp_path, with_parameters(begins=None, crimes=None, attempts=None))

    with pytest.raises(ProfileError, match=r"exclusions\[0\]\.when\.crimes\[0\]: unknown code: crime sexuals"):
        load_profile(path, {"crimes": ["sexuals"]})


def test_a_given_value_that_no_version_declares_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, with_parameters(begins=None, crimes=None, attempts=None))

    with pytest.raises(ProfileError, match=r"no parameter atempts \(there are: attempts, begins, crimes\)"):
        load_profile(path, {"atempts": 3})


# Versions


@pytest.fixture
def versions(tmp_path: Path) -> ProfileBook:
    later = small("2025", valid_from="2025-02", valid_to="2025-12-31")
    earlier = small("2024", valid_from="2024-01-01", valid_to="2024-12-31")
    return ProfileBook.load(written(tmp_path, later, earlier))


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (date(2023, 12, 31), "2024"),  # before the first: the first says that it has not started
        (date(2024, 1, 1), "2024"),
        (date(2024, 12, 31), "2024"),
        (date(2025, 1, 15), "2024"),  # between two: the earlier one says that it has ended
        (date(2025, 2, 1), "2025"),
        (date(2026, 1, 1), "2025"),
    ],
)
def test_a_book_gives_the_version_of_a_day(versions: ProfileBook, day: date, version: str) -> None:
    assert versions.at(day).version == version


def test_a_version_begins_at_local_midnight(tmp_path: Path) -> None:
    first, second = small("1", valid_to="2024-06-30"), small("2", valid_from="2024-07")
    versions = ProfileBook.load(written(tmp_path, first, second))

    assert versions.current(datetime(2024, 6, 30, 22, 59, tzinfo=UTC)).version == "1"
    assert versions.current(datetime(2024, 6, 30, 23, 0, tzinfo=UTC)).version == "2"


def test_a_version_is_found_by_its_name(versions: ProfileBook) -> None:
    found = versions.version("2025")
    assert found is versions.at(date(2025, 3, 1))
    assert versions.version("2026") is None


# Following the file


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "_SECONDS", 0.0)


def changed(path: Path, *documents: object) -> None:
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))


@pytest.mark.usefixtures("looks_always")
def test_a_changed_file_takes_effect_without_a_restart(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    versions = ProfileBook.load(path)
    before = versions.at(date(2024, 1, 1))
    assert versions.at(date(2024, 1, 1)) is before

    changed(path, small("2"))

    assert versions.at(date(2024, 1, 1)).version == "2"


@pytest.mark.usefixtures("looks_always")
def test_a_bad_file_is_logged_and_what_was_read_before_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, SMALL)
    versions = ProfileBook.load(path)

    changed(path, small("2", extra=1))
    with caplog.at_level(logging.ERROR):
        assert [versions.at(date(2024, 1, 1)).version for _ in range(3)] == ["1", "1", "1"]
    assert [record.message for record in caplog.records] == ["profile_invalid"]

    path.unlink()
    assert versions.at(date(2024, 1, 1)).version == "1"
    changed(path, small("3"))
    assert versions.at(date(2024, 1, 1)).version == "3"


def test_the_file_is_not_looked_at_for_each_referral(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    versions = ProfileBook.load(path)

    changed(path, small("2"))

    assert versions.at(date(2024, 1, 1)).version == "1"


@pytest.mark.usefixtures("looks_always")
def test_what_is_made_of_a_version_is_made_once_and_anew_when_it_changes(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    made: list[Profile] = []

    def make(profile: Profile) -> str:
        made.append(profile)
        return f"made of {profile.version}"

    prepared = Prepared(ProfileBook.load(path), make)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert [prepared.current(now), prepared.current(now)] == ["made of 1", "made of 1"]
    assert len(made) == 1

    changed(path, small("1", name="Renamed Hub"))

    prepared.current(now)
    assert [profile.name for profile in made] == ["Small Hub", "Renamed Hub"]
