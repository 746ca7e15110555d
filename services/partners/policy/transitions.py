"""How an onward referral may move. Everything that is not in the table is not allowed."""

from typing import Final

from services.partners.model import Status
from services.partners.policy.gate import Allowed, Verdict

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.REQUESTED: frozenset({Status.READY, Status.AWAITING_CONSENT, Status.REFUSED}),
    Status.AWAITING_CONSENT: frozenset({Status.READY, Status.REFUSED, Status.WITHDRAWN}),
    Status.READY: frozenset({Status.SENT, Status.AWAITING_CONSENT, Status.REFUSED, Status.WITHDRAWN}),
    Status.SENT: frozenset({Status.ACCEPTED, Status.DECLINED, Status.WITHDRAWN}),
    Status.ACCEPTED: frozenset({Status.IN_SUPPORT, Status.CLOSED, Status.WITHDRAWN}),
    Status.IN_SUPPORT: frozenset({Status.CLOSED, Status.WITHDRAWN}),
    Status.REFUSED: frozenset(),
    Status.DECLINED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    Status.CLOSED: frozenset(),
}

#: States that can still change.
LIVE: Final = frozenset(status for status, following in TRANSITIONS.items() if following)
#: The partner has been told, or is being told.
TOLD: Final = frozenset({Status.SENT, Status.ACCEPTED, Status.IN_SUPPORT})
#: Not taken up by the partner yet, so that routing may still ask another service instead.
RECALLABLE: Final = frozenset({Status.AWAITING_CONSENT, Status.READY, Status.SENT})
#: The partner may be told and may read, as far as the gate allows.
OPEN_TO_PARTNER: Final = TOLD | {Status.READY}
#: What a partner may do, and where it leads.
PARTNER_MOVES: Final = {
    "accept": Status.ACCEPTED,
    "decline": Status.DECLINED,
    "progress": Status.IN_SUPPORT,
    "close": Status.CLOSED,
}

_MENDED_BY_CONSENT: Final = frozenset({"consent_missing", "consent_expired"})
_TAKES_BACK: Final = frozenset({"case_excluded", "consent_refused", "consent_withdrawn"})


def may(status: Status, to: Status) -> bool:
    """Return whether the table allows the move."""
    return to in TRANSITIONS[status]


def may_recall(status: Status, reason: str) -> bool:
    """Return whether routing may still take it back.

    What the partner has accepted stays with it, for the person is being helped; unless another service has accepted
    too, for then routing has decided between them.
    """
    return status in RECALLABLE or (reason == "accepted_elsewhere" and may(status, Status.WITHDRAWN))


def after_gate(verdict: Verdict) -> Status:
    """Return where an onward referral goes that has not been sent: a missing consent can be mended, the rest cannot."""
    if isinstance(verdict, Allowed):
        return Status.READY
    return unsent(verdict.reasons)


def unsent(reasons: tuple[str, ...]) -> Status:
    """Return whether a refusal waits for the person's consent or is final."""
    return Status.AWAITING_CONSENT if _MENDED_BY_CONSENT.issuperset(reasons) else Status.REFUSED


def reconsidered(status: Status, verdict: Verdict) -> Status:
    """Return where a live onward referral stands after the person or the case changed.

    What has been prepared or told is taken back only for the person's decision or the case's exclusion: an agreement
    that has ended stops the next attempt and the next reading, and may be renewed.
    """
    if not isinstance(verdict, Allowed) and "case_excluded" in verdict.reasons:
        return Status.WITHDRAWN
    if status is Status.AWAITING_CONSENT:
        return after_gate(verdict)
    if not isinstance(verdict, Allowed) and not _TAKES_BACK.isdisjoint(verdict.reasons):
        return Status.WITHDRAWN
    return status
