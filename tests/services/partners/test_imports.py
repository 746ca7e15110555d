"""A feed is taken in without clearing what stands: drafts, fields, conflicts, what is missing, what is refused."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.crypto import Keyring
from services.partners.actions.imports import Report, import_feed
from services.partners.policy.feed import merge, service_of, words_of
from services.partners.schemas.listings import PublicPart
from tests.services.partners import oruk
from tests.services.partners.listing_support import ORGANISATION, PRIVATE, PUBLIC, get, ids, publish, put
from tests.services.partners.support import FIELD_KEYS, Running

ORG = {"id": "d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610", "name": "County charity", "description": "Helps."}


def record(id: str = "one", **changes: Any) -> dict[str, Any]:
    return {
        "id": id, "name": f"Service {id}", "description": "Advice.", "url": "https://county.example.org/a",
        "status": "active", "minimum_age": 18.0, "organization": ORG,
        "service_areas": [{"id": "x", "uri": "http://statistics.data.gov.uk/id/statistical-geography/E10000003"}],
    } | changes  # fmt: skip


async def take(partners: Running, *records: dict[str, Any], complete: bool = True) -> Report:
    async with partners.db.transaction() as tx:
        return await import_feed(tx, Keyring.parse(FIELD_KEYS), "county", records, complete=complete)


async def entry(partners: Running, service_id: str) -> Any:
    return (await partners.call("GET", f"/v1/services/{service_id}/listing", "directory:write")).json()


async def test_a_new_service_is_a_draft_that_nobody_sees_and_nobody_is_referred_to(partners: Running) -> None:
    report = await take(partners, record())
    [added] = report.added
    assert (added["feed_id"], added["confidential"]) == ("one", False)
    found = await entry(partners, added["service_id"])
    assert (found["feed"], found["feed_id"], found["is_public"]) == ("county", "one", False)
    assert found["withheld"] == ["not_public", "service_suspended", "partner_not_public"]
    assert found["public"]["minimum_age"] == 18
    assert await ids(partners) == []
    [told] = await partners.said(UUID(added["service_id"]))
    assert (told.status, told.route, told.shares, told.kind) == ("suspended", "signpost", "nothing", "other")
    listed = (await partners.call("GET", "/v1/partners", "cases:read")).json()["items"]
    assert [each["name"] for each in listed].count("County charity") == 1


async def published(partners: Running) -> str:
    """Take a service from the feed and make it public as staff do; returns its id."""
    [added] = (await take(partners, record())).added
    service_id = added["service_id"]
    found = await entry(partners, service_id)
    body = {"is_public": True, "public": found["public"], "private": PRIVATE}
    assert (await put(partners, f"services/{service_id}", body, version=1)).status_code == 200
    path = f"/v1/services/{service_id}"
    active = await partners.call("PUT", path, "directory:write", {"status": "active"}, if_match='"1"')
    assert active.status_code == 200
    listed = (await partners.call("GET", "/v1/partners", "cases:read")).json()["items"]
    partner_id = next(each["id"] for each in listed if each["name"] == "County charity")
    assert (await put(partners, f"partners/{partner_id}", ORGANISATION, version=1)).status_code == 200
    return service_id


async def test_staff_make_a_draft_public_and_later_changes_of_the_feed_follow(partners: Running) -> None:
    service_id = await published(partners)
    assert await ids(partners) == [service_id]
    report = await take(partners, record(description="Better advice.", phones=[{"number": "01632 960002"}]))
    assert report.updated == [{"feed_id": "one", "service_id": service_id, "fields": ["description", "phones"]}]
    shown = (await get(partners, f"/services/{service_id}")).json()
    assert (shown["description"], shown["phones"][0]["number"]) == ("Better advice.", "01632 960002")
    assert (await entry(partners, service_id))["private"]["criteria"] == PRIVATE["criteria"]


async def test_local_edits_win_and_conflicts_are_listed_until_they_are_settled(partners: Running) -> None:
    [added] = (await take(partners, record())).added
    service_id = added["service_id"]
    found = await entry(partners, service_id)
    public = {**found["public"], "description": "Ours.", "email": "ours@example.org"}
    body = {"is_public": False, "public": public, "private": {"confidential": False}}
    assert (await put(partners, f"services/{service_id}", body, version=1)).status_code == 200
    assert (await take(partners, record())).unchanged == 1
    for _ in range(2):
        report = await take(partners, record(description="Theirs.", email="theirs@example.org", fees="Free"))
        [conflict] = report.conflicts
        assert conflict["fields"] == {
            "description": {"here": "Ours.", "feed": "Theirs."},
            "email": {"here": "ours@example.org", "feed": "theirs@example.org"},
        }
    found = (await entry(partners, service_id))["public"]
    assert (found["description"], found["email"], found["fees"]) == ("Ours.", "ours@example.org", "Free")
    report = await take(partners, record(description="Ours.", email="ours@example.org"))
    assert report.conflicts == []


async def test_what_a_feed_does_not_say_clears_nothing(partners: Running) -> None:
    [added] = (await take(partners, record())).added
    report = await take(partners, {"id": "one", "name": None, "description": "", "service_areas": [], "email": None})
    assert (report.unchanged, report.updated, report.conflicts) == (1, [], [])
    found = (await entry(partners, added["service_id"]))["public"]
    assert (found["name"], found["description"], found["areas"][0]["code"]) == ("Service one", "Advice.", "E10000003")


async def test_a_service_that_a_feed_lost_is_flagged_and_nothing_more(partners: Running) -> None:
    await take(partners, record("one"), record("two"))
    part = await take(partners, record("one"), complete=False)
    assert part.missing == []
    [lost] = (await take(partners, record("one"))).missing
    assert lost["feed_id"] == "two"
    found = await entry(partners, lost["service_id"])
    assert found["missing_since"] == "2026-11-19T09:00:00Z"
    assert found["public"]["name"] == "Service two"
    await take(partners, record("one"), record("two"))
    assert (await entry(partners, lost["service_id"]))["missing_since"] is None


async def test_what_hides_people_is_confidential_from_the_beginning(partners: Running) -> None:
    term = {"taxonomy_term": {"id": "7", "name": "Women's refuges"}}
    for number, change in enumerate(
        ({"name": "A Refuge for women"}, {"alternate_name": "Lloches"}, {"attributes": [term]})
    ):
        [added] = (await take(partners, record(f"r{number}", **change), complete=False)).added
        assert added["confidential"]
        assert "confidential" in (await entry(partners, added["service_id"]))["withheld"]
    assert words_of({"name": "Refugee advice"}) == ["Refugee advice"]
    assert not (await take(partners, record("r9", name="Refugee advice"), complete=False)).added[0]["confidential"]


@pytest.mark.parametrize("change", [{"name": "Safe accommodation"}, {"description": "Our refuge in Exampleton."}])
async def test_a_feed_makes_no_public_entry_say_that_people_are_hidden_there(
    partners: Running, change: dict[str, Any]
) -> None:
    service_id = await published(partners)
    before = (await get(partners, f"/services/{service_id}")).text
    report = await take(partners, record(fees="None", **change))
    assert (report.refused, report.updated) == ([{"feed_id": "one", "reason": "may_hide_people"}], [])
    assert (await get(partners, f"/services/{service_id}")).text == before
    found = await entry(partners, service_id)
    body = {"is_public": False, "public": found["public"], "private": {"confidential": True}}
    assert (await put(partners, f"services/{service_id}", body, version=found["version"])).status_code == 200
    [updated] = (await take(partners, record(fees="None", **change))).updated
    assert updated["fields"] == sorted(["fees", *change], key=list(PUBLIC).index)
    assert await ids(partners) == []


async def test_a_feed_cannot_publish_a_safe_address(partners: Running) -> None:
    [added] = (await take(partners, record())).added
    found = await entry(partners, added["service_id"])
    body = {"is_public": False, "public": found["public"], "private": PRIVATE}
    await put(partners, f"services/{added['service_id']}", body, version=1)
    report = await take(partners, record(alert="We moved to 7 Hidden Lane"))
    assert report.refused == [{"feed_id": "one", "reason": "safe_address_in_public"}]
    assert (await entry(partners, added["service_id"]))["public"]["alert"] is None


@pytest.mark.parametrize(
    ("bad", "refused"),
    [
        ({"id": None}, {"feed_id": None, "number": 0, "reason": "id_missing"}),
        ({"id": "x" * 65}, {"feed_id": None, "number": 0, "reason": "id_missing"}),
        ({"name": ""}, {"feed_id": "one", "reason": "name_missing"}),
        ({"name": 7}, {"feed_id": "one", "reason": "fields", "fields": ["name"]}),
        ({"organization": None}, {"feed_id": "one", "reason": "organization_missing"}),
        ({"organization": {"id": "x"}}, {"feed_id": "one", "reason": "organization_missing"}),
        ({"url": "javascript:alert(1)"}, {"feed_id": "one", "reason": "fields", "fields": ["url"]}),
        ({"email": ["x"]}, {"feed_id": "one", "reason": "fields", "fields": ["email"]}),
        ({"alert": "a\u202eb"}, {"feed_id": "one", "reason": "fields", "fields": ["alert"]}),
        ({"maximum_age": 3}, {"feed_id": "one", "reason": "fields", "fields": ["minimum_age", "maximum_age"]}),
        ({"description": "x" * 10_001}, {"feed_id": "one", "reason": "fields", "fields": ["description"]}),
    ],
)
def test_a_field_that_is_wrong_is_left_out(bad: dict[str, Any], refused: dict[str, Any]) -> None:
    said = service_of(record(**bad))
    assert list(said.refused) == refused.get("fields", [])
    assert not set(said.values) & set(refused.get("fields", []))


async def test_what_is_refused_is_said_and_the_rest_is_taken(partners: Running) -> None:
    report = await take(
        partners, record(id=None), record("a", name=""), record("b", organization=None), record("c"), record("c"),
        record("d", email=["x"]),
    )  # fmt: skip
    assert [each["feed_id"] for each in report.added] == ["c", "d"]
    assert [(each["feed_id"], each["reason"]) for each in report.refused] == [
        (None, "id_missing"), ("a", "name_missing"), ("b", "organization_missing"), ("c", "repeated_id"),
        ("d", "fields"),
    ]  # fmt: skip


async def test_our_own_directory_is_a_feed_that_can_be_taken_in_whole(partners: Running) -> None:
    service_id = await publish(partners)
    document = (await get(partners, f"/services/{service_id}")).json()
    assert oruk.faults(oruk.SERVICE, document) == []
    said = service_of(document)
    assert said.refused == ()
    assert PublicPart.model_validate(said.values | {"welsh": PUBLIC["welsh"]}) == PublicPart.model_validate(PUBLIC)


_VALUES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


@given(_VALUES, _VALUES, _VALUES)
def test_a_merge_clears_nothing_and_never_overwrites_what_staff_wrote(
    local: dict[str, int], seen: dict[str, int], said: dict[str, int]
) -> None:
    merged = merge(local, seen, said)
    assert set(merged.values) >= set(local)
    for name, value in local.items():
        if value != seen.get(name):
            assert merged.values[name] == value
        if name not in said:
            assert merged.values[name] == value
    for name in said:
        settled = merged.values.get(name) == said[name]
        assert settled or name in merged.conflicts or said[name] == seen.get(name)
    again = merge(merged.values, merged.seen, said)
    assert (again.values, again.changed, again.conflicts) == (merged.values, (), merged.conflicts)


@pytest.mark.parametrize(
    ("rule", "days"),
    [({}, ["MO"]), ({"interval": 1}, ["MO"]), ({"interval": 2}, None), ({"byday": "2MO"}, None)],
)
def test_an_opening_that_is_not_every_week_is_not_taken_as_one(rule: dict[str, Any], days: list[str] | None) -> None:
    opening = {"freq": "WEEKLY", "byday": "MO", "description": "Ask first."} | rule
    [taken] = service_of(record(schedules=[opening])).values["openings"]
    assert (taken.get("days"), taken["description"]) == (days, "Ask first.")


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
_NAMES = ["name", "description", "phones", "schedules", "service_areas", "languages", "cost_options", "attributes",
          "service_at_locations", "contacts", "minimum_age", "assured_date", "status"]  # fmt: skip


@given(_JSON, st.sampled_from(_NAMES))
def test_no_feed_can_break_the_reading(value: Any, name: str) -> None:
    said = service_of(record(**{name: value}))
    assert "name" not in said.values or PublicPart.model_validate(said.values)
    words_of(record(**{name: value}))
