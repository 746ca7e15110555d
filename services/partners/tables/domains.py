"""Under which domains a partner's webhook endpoints may lie."""

from uuid import UUID

from sqlalchemy import Column, ForeignKey, Uuid
from sqlmodel import Field

from services.partners.tables.base import Base


class DomainRule(Base, table=True):
    """One domain of a partner; with any, its endpoints lie at or below one of them."""

    __tablename__ = "domain_rule"

    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), primary_key=True))
    domain: str = Field(max_length=253, primary_key=True)
