"""The gate's preview: what a partner would be given, field by field, with nothing recorded by asking."""

from sqlalchemy import func, select

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.db import table_of
from hubkit.ids import new_id
from services.partners.tables.cases import Disclosure, OnwardReferral, Permit
from tests.services.partners.support import Running, consent

EVERY = {name for names in DATA_CATEGORIES.values() for name in names}


async def test_a_preview_says_each_field_and_why_not(partners: Running) -> None:
    case_id = await partners.open_case(consent(data_categories=("identity", "needs", "risk")))
    answer = await partners.call(
        "GET", f"/v1/cases/{case_id}/gate?partner={partners.partners['counselling']}", "cases:read"
    )
    assert answer.status_code == 200
    body = answer.json()
    [only] = body["services"]
    assert (body["partner_name"], only["allowed"], only["basis"], only["reasons"]) == (
        "Test counselling", True, "consent", [],
    )  # fmt: skip
    assert only["agreement"] == {"id": str(partners.agreements["counselling"]), "version": 1}
    assert len(only["consent_ids"]) == 1
    assert set(only["fields_shared"]) == {*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["needs"]}
    why = {each["field"]: each["reason"] for each in only["fields_withheld"]}
    assert why["crime_category"] == why["address"] == "not_in_consent"
    assert why["narrative"] == why["risk"] == "not_in_agreement"
    assert set(why) | set(only["fields_shared"]) == EVERY
    assert not set(why) & set(only["fields_shared"])


async def test_a_refused_preview_names_every_field_with_its_reason(partners: Running) -> None:
    case_id = await partners.open_case()
    path = f"/v1/cases/{case_id}/gate?partner={partners.partners['counselling']}"
    [only] = (await partners.call("GET", path, "cases:read")).json()["services"]
    assert (only["allowed"], only["reasons"], only["fields_shared"]) == (False, ["consent_missing"], [])
    why = {each["field"]: each["reason"] for each in only["fields_withheld"]}
    assert set(why) == EVERY
    assert (why["given_name"], why["narrative"]) == ("consent_missing", "not_in_agreement")
    assert (only["basis"], only["agreement"], only["consent_ids"]) == (None, None, [])


async def test_asking_records_and_discloses_nothing(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    partner, service = partners.partners["counselling"], partners.services["counselling"]
    before = await _counts(partners)
    answer = await partners.call("GET", f"/v1/cases/{case_id}/gate?partner={partner}&service={service}", "cases:read")
    assert answer.json()["services"][0]["onward_referral_id"] == str(onward_id)
    assert await _counts(partners) == before
    assert partners.intake.asked == []
    assert (await partners.row(onward_id)).version == 2


async def _counts(partners: Running) -> list[int]:
    async with partners.db.reading() as tx:
        return [
            (await tx.rows(select(func.count()).select_from(table_of(model))))[0][0]
            for model in (Permit, Disclosure, OnwardReferral)
        ]


async def test_the_preview_says_what_the_gate_says_when_it_is_meant(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    partner = partners.partners["counselling"]
    [only] = (await partners.call("GET", f"/v1/cases/{case_id}/gate?partner={partner}", "cases:read")).json()[
        "services"
    ]
    onward_id = await partners.request(case_id)
    read = (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).json()
    assert set(read["disclosure"]["fields"]) == set(only["fields_shared"])


async def test_what_is_not_known_is_not_found(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    partner, other = partners.partners["counselling"], partners.services["idva"]
    for path in (
        f"/v1/cases/{new_id()}/gate?partner={partner}",
        f"/v1/cases/{case_id}/gate?partner={new_id()}",
        f"/v1/cases/{case_id}/gate?partner={partner}&service={other}",
    ):
        assert (await partners.call("GET", path, "cases:read")).status_code == 404
    assert (await partners.call("GET", f"/v1/cases/{case_id}/gate", "cases:read")).status_code == 422
    path = f"/v1/cases/{case_id}/gate?partner={partner}"
    assert (await partners.call("GET", path, "onward:read")).status_code == 403
