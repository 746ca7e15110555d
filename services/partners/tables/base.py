"""What all tables of this service share."""

from sqlalchemy import JSON, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel

METADATA = MetaData()

#: Lists of codes and small documents.
CODES = JSON().with_variant(JSONB(), "postgresql")


class Base(SQLModel):
    """Base of this service's tables."""

    metadata = METADATA
