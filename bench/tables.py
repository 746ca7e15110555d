"""The tables of the floor and of the Celery chain, as statements."""

from bench.job import SEALED

_PERSON = f"CREATE TABLE person (referral_id uuid PRIMARY KEY, {', '.join(f'{name} bytea' for name in SEALED)});"

FLOOR = f"""
CREATE TABLE referral (
    id uuid PRIMARY KEY, client_id text NOT NULL, idempotency_key text NOT NULL, coded text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(), UNIQUE (client_id, idempotency_key));
{_PERSON}
CREATE TABLE delivery (
    id uuid PRIMARY KEY, referral_id uuid NOT NULL, onward_referral_id uuid NOT NULL, body bytea NOT NULL,
    traceparent text, created_at timestamptz NOT NULL DEFAULT now(), delivered_at timestamptz);
"""

CELERY = f"""
CREATE TABLE referral (
    id uuid PRIMARY KEY, client_id text NOT NULL, idempotency_key text NOT NULL, coded text NOT NULL,
    status text NOT NULL DEFAULT 'received', received_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (client_id, idempotency_key));
{_PERSON}
CREATE TABLE hub_case (id uuid PRIMARY KEY, referral_id uuid UNIQUE NOT NULL, outcome text NOT NULL, need text);
CREATE TABLE pathway (id uuid PRIMARY KEY, referral_id uuid UNIQUE NOT NULL, need text NOT NULL, status text NOT NULL);
CREATE TABLE delivery (
    id uuid PRIMARY KEY, referral_id uuid UNIQUE NOT NULL, onward_referral_id uuid NOT NULL, body bytea NOT NULL,
    delivered_at timestamptz NOT NULL);
"""
