"""The two tables that every service with events has: what it says (outbox) and what it heard (inbox)."""

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, Uuid, text
from sqlmodel import UTCDateTime

_metadata = MetaData()

#: Events of this service, written in the transaction that caused them. `body` is the whole envelope as JSON. A row is
#: sent when the broker has confirmed it (`published_at`); sent rows stay as the service's event history.
OUTBOX = Table(
    "outbox",
    _metadata,
    Column("id", Uuid, primary_key=True),
    Column("type", String(80), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UTCDateTime(), nullable=False),
    Column("published_at", UTCDateTime()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", String(200)),
    Index(
        "ix_outbox_unpublished",
        "id",
        postgresql_where=text("published_at IS NULL"),
        sqlite_where=text("published_at IS NULL"),
    ),
)

#: Event ids this service has taken in, each once. `state` is done, pending (to be retried at `due_at`) or dead. A row
#: done at once keeps no body; a pending or dead one keeps the envelope so that it can be processed later.
INBOX = Table(
    "inbox",
    _metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("type", String(80), nullable=False),
    Column("state", String(8), nullable=False),
    Column("body", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", String(200)),
    Column("received_at", UTCDateTime(), nullable=False),
    Column("due_at", UTCDateTime()),
    Column("processed_at", UTCDateTime()),
    Index(
        "ix_inbox_pending",
        "due_at",
        postgresql_where=text("state = 'pending'"),
        sqlite_where=text("state = 'pending'"),
    ),
    Index(
        "ix_inbox_dead",
        "received_at",
        postgresql_where=text("state = 'dead'"),
        sqlite_where=text("state = 'dead'"),
    ),
)


def add_messaging_tables(metadata: MetaData) -> None:
    """Put both tables on a service's own metadata, for its migrations."""
    OUTBOX.to_metadata(metadata)
    INBOX.to_metadata(metadata)
