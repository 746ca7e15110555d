"""Whose an onward referral is: to everybody else it does not exist."""

import logging
from collections.abc import Sequence
from uuid import UUID

from hubkit.auth import Caller
from hubkit.errors import NotFoundError
from services.partners.model import Onward

_log = logging.getLogger(__name__)


def own(found: Sequence[Onward], caller: Caller, partner_id: UUID | None) -> Onward:
    """Return the one onward referral that was found for an id, if it is the partner's that the caller acts for.

    That there is one, and somebody asked for it whose it is not, is logged: nobody comes by such an id by guessing.

    Raises
    ------
    NotFoundError
        When there is none, or it is another partner's.
    """
    if found and found[0].partner_id == partner_id:
        return found[0]
    if found:
        _log.warning("not_theirs", extra={"client_id": caller.client_id, "onward_referral_id": found[0].id})
    raise NotFoundError
