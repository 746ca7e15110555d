"""Which method a message takes next, when it may not be used, and when a failed one is tried again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.intake.model import Sending, SendState

#: Which details a method needs; those of a person's other methods stay sealed. A method that is not here is not ours.
DETAILS: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"phone"}),
    "email": frozenset({"email"}),
    "letter": frozenset({"given_name", "family_name", "address"}),
}
#: Contact details, and the methods beside the one of the same name that use them.
_WAYS: Final[Mapping[str, tuple[str, ...]]] = {"phone": ("text", "voicemail"), "email": ()}
#: Waits in seconds after the first attempt, the second, …: seven attempts in some seventeen hours. A message that is
#: later than that says the wrong thing, and staff should know.
STEPS_S: Final = (30, 120, 600, 3600, 14_400, 43_200)
_SPREAD: Final = 0.2


def next_of(sendings: Sequence[Sending], mode: str) -> Sending | None:
    """Return the method to try next, or None when there is nothing left to do.

    Mode `all` goes by all of them; any other by the first in order that is taken. The next one is not tried before the
    last has failed for good, because an attempt without an answer may have succeeded.
    """
    waiting = [sending for sending in sendings if sending.state is SendState.WAITING]
    if mode != "all":
        is_done = any(sending.state is SendState.SENT for sending in sendings)
        return waiting[0] if waiting and not is_done else None
    return min(waiting, key=lambda sending: sending.due_at, default=None)


def changed(sendings: Sequence[Sending], new: Sending) -> tuple[Sending, ...]:
    """Return them with one replaced, found by its method."""
    return tuple(new if each.method == new.method else each for each in sendings)


def closed(sendings: Sequence[Sending]) -> tuple[Sending, ...]:
    """Return them as they are told: methods that were not needed are skipped."""
    return tuple(
        replace(each, state=SendState.SKIPPED, reason="not_needed") if each.state is SendState.WAITING else each
        for each in sendings
    )


def reason_to_skip(method: str, safe_contact: Mapping[str, Any]) -> str | None:
    """Return why nothing is sent by this method, or None.

    A text goes to the telephone: where calls are unsafe and nothing is said of texts, they are not safe either. What
    the person asked for in words (`has_instructions`) only a human can heed.
    """
    if method not in DETAILS:
        return "not_sendable"
    is_safe = safe_contact.get(method)
    if is_safe is None and method == "text":
        is_safe = safe_contact.get("phone")
    if is_safe is False:
        return "unsafe_method"
    return "instructions_given" if safe_contact.get("has_instructions") else None


def unusable_details(safe_contact: Mapping[str, Any]) -> frozenset[str]:
    """Return the contact details by which there is no safe way: no partner is given them.

    A number that is not safe to call is one for texts or voicemail only where those are called safe. An address is
    more than where post goes, and is kept back by rules of its own.
    """
    unsafe = {name for name in _WAYS if safe_contact.get(name) is False}
    return frozenset(name for name in unsafe if not any(safe_contact.get(way) for way in _WAYS[name]))


def recipient_of(method: str, details: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return where a message goes, from the person's details; None when they do not say.

    A letter carries the name, so that nobody else in the house has reason to open it.
    """
    if method != "letter":
        value = details.get("phone" if method == "text" else "email")
        return (value,) if value else None
    name = " ".join(part for part in (details.get("given_name"), details.get("family_name")) if part)
    address = details.get("address") or {}
    lines, postcode = address.get("lines"), address.get("postcode")
    return (name, *lines, postcode) if name and lines and postcode else None


def failed(sending: Sending, reason: str, *, is_permanent: bool, now: datetime, spread: float) -> Sending:
    """Return a sending after an attempt that did not succeed: to be tried again later, or failed for good.

    Parameters
    ----------
    spread
        From 0 to 1, drawn at random: where in the ±20 % around the wait it falls.
    """
    if is_permanent or sending.attempts > len(STEPS_S):
        return replace(sending, state=SendState.FAILED, reason=reason)
    seconds = STEPS_S[max(0, sending.attempts - 1)] * (1 - _SPREAD + 2 * _SPREAD * spread)
    return replace(sending, reason=reason, due_at=now + timedelta(seconds=seconds))
