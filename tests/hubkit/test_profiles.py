from pathlib import Path

import pytest
import yaml

from hubkit.contracts.profile import Profile
from hubkit.profiles import ProfileError, load_profile

PROFILES = sorted(Path("profiles").glob("*.yaml"))
SMALL = {"id": "small", "name": "Small Hub", "version": "1", "channels": [{"channel": "self_referral"}]}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hub.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, **changes: object) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(written(tmp_path, yaml.safe_dump({**SMALL, **changes})))
    return str(caught.value)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_of_the_repository_is_valid_and_named_after_its_hub(path: Path) -> None:
    assert load_profile(path).id == path.stem


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_rule_of_every_profile_names_its_source_and_says_it_in_words(path: Path) -> None:
    assert [rule.id for rule in load_profile(path).rules() if not rule.source or not rule.text] == []


def test_a_silent_profile_has_no_level_no_deadline_and_no_basis(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, yaml.safe_dump(SMALL)))
    assert (profile.triage.levels, profile.contacts, profile.routing.answer_within) == ((), (), None)
    assert profile.basis_for("hub_to_partner") is None


def test_cambridgeshire_names_no_level_and_no_deadline() -> None:
    profile = load_profile("profiles/cambridgeshire.yaml")
    assert profile.triage.levels == ()
    assert [contact.within for contact in profile.contacts] == [None]
    assert profile.basis_for("hub_to_partner") == "agreement_in_place"
    assert profile.basis_for("police_to_hub") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": [{"channel": "pigeon"}]}, "channel pigeon"),
        ({"channels": []}, "channels"),
        ({"extra": 1}, "extra"),
        ({"timezone": "Europe/Nowhere"}, "unknown time zone"),
        ({"exclusions": [{"id": "a", "when": {"crimes": ["sexual.none"]}, "reason": "r"}]}, "crimes sexual.none"),
        ({"exclusions": [{"id": "a", "reason": "r"}]}, "exclusions.0.when"),
        ({"exclusions": [{"id": "a", "when": {"any_of": [{"any_marker": ["odd"]}]}, "reason": "r"}]}, "any_marker odd"),
        ({"exclusions": [{"id": "a", "when": {"none_of": [{"roles": ["odd"]}]}, "reason": "r"}]}, "roles odd"),
        ({"exclusions": [{"id": "a", "when": {"levels": ["high"]}, "reason": "r"}]}, "before entitlement and level"),
        ({"contacts": [{"id": "a", "methods": ["pigeon"]}]}, "method pigeon"),
        ({"needs": [{"id": "a", "when": {}, "needs": ["pigeons"]}]}, "need pigeons"),
        ({"triage": {"enhanced_categories": ["rich"]}}, "category rich"),
        ({"contacts": [{"id": "a"}], "needs": [{"id": "a", "when": {}, "needs": ["idva"]}]}, "twice: a"),
        ({"calendar": {"working_from": "09:00"}}, "go together"),
        ({"calendar": {"working_from": "17:00", "working_to": "09:00"}}, "before working_to"),
        ({"sharing": [{"hop": "hub_to_partner", "basis": "hope"}]}, "sharing.0.basis"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    assert said in faults(tmp_path, **changes)


def test_a_doubled_key_is_refused_because_yaml_would_drop_the_first(tmp_path: Path) -> None:
    text = yaml.safe_dump(SMALL) + "exclusions: []\nexclusions: []\n"
    with pytest.raises(ProfileError, match="appears twice: exclusions"):
        load_profile(written(tmp_path, text))


def test_a_missing_file_text_that_is_not_yaml_and_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(tmp_path / "none.yaml")
    with pytest.raises(ProfileError, match="not YAML"):
        load_profile(written(tmp_path, "a: [1"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="not UTF-8"):
        load_profile(tmp_path / "binary.yaml")


def test_a_profile_cannot_make_objects(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="not YAML"):
        load_profile(written(tmp_path, "id: !!python/object/apply:os.getcwd []"))


def test_the_json_schema_of_a_profile_can_be_written() -> None:
    assert Profile.model_json_schema()["title"] == "Profile"
