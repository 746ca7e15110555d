"""How an onward referral may move. Everything that is not in the table is not allowed."""

from typing import Final

from services.partners.model import Status
from services.partners.policy.gate import Allowed, Verdict

#: The hub takes it back: for the person's decision or the end of the case, because nobody answered in time, or because
#: staff or routing do not want it any more.
TAKEN_BACK: Final = frozenset({Status.WITHDRAWN, Status.EXPIRED, Status.RECALLED})

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.REQUESTED: frozenset({Status.READY, Status.AWAITING_CONSENT, Status.REFUSED}),
    Status.AWAITING_CONSENT: frozenset({Status.READY, Status.REFUSED}) | TAKEN_BACK,
    Status.READY: frozenset({Status.SENT, Status.AWAITING_CONSENT, Status.REFUSED}) | TAKEN_BACK,
    Status.SENT: frozenset({Status.RECEIVED, Status.ACCEPTED, Status.DECLINED}) | TAKEN_BACK,
    Status.RECEIVED: frozenset({Status.ACCEPTED, Status.DECLINED}) | TAKEN_BACK,
    Status.ACCEPTED: frozenset({Status.IN_SUPPORT, Status.CLOSED}) | TAKEN_BACK,
    Status.IN_SUPPORT: frozenset({Status.CLOSED}) | TAKEN_BACK,
    Status.REFUSED: frozenset(),
    Status.DECLINED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.RECALLED: frozenset(),
    Status.CLOSED: frozenset(),
}

#: States that can still change.
LIVE: Final = frozenset(status for status, following in TRANSITIONS.items() if following)
#: The partner has been told, or is being told.
TOLD: Final = frozenset({Status.SENT, Status.RECEIVED, Status.ACCEPTED, Status.IN_SUPPORT})
#: It had gone out, or was about to, and has ended: what the partner had read, it has read.
OVER: Final = TAKEN_BACK | {Status.DECLINED, Status.CLOSED}
#: Not taken up by the partner yet, so that routing may still ask another service instead.
RECALLABLE: Final = frozenset({Status.AWAITING_CONSENT, Status.READY, Status.SENT, Status.RECEIVED})
#: The partner may be told and may read, as far as the gate allows.
OPEN_TO_PARTNER: Final = TOLD | {Status.READY}
#: What a partner may do, and where it leads.
PARTNER_MOVES: Final = {
    "receive": Status.RECEIVED,
    "accept": Status.ACCEPTED,
    "decline": Status.DECLINED,
    "progress": Status.IN_SUPPORT,
    "close": Status.CLOSED,
}

#: A decision that is recorded anew, by who can give it, mends these.
_MENDED_BY_CONSENT: Final = frozenset({
    "consent_missing", "consent_expired", "competence_missing", "giver_not_entitled", "capacity_lacking",
    "capacity_not_assessed", "best_interests_missing",
})  # fmt: skip
_CASE_IS_OVER: Final = frozenset({"case_excluded", "case_closed"})
_TAKES_BACK: Final = frozenset({"consent_refused", "consent_withdrawn"})


def may(status: Status, to: Status) -> bool:
    """Return whether the table allows the move."""
    return to in TRANSITIONS[status]


def may_recall(status: Status, reason: str) -> bool:
    """Return whether routing may still take it back.

    What the partner has accepted stays with it, for the person is being helped; unless another service has accepted
    too, for then routing has decided between them.
    """
    return status in RECALLABLE or (reason == "accepted_elsewhere" and may(status, Status.RECALLED))


def recalled_to(reason: str) -> Status:
    """Return where a recall by routing leads: what nobody answered has expired."""
    return Status.EXPIRED if reason == "no_answer" else Status.RECALLED


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

    What has been prepared or told is taken back only for the person's decision or the end of the case (closing it
    leaves with partners what they had been told): an agreement that has ended stops the next attempt and the next
    reading, and may be renewed.
    """
    if not isinstance(verdict, Allowed) and not _CASE_IS_OVER.isdisjoint(verdict.reasons):
        return Status.WITHDRAWN
    if status is Status.AWAITING_CONSENT:
        return after_gate(verdict)
    if not isinstance(verdict, Allowed) and not _TAKES_BACK.isdisjoint(verdict.reasons):
        return Status.WITHDRAWN
    return status
