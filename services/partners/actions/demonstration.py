"""The demonstration partners of a hub, with their services and agreements, so that it has somebody to refer to."""

from typing import Final
from uuid import UUID

from hubkit.contracts.codes import DATA_CATEGORIES, HUB, HUB_HOP, ONWARD_HOP
from hubkit.contracts.profile import HubPartner, Profile
from hubkit.db import Tx
from hubkit.ids import new_id
from services.partners.actions.agreements import By, approve_agreement, draft_agreement
from services.partners.actions.directory import Offer, store_services
from services.partners.actions.listings import list_demonstration
from services.partners.policy.demonstration import APPROVER, DRAFTER, DemonstrationPartner, demonstration_partners
from services.partners.store import registry

_CATEGORIES: Final = tuple(category for category in DATA_CATEGORIES if category != "narrative")


async def add_demonstration_partners(tx: Tx, profile: Profile) -> None:
    """Add those that are not there yet; nothing that stands is changed.

    The agreements stand on the basis that the profile gives for demonstrations or for the hop, else on consent.
    """
    partners = {new_id(): partner for partner in demonstration_partners(profile)}
    rows = [
        {"id": id, "organisation": partner.organisation, "name": partner.name, "status": "active",
         "ring_fenced": False, "created_at": tx.now}
        for id, partner in partners.items()
    ]  # fmt: skip
    new = await registry.add_partners(tx, rows)
    basis = profile.demonstration_basis or profile.basis_for(ONWARD_HOP) or "consent"
    for id, partner in partners.items():
        if id in new:
            services = await store_services(tx, id, [_offer(each) for each in partner.services])
            await list_demonstration(tx, id, partner.name, services)
            # Another hub is no partner of the hub's text: without a basis of its own it stands on consent.
            own = profile.basis_for(HUB_HOP) or "consent" if HUB in partner.purposes else basis
            await _agree(tx, id, partner, own)


async def _agree(tx: Tx, partner_id: UUID, partner: DemonstrationPartner, basis: str) -> None:
    drafter, approver = (By("demonstration", tx.now.date(), name) for name in (DRAFTER, APPROVER))
    made = await draft_agreement(tx, partner_id, partner.agreement(basis, _CATEGORIES), drafter)
    await approve_agreement(tx, made.id, made.version, approver)


def _offer(service: HubPartner) -> Offer:
    return Offer(**service.model_dump(exclude={"organisation", "source"}))
