"""The calls of intake."""

from hubkit.web import new_router
from services.intake.api import disclosures, referrals, transfers

router = new_router()
router.include_router(referrals.router)
router.include_router(transfers.router)
router.include_router(disclosures.router)
