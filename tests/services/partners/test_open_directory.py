"""The public directory: valid Open Referral UK, strict about what it is asked, and silent about what is not public."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from hubkit.ids import new_id
from services.partners.model import Entry
from services.partners.policy.listing import gives_away, withheld
from services.partners.policy.oruk import TERMS
from tests.services.partners import oruk
from tests.services.partners.listing_support import ENTRY, ORGANISATION, PUBLIC, get, ids, publish, put
from tests.services.partners.support import NOW, Running, running


async def test_every_answer_validates_as_open_referral_uk(partners: Running) -> None:
    service_id = await publish(partners)
    bare = {"name": "Bare", "description": "No more.", "url": "https://bare.example.org"}
    body = {"is_public": True, "public": bare, "private": {"confidential": False}}
    assert (await put(partners, f"partners/{partners.partners['idva']}", ORGANISATION)).status_code == 200
    assert (await put(partners, f"services/{partners.services['idva']}", body)).status_code == 200
    term_id = next(iter(TERMS))
    taxonomy = (await get(partners, "/taxonomies")).json()["contents"][0]["id"]
    place = (await get(partners, "/service_at_locations")).json()["contents"][0]["id"]
    wanted = {
        "": oruk.API,
        "/": oruk.API,
        "/service_at_locations": oruk.page(oruk.AT_LOCATION_IN_LIST),
        "/service_at_locations?full=true": oruk.page(oruk.AT_LOCATION_WHOLE),
        f"/service_at_locations/{place}": oruk.AT_LOCATION_WHOLE,
        f"/service_at_locations/{place}?language=cy": oruk.AT_LOCATION_WHOLE,
        "/services": oruk.page(oruk.SERVICE_IN_LIST),
        "/services?language=cy": oruk.page(oruk.SERVICE_IN_LIST),
        "/services?full=true": oruk.page(oruk.SERVICE),
        "/services?search=nothing-like-this": oruk.page(oruk.SERVICE_IN_LIST),
        f"/services/{service_id}": oruk.SERVICE,
        f"/services/{service_id}?language=cy": oruk.SERVICE,
        f"/services/{partners.services['idva']}": oruk.SERVICE,
        "/organizations": oruk.page(oruk.ORGANISATION),
        f"/organizations/{partners.partners['counselling']}": oruk.ORGANISATION,
        "/taxonomies": oruk.page(oruk.TAXONOMY),
        f"/taxonomies/{taxonomy}": oruk.TAXONOMY,
        "/taxonomy_terms": oruk.page(oruk.TERM),
        f"/taxonomy_terms/{term_id}": oruk.TERM,
    }
    for path, schema in wanted.items():
        answer = await get(partners, path)
        assert (path, answer.status_code, oruk.faults(schema, answer.json())) == (path, 200, [])


def test_the_schemas_refuse_what_is_not_open_referral_uk() -> None:
    good = {"id": str(new_id()), "name": "x", "status": "active", "url": "https://x.example.org"}
    assert oruk.faults(oruk.SERVICE, good) == []
    for wrong in (
        {"status": "open"},
        {"id": "7"},
        {"email": None},
        {"emial": "x"},
        {"schedules": [{}]},
        {"url": "x y"},
        {"url": "https://x.example.org/{y}"},
        {"phones": [{"id": good["id"], "number": "01632 960001"}]},
        {"schedules": [{"id": good["id"], "url": good["url"], "freq": "WEEKLY", "interval": 2, "byday": "MO"}]},
    ):
        assert oruk.faults(oruk.SERVICE, good | wrong) != []
    assert oruk.faults(oruk.SERVICE, {name: good[name] for name in ("id", "name", "status")}) != []


async def test_a_service_says_all_that_is_public_of_it(partners: Running) -> None:
    service_id = await publish(partners)
    found = (await get(partners, f"/services/{service_id}")).json()
    assert found["alternate_name"] == "Cwnsela ar ôl trosedd"
    assert found["organization"]["name"] == "Example charity"
    assert [each["number"] for each in found["phones"]] == ["01632 960001"]
    assert found["schedules"][0]["byday"] == "MO,FR"
    assert [each["taxonomy_term"]["code"] for each in found["attributes"]] == ["counselling", "mental_health"]
    assert found["service_at_locations"][0]["location"]["addresses"][0]["postal_code"] == "ZZ99 9ZZ"
    assert found["last_modified"] == "2026-11-19T09:00:00.000Z"
    welsh = await get(partners, f"/services/{service_id}?language=cy")
    assert (welsh.json()["name"], welsh.json()["description"]) == ("Cwnsela ar ôl trosedd", "Siarad.")
    assert welsh.json()["alternate_name"] == PUBLIC["name"]
    assert welsh.json()["organization"]["name"] == "Elusen Enghreifftiol"
    assert welsh.json()["organization"]["description"] == "Helps people in Exampleshire."
    assert welsh.headers["content-language"] == "cy"
    again = (await get(partners, f"/services/{service_id}")).json()
    assert again == found


FILTERS = [
    ("?search=AFTER a crime", True),
    ("?search=trosedd", True),
    ("?search=100%25 of", True),
    ("?search=%25", True),
    ("?search=1%25of", False),
    ("?search=_", False),
    ("?search=talk.*", False),
    ("?search=%5C", False),
    ("?search=' OR 1=1 --", False),
    ("?search=exampleshire", True),
    ("?kind=counselling", True),
    ("?kind=idva", False),
    ("?area=E07000008", True),
    ("?area=E0700000_", False),
    ("?area=E06000001", False),
    ("?minimum_age=99", True),
    ("?minimum_age=100", False),
    ("?maximum_age=16", True),
    ("?maximum_age=15", False),
    ("?modified_after=2026-11-19T09:00:00Z", True),
    ("?modified_after=2026-11-19T09:00:01Z", False),
    ("?day=MO", True),
    ("?day=TU", False),
    ("?day=FR&start_time=08:30&end_time=18:00:00", True),
    ("?start_time=09:00", True),
    ("?start_time=09:01", False),
    ("?end_time=17:30", True),
    ("?end_time=17:29", False),
    ("?day=MO&kind=idva", False),
    ("?sort=name", True),
    ("?sort=modified", True),
]


async def test_each_filter_finds_what_it_says_and_no_character_stands_for_others(partners: Running) -> None:
    """Row 45 of the bad-input matrix."""
    service_id = await publish(partners)
    found = {query: await ids(partners, query) for query, _ in FILTERS}
    assert found == {query: [service_id] if is_found else [] for query, is_found in FILTERS}
    for query, is_found in FILTERS:
        places = (await get(partners, f"/service_at_locations{query}")).json()["contents"]
        assert (query, {each["service"]["id"] for each in places}) == (query, {service_id} if is_found else set())


async def test_terms_organisations_and_services_without_areas(partners: Running) -> None:
    service_id = await publish(partners, areas=[])
    terms = {kind: id for id, kind in TERMS.items()}
    taxonomy = (await get(partners, "/taxonomies")).json()["contents"][0]["id"]
    partner_id = partners.partners["counselling"]
    term = f"taxonomy_term_id={terms['counselling']}"
    for query in (term, f"kind=counselling&{term}", f"taxonomy_id={taxonomy}", "area=W06000001",
                  f"organization_id={partner_id}"):  # fmt: skip
        assert await ids(partners, f"?{query}") == [service_id]
    for query in (f"taxonomy_term_id={terms['idva']}", f"taxonomy_term_id={new_id()}", f"taxonomy_id={new_id()}",
                  f"organization_id={new_id()}", f"kind=idva&{term}"):  # fmt: skip
        assert await ids(partners, f"?{query}") == []


async def test_places_are_listed_with_their_service_and_counted_as_places(partners: Running) -> None:
    first, second = await publish(partners), await publish(partners, "idva", name="Advice", openings=[])
    whole = (await get(partners, "/service_at_locations")).json()
    assert [(each["service_id"], each["location"]["name"]) for each in whole["contents"]] == [
        (service_id, name) for service_id in sorted([first, second]) for name in ("The centre", "Video call")
    ]
    pages = [(await get(partners, f"/service_at_locations?per_page=3&page={n}")).json() for n in (1, 2)]
    assert [each["id"] for page in pages for each in page["contents"]] == [each["id"] for each in whole["contents"]]
    assert [(page["total_items"], page["total_pages"], page["size"]) for page in pages] == [(4, 2, 3), (4, 2, 1)]
    one = (await get(partners, f"/service_at_locations/{whole['contents'][0]['id']}")).json()
    assert one["location"]["addresses"][0]["address_1"] == "1 Open Street"
    assert one["service"]["phones"][0]["number"] == "01632 960001"
    of_service = (await get(partners, f"/services/{one['service_id']}")).json()["service_at_locations"]
    assert {**of_service[0], "service": one["service"]} == one
    assert (await get(partners, "/services?day=MO&per_page=1&page=2")).json()["contents"] == []
    assert (await get(partners, f"/service_at_locations/{new_id()}")).status_code == 404


async def test_pages_hold_every_service_once_and_say_where_they_stand(partners: Running) -> None:
    first = await publish(partners)
    second = await publish(partners, "idva", name="Advice")
    seen = []
    for number, expected in ((1, (True, False)), (2, (False, True))):
        page = (await get(partners, f"/services?per_page=1&page={number}")).json()
        assert (page["total_items"], page["total_pages"], page["page_number"], page["size"]) == (2, 2, number, 1)
        assert (page["first_page"], page["last_page"]) == expected
        seen += [each["id"] for each in page["contents"]]
    assert seen == sorted([first, second])
    assert await ids(partners, "?sort=name") == [second, first]
    beyond = (await get(partners, "/services?page=999999&per_page=100")).json()
    assert (beyond["empty"], beyond["contents"], beyond["last_page"]) == (True, [], True)


REFUSED = [
    ("page=0", "out_of_range"),
    ("page=1_0", "out_of_range"),
    ("page=%2B5", "out_of_range"),
    ("page=1000000000000000000000", "out_of_range"),
    ("page=", "out_of_range"),
    ("per_page=101", "out_of_range"),
    ("per_page=-1", "out_of_range"),
    ("per_page=٣", "out_of_range"),
    ("sort=is_public", "unknown_code"),
    ("sort=name;drop", "unknown_code"),
    ("kind=refuge", "unknown_code"),
    ("language=de", "unknown_code"),
    ("taxonomy_term_id=7", "not_an_id"),
    ("modified_after=yesterday", "not_an_instant"),
    ("minimum_age=131", "out_of_range"),
    ("full=maybe", "not_true_or_false"),
    ("area=a b", "not_a_code"),
    ("search=" + "x" * 201, "too_long"),
    ("search=%00", "control_character"),
    ("day=Monday", "unknown_code"),
    ("start_time=9", "not_a_time"),
    ("end_time=24:00", "not_a_time"),
    ("proximity=1", "unknown_field"),
    ("postcode=ZZ99 9ZZ", "unknown_field"),
    ("confidential=true", "unknown_field"),
    ("is_public=false", "unknown_field"),
]


async def test_what_it_does_not_understand_it_refuses(partners: Running) -> None:
    """Rows 18 and 45 of the bad inputs: limits are digits within bounds, the order is one of three."""
    for query, code in REFUSED:
        answer = await get(partners, f"/services?{query}")
        assert (query, answer.status_code) == (query, 422)
        assert (query, [fault["code"] for fault in answer.json()["errors"]]) == (query, [code])
    assert (await get(partners, "/services?page=1&page=2")).status_code == 400


async def test_answers_may_be_kept_for_a_minute_and_asked_for_again_cheaply(partners: Running) -> None:
    service_id = await publish(partners)
    for path in ("/services", f"/services/{service_id}", "/organizations", ""):
        answer = await get(partners, path)
        assert answer.headers["cache-control"] == "public, max-age=60, must-revalidate"
        tag = answer.headers["etag"]
        again = await get(partners, path, if_none_match=f'"other", W/{tag}')
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    old = (await get(partners, "/services")).headers["etag"]
    partners.clock.advance(timedelta(seconds=1))
    assert (
        await put(partners, f"partners/{partners.partners['counselling']}", ORGANISATION, version=1)
    ).status_code == 200
    assert (await get(partners, "/services", if_none_match=old)).status_code == 200
    assert await ids(partners, "?modified_after=2026-11-19T09:00:01Z") == [service_id]


async def test_it_answers_the_gateway_alone_and_counts(partners: Running) -> None:
    assert (await partners.call("GET", "/directory/services", "directory:write")).status_code == 403
    assert partners.http is not None
    assert (await partners.http.get("/directory/services")).status_code == 401

    def count(outcome: str) -> float:
        labels = {"what": "service", "outcome": outcome}
        return REGISTRY.get_sample_value("onward_directory_answers_total", labels) or 0.0

    before = count("not_found")
    assert (await get(partners, f"/services/{new_id()}")).status_code == 404
    assert (await get(partners, "/services/7")).status_code == 422
    assert (await get(partners, f"/organizations/{new_id()}")).status_code == 404
    assert (await get(partners, f"/taxonomies/{new_id()}")).status_code == 404
    assert (await get(partners, f"/taxonomy_terms/{new_id()}")).status_code == 404
    assert count("not_found") == before + 1


def entry(*holds: bool) -> Entry:
    flags = dict(
        zip(
            ("is_public", "is_confidential", "is_service_active", "is_partner_public", "is_partner_confidential",
             "is_partner_active"),
            holds,
            strict=True,
        )
    )  # fmt: skip
    return Entry(new_id(), new_id(), {}, {}, NOW, **flags)


@given(st.tuples(*[st.booleans()] * 6))
def test_only_what_is_public_in_every_way_is_shown(holds: tuple[bool, ...]) -> None:
    assert (withheld(entry(*holds)) == ()) == (holds == (True, False, True, True, False, True))


@given(st.text(max_size=40), st.text("0123456789 ,.-", max_size=5), st.text(max_size=40))
def test_an_address_is_found_however_it_is_spaced(before: str, between: str, after: str) -> None:
    assert gives_away([{"a": [{"b": f"{before} 7{' '}HIDDEN-lane {after}"}]}], ["7 Hidden Lane"])
    assert not gives_away([{"a": "Hidden Road"}], ["7 Hidden Lane"])


@pytest.mark.parametrize(
    "written",
    ["7 H\u00eddden Lane", "\uff17 \uff28idden Lane", "7 Hid<b>den</b> Lane", "7&nbsp;Hidden&nbsp;Lane",
     "https://a.example.org/7%20hidden%20lane"],
)  # fmt: skip
def test_an_address_is_found_however_it_is_written(written: str) -> None:
    assert gives_away([{"a": written}], ["7 Hidden Lane"])


_MARK = "zq-secret"
_STATES = st.fixed_dictionaries({
    "entry": st.booleans(),
    "is_public": st.booleans(),
    "confidential": st.booleans(),
    "active": st.booleans(),
    "partner_listed": st.booleans(),
    "partner_public": st.booleans(),
    "partner_confidential": st.booleans(),
})  # fmt: skip
_QUERIES = st.sampled_from([
    "", "?full=true", "?per_page=1&page=2", f"?search={_MARK}", "?search=a", "?search=%25", "?search=_", "?kind=idva",
    "?kind=counselling&full=true", "?area=E07000008", "?sort=name&full=true", "?sort=modified&language=cy",
    "?modified_after=2000-01-01T00:00:00Z&full=true", "?minimum_age=1&maximum_age=130", "?language=cy&full=true",
])  # fmt: skip


def secret(what: str) -> dict[str, Any]:
    return {
        "name": f"{_MARK} {what} name",
        "description": f"{_MARK} {what} description",
        "url": f"https://{_MARK}.example.org/{what}",
        "email": f"{_MARK}-{what}@example.org",
        "areas": [{"name": f"{_MARK} {what} area", "code": "E07000008"}],
        "welsh": {"name": f"{_MARK} {what} welsh"},
        "places": [{"name": f"{_MARK} {what} place", "accessibility": f"{_MARK} ramp"}],
    }


async def _add(partners: Running, number: int, state: dict[str, bool]) -> tuple[str, str, bool]:
    """Add a partner and a service in some state by the staff's own calls; says whether the public may see them."""
    organisation = await partners.call(
        "POST", "/v1/partners", "directory:write", {"organisation": f"made-{number}", "name": f"{_MARK} internal"}
    )
    partner_id = organisation.json()["id"]
    body = {"name": f"{_MARK} internal", "kind": "idva", "status": "active" if state["active"] else "suspended"}
    made = await partners.call("POST", f"/v1/partners/{partner_id}/services", "directory:write", body)
    service_id = made.json()["id"]
    may = all(state[name] for name in ("entry", "is_public", "active", "partner_listed", "partner_public"))
    may = may and not state["confidential"] and not state["partner_confidential"]
    words = PUBLIC | {"kinds": []} if may else PUBLIC | secret("service")
    private = {**ENTRY["private"], "criteria": f"{_MARK} criteria", "confidential": state["confidential"]}
    if state["entry"]:
        is_public = state["is_public"] and not state["confidential"]
        entry = {"is_public": is_public, "public": words, "private": private}
        assert (await put(partners, f"services/{service_id}", entry)).status_code == 200
    if state["partner_listed"]:
        hidden = state["partner_confidential"]
        names = ORGANISATION["public"] if may else {k: secret("partner")[k] for k in ("name", "description", "url")}
        listed = {"is_public": state["partner_public"] and not hidden, "confidential": hidden, "public": names}
        assert (await put(partners, f"partners/{partner_id}", listed)).status_code == 200
    return service_id, partner_id, may


@asynccontextmanager
async def fresh(folder: Path) -> AsyncIterator[Running]:
    path = folder / f"{new_id()}"
    path.mkdir()
    async with running(f"sqlite+aiosqlite:///{path / 'partners.db'}", path) as made:
        yield made


@settings(max_examples=10, deadline=None)
@given(states=st.lists(_STATES, min_size=1, max_size=5), queries=st.lists(_QUERIES, min_size=1, max_size=6))
def test_nothing_confidential_is_in_any_answer_whatever_is_asked(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, bool]], queries: list[str]
) -> None:
    async def check() -> None:
        async with fresh(tmp_path_factory.mktemp("directory")) as partners:
            made = [await _add(partners, number, state) for number, state in enumerate(states)]
            paths = [f"/{what}{query}" for query in queries for what in ("services", "service_at_locations")]
            paths += ["/organizations", "/organizations?language=cy", "/services?day=MO&full=true"]
            for service_id, partner_id, may in made:
                one = await get(partners, f"/services/{service_id}")
                other = await get(partners, f"/organizations/{partner_id}")
                assert (one.status_code == 200, other.status_code == 200) == (may, may)
                for number in range(3):
                    place_id = uuid5(UUID(service_id), f"places/{number}")
                    place = await get(partners, f"/service_at_locations/{place_id}")
                    assert place.status_code == (200 if may and number < len(PUBLIC["places"]) else 404)
                paths += [f"/services/{service_id}", f"/organizations/{partner_id}"]
                paths += [f"/services?organization_id={partner_id}"]
            for path in paths:
                text = (await get(partners, path)).text
                for word in (_MARK, "Hidden Lane", "ZZ98 8ZZ", "secret"):
                    assert word not in text, path
            shown = {service_id for service_id, _, may in made if may}
            assert set(await ids(partners)) == shown

    asyncio.run(check())
