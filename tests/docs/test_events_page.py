"""`docs/events.md` shows everything that partners receive, as it is."""

import orjson
import pytest

from services.partners.model import ENDPOINT_TYPES, NOTICE_TYPES
from services.partners.schemas.events import EVENTS
from tests.docs.events import PAGE, examples, faults_of, page, type_of


def test_the_page_is_in_step_with_the_code():
    assert PAGE.read_text(encoding="utf-8") == page(), "write it with: .venv/bin/python -m tests.docs"


def test_every_type_that_can_be_sent_is_described():
    assert {type_of(each) for each in EVENTS} == {*NOTICE_TYPES, *ENDPOINT_TYPES} == set(examples())


def test_the_printed_schemas_refuse_what_is_not_described():
    good = orjson.loads(examples()["onward_referral.sent"])
    assert faults_of(orjson.dumps(good)) == []
    for wrong in ({"name": "Alex"}, {"onward_referral_id": "7"}, {"kind": None}, {"links": {}}):
        assert faults_of(orjson.dumps(good | {"data": good["data"] | wrong})) != []


@pytest.mark.parametrize("model", EVENTS, ids=type_of)
def test_what_is_sent_is_what_is_described_and_no_field_more(model):
    sent = orjson.loads(examples()[type_of(model)])

    described = model.model_validate_json(examples()[type_of(model)])

    assert set(described.model_dump()) == set(sent)
    assert set(described.data.model_dump()) == set(sent["data"])
