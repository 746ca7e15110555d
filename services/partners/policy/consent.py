"""What the person's decisions give and take: the newest one about a recipient counts, if whoever gave it could.

Sources: UK GDPR articles 4(11), 7 and 21; `protections` for who can decide.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hubkit.contracts.codes import HUB_HOP, KINDS, ONWARD_HOP
from services.partners.policy.protections import Giver, giver_faults

#: Explicit consent is an express statement, in speech or writing, and its record says which.
_EXPRESS_METHODS: Final = frozenset({"spoken", "written", "online"})
_OBJECTIONS: Final = {"withdrawn": "consent_withdrawn", "refused": "consent_refused"}
#: What a decision to share is about; one about anything else says nothing of it.
_SUPPORT: Final = "support"
_THE_PERSON: Final = Giver()
#: Which field mends what is wrong with who gave it, and what that must say.
_MENDED_BY: Final = {
    "competence_missing": ("competence", "a child under 16 needs gillick_assessed, or a parent as giver"),
    "giver_not_entitled": ("giver", "cannot give this person's consent"),
    "capacity_lacking": ("giver", "must be an attorney or court_deputy where capacity is lacking"),
    "capacity_not_assessed": ("capacity", "must be assessed_lacks where somebody else gives the consent"),
    "best_interests_missing": ("best_interests", "must be recorded where capacity is lacking"),
}


@dataclass(frozen=True, slots=True)
class Consent:
    """One recorded decision. Without recipients it is about all of them; without data categories it covers none.

    Without a purpose it is about support.
    """

    id: UUID
    hop: str
    decision: str
    recipients: frozenset[str]
    data_categories: frozenset[str]
    method: str | None
    recorded_at: datetime
    expires_at: datetime | None
    purpose: str | None = None
    by: Giver = _THE_PERSON


@dataclass(frozen=True, slots=True)
class About:
    """Which decisions count: those on this hop about one of these names of the recipient, as things stand now.

    `child`: competence has to be shown.
    """

    hop: str
    recipient: frozenset[str]
    now: datetime
    child: bool


def newest(consents: Sequence[Consent], about: About) -> list[Consent]:
    """Return the person's newest decision about this recipient: it replaces all earlier ones.

    But for a no that a later yes does not take back. Several recorded at the same moment all count. One that claims to
    be from the future gives nothing yet, but takes away at once.
    """
    counting = [each for each in consents if _counts(each, about)]
    standing = [each for each in counting if not _is_overruled(each, counting, about)]
    last = max((each.recorded_at for each in standing), default=None)
    return [each for each in standing if each.recorded_at == last]


def objections(decisions: Collection[Consent]) -> list[str]:
    """Return what is said against sharing; a withdrawal before a refusal."""
    said = {each.decision for each in decisions}
    return [code for decision, code in _OBJECTIONS.items() if decision in said][:1]


def faults(consents: Sequence[Consent], about: About, *, explicit: bool) -> list[str]:
    """Return why the decisions do not give it; `explicit`: an express statement is needed."""
    decisions = newest(consents, about)
    against = objections(decisions)
    if against:
        return against
    if not decisions or not all(_is_expressed(each, explicit=explicit) for each in decisions):
        return ["consent_missing"]
    wrongly_given = dict.fromkeys(fault for each in decisions for fault in giver_faults(each.by, child=about.child))
    if wrongly_given:
        return list(wrongly_given)
    if any(each.expires_at is not None and each.expires_at <= about.now for each in decisions):
        return ["consent_expired"]
    return []


def is_about_sharing(decision: str, purpose: str | None) -> bool:
    """Return whether others need to hear of it: somebody decided, and not about another purpose than support."""
    return decision != "not_asked" and purpose in (None, _SUPPORT)


def recording_faults(
    consent: Consent, *, now: datetime, ahead: timedelta, child: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield why a decision cannot be recorded: the field, the code, what it must be.

    What takes back or refuses needs no proof of capacity: it is as easy as giving (UK GDPR article 7(3)).

    Parameters
    ----------
    ahead
        By how much the clocks of callers may be ahead of ours.
    """
    if consent.recorded_at > now + ahead:
        yield "recorded_at", "in_the_future", "must not be in the future"
    if consent.decision != "given":
        return
    if consent.expires_at is not None and consent.expires_at <= max(now, consent.recorded_at):
        yield "expires_at", "expired_on_arrival", "must not have passed when it is recorded"
    for code in giver_faults(consent.by, child=child):
        name, must = _MENDED_BY[code]
        yield name, code, must


def _counts(consent: Consent, about: About) -> bool:
    return (
        _is_on(consent, about.hop)
        and (not consent.recipients or not consent.recipients.isdisjoint(about.recipient))
        and consent.purpose in (None, _SUPPORT)
        and (consent.decision in _OBJECTIONS or (consent.decision == "given" and consent.recorded_at <= about.now))
    )


def _is_on(consent: Consent, hop: str) -> bool:
    """Return whether a decision is on a hop: whoever said no to the hub's partners has said no to another hub too.

    A yes to partners is none to another hub, which is asked for on its own.
    """
    return consent.hop == hop or (hop == HUB_HOP and consent.hop == ONWARD_HOP and consent.decision in _OBJECTIONS)


def _is_overruled(consent: Consent, counting: Sequence[Consent], about: About) -> bool:
    """Return whether a yes does not count because of a no that it does not take back, however much older that is.

    A yes to a kind of partner or to all does not take back a no to one partner by its id. And a parent does not give
    what the child, found competent, said no to last: then the child's word stands.
    """
    if consent.decision != "given":
        return False
    if not _is_by_id(consent, about) and _say_no([each for each in counting if _is_by_id(each, about)]):
        return True
    own = [each for each in counting if each.by.giver in (None, "self") and each.by.competence == "gillick_assessed"]
    return consent.by.giver == "parent" and _say_no(own)


def _is_by_id(consent: Consent, about: About) -> bool:
    """Return whether a decision names this very partner: it is known by its kind, and by its id."""
    return not KINDS.issuperset(consent.recipients & about.recipient)


def _say_no(decisions: Collection[Consent]) -> bool:
    last = max((each.recorded_at for each in decisions), default=None)
    return any(each.decision in _OBJECTIONS for each in decisions if each.recorded_at == last)


def _is_expressed(consent: Consent, *, explicit: bool) -> bool:
    """Silence is never consent; explicit consent needs the record of an express statement."""
    return consent.method in _EXPRESS_METHODS if explicit else consent.method != "implied"
