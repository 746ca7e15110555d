"""The statements of the Celery chain, task by task."""

from sqlalchemy import TextClause, text

from bench.job import SEALED


def _insert(table: str, columns: str, rest: str = "") -> TextClause:
    values = ", ".join(f":{name}" for name in columns.replace('"', "").split(", "))
    return text(f"INSERT INTO {table} ({columns}) VALUES ({values}) {rest}")


CLAIM_KEY = _insert("idempotency", "slot, request, referral_id", "ON CONFLICT DO NOTHING")
KEY = text("SELECT request, referral_id FROM idempotency WHERE slot = :slot")
POINT_KEY = text("UPDATE idempotency SET referral_id = :referral_id WHERE slot = :slot")
UPSERT_REFERRAL = _insert(
    "referral",
    "id, version, source_organisation, source_reference, content, facts, received_at",
    "ON CONFLICT (source_organisation, source_reference) DO UPDATE SET version = referral.version + 1, "
    "content = excluded.content, facts = excluded.facts, changed_at = now() "
    "WHERE referral.content <> excluded.content RETURNING id",
)
REFERRAL_OF_SOURCE = text(
    "SELECT id FROM referral WHERE source_organisation = :source_organisation AND source_reference = :source_reference"
)
INDEXES = ("identity_index", "phone_index", "email_index")
_PERSON = ("referral_id", *SEALED, *INDEXES)
UPSERT_PERSON = _insert(
    "person",
    ", ".join(_PERSON),
    f"ON CONFLICT (referral_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _PERSON[1:])}",
)
EARLIER = text(" UNION ALL ".join(
    f"(SELECT referral_id FROM person WHERE {name} = :{name} AND referral_id < :referral_id "
    "ORDER BY referral_id LIMIT 1)"
    for name in INDEXES
))  # fmt: skip

REFERRAL = text("SELECT id, version, source_organisation, facts, received_at FROM referral WHERE id = :id")
UPSERT_CASE = _insert(
    "hub_case",
    "id, referral_id, version, source_organisation, status, crime_category, outcome, reason, entitlement, case_status, "
    "level, needs, outputs, facts, received_at, due_at",
    "ON CONFLICT (referral_id) DO UPDATE SET version = excluded.version, status = excluded.status, "
    "crime_category = excluded.crime_category, outcome = excluded.outcome, reason = excluded.reason, "
    "entitlement = excluded.entitlement, case_status = excluded.case_status, level = excluded.level, "
    "needs = excluded.needs, outputs = excluded.outputs, facts = excluded.facts, due_at = excluded.due_at, "
    "changed_at = now() WHERE hub_case.version < excluded.version RETURNING id",
)
INSERT_DECISION = _insert(
    "decision",
    "id, case_id, case_version, outcome, reason, case_status, expected_route, rules, entitlement, categories, level, "
    "needs, profile_version, calendar_version",
)
REPLACE_CONTACTS = text("UPDATE contact SET state = 'replaced' WHERE case_id = :case_id")
INSERT_CONTACT = _insert(
    "contact",
    'id, case_id, purpose, "by", methods, mode, left_out, cautions, state, due_at, due_reason, rule_id, '
    "profile_version, calendar_version",
)
TELL_DECISION = text("UPDATE referral SET status = :outcome, decision_reason = :reason WHERE id = :id")

HAND_OVER = _insert("outbox", "id, referral_id, repeat_of, traceparent")
LEFT_OVER = text("SELECT id, referral_id, repeat_of, traceparent FROM outbox ORDER BY id LIMIT 1000")
HANDED_OVER = text("DELETE FROM outbox WHERE id = :id")
#: A removal that a crash loses only makes the hand-over come again.
UNHURRIED = text("SET LOCAL synchronous_commit = off")

CASE = text(
    "SELECT id, referral_id, version, status, crime_category, needs, facts FROM hub_case WHERE referral_id = :id"
)
CANDIDATES = text(
    "SELECT id AS service_id, partner_id FROM service WHERE kind = :need AND status = 'active' "
    "AND (areas = '{}' OR CAST(:area AS text) IS NULL OR :area = ANY(areas)) "
    "AND (min_age IS NULL OR CAST(:age AS int) IS NULL OR min_age <= :age) "
    "AND (max_age IS NULL OR CAST(:age AS int) IS NULL OR max_age >= :age) ORDER BY preference, id"
)
INSERT_PATHWAY = _insert(
    "pathway",
    "id, case_id, referral_id, need, status, candidates, partner_id, service_id, onward_referral_id",
    "ON CONFLICT DO NOTHING",
)

KEEP_FACTS = _insert(
    "case_facts",
    "case_id, referral_id, version, status, crime_category",
    "ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, status = excluded.status, "
    "crime_category = excluded.crime_category, changed_at = now()",
)
INSERT_CONSENT = _insert(
    "consent",
    "id, case_id, source_key, hop, decision, recipients, data_categories, method, recorded_at, expires_at",
    "ON CONFLICT DO NOTHING",
)
ASKED = text(
    "SELECT id, case_id, referral_id, need, partner_id, service_id, onward_referral_id FROM pathway "
    "WHERE case_id = :id AND status = 'requested'"
)
AGREEMENT = text(
    "SELECT partner.status AS partner_status, ring_fenced, lawful_basis, data_categories, crimes_excluded "
    "FROM agreement JOIN partner ON partner.id = partner_id WHERE partner_id = :partner_id AND :need = ANY(purposes) "
    "AND agreement.status = 'active' AND starts_on <= :today AND (ends_on IS NULL OR ends_on >= :today) "
    "ORDER BY starts_on DESC LIMIT 1"
)
CONSENTS = text(
    "SELECT decision, recipients, data_categories, method, recorded_at, expires_at FROM consent "
    "WHERE case_id = :id AND hop = 'hub_to_partner' AND decision IN ('given', 'refused', 'withdrawn')"
)
INSERT_ONWARD = _insert(
    "onward_referral",
    "id, pathway_id, case_id, referral_id, kind, partner_id, service_id, status, version, reasons",
    "ON CONFLICT DO NOTHING",
)
LOCK_CASE = text("SELECT case_id FROM case_facts WHERE case_id = :case_id FOR UPDATE")
INSERT_PERMIT = _insert("permit", "id, onward_referral_id, issued_at, expires_at")
SETTLE_PERMIT = text("UPDATE permit SET settled_at = now() WHERE id = :permit_id")
INSERT_DELIVERY = _insert("delivery", "id, onward_referral_id, referral_id, body, state, traceparent")
UNSENT = text(
    "SELECT delivery.id, onward_referral_id, delivery.referral_id, body, traceparent, onward_referral.case_id "
    "FROM delivery JOIN onward_referral ON onward_referral.id = onward_referral_id "
    "WHERE delivery.referral_id = :id AND state = 'queued'"
)
CHANGE_DELIVERY = text("UPDATE delivery SET state = :state, last_status = :last_status WHERE id = :id")
INSERT_ATTEMPT = _insert("attempt", "id, delivery_id, number, started_at, duration_ms, status, error_class")
MARK_SENT = text("UPDATE onward_referral SET status = 'sent', version = 2, sent_at = now() WHERE id = :id")
TELL_ONWARD = _insert(
    "referral_onward",
    "onward_referral_id, referral_id, kind, status",
    "ON CONFLICT (onward_referral_id) DO UPDATE SET status = excluded.status",
)
