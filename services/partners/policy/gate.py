"""The gate: the one function that allows or refuses a disclosure.

It denies by default. It allows only when the case is open, the recipient is a partner in good standing that is not
fenced off, an agreement that is in force covers the purpose and the crime, the person has not objected, and, where the
lawful basis is consent, the person's newest decision gives it for this recipient. What it allows is a list of fields:
those of the data categories that agreement and consent both cover. Each refusal lists every reason, as codes.

Sources: design.md section 5; ICO Data Sharing Code (agreements); UK GDPR articles 4(11), 7 and 21 (consent, its
withdrawal, the right to object); a hub's own text for the basis of each hop.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from hubkit.contracts.codes import DATA_CATEGORIES

#: The bases from the strictest down. A basis that is not listed, or none at all, counts as the strictest.
_STRICTEST: Final = "explicit_consent"
_STRICTNESS: Final = {
    _STRICTEST: 0,
    "consent": 1,
    "victim_agreement": 1,
    "consent_obtained_by_police": 1,
    "implied_opt_out": 2,
    "public_task": 3,
    "joint_controller": 3,
    "controller_internal": 3,
    "agreement_in_place": 3,
}
_CONSENT_RANK: Final = 1
#: Explicit consent is an express statement, in speech or writing, and its record says which.
_EXPRESS_METHODS: Final = frozenset({"spoken", "written", "online"})
_OBJECTIONS: Final = {"withdrawn": "consent_withdrawn", "refused": "consent_refused"}


@dataclass(frozen=True, slots=True)
class Consent:
    """One recorded decision. Without recipients it is about all of them; without data categories it covers none."""

    id: UUID
    hop: str
    decision: str
    recipients: frozenset[str]
    data_categories: frozenset[str]
    method: str | None
    recorded_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A data sharing agreement with the partner. Both dates are local and inclusive."""

    id: UUID
    version: int
    status: str
    lawful_basis: str | None
    purposes: frozenset[str]
    data_categories: frozenset[str]
    crimes_excluded: frozenset[str]
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Partner:
    """The recipient. `ring_fenced`: the hub keeps its records from this organisation, whatever is agreed."""

    id: UUID
    is_active: bool
    ring_fenced: bool
    agreements: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this partner may receive this person's fields for this purpose, now.

    `purpose` is the kind of support, and `today` the local date of `now`. `hop_basis` is what the hub's profile
    states for the hop. A case that is not open, or a partner that is not known, is None or false here.
    """

    hop: str
    purpose: str
    case_is_open: bool
    crime_category: str | None
    partner: Partner | None
    consents: tuple[Consent, ...]
    hop_basis: str | None
    now: datetime
    today: date


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, for exactly these fields, on this basis, under this agreement and these consents."""

    fields: tuple[str, ...]
    basis: str
    agreement_id: UUID
    agreement_version: int
    consent_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """No, for each of these reasons; there is at least one."""

    reasons: tuple[str, ...]


Verdict = Allowed | Refused


def decide(question: Question) -> Verdict:
    """Allow or refuse. Never raises; whatever is not known counts against."""
    reasons = [] if question.case_is_open else ["case_excluded"]
    partner = question.partner
    if partner is None or not partner.agreements:
        return Refused((*reasons, *_standing(partner), "agreement_missing", *_objections(question)))
    agreement = min(partner.agreements, key=lambda each: _preference(each, question))
    basis = stricter(question.hop_basis, agreement.lawful_basis)
    needs_consent = _STRICTNESS[basis] <= _CONSENT_RANK
    reasons += _standing(partner) + _faults(agreement, question)
    reasons += _consent_faults(question, basis) if needs_consent else _objections(question)
    if reasons:
        return Refused(tuple(reasons))
    consents = _newest(question) if needs_consent else []
    covered = agreement.data_categories.intersection(*(consent.data_categories for consent in consents))
    fields = tuple(name for category, names in DATA_CATEGORIES.items() if category in covered for name in names)
    if not fields:
        return Refused(("data_category_not_covered",))
    return Allowed(fields, basis, agreement.id, agreement.version, tuple(consent.id for consent in consents))


def stricter(hop_basis: str | None, agreement_basis: str | None) -> str:
    """Return the stricter of the profile's and the agreement's lawful basis; without either, explicit consent."""
    stated = [basis if basis in _STRICTNESS else _STRICTEST for basis in (hop_basis, agreement_basis) if basis]
    return min(stated, key=_STRICTNESS.__getitem__, default=_STRICTEST)


def _standing(partner: Partner | None) -> list[str]:
    if partner is None:
        return []
    faults = ["ring_fenced"] if partner.ring_fenced else []
    return faults if partner.is_active else [*faults, "partner_suspended"]


def _faults(agreement: Agreement, question: Question) -> list[str]:
    faults = []
    if agreement.status == "suspended":
        faults.append("agreement_suspended")
    elif agreement.status == "ended" or (agreement.ends_on is not None and agreement.ends_on < question.today):
        faults.append("agreement_expired")
    elif agreement.status != "active" or agreement.starts_on > question.today:
        faults.append("agreement_not_started")
    if question.purpose not in agreement.purposes:
        faults.append("purpose_not_covered")
    crime = question.crime_category
    if agreement.crimes_excluded and (crime is None or agreement.crimes_excluded & {crime, crime.split(".")[0]}):
        faults.append("crime_type_excluded")
    return faults


def _preference(agreement: Agreement, question: Question) -> tuple[int, int, UUID]:
    """Order agreements: the one that stands in the way least, then the newest."""
    return len(_faults(agreement, question)), -agreement.starts_on.toordinal(), agreement.id


def _newest(question: Question) -> list[Consent]:
    """Return the person's newest decision about this recipient: it replaces all earlier ones.

    Several recorded at the same moment all count. One that claims to be from the future gives nothing yet, but takes
    away at once.
    """
    recipient = {question.purpose, str(question.partner.id) if question.partner else ""}
    about = [
        consent
        for consent in question.consents
        if consent.hop == question.hop
        and (not consent.recipients or consent.recipients & recipient)
        and (consent.decision in _OBJECTIONS or (consent.decision == "given" and consent.recorded_at <= question.now))
    ]
    newest = max((consent.recorded_at for consent in about), default=None)
    return [consent for consent in about if consent.recorded_at == newest]


def _objections(question: Question) -> list[str]:
    """Return what the person said against it, which counts under every basis: a refusal is an objection too."""
    decisions = {consent.decision for consent in _newest(question)}
    return [code for decision, code in _OBJECTIONS.items() if decision in decisions][:1]


def _consent_faults(question: Question, basis: str) -> list[str]:
    newest = _newest(question)
    objections = _objections(question)
    if objections:
        return objections
    if not newest or not all(_is_expressed(consent, basis) for consent in newest):
        return ["consent_missing"]
    if any(consent.expires_at is not None and consent.expires_at <= question.now for consent in newest):
        return ["consent_expired"]
    return []


def _is_expressed(consent: Consent, basis: str) -> bool:
    """Silence is never consent; explicit consent needs the record of an express statement."""
    return consent.method in _EXPRESS_METHODS if basis == _STRICTEST else consent.method != "implied"
