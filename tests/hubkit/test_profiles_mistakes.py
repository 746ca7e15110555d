"""A profile with a mistake is refused with every mistake, its place, and what would be right."""

# ruff: noqa: E501 - profiles on one line each
from pathlib import Path

import pytest

from hubkit.profiles import ProfileError, read_versions

HEAD = """\
id: small
name: Small Hub
version: "1"
"""
CHANNELS = "channels: [{channel: self_referral}]\n"
#: Marks the line on which a mistake stands.
HERE = "# here"


def refusal(tmp_path: Path, text: str) -> ProfileError:
    path = tmp_path / "hub.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        read_versions(path)
    return caught.value


def marked_lines(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if HERE in line]


MISTAKES = {
    # unknown codes, each with the nearest of its own vocabulary
    "channel": ("channels:\n- {channel: self_referal} # here", "channel self_referal (did you mean self_referral?)"),
    "crime": (
        "exclusions:\n- id: a\n  reason: r\n  when: {crimes: [sexual.rap]} # here",
        "exclusions[0].when.crimes[0]: unknown code: crime sexual.rap (did you mean sexual.rape?)",
    ),
    "crime without its group": (
        "exclusions:\n- id: a\n  reason: r\n  when: {crimes: [strangulation]} # here",
        "did you mean violence.strangulation?",
    ),
    "marker, nested": (
        "exclusions:\n- id: a\n  reason: r\n  when:\n    any_of:\n    - any_marker: [vulnrable] # here",
        "unknown code: marker vulnrable (did you mean vulnerable?)",
    ),
    "role, nested": ("contacts:\n- {id: a, when: {none_of: [{roles: [victims]}]}} # here", "did you mean victim?"),
    "finding": ("assessments:\n- {id: a, when: {findings: [advisor]}} # here", "did you mean advisor_required?"),
    "plea": ("case_updates: {when: {pleas: [innocent]}} # here", "known: guilty, not_guilty"),
    "decision": (
        "exclusions:\n- id: a\n  reason: r\n  when: {consents: [{hop: survey, decisions: [yes]}]} # here",
        "unknown code: decision yes (known: given, not_asked, refused, withdrawn)",
    ),
    "hop": (
        "sharing:\n- {hop: police_to_hubb} # here",
        "unknown code: hop police_to_hubb (did you mean police_to_hub?)",
    ),
    "basis": ("sharing:\n- hop: survey\n  basis: consnt # here", "unknown word: consnt (did you mean consent?)"),
    "method": ("contacts:\n- {id: a, methods: [fone]} # here", "unknown code: method fone (did you mean phone?)"),
    "kind": ("partners:\n- {name: X, kind: councelling} # here", "did you mean counselling?"),
    "need": (
        "needs:\n- {id: a, needs: [ivsa]} # here\npartners: [{name: X, kind: other}]",
        "needs[0].needs[0]: unknown code: kind ivsa (did you mean isva?)",
    ),
    "triage basis": ("triage:\n  basis: [serverity] # here", "did you mean severity?"),
    "category": ("triage:\n  enhanced_categories: [most_serious] # here", "did you mean most_serious_crime?"),
    "location": ("partners:\n- {name: X, kind: isva, location: in-house} # here", "did you mean in_house?"),
    "ground": (
        "ring_fences:\n- {id: a, data: [case_data], must_not_reach: [police], exceptions: [safeguarding]} # here",
        "did you mean safeguarding_risk?",
    ),
    # form
    "unknown key": ("units:\n- id: a\n  nmae: A # here", "units[0].nmae: unknown key nmae (did you mean name?)"),
    "key of a condition": (
        "contacts:\n- id: a\n  when: {any_markers: [child]} # here",
        "unknown key any_markers (did you mean any_marker?)",
    ),
    "empty list in a condition": (
        "contacts:\n- id: a\n  when: {any_marker: []} # here",
        "an empty list asks for nothing: the rule would apply to everybody (leave it out, or say which)",
    ),
    "missing key": ("exclusions:\n- id: a # here\n  when: {}", "exclusions[0].reason: reason is missing"),
    "number for text": ("units:\n- {id: 7} # here", 'not a text: 7 (put it in quotes: "7")'),
    "text for list": ("contacts:\n- {id: a, methods: phone} # here", "not a list: phone (write [phone])"),
    "nothing": ("units: # here", "units: nothing under it (leave units out)"),
    "no group": ("contacts:\n- {id: a, within: 24} # here", "not a group of keys: 24 (known: amount, starts, unit)"),
    "month": ("valid_from: 2024-13 # here", "valid_from: input should be a valid date"),
    "day": ("valid_to: 31 May # here", "(write it as 2026-05-31)"),
    "yes or no": ("witnesses: maybe # here", "(write true or false)"),
    "word for number": (
        "contacts:\n- {id: a, within: {amount: two, unit: hours}} # here",
        "(write a whole number, such as 2)",
    ),
    # clocks
    "clock unit": (
        "contacts:\n- {id: a, within: {amount: 2, unit: work_days}} # here",
        "contacts[0].within.unit: unknown word: work_days (did you mean working_days?)",
    ),
    "clock start": (
        "contacts:\n- {id: a, within: {amount: 2, unit: hours, starts: case_open}} # here",
        "did you mean case_opened?",
    ),
    "negative clock": ("contacts:\n- {id: a, within: {amount: -2, unit: hours}} # here", "greater than or equal to 0"),
    "clock that starts when its contact ends": (
        "contacts:\n- id: a\n  ends_with_offer: true\n  within: {amount: 1, unit: hours, starts: offer_accepted} # here",
        "impossible clock: the contact ends when the offer is answered",
    ),
    "clock after its limit": (
        "contacts:\n- id: a\n  automated: true\n  within: {amount: 5, unit: hours}\n  at: {amount: 6, unit: hours} # here",
        "impossible clock: 6 is after within, 5 hours",
    ),
    "transfers further apart than allowed": (
        "channels:\n- channel: self_referral\n  transfer: {at: 02:00, max_interval_hours: 12} # here",
        "impossible clock: daily transfers are 24 hours apart",
    ),
    "half a window": ('calendar: {working_from: "09:00"} # here', "go together (add working_to)"),
    "window that ends before it begins": (
        "calendar: {working_from: 17:00, working_to: 09:00} # here",
        "impossible clock: working_from is before working_to",
    ),
    "time of day": ("calendar: {cut_off: 9} # here", "not a time of day (write hours and minutes, such as 09:00)"),
    "at without automated": (
        "contacts:\n- id: a\n  at: {amount: 1, unit: hours} # here",
        "only an automated contact happens at a time (automated: true, or within)",
    ),
    "time zone": ("timezone: Europe/Lundun # here", "unknown time zone Europe/Lundun (did you mean Europe/London?)"),
    "dates of the profile": ("valid_from: 2024-05\nvalid_to: 2024-04 # here", "is before valid_from, 2024-05-01"),
    "dates of a channel": (
        "channels:\n- {channel: agency, active_from: 2024-05, active_to: 2024-04} # here",
        "is before active_from, 2024-05-01",
    ),
    # what does not fit together
    "unit": (
        "units: [{id: bureau}]\ncontacts:\n- {id: a, unit: buraeu} # here",
        "contacts[0].unit: unknown unit buraeu (did you mean bureau?)",
    ),
    "unit of no hub with units": (
        "exclusions:\n- {id: a, when: {}, reason: r, unit: bureau} # here",
        "unknown unit bureau (declare it: units: [{id: bureau}])",
    ),
    "unit in a condition": (
        "units: [{id: bureau}]\ncontacts:\n- {id: a, when: {any_of: [{units: [bureaus]}]}} # here",
        "contacts[0].when.any_of[0].units[0]: unknown unit bureaus (did you mean bureau?)",
    ),
    "rule twice": (
        "contacts:\n- {id: a} # here\nattributes:\n- {id: a, name: n, value: 1} # here",
        "rule a appears twice",
    ),
    "hop twice": ("sharing:\n- {hop: survey} # here\n- {hop: survey} # here", "hop survey appears twice"),
    "level that no rule gives": (
        "triage:\n  levels: [{id: l, level: high, when: {max_age: 17}}]\ncontacts:\n- {id: a, when: {levels: [hihg]}} # here",
        "no rule under triage.levels gives level hihg (did you mean high?)",
    ),
    "need that nobody serves": (
        "needs:\n- {id: a, needs: [isva]} # here\npartners: [{name: X, kind: idva}]",
        "kind isva is served by no partner of this profile (add a partner of kind isva",
    ),
    "mode without methods": ("contacts:\n- {id: a, mode: all} # here", "mode all without methods (add methods)"),
    "method that the hub does not have": (
        "contact_methods: [phone, text]\ncontacts:\n- {id: a, methods: [letter]} # here",
        "method letter is not one of contact_methods (known: phone, text)",
    ),
    "what no system can send": (
        "contacts:\n- {id: a, automated: true, methods: [text, phone]} # here",
        "contacts[0].methods[1]: the system sends nothing by phone (known: email, letter, text)",
    ),
    "exclusion by what comes later": (
        "exclusions:\n- {id: a, reason: r, when: {offer: [declined]}} # here",
        "exclusions[0].when.offer: an exclusion is decided before offer can be known",
    ),
    "rule that never decides": (
        "attributes:\n- {id: a, name: n, value: 1}\n- {id: b, name: n, value: 2, when: {max_age: 17}} # here",
        "never decides: a before it always does (put it before that one)",
    ),
    "condition that never holds": (
        "contacts:\n- {id: a, when: {min_age: 18, max_age: 17}} # here",
        "nobody is at least 18 and at most 17 years old",
    ),
    "markers that exclude each other": (
        "contacts:\n- {id: a, when: {all_markers: [child], no_marker: [child]}} # here",
        "never holds: child also under all_markers",
    ),
    "holder of a ring-fence": (
        "units: [{id: bureau}]\nring_fences:\n- {id: a, data: [case_data], must_not_reach: [police], held_by: buro} # here",
        "buro is neither the hub nor a unit nor a partner (did you mean bureau?)",
    ),
    "rule that another stands for": (
        "contacts:\n- {id: first}\n- {id: b, instead_of: [frist]} # here",
        "no other contact rule frist (did you mean first?)",
    ),
    "parameter": (
        "parameters: {attempts: 2}\ncontacts:\n- {id: a, when: {min_failed_attempts: $atempts}} # here",
        "no parameter atempts under parameters (did you mean $attempts?)",
    ),
    "key twice": (
        "exclusions: []\ncontacts: []\nexclusions: [] # here",
        "exclusions: appears twice",
    ),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    whole = HEAD + ("" if text.startswith("channels") else CHANNELS) + text

    error = refusal(tmp_path, whole)

    assert [fault.line for fault in error.faults] == marked_lines(whole), str(error)
    assert all(said in str(fault) for fault in error.faults), str(error)
    assert all(line.startswith(f"{tmp_path}/hub.yaml:") for line in str(error).splitlines())


@pytest.mark.parametrize(
    ("text", "column"),
    [("contacts: [{id: a, mode: any}]", 20), ("contacts:\n  - id: a\n    methods: [phone, fone]", 22)],
)
def test_a_fault_has_the_column_of_the_key_or_item(tmp_path: Path, text: str, column: int) -> None:
    assert [fault.column for fault in refusal(tmp_path, HEAD + CHANNELS + text).faults] == [column]


def test_overlapping_versions_are_refused_with_the_dates_they_share(tmp_path: Path) -> None:
    first = HEAD + CHANNELS + "valid_from: 2023\nvalid_to: 2024-03\n"
    second = HEAD.replace('"1"', '"2"') + CHANNELS + "valid_from: 2024-03-15 # here\n"
    text = f"{first}---\n{second}"

    error = refusal(tmp_path, text)

    assert [fault.line for fault in error.faults] == marked_lines(text)
    assert "overlaps with version 1: both are valid from 2024-03-15 to 2024-03-31" in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [(("small", "other"), "another version has id small"), (('"2"', '"1"'), "two versions are named 1")],
)
def test_versions_are_of_one_hub_and_each_has_its_name(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    first = HEAD + CHANNELS + "valid_to: 2024-03\n"
    second = HEAD.replace('"1"', '"2"') + CHANNELS + "valid_from: 2024-04\n"

    assert said in str(refusal(tmp_path, f"{first}---\n{second.replace(*change)}"))


def test_every_mistake_is_told_at_once_and_none_that_only_follows_from_another(tmp_path: Path) -> None:
    text = f"""\
{HEAD}valid_to: 2024-04
{CHANNELS}units:
- id: bureau
  nmae: Bureau # here
exclusions:
- {{id: a, reason: r, unit: burau, when: {{crimes: [sexual.rap]}}}} # here
triage:
  levels:
  - {{id: b, level: high, when: {{any_marker: [odd]}}}} # here
  - {{id: c, level: low}}
contacts:
- {{id: a, methods: [fone], mode: any, within: {{amount: 1, unit: days}}}} # here
needs:
- {{id: d, needs: [isva]}} # here
partners:
- {{name: X, kind: idva, location: inhouse}} # here
calendar: {{working_from: 17:00, working_to: 9}} # here
---
{HEAD.replace('"1"', '"2"')}{CHANNELS}valid_from: 2024-04 # here
"""
    error = refusal(tmp_path, text)

    assert sorted({fault.line for fault in error.faults}) == marked_lines(text), str(error)
    assert [fault.path for fault in error.faults] == [
        "units[0].nmae",
        "exclusions[0].id", "exclusions[0].unit", "exclusions[0].when.crimes[0]",
        "triage.levels[0].when.any_marker[0]",
        "contacts[0].id", "contacts[0].methods[0]", "contacts[0].within.unit",
        "needs[0].needs[0]",
        "partners[0].location",
        "calendar.working_to",
        "valid_from",
    ]  # fmt: skip


#: Ten lines that stand for ten thousand million values.
_REPEATED = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (number, number, b",".join([b"*a%d" % (number - 1)] * 10)) for number in range(1, 11)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [1", "hub.yaml:1:6: not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "nothing in it"),
        (b"id: !!python/object/apply:os.getcwd []", "hub.yaml:1:5: not YAML: could not determine a constructor"),
        (b"- a", "not a group of keys"),
        (b"id: &a [*a]", "more than 100000 values"),
        (_REPEATED, "more than 100000 values, counting each alias in full"),
    ],
)
def test_what_is_no_profile_at_all_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "hub.yaml").write_bytes(content)
    with pytest.raises(ProfileError) as caught:
        read_versions(tmp_path / "hub.yaml")
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.yaml:1:1: No such file"):
        read_versions(tmp_path / "none.yaml")
