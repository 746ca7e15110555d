"""Staff keep the directory's entries; what is not public stays out, and a safe address stays safe."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hubkit.ids import new_id
from services.partners.schemas.listings import PublicPart
from services.partners.store import listings
from tests.services.partners import oruk
from tests.services.partners.listing_support import ENTRY, ORGANISATION, PRIVATE, PUBLIC, get, ids, publish, put
from tests.services.partners.support import Running, running


async def test_an_entry_is_set_whole_and_read_as_it_was_set(partners: Running) -> None:
    service_id, partner_id = partners.services["counselling"], partners.partners["counselling"]
    path = f"/v1/services/{service_id}/listing"
    empty = await partners.call("GET", path, "directory:write")
    assert (empty.status_code, empty.headers["etag"], empty.json()["public"]) == (200, '"0"', None)
    assert empty.json()["withheld"] == ["not_public", "confidential", "partner_not_public"]
    made = await put(partners, f"services/{service_id}", ENTRY)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    body = made.json()
    assert body["withheld"] == ["partner_not_public"]
    assert {name: value for name, value in body["private"].items() if value is not None} == PRIVATE
    assert {name: body["public"][name] for name in ("name", "description", "kinds", "assured_on")} == {
        name: PUBLIC[name] for name in ("name", "description", "kinds", "assured_on")
    }
    organisation = await put(partners, f"partners/{partner_id}", ORGANISATION)
    assert (organisation.status_code, organisation.json()["shown"]) == (200, True)
    read = await partners.call("GET", path, "directory:write")
    assert (read.json()["shown"], read.json()["withheld"]) == (True, [])
    again = await put(partners, f"services/{service_id}", ENTRY)
    assert again.status_code == 412
    other = await put(partners, f"services/{service_id}", ENTRY | {"is_public": False}, version=1)
    assert (other.headers["etag"], other.json()["withheld"]) == ('"2"', ["not_public"])


async def test_the_private_part_is_sealed_in_the_database(partners: Running) -> None:
    await put(partners, f"services/{partners.services['counselling']}", ENTRY)
    async with partners.db.reading() as tx:
        overlay = await listings.overlay(tx, partners.services["counselling"])
    assert overlay is not None
    assert overlay.sealed is not None
    assert b"Hidden" not in overlay.sealed


async def test_only_those_who_keep_the_directory_may_read_an_entry(partners: Running) -> None:
    path = f"/v1/services/{partners.services['counselling']}/listing"
    assert (await partners.call("GET", path, "cases:read")).status_code == 403
    assert (await partners.call("PUT", path, "cases:read directory:public", ENTRY, if_match='"0"')).status_code == 403
    assert (await partners.call("PUT", path, "directory:write", ENTRY)).status_code == 428
    gone = f"/v1/services/{new_id()}/listing"
    assert (await partners.call("GET", gone, "directory:write")).status_code == 404
    assert (await partners.call("PUT", gone, "directory:write", ENTRY, if_match='"0"')).status_code == 404


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"private": {"confidential": True}}, "/is_public", "confidential_not_public"),
    ({"public": {"name": "x", "description": "y"}}, "/public/url", "needed_in_public"),
    ({"public": {"name": "x", "url": "https://x.example.org"}}, "/public/description", "needed_in_public"),
    ({"public": PUBLIC | {"url": "javascript:alert(1)"}}, "/public/url", "not_a_web_address"),
    ({"public": PUBLIC | {"url": "https://"}}, "/public/url", "not_a_web_address"),
    ({"public": PUBLIC | {"url": "https://x.example.org/{id}"}}, "/public/url", "not_a_web_address"),
    ({"public": PUBLIC | {"kinds": ["magic"]}}, "/public/kinds/0", "unknown_code"),
    ({"public": PUBLIC | {"status": "open"}}, "/public/status", "unknown_code"),
    ({"public": PUBLIC | {"minimum_age": 100}}, "/public", "max_below_min"),
    ({"public": PUBLIC | {"languages": ["Welsh"]}}, "/public/languages/0", "not_a_language"),
    ({"public": PUBLIC | {"openings": [{"opens_at": "9 am"}]}}, "/public/openings/0/opens_at", "not_a_time"),
    ({"public": PUBLIC | {"places": [{"name": "x", "city": "y"}]}}, "/public/places/0", "address_incomplete"),
    ({"public": PUBLIC | {"secret": "x"}}, "/public/secret", "unknown_field"),
    ({"private": PRIVATE | {"agreement_id": str(new_id())}}, "/private/agreement_id", "unknown_agreement"),
    ({"public": PUBLIC | {"alert": "we are at 7, hidden lane!"}}, "/public", "safe_address_in_public"),
    ({"public": PUBLIC | {"welsh": {"alert": "ZZ988ZZ"}}}, "/public", "safe_address_in_public"),
]


async def test_an_entry_that_is_wrong_is_refused_with_place_and_code(partners: Running) -> None:
    for change, pointer, code in WRONG:
        answer = await put(partners, f"services/{partners.services['counselling']}", ENTRY | change)
        assert answer.status_code == 422, answer.text
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
        assert "Hidden" not in answer.text


WEB = {
    "https://x.example.org": True,
    "http://x.example.org:8080/a/b;c=1?q=a%20b&r=/?#d/e?f": True,
    "https://[2001:db8::1]/": True,
    "https://x.example.org/{id}": False,
    'https://x.example.org/a"b': False,
    "https://x.example.org/a|b": False,
    "https://x.example.org/a\\b": False,
    "https://x.example.org/%zz": False,
    "https://x.example.org/a[1]": False,
    "https://x.example.org/#a#b": False,
    "https://x.example.org/caf\u00e9": False,
    "https://x.example.org:eighty/": False,
    "https://x.example.org:65536/": False,
    "https://x.example.org:0/": False,
    "https://?q": False,
    "ftp://x.example.org/": False,
}


@pytest.mark.parametrize("url", WEB)
def test_an_address_on_the_web_is_a_uri_as_the_directory_s_standard_asks(url: str) -> None:
    if WEB[url]:
        assert PublicPart(name="x", url=url).url == url
        assert "[" in url or oruk.faults(oruk.URI, url) == []
    else:
        with pytest.raises(ValidationError, match="must be a URI"):
            PublicPart(name="x", url=url)


async def test_no_entry_of_a_partner_gives_away_the_safe_address_of_another(partners: Running) -> None:
    partner_id = partners.partners["counselling"]
    body = {"name": "A house", "kind": "domestic_abuse"}
    path = f"/v1/partners/{partner_id}/services"
    house = (await partners.call("POST", path, "directory:write", body)).json()["id"]
    hidden = {"is_public": False, "public": {"name": "A house"}, "private": PRIVATE | {"confidential": True}}
    assert (await put(partners, f"services/{house}", hidden)).status_code == 200
    telling = PUBLIC | {"description": "Come to 7 Hidden Lane"}
    told = {"is_public": True, "public": telling, "private": {"confidential": False}}
    answers = [
        await put(partners, f"services/{partners.services['counselling']}", told),
        await put(
            partners, f"partners/{partner_id}", ORGANISATION | {"public": {"name": "x", "description": "ZZ98 8ZZ"}}
        ),
    ]
    assert [answer.json()["errors"][0]["code"] for answer in answers] == ["safe_address_in_public"] * 2
    safe = told | {"public": PUBLIC | {"places": [{"name": "At 9 Other Road"}]}}
    assert (await put(partners, f"services/{partners.services['counselling']}", safe)).status_code == 200
    late = hidden | {"private": {"confidential": True, "safe_address": {"lines": ["9 Other Road"]}}}
    answer = await put(partners, f"services/{house}", late, version=1)
    assert answer.json()["errors"][0]["code"] == "safe_address_in_public"


async def test_whatever_is_taken_back_is_out_of_the_directory_at_once(partners: Running) -> None:
    service_id = await publish(partners)
    partner = f"partners/{partners.partners['counselling']}"
    service = f"/v1/services/{service_id}"

    async def is_shown() -> bool:
        shown = await ids(partners)
        one = (await get(partners, f"/services/{service_id}")).status_code == 200
        organisations = (await get(partners, "/organizations")).json()["contents"]
        assert (shown == [service_id], bool(organisations)) == (one, one)
        return one

    assert await is_shown()
    hidden = ORGANISATION | {"is_public": False, "confidential": True}
    assert (await put(partners, partner, hidden, version=1)).status_code == 200
    assert not await is_shown()
    assert (await put(partners, partner, ORGANISATION, version=2)).status_code == 200
    assert await is_shown()
    await partners.call("PUT", service, "directory:write", {"status": "suspended"}, if_match='"1"')
    assert not await is_shown()
    await partners.call("PUT", service, "directory:write", {"status": "active"}, if_match='"2"')
    assert await is_shown()
    secret = {"is_public": False, "public": PUBLIC, "private": {"confidential": True}}
    assert (await put(partners, f"services/{service_id}", secret, version=1)).status_code == 200
    assert not await is_shown()


async def test_kinds_that_an_entry_does_not_name_follow_the_service(partners: Running) -> None:
    service_id = await publish(partners, kinds=[])
    assert await ids(partners, "?kind=counselling") == [service_id]
    path = f"/v1/services/{service_id}"
    await partners.call("PUT", path, "directory:write", {"kind": "fraud", "also": ["asb"]}, if_match='"1"')
    assert await ids(partners, "?kind=counselling") == []
    assert await ids(partners, "?kind=asb") == [service_id]


async def test_demonstration_partners_stand_in_the_directory_but_for_those_that_hide_people(
    url: str, tmp_path: Path
) -> None:
    named = [
        {"name": "Demo advice", "kind": "idva", "areas": ["E07000008"]},
        {"name": "Demo refuge", "kind": "domestic_abuse"},
    ]
    async with running(url, tmp_path, {"partners": named}, demonstration=True) as made:
        shown = (await get(made, "/services?full=true")).json()["contents"]
        assert oruk.faults({"type": "array", "items": oruk.SERVICE}, shown) == []
        assert "Demo advice" in [each["name"] for each in shown]
        assert "refuge" not in (await get(made, "/services?full=true")).text
        assert "refuge" not in (await get(made, "/organizations")).text
        assert await ids(made, "?area=E07000008&kind=idva")
