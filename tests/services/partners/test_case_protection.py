"""What staff set to protect a person holds at every step: waiting, sending, reading."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import text

from hubkit.ids import new_id
from services.partners.actions.permits import permits_for, settle_permits
from tests.services.partners.support import Running, consent


def wanted(**changes: Any) -> dict[str, Any]:
    said = {"restricted_to": None, "safe_address": False, "reason": "An ex-partner works there", "decided_by": "Kim"}
    return said | changes


async def protect(partners: Running, case_id: UUID, **changes: Any) -> Any:
    return await partners.call("PUT", f"/v1/cases/{case_id}/protection", "cases:write", wanted(**changes))


async def test_a_restricted_case_is_read_by_the_named_partners_alone(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    path = f"/v1/onward-referrals/{onward_id}"
    assert (await partners.call("GET", path, "onward:read")).status_code == 200
    idva = str(partners.partners["idva"])
    answer = await protect(partners, case_id, restricted_to=[idva])
    assert (answer.status_code, answer.json()["restricted_to"]) == (200, [idva])
    refused = await partners.call("GET", path, "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "case_restricted")
    later = await partners.row(await partners.request(case_id))
    assert (later.status, later.reasons) == ("refused", ("case_restricted",))
    await protect(partners, case_id)
    assert (await partners.call("GET", path, "onward:read")).status_code == 200
    async with partners.db.reading() as tx:
        kept = await tx.rows(text("SELECT * FROM case_protection"))
    assert len(kept) == 2
    assert "ex-partner" not in repr(kept)


async def test_what_triage_says_later_does_not_lift_a_protection(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    await protect(partners, case_id, restricted_to=[])
    await partners.triage(case_id, 2, consent())
    assert (await partners.row(await partners.request(case_id))).reasons == ("case_restricted",)


async def test_a_safe_address_is_never_disclosed(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    path = f"/v1/onward-referrals/{onward_id}"
    assert "address" in (await partners.call("GET", path, "onward:read")).json()["disclosure"]["fields"]
    await protect(partners, case_id, safe_address=True)
    fields = (await partners.call("GET", path, "onward:read")).json()["disclosure"]["fields"]
    assert "address" not in fields
    assert "phone" in fields
    assert "address" not in partners.intake.asked[-1]["fields"]


async def test_the_facts_of_a_case_stand_when_it_closes(partners: Running) -> None:
    case_id = await partners.open_case(consent(), markers=("domestic_abuse",))
    onward_id = await partners.request(case_id)
    await partners.close(case_id)
    fields = (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).json()["disclosure"]
    assert "address" not in fields["fields"]


async def test_nothing_goes_between_organisations_that_are_kept_apart(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    path = f"/v1/partners/{partners.partners['counselling']}/kept-from"
    answer = await partners.call("PUT", path, "directory:write", {"organisations": ["police", "police"]})
    assert answer.json()["organisations"] == ["police"]
    refused = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "ring_fenced")
    later = await partners.row(await partners.request(await partners.open_case(consent())))
    assert (later.status, later.reasons) == ("refused", ("ring_fenced",))
    await partners.call("PUT", path, "directory:write", {"organisations": []})
    assert (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).status_code == 200


async def test_bad_input_is_refused(partners: Running) -> None:
    case_id = await partners.open_case()
    unknown = await protect(partners, case_id, restricted_to=[str(partners.partners["idva"]), str(new_id())])
    assert unknown.json()["errors"] == [
        {"pointer": "/restricted_to/1", "code": "unknown_partner", "detail": "is not a partner"}
    ]
    assert (await protect(partners, new_id())).status_code == 404
    assert (await protect(partners, case_id, reason="")).status_code == 422
    path = f"/v1/partners/{new_id()}/kept-from"
    assert (await partners.call("PUT", path, "directory:write", {"organisations": []})).status_code == 404
    assert (await partners.call("PUT", path, "cases:write", {"organisations": []})).status_code == 403


async def test_protection_is_answered_once_what_was_permitted_before_is_over(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    async with partners.db.transaction() as tx:
        permit_id = (await permits_for(tx, partners.deps, [onward_id]))[onward_id].permit_id
    assert permit_id is not None
    protecting = asyncio.create_task(protect(partners, case_id, restricted_to=[]))
    done, _ = await asyncio.wait([protecting], timeout=0.3)
    assert not done
    async with partners.db.transaction() as tx:
        assert not (await permits_for(tx, partners.deps, [onward_id]))[onward_id].allowed
        await settle_permits(tx, [permit_id])
    assert (await protecting).status_code == 200
