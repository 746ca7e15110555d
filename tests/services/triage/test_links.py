"""Cases of one household are linked, shown both ways, and stay apart."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hubkit.ids import new_id
from tests.services.triage.support import Triage, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Triage]:
    async with running(tmp_path) as service:
        yield service


async def links(hub: Triage, case: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    answer = await hub.get(f"/v1/cases/{case['id']}/links", params=options)
    return [(each["case_id"], each["relation"]) for each in answer.json()["items"]]


async def test_a_link_is_shown_both_ways_and_changes_neither_case(hub: Triage) -> None:
    one, other = await hub.open_case(), await hub.open_case()
    body = {"case_id": other["id"], "relation": "household"}
    made = await hub.post(one, "links", body)
    assert (made.status_code, made.json()["case_id"]) == (201, other["id"])
    again = await hub.post(other, "links", {"case_id": one["id"], "relation": "household"})
    assert (again.status_code, again.json()["case_id"]) == (201, one["id"])
    assert await links(hub, one) == [(other["id"], "household")]
    assert await links(hub, other) == [(one["id"], "household")]
    for case in (one, other):
        assert (await hub.get(f"/v1/cases/{case['id']}")).json() == case


async def test_links_are_paged(hub: Triage) -> None:
    one, second, third = await hub.open_case(), await hub.open_case(), await hub.open_case()
    for other in (second, third):
        await hub.post(one, "links", {"case_id": other["id"], "relation": "family"})
    path = f"/v1/cases/{one['id']}/links"
    first = (await hub.get(path, params={"limit": 1})).json()
    rest = (await hub.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [first["items"][0]["case_id"], rest["items"][0]["case_id"]] == [second["id"], third["id"]]
    assert rest["next_cursor"] is None
    assert (await hub.get(path, params={"cursor": "made-up"})).status_code == 400


async def test_what_cannot_be_linked_is_refused_with_its_code(hub: Triage) -> None:
    case = await hub.open_case()
    for body, pointer, code in (
        ({"case_id": case["id"], "relation": "family"}, "/case_id", "same_case"),
        ({"case_id": str(new_id()), "relation": "family"}, "/case_id", "unknown_case"),
        ({"case_id": str(new_id()), "relation": "neighbour"}, "/relation", "unknown_code"),
    ):
        refused = await hub.post(case, "links", body)
        assert refused.status_code == 422
        assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [(pointer, code)]
    nobody = {"id": str(new_id()), "version": 1}
    assert (await hub.post(nobody, "links", {"case_id": case["id"], "relation": "family"})).status_code == 404
    assert (await hub.get(f"/v1/cases/{nobody['id']}/links")).status_code == 404
