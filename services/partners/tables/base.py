"""What all tables of this service share."""

from sqlalchemy import JSON, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel

METADATA = MetaData()

#: Lists of codes and small documents.
CODES = JSON().with_variant(JSONB(), "postgresql")
#: The same where there may be none: a null of the database, not of JSON.
NULLABLE_CODES = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(SQLModel):
    """Base of this service's tables."""

    metadata = METADATA
