"""What an agreement says, what of it is wrong or left unsaid, and which changes need a second person.

Sources: ICO Data Sharing Code of Practice, "Data sharing agreements" (what one should say); UK GDPR articles 5, 6, 9,
26 and 28; Data Protection Act 2018 section 10 and schedule 1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Final
from uuid import UUID

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.errors import FieldError
from services.partners.model import THIN

ONWARD: Final = "hub_to_partner"
#: Categories that may tell of health, sex life or other special category data.
_SPECIAL: Final = frozenset({"needs", "risk", "narrative"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All that an agreement says. Dates are local and inclusive; lists are codes but for parties and signatures.

    `purposes` are kinds of support. `fields` are those of the data categories that may go out; None: all of them.
    `parties` and `sign_off` are JSON objects as the schemas have them. What is None was not stated.
    `children_high_privacy` is a statement for the data protection officer, which nothing decides on: the Data Sharing
    Code wants an agreement to say it (reference `domain.md`, section 4), and no rule is drawn from it. What a partner
    is given of a child is decided by purpose, fields and consent, as for everybody, and by `protections.is_child`.
    """

    parties: tuple[Mapping[str, Any], ...] = ()
    purpose: str | None = None
    benefit: str | None = None
    purposes: tuple[str, ...]
    hops: tuple[str, ...] = (ONWARD,)
    data_categories: tuple[str, ...]
    fields: tuple[str, ...] | None = None
    crimes_excluded: tuple[str, ...] = ()
    lawful_basis: str
    special_category_condition: str | None = None
    statutory_power: str | None = None
    access: str | None = None
    transparency: str | None = None
    rights: str | None = None
    accuracy: str | None = None
    security: str | None = None
    transfer_method: str | None = None
    delivery: str = THIN
    retention_days: int | None = None
    disposal: str | None = None
    breach: str | None = None
    complaints: str | None = None
    children_high_privacy: bool = True
    dpia_reference: str | None = None
    starts_on: date
    review_on: date | None = None
    ends_on: date | None = None
    termination: str | None = None
    sign_off: tuple[Mapping[str, Any], ...] = ()


NAMES: Final = tuple(field.name for field in fields(Terms))
#: What the gate and the calendar go by; the rest is kept as a document.
IN_COLUMNS: Final = frozenset({
    "purposes", "hops", "data_categories", "fields", "crimes_excluded", "lawful_basis", "delivery", "starts_on",
    "review_on", "ends_on",
})  # fmt: skip
_DATES: Final = ("starts_on", "review_on", "ends_on")
_NARROWING: Final = (
    "purposes", "hops", "data_categories", "fields", "crimes_excluded", "delivery", "starts_on", "ends_on"
)  # fmt: skip
#: What the Code asks an agreement to say; beside these what only some agreements need.
_EXPECTED: Final = (
    "parties", "purpose", "benefit", "access", "transparency", "rights", "accuracy", "security", "transfer_method",
    "retention_days", "disposal", "breach", "complaints", "dpia_reference", "review_on", "termination", "sign_off",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposal:
    """Terms that wait for a second person, and who drafted them."""

    terms: Terms
    drafted_by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement as it stands: the terms in force (of a draft: the drafted ones) and those that are proposed.

    `drafted_by` and `approved_by` are the persons behind the terms. `ended_on` is the local day it was ended.
    """

    id: UUID
    partner_id: UUID
    reference: str
    version: int
    status: str
    terms: Terms
    drafted_by: str | None
    approved_by: str | None = None
    proposed: Proposal | None = None
    ended_on: date | None = None


def to_json(terms: Terms) -> dict[str, Any]:
    """Return terms as a JSON object."""
    made: dict[str, Any] = {}
    for name in NAMES:
        value = getattr(terms, name)
        if isinstance(value, date):
            value = value.isoformat()
        made[name] = list(value) if isinstance(value, tuple) else value
    return made


def from_json(values: Mapping[str, Any]) -> Terms:
    """Return terms from the JSON object that `to_json` makes; dates may be dates already."""
    made: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name in _DATES:
        if isinstance(made.get(name), str):
            made[name] = date.fromisoformat(made[name])
    return Terms(**made)


def faults(terms: Terms) -> list[FieldError]:
    """Return what of the terms contradicts itself, each with its place."""
    return [*_date_faults(terms), *_field_faults(terms)]


def _date_faults(terms: Terms) -> Iterator[FieldError]:
    if terms.ends_on is not None and terms.ends_on < terms.starts_on:
        yield FieldError("/ends_on", "ends_before_start", "must not be before starts_on")
    if terms.review_on is not None and terms.review_on < terms.starts_on:
        yield FieldError("/review_on", "review_before_start", "must not be before starts_on")


def _field_faults(terms: Terms) -> Iterator[FieldError]:
    if terms.fields is None:
        return
    covered = {name for category in terms.data_categories for name in DATA_CATEGORIES[category]}
    for index, name in enumerate(terms.fields):
        if name not in covered:
            known = ", ".join(sorted(covered))
            detail = f"is no field of the agreed data categories; theirs are: {known}"
            yield FieldError(f"/fields/{index}", "field_not_covered", detail)
    for index, category in enumerate(terms.data_categories):
        if not set(DATA_CATEGORIES[category]) & set(terms.fields):
            yield FieldError(
                f"/data_categories/{index}", "category_without_fields", "has none of its fields in /fields"
            )


def not_stated(terms: Terms) -> list[str]:
    """Return the places of what the Data Sharing Code asks an agreement to say, and this one does not."""
    places = [f"/{name}" for name in _EXPECTED if not getattr(terms, name)]
    if terms.special_category_condition is None and _SPECIAL & set(terms.data_categories):
        places.append("/special_category_condition")
    if terms.statutory_power is None and terms.lawful_basis == "public_task":
        places.append("/statutory_power")
    for index, party in enumerate(terms.parties):
        if not any(party.get(name) for name in ("contact", "email", "phone")):
            places.append(f"/parties/{index}/contact")
    return places


def only_narrows(before: Terms, after: Terms) -> bool:
    """Return whether a change only takes away: whatever it still allows was allowed before.

    Such a change takes effect at once, on one person's word, since it can disclose nothing that was not approved.
    """
    if replace(after, **{name: getattr(before, name) for name in _NARROWING}) != before:
        return False
    ends_later = before.ends_on is not None and (after.ends_on is None or after.ends_on > before.ends_on)
    return (
        after.starts_on >= before.starts_on
        and not ends_later
        and set(after.purposes) <= set(before.purposes)
        and set(after.hops) <= set(before.hops)
        and set(after.data_categories) <= set(before.data_categories)
        and _allowed(after) <= _allowed(before)
        and set(after.crimes_excluded) >= set(before.crimes_excluded)
        and after.delivery in (before.delivery, THIN)
    )


def _allowed(terms: Terms) -> set[str]:
    covered = {name for category in terms.data_categories for name in DATA_CATEGORIES[category]}
    return covered if terms.fields is None else covered & set(terms.fields)
