"""Queries on the domains under which a partner's endpoints may lie."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select

from hubkit.db import Tx, table_of
from services.partners.tables.domains import DomainRule

_RULE = table_of(DomainRule)


async def of_partner(tx: Tx, partner_id: UUID) -> list[str]:
    """Return a partner's domains; none means any."""
    query = select(_RULE.c.domain).where(_RULE.c.partner_id == partner_id).order_by(_RULE.c.domain)
    return [row[0] for row in await tx.rows(query)]


async def replace(tx: Tx, partner_id: UUID, domains: Sequence[str]) -> None:
    """Give a partner these domains instead of those it had."""
    await tx.run(delete(_RULE).where(_RULE.c.partner_id == partner_id))
    if domains:
        await tx.insert(_RULE, [{"partner_id": partner_id, "domain": domain} for domain in domains])
