"""The Celery chain does the hub's job: the same decisions, the same rows, both signatures."""

import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest

from bench import peer_rules
from bench.bodies import referral
from bench.job import Referral, facts, signed
from bench.systems import ROOT, Bench, CelerySystem
from hubkit.contracts.profile import Profile
from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.ids import new_id
from hubkit.profiles import load_profile
from hubkit.webhooks import new_secret, new_signing_pair, public_key_of, verify
from services.intake.actions.register import facts_of
from services.intake.schemas import Referral as HubReferral
from services.partners.policy import gate
from services.triage.model import Outputs
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide
from tests.support.access import Broker, Databases

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
DEADLINES = {
    "needs": [{"id": "witness", "when": {"roles": ["witness"]}, "needs": ["witness_care"]}],
    "triage": {"levels": [{"id": "first", "level": "high", "when": {"entitlement": ["enhanced"]}}]},
    "contacts": [
        {"id": "soon", "within": {"amount": 2, "unit": "working_days"}, "methods": ["phone", "text", "letter"]},
        {"id": "preferred", "mode": "preferred", "within": {"amount": 3, "unit": "hours", "starts": "crime_recorded"}},
        {"id": "high", "when": {"levels": ["high"], "none_of": [{"min_age": 60}]}, "methods": ["letter"]},
    ],
}
#: What triage stores beside columns; the hub's own word has one.
OUTPUTS = [field.name for field in fields(Outputs) if field.name != "case_status"]


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    real = load_profile(ROOT / "profiles" / "cambridgeshire.yaml")
    return [real, Profile.model_validate(real.model_dump(exclude_unset=True) | DEADLINES)]


@pytest.mark.parametrize("marker", ["vulnerable", "domestic_abuse", "da_risk_high", "enhanced", "business_crime", None])
@pytest.mark.parametrize("crime", ["burglary.residential", "sexual.rape", "stalking_harassment.stalking"])
def test_the_chain_decides_as_triage_does(profiles: list[Profile], marker: str | None, crime: str):
    choices = product(profiles, (None, 9, 17, 40, 61), ("victim", "witness"), (True, False, None), ("phone", None))
    for profile, age, role, is_safe, preferred in choices:
        known = ReferralReceivedV1.model_validate({
            "referral_id": new_id(), "version": 1, "source_organisation": "police", "channel": "police_automatic",
            "received_at": NOW, "crime": {"category": crime, "occurred_on": "2023-07-02", "recorded_at": NOW},
            "role": role, "age": age, "preferred_method": preferred, "markers": [marker] if marker else [],
            "safe_contact": {"letter": is_safe, "text": is_safe, "voicemail": is_safe}, "needs": ["counselling"],
        })  # fmt: skip
        rulebook = Rulebook.of(profile)

        hub = decide(rulebook, known, NOW)
        peer = peer_rules.decide(profile, rulebook.calendar, known, NOW)

        for name in ("outcome", "reason", "rules", "case_status", "expected_route"):
            assert getattr(peer, name) == getattr(hub.decision, name)
        assert (peer.entitlement, peer.categories) == (
            (hub.entitlement.level, hub.entitlement.categories) if hub.entitlement else (None, ())
        )
        assert (peer.level, peer.needs) == (hub.level, hub.needs)
        assert peer.outputs == {name: found for name in OUTPUTS if (found := getattr(hub.outputs, name))}
        assert list(peer.contacts) == [as_dict(contact) for contact in hub.contacts]


def as_dict(contact: Any) -> dict[str, Any]:
    lists = {"methods": None if contact.methods is None else list(contact.methods), "cautions": list(contact.cautions)}
    left_out = [{"method": item.method, "reason": item.reason} for item in contact.left_out]
    names = ("rule_id", "purpose", "by", "mode", "state", "due_at", "due_reason")
    return {name: getattr(contact, name) for name in names} | lists | {"left_out": left_out}


@pytest.mark.parametrize("basis", ["agreement_in_place", "consent", "explicit_consent", None])
@pytest.mark.parametrize("agreed", ["agreement_in_place", "consent", "explicit_consent"])
def test_the_chain_s_gate_answers_as_the_hub_s(basis: str | None, agreed: str):
    partner_id, crime = new_id(), "fraud.banking"
    asked = SimpleNamespace(need="counselling", partner_id=partner_id)
    for decision, method, recipients, covered, expires, excluded, is_open, is_fenced in product(
        ("given", "refused", None), ("spoken", "implied", None), ((), ("counselling",), ("idva",)),
        (("identity",), ("risk",)), (None, NOW, NOW + timedelta(days=1)), ((), ("fraud",)),
        (True, False), (True, False),
    ):  # fmt: skip
        consent = {
            "decision": decision, "recipients": frozenset(recipients), "data_categories": frozenset(covered),
            "method": method, "recorded_at": NOW - timedelta(days=1), "expires_at": expires,
        }  # fmt: skip
        agreement = {"lawful_basis": agreed, "data_categories": frozenset({"identity"}),
                     "crimes_excluded": frozenset(excluded)}  # fmt: skip

        reasons = peer_rules.refusals(
            basis,
            SimpleNamespace(status="open" if is_open else "excluded", crime_category=crime),
            asked,
            SimpleNamespace(ring_fenced=is_fenced, partner_status="active", **agreement),
            [SimpleNamespace(**consent)] if decision else [],
            NOW,
        )

        hub_s = gate.Agreement(new_id(), 1, "active", purposes=frozenset({"counselling"}), starts_on=date(2026, 1, 1),
                               ends_on=None, **agreement)  # fmt: skip
        verdict = gate.decide(
            gate.Question(
                hop="hub_to_partner",
                purpose="counselling",
                case_status="open" if is_open else "excluded",
                shares="case_data",
                is_told=False,
                crime_category=crime,
                partner=gate.Partner(partner_id, is_active=True, ring_fenced=is_fenced, agreements=(hub_s,)),
                consents=(gate.Consent(id=new_id(), hop="hub_to_partner", **consent),) if decision else (),
                hop_basis=basis,
                now=NOW,
                today=NOW.date(),
            )
        )
        assert set(reasons) == (set(verdict.reasons) if isinstance(verdict, gate.Refused) else set())


def test_the_chain_hands_on_the_codes_that_the_hub_s_intake_does():
    body = orjson.dumps(referral("TEST", 1))
    common = {"referral_id": new_id(), "version": 1, "source_organisation": "police", "received_at": NOW}

    peer = orjson.loads(facts(Referral.model_validate_json(body), age=30))
    hub = facts_of(HubReferral.model_validate_json(body)) | {"age": 30}

    assert ReferralReceivedV1.model_validate(peer | common) == ReferralReceivedV1.model_validate(hub | common)
    assert not {"given_name", "phone", "email", "narrative"} & peer.keys()


def test_the_chain_s_webhooks_are_signed_twice():
    secret, (private, _), now = new_secret(), new_signing_pair(), int(NOW.timestamp())

    headers = signed("id", now, b"{}", secret, None, private)

    assert [part.partition(",")[0] for part in headers["webhook-signature"].split()] == ["v1", "v1a"]
    assert (
        verify(headers, b"{}", [secret], now=now) == verify(headers, b"{}", [public_key_of(private)], now=now) == "id"
    )


class Chain:
    """A running Celery chain, with its database."""

    def __init__(self, bench: Bench, databases: Databases) -> None:
        system = bench.system("celery")
        assert isinstance(system, CelerySystem)
        self.bench, self.system, self._databases = bench, system, databases

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._databases.execute(query, self.system._database)

    def post(self, body: dict[str, Any], key: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.system.token()}", "Idempotency-Key": key}
        return httpx.post(f"{self.system.url}/v1/referrals", json=body, headers=headers, timeout=30)

    def done(self, body: dict[str, Any], key: str, query: str) -> tuple[str, list[tuple[Any, ...]]]:
        """Post, and return the referral's id and what `query` finds for it as soon as it finds something."""
        id = str(self.post(body, key).raise_for_status().json()["id"])
        end = time.monotonic() + 30
        while not (found := self.rows(query.format(id=id))) and time.monotonic() < end:
            time.sleep(0.05)
        return id, found


ONWARD = "SELECT status, reasons FROM onward_referral WHERE referral_id = '{id}' AND status <> 'ready'"


@pytest.fixture(scope="module")
def chain(postgres_server: Databases, rabbit_server: Broker) -> Iterator[Chain]:
    bench = Bench(["celery"], (postgres_server, rabbit_server))
    yield Chain(bench, postgres_server)
    bench.stop()


def test_every_part_of_the_job_leaves_its_row(chain: Chain):
    id, onward = chain.done(referral("ROWS", 1), "rows-1", ONWARD)

    assert onward == [("sent", [])]
    assert chain.rows(f"SELECT status, version FROM referral WHERE id = '{id}'") == [("accepted", 1)]
    assert chain.rows(f"SELECT status FROM referral_onward WHERE referral_id = '{id}'") == [("sent",)]
    assert chain.rows(f"SELECT state, last_status FROM delivery WHERE referral_id = '{id}'") == [("delivered", 204)]
    case = f"SELECT id, entitlement, outputs FROM hub_case WHERE referral_id = '{id}'"
    [(case_id, entitlement, outputs)] = chain.rows(case)
    assert entitlement == "enhanced"
    assert orjson.loads(outputs).keys() == {"received", "triage", "needs_assessment"}
    for table, count in {"decision": 1, "contact": 1, "pathway": 1, "case_facts": 1, "consent": 2}.items():
        assert chain.rows(f"SELECT count(*) FROM {table} WHERE case_id = '{case_id}'") == [(count,)]
    assert chain.rows("SELECT count(*) FROM attempt") == chain.rows("SELECT count(*) FROM delivery")
    assert [row for row in chain.rows(f"SELECT * FROM person WHERE referral_id = '{id}'") if None not in row]


def test_a_repetition_is_answered_and_a_correction_is_decided_again_without_a_second_webhook(chain: Chain):
    body = referral("AGAIN", 2)
    id, _ = chain.done(body, "again-1", ONWARD)
    told = chain.rows("SELECT count(*) FROM delivery")

    assert chain.post(body, "again-1").json()["id"] == chain.post(body, "again-2").json()["id"] == id
    assert chain.post(body | {"narrative": "Other words."}, "again-1").status_code == 422
    query = "SELECT decision.case_version FROM decision JOIN hub_case c ON c.id = case_id WHERE referral_id = '{id}'"
    twice = query + " AND EXISTS (SELECT FROM decision d WHERE d.case_id = c.id AND d.case_version = 2) ORDER BY 1"
    assert chain.done(body | {"markers": ["enhanced"]}, "again-3", twice) == (id, [(1,), (2,)])
    assert chain.rows("SELECT count(*) FROM delivery") == told


def test_the_same_person_is_found_again(chain: Chain):
    query = "SELECT facts->>'repeat_of' FROM hub_case WHERE referral_id = '{id}'"
    first, found = chain.done(referral("SAME", 3), "same-1", query)
    assert found == [(None,)]

    body = referral("SAME", 3)
    body["source"]["reference"] = "SAME-again"

    assert chain.done(body, "same-2", query)[1] == [(first,)]


def test_the_gate_and_the_profile_hold_the_webhook_back(chain: Chain):
    body = referral("HELD", 4)
    body["consents"][1]["decision"] = "refused"
    assert chain.done(body, "held-1", ONWARD)[1] == [("refused", ["consent_refused"])]

    excluded = referral("HELD", 5)
    excluded["crime"]["category"] = "sexual.rape"
    case = "SELECT status, outcome, reason FROM hub_case WHERE referral_id = '{id}'"
    id, found = chain.done(excluded, "held-2", case)
    assert found == [("excluded", "excluded", "rape")]
    assert chain.rows(ONWARD.format(id=id)) == []


def test_a_token_is_verified_each_time(chain: Chain):
    good = chain.system.token()
    assert chain.post(referral("TOKEN", 6), "token-1", good).status_code == 202
    assert chain.post(referral("TOKEN", 7), "token-2", good[:-8] + "AAAAAAA=").status_code == 401
    assert chain.post(referral("TOKEN", 8), "token-3", "x").status_code == 401
