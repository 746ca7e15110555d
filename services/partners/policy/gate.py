"""The gate: the one function that allows or refuses a disclosure.

It denies by default. It allows only when the case is open, the recipient is a partner in good standing that is not
fenced off, an agreement that is in force covers the purpose and the crime, something is shared with the service, the
person has not objected, and, where the lawful basis is consent, the person's newest decision gives it for this
recipient. What it allows is a list of fields: those of the data categories that agreement and consent both cover. Each
refusal lists every reason, as codes. Some things are kept back whatever is agreed: `protections` says which.

Without consent or agreement it allows one thing more: what two people have decided on a legal ground of safeguarding,
to exactly the partner and in exactly the data categories that they named.

A closed case is like one that is not open, but for partners that had been told of it before: the person is with them.

Sources: design.md section 5; ICO Data Sharing Code (agreements); UK GDPR articles 4(11), 7 and 21 (consent, its
withdrawal, the right to object), 6(1)(d) and 9(2)(c) (vital interests); DPA 2018 schedule 1 paragraph 18 (children and
individuals at risk); a hub's own text for the basis of each hop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from hubkit.contracts.codes import DATA_CATEGORIES
from services.partners.model import THIN
from services.partners.policy import consent
from services.partners.policy.consent import Consent as Consent
from services.partners.policy.protections import (
    Protection,
    is_child,
    pair_fault,
    protected_fields,
)

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
_FIELDS: Final = tuple(name for names in DATA_CATEGORIES.values() for name in names)
#: What a service may be given. With any other word (`nothing`) it is given nothing.
SHARED: Final = frozenset({"case_data", "referral_data"})
_UNPROTECTED: Final = Protection()
_PROTECTING: Final = ("address_protected", "anonymity_protected")
#: The basis on which something goes out without agreement or consent.
SAFEGUARDING: Final = "safeguarding"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A data sharing agreement with the partner, for the hop. Both dates are local and inclusive.

    `fields` are those of the data categories that may go out; None: all of them. `delivery` is thin or full.
    """

    id: UUID
    version: int
    status: str
    lawful_basis: str | None
    purposes: frozenset[str]
    data_categories: frozenset[str]
    crimes_excluded: frozenset[str]
    starts_on: date
    ends_on: date | None
    fields: frozenset[str] | None = None
    delivery: str = THIN

    def may_give(self, field: str) -> bool:
        """Return whether a field of a category that it covers may go out."""
        return self.fields is None or field in self.fields


@dataclass(frozen=True, slots=True)
class Partner:
    """The recipient. `ring_fenced`: the hub keeps its records from this organisation, whatever is agreed.

    `kept_from`: so it does with what came from these organisations.
    """

    id: UUID
    is_active: bool
    ring_fenced: bool
    agreements: tuple[Agreement, ...]
    organisation: str = ""
    kept_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Safeguarding:
    """What was decided on a legal ground: for which partner, which data categories, and whether a second approved."""

    id: UUID
    partner_id: UUID
    data_categories: frozenset[str]
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this partner may receive this person's fields for this purpose, now.

    `purpose` is the kind of support, and `today` the local date of `now`. `hop_basis` is what the hub's profile
    states for the hop. `shares` is what the hub shares with the service that is asked: case_data, referral_data or
    nothing. `is_told`: the partner had been told of the person before now. A case or a partner that is not known is
    None here. `source` is the organisation that the referral came from. With `safeguarding` the question is whether
    that decision allows it.
    """

    hop: str
    purpose: str
    case_status: str | None
    crime_category: str | None
    partner: Partner | None
    shares: str
    is_told: bool
    consents: tuple[Consent, ...]
    hop_basis: str | None
    now: datetime
    today: date
    markers: frozenset[str] = frozenset()
    age: int | None = None
    source: str | None = None
    protection: Protection = _UNPROTECTED
    safeguarding: Safeguarding | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, for exactly these fields, on this basis, under this agreement and these consents.

    `what` is the hub's word for what is shared: case_data or referral_data. Where a safeguarding decision stands in the
    place of an agreement, its id is the agreement's, at version 0. `delivery` is what the agreement says of webhooks;
    thin where there is none.
    """

    fields: tuple[str, ...]
    basis: str
    agreement_id: UUID
    agreement_version: int
    consent_ids: tuple[UUID, ...]
    what: str = "case_data"
    safeguarding_id: UUID | None = None
    delivery: str = THIN


@dataclass(frozen=True, slots=True)
class Refused:
    """No, for each of these reasons; there is at least one."""

    reasons: tuple[str, ...]


Verdict = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with the fields that are not shared, each with the reason."""

    verdict: Verdict
    withheld: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a disclosure would stand on."""

    agreement: Agreement
    basis: str
    needs_consent: bool
    consents: tuple[Consent, ...]


def decide(question: Question) -> Verdict:
    """Allow or refuse. Never raises; whatever is not known counts against."""
    if question.safeguarding is not None:
        return _on_safeguarding(question, question.safeguarding)
    reasons = [*_case_faults(question), *_standing(question)]
    terms = _terms(question)
    if terms is None:
        return Refused((*reasons, "agreement_missing", *_objections(question)))
    reasons += _faults(terms.agreement, question)
    reasons += consent_faults(question, terms.basis) if terms.needs_consent else _objections(question)
    if reasons:
        return Refused(tuple(reasons))
    withheld = _withheld(question, terms)
    fields = tuple(name for name in _FIELDS if name not in withheld)
    if not fields:
        return Refused(_nothing_left(withheld))
    agreement = terms.agreement
    consent_ids = tuple(each.id for each in terms.consents)
    return Allowed(
        fields,
        terms.basis,
        agreement.id,
        agreement.version,
        consent_ids,
        question.shares,
        delivery=agreement.delivery,
    )


def explain(question: Question) -> Explanation:
    """Return the verdict, and for every field that is not shared why it is not."""
    verdict = decide(question)
    # What stands on safeguarding goes by that decision alone, whatever an agreement says beside it.
    terms = _terms(question) if question.safeguarding is None else None
    withheld = _withheld(question, terms) if terms is not None or question.safeguarding is not None else {}
    if isinstance(verdict, Refused):
        withheld = dict.fromkeys(_FIELDS, verdict.reasons[0]) | withheld
    return Explanation(verdict, withheld)


def _on_safeguarding(question: Question, ground: Safeguarding) -> Verdict:
    """Two people's decision takes the place of consent and agreement; case and recipient must stand all the same."""
    reasons = [*_case_faults(question), *_standing(question)]
    partner = question.partner
    if partner is None or partner.id != ground.partner_id or not ground.is_approved:
        return Refused((*reasons, "safeguarding_not_approved"))
    withheld = _withheld(question, None)
    fields = tuple(name for name in _FIELDS if name not in withheld)
    if not fields:
        reasons.append("data_category_not_covered")
    if reasons:
        return Refused(tuple(reasons))
    in_force = [each for each in partner.agreements if not _faults(each, question)]
    under = min(in_force, key=lambda each: _preference(each, question), default=None)
    if under is None:
        return Allowed(fields, SAFEGUARDING, ground.id, 0, (), safeguarding_id=ground.id)
    return Allowed(
        fields, SAFEGUARDING, under.id, under.version, (), safeguarding_id=ground.id, delivery=under.delivery
    )


def _terms(question: Question) -> _Terms | None:
    """Return what the question is decided by; None without any agreement."""
    partner = question.partner
    if partner is None or not partner.agreements:
        return None
    agreement = min(partner.agreements, key=lambda each: _preference(each, question))
    basis = stricter(question.hop_basis, agreement.lawful_basis)
    needs_consent = _STRICTNESS[basis] <= _CONSENT_RANK
    return _Terms(
        agreement,
        basis,
        needs_consent,
        tuple(consent.newest(question.consents, _about(question))) if needs_consent else (),
    )


def _withheld(question: Question, terms: _Terms | None) -> dict[str, str]:
    """Return the fields that are not shared, each with the reason; a safeguarding decision needs no `terms`."""
    found: dict[str, str] = {}
    for category, names in DATA_CATEGORIES.items():
        reason = _why_not(category, question, terms)
        if reason is not None:
            found |= dict.fromkeys(names, reason)
        elif terms is not None:
            found |= {name: "not_in_agreement" for name in names if not terms.agreement.may_give(name)}
    if question.safeguarding is None:
        kept = protected_fields(
            question.purpose,
            question.crime_category,
            question.markers,
            safe_address=question.protection.safe_address,
        )
        found = kept | found
    return found


def _why_not(category: str, question: Question, terms: _Terms | None) -> str | None:
    if terms is None:
        ground = question.safeguarding
        return None if ground is not None and category in ground.data_categories else "not_in_decision"
    if question.shares not in SHARED:
        return "not_in_service"
    if category not in terms.agreement.data_categories:
        return "not_in_agreement"
    if any(category not in each.data_categories for each in terms.consents):
        return "not_in_consent"
    return None


def _nothing_left(withheld: Mapping[str, str]) -> tuple[str, ...]:
    """Return why no field is left: what is protected says so itself."""
    protected = tuple(dict.fromkeys(each for each in withheld.values() if each in _PROTECTING))
    return protected or ("data_category_not_covered",)


def stricter(hop_basis: str | None, agreement_basis: str | None) -> str:
    """Return the stricter of the profile's and the agreement's lawful basis; without either, explicit consent."""
    stated = [basis if basis in _STRICTNESS else _STRICTEST for basis in (hop_basis, agreement_basis) if basis]
    return min(stated, key=_STRICTNESS.__getitem__, default=_STRICTEST)


def _case_faults(question: Question) -> list[str]:
    if question.case_status == "open" or (question.case_status == "closed" and question.is_told):
        return []
    return ["case_closed" if question.case_status == "closed" else "case_excluded"]


def _standing(question: Question) -> list[str]:
    """Return what stands against this recipient, whatever is agreed with it."""
    partner = question.partner
    if partner is None:
        return []
    fault = pair_fault(question.source, partner.organisation, partner.kept_from)
    faults = [fault] if fault is not None else []
    if partner.ring_fenced and fault != "ring_fenced":
        faults.append("ring_fenced")
    named = question.protection.restricted_to
    if named is not None and partner.id not in named and question.safeguarding is None:
        faults.append("case_restricted")
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


def _about(question: Question) -> consent.About:
    recipient = {question.purpose}
    if question.partner is not None:
        recipient.add(str(question.partner.id))
    child = is_child(question.age, question.markers)
    return consent.About(question.hop, frozenset(recipient), question.now, child)


def _objections(question: Question) -> list[str]:
    """Return what the person said against it, which counts under every basis: a refusal is an objection too."""
    return consent.objections(consent.newest(question.consents, _about(question)))


def consent_faults(question: Question, basis: str) -> list[str]:
    """Return why the person's decisions do not give this, where the basis is a consent."""
    return consent.faults(question.consents, _about(question), explicit=basis == _STRICTEST)
