"""The tables of the floor and of the Celery chain, as statements."""

from bench.job import SEALED
from hubkit.contracts.codes import DATA_CATEGORIES

_SEALED = ", ".join(f"{name} bytea" for name in SEALED)

FLOOR = f"""
CREATE TABLE referral (
    id uuid PRIMARY KEY, client_id text NOT NULL, idempotency_key text NOT NULL, coded text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(), UNIQUE (client_id, idempotency_key));
CREATE TABLE person (referral_id uuid PRIMARY KEY, {_SEALED});
CREATE TABLE delivery (
    id uuid PRIMARY KEY, referral_id uuid NOT NULL, onward_referral_id uuid NOT NULL, body bytea NOT NULL,
    traceparent text, created_at timestamptz NOT NULL DEFAULT now(), delivered_at timestamptz);
"""

_INTAKE = f"""
CREATE TABLE idempotency (
    slot uuid PRIMARY KEY, request bytea NOT NULL, referral_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE referral (
    id uuid PRIMARY KEY, version int NOT NULL, source_organisation text NOT NULL, source_reference text,
    content bytea NOT NULL, facts jsonb NOT NULL, received_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(), status text NOT NULL DEFAULT 'received', decision_reason text,
    UNIQUE (source_organisation, source_reference));
CREATE TABLE person (
    referral_id uuid PRIMARY KEY REFERENCES referral, {_SEALED},
    identity_index uuid, phone_index uuid, email_index uuid);
CREATE INDEX ix_person_identity ON person (identity_index, referral_id);
CREATE INDEX ix_person_phone ON person (phone_index, referral_id);
CREATE INDEX ix_person_email ON person (email_index, referral_id);
CREATE TABLE outbox (
    id uuid PRIMARY KEY, referral_id uuid NOT NULL, repeat_of uuid, traceparent text,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE referral_onward (
    onward_referral_id uuid PRIMARY KEY, referral_id uuid NOT NULL, kind text NOT NULL, status text NOT NULL);
CREATE INDEX ix_referral_onward ON referral_onward (referral_id);
"""

_TRIAGE = """
CREATE TABLE hub_case (
    id uuid PRIMARY KEY, referral_id uuid UNIQUE NOT NULL, version int NOT NULL, source_organisation text NOT NULL,
    status text NOT NULL, crime_category text NOT NULL, outcome text NOT NULL, reason text, entitlement text,
    case_status text, level text, needs text[] NOT NULL, outputs jsonb NOT NULL, facts jsonb NOT NULL,
    received_at timestamptz NOT NULL, changed_at timestamptz NOT NULL DEFAULT now(), due_at timestamptz);
CREATE TABLE decision (
    id uuid PRIMARY KEY, case_id uuid NOT NULL, case_version int NOT NULL, outcome text NOT NULL, reason text,
    case_status text, expected_route text, rules text[] NOT NULL, entitlement text, categories text[] NOT NULL,
    level text, needs text[] NOT NULL, profile_version text NOT NULL, calendar_version text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ix_decision_case ON decision (case_id, id);
CREATE TABLE contact (
    id uuid PRIMARY KEY, case_id uuid NOT NULL, purpose text NOT NULL, "by" text, methods text[], mode text,
    left_out jsonb NOT NULL, cautions text[] NOT NULL, state text NOT NULL, due_at timestamptz, due_reason text,
    rule_id text NOT NULL, profile_version text NOT NULL, calendar_version text NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ix_contact_case ON contact (case_id, id);
"""

_ROUTING = """
CREATE TABLE pathway (
    id uuid PRIMARY KEY, case_id uuid NOT NULL, referral_id uuid NOT NULL, need text NOT NULL, status text NOT NULL,
    candidates jsonb NOT NULL, partner_id uuid, service_id uuid, onward_referral_id uuid,
    opened_at timestamptz NOT NULL DEFAULT now(), UNIQUE (case_id, need));
"""

_PARTNERS = """
CREATE TABLE partner (
    id uuid PRIMARY KEY, organisation text UNIQUE NOT NULL, status text NOT NULL, ring_fenced boolean NOT NULL);
CREATE TABLE service (
    id uuid PRIMARY KEY, partner_id uuid NOT NULL REFERENCES partner, kind text NOT NULL, status text NOT NULL,
    areas text[] NOT NULL, min_age int, max_age int, preference int NOT NULL);
CREATE INDEX ix_service_kind ON service (kind);
CREATE TABLE agreement (
    id uuid PRIMARY KEY, partner_id uuid NOT NULL REFERENCES partner, version int NOT NULL, status text NOT NULL,
    lawful_basis text NOT NULL, purposes text[] NOT NULL, data_categories text[] NOT NULL,
    crimes_excluded text[] NOT NULL, starts_on date NOT NULL, ends_on date);
CREATE INDEX ix_agreement_partner ON agreement (partner_id);
CREATE TABLE case_facts (
    case_id uuid PRIMARY KEY, referral_id uuid NOT NULL, version int NOT NULL, status text NOT NULL,
    crime_category text NOT NULL, changed_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE consent (
    id uuid PRIMARY KEY, case_id uuid NOT NULL, source_key text UNIQUE NOT NULL, hop text NOT NULL,
    decision text NOT NULL, recipients text[] NOT NULL, data_categories text[] NOT NULL, method text,
    recorded_at timestamptz NOT NULL, expires_at timestamptz, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ix_consent_case ON consent (case_id);
CREATE TABLE onward_referral (
    id uuid PRIMARY KEY, pathway_id uuid NOT NULL, case_id uuid NOT NULL REFERENCES case_facts,
    referral_id uuid NOT NULL, kind text NOT NULL, partner_id uuid NOT NULL, service_id uuid NOT NULL,
    status text NOT NULL, version int NOT NULL, reasons text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz);
CREATE INDEX ix_onward_referral_case ON onward_referral (case_id);
CREATE INDEX ix_onward_referral_partner ON onward_referral (partner_id, id);
CREATE TABLE permit (
    id uuid PRIMARY KEY, onward_referral_id uuid NOT NULL REFERENCES onward_referral, issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, settled_at timestamptz);
CREATE TABLE delivery (
    id uuid PRIMARY KEY, onward_referral_id uuid UNIQUE NOT NULL, referral_id uuid NOT NULL, body bytea NOT NULL,
    state text NOT NULL, last_status int, traceparent text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE attempt (
    id uuid PRIMARY KEY, delivery_id uuid NOT NULL REFERENCES delivery, number int NOT NULL,
    started_at timestamptz NOT NULL, duration_ms int NOT NULL, status int, error_class text NOT NULL);
CREATE INDEX ix_delivery_referral ON delivery (referral_id);
CREATE INDEX ix_attempt_delivery ON attempt (delivery_id);
"""

_CATEGORIES = ", ".join(f"'{name}'" for name in DATA_CATEGORIES if name != "narrative")

#: The hub's demonstration partners: one each of five kinds, with a service and an agreement.
_PARTNERS_THERE = f"""
INSERT INTO partner
SELECT gen_random_uuid(), kind, 'active', false
FROM unnest(ARRAY['idva', 'isva', 'witness_care', 'counselling', 'restorative_justice']) AS kind;
INSERT INTO service
SELECT gen_random_uuid(), id, organisation, 'active', ARRAY[]::text[], NULL, NULL, 100 FROM partner;
INSERT INTO agreement
SELECT gen_random_uuid(), id, 1, 'active', 'consent', ARRAY[organisation], ARRAY[{_CATEGORIES}], ARRAY[]::text[],
       current_date - 365, NULL
FROM partner;
"""

CELERY = _INTAKE + _TRIAGE + _ROUTING + _PARTNERS + _PARTNERS_THERE
