"""What is taken from a feed in Open Referral UK 3.0, and what stands against it.

A feed is somebody else's text: each field passes the same checks as what staff write, and one that fails is left out.
What a feed does not say clears nothing, and what staff have changed stays as they left it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from hubkit.contracts.codes import KINDS
from services.partners.model import DAYS, PLACE_TYPES
from services.partners.policy.oruk import TERMS
from services.partners.schemas.listings import OrganisationPart, PublicPart

Json = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
_AREA: Final = re.compile(r"([EWSNK][0-9]{8})/?$")
_PLAIN: Final = ("name", "description", "url", "email", "status", "fees", "accreditations", "alert")
_AGES: Final = ("minimum_age", "maximum_age")
_LANGUAGES: Final = {"english": "en", "welsh": "cy", "polish": "pl", "urdu": "ur", "punjabi": "pa", "arabic": "ar"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a record of a feed says in our words, and the fields of it that could not be taken."""

    values: Json
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """An entry after a feed was read.

    `changed` are the fields that were taken, `conflicts` those that the feed changed and staff had changed before.
    """

    values: Json
    seen: Json
    changed: tuple[str, ...]
    conflicts: tuple[str, ...]


def service_of(record: Json) -> Taken:
    """Return what a feed says of a service."""
    values = {name: record.get(name) for name in _PLAIN}
    values |= {name: _whole(record.get(name)) for name in _AGES}
    values["assured_on"] = _text(record.get("assured_date"))[:10] or None
    contacts = _dicts(record.get("contacts"))
    lines = [*_dicts(record.get("phones")), *(line for each in contacts for line in _dicts(each.get("phones")))]
    lists: dict[str, list[Any]] = {
        "phones": [_clean({"number": each.get("number"), "description": each.get("description")}) for each in lines],
        "openings": [_opening(each) for each in _dicts(record.get("schedules"))],
        "areas": [_area(each) for each in _dicts(record.get("service_areas"))],
        "languages": [code for each in _dicts(record.get("languages")) if (code := _language(each))],
        "costs": [_cost(each) for each in _dicts(record.get("cost_options"))],
        "places": [_place(each["location"]) for each in _dicts(record.get("service_at_locations"))
                   if isinstance(each.get("location"), dict)],
        "kinds": kinds_of(record),
    }  # fmt: skip
    values |= {name: [each for each in items if each] or None for name, items in lists.items()}
    return _taken(PublicPart, _clean(values))


def organisation_of(record: Json) -> Taken:
    """Return what a feed says of an organisation."""
    values = {name: record.get(name) for name in ("name", "email")}
    values["description"] = record.get("description") or record.get("name")
    values["url"] = record.get("website") or record.get("url")
    return _taken(OrganisationPart, _clean(values))


def kinds_of(record: Json) -> list[str]:
    """Return our kinds of a service, where its terms are of our taxonomy."""
    found = []
    for attribute in _dicts(record.get("attributes")):
        term = attribute.get("taxonomy_term")
        term = term if isinstance(term, dict) else {}
        found += [_kind(attribute.get("taxonomy_term_id")), _kind(term.get("id")), _kind(term.get("code"))]
    return list(dict.fromkeys(kind for kind in found if kind))


def words_of(record: Json) -> list[str]:
    """Return the words by which a service is known: its names and those of its terms."""
    terms = [each.get("taxonomy_term") for each in _dicts(record.get("attributes"))]
    words = [record.get("name"), record.get("alternate_name")]
    words += [term.get(name) for term in terms if isinstance(term, dict) for name in ("name", "term", "code")]
    return [_text(word).replace("_", " ").replace("-", " ") for word in words if word]


def merge(local: Mapping[str, Any], seen: Mapping[str, Any], said: Mapping[str, Any]) -> Merged:
    """Return an entry with what a feed says now, field by field.

    Parameters
    ----------
    local
        The entry as it stands.
    seen
        What was taken from the feed last.
    said
        What the feed says now; what it does not say changes nothing.
    """
    values, taken = dict(local), dict(seen)
    changed, conflicts = [], []
    for name, new in said.items():
        have, last = local.get(name), seen.get(name)
        if new == have:
            taken[name] = new
        elif new == last:
            continue
        elif have == last:
            values[name] = taken[name] = new
            changed.append(name)
        else:
            conflicts.append(name)
    return Merged(values, taken, tuple(changed), tuple(conflicts))


def is_whole(kind: type[BaseModel], values: Mapping[str, Any]) -> bool:
    """Whether the fields of an entry go together."""
    try:
        kind.model_validate(dict(values))
    except ValidationError:
        return False
    return True


def _taken(kind: type[M], values: Json) -> Taken:
    """Return the fields that pass the checks, in their normal form; each that fails is left out."""
    refused: list[str] = []
    needed = {name: "-" for name, field in kind.model_fields.items() if field.is_required()}
    while True:
        try:
            model = kind.model_validate(needed | values)
        except ValidationError as error:
            places = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
            # Without a place it is the two ages that do not go together.
            faults = [name for name in values if name in (places or _AGES)]
            if not faults:
                return Taken({}, tuple(refused))
            refused += faults
            values = {name: value for name, value in values.items() if name not in faults}
        else:
            made = model.model_dump(mode="json", exclude_none=True, exclude_unset=True)
            return Taken({name: value for name, value in made.items() if name in values}, tuple(refused))


def _clean(node: Json) -> Json:
    return {name: value for name, value in node.items() if value is not None and value not in ("", [], {})}


def _dicts(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return int(value) if value == int(value) else None


def _kind(value: Any) -> str | None:
    if isinstance(value, str) and value in KINDS:
        return value
    return _as(lambda: TERMS.get(UUID(_text(value))))


def _as(make: Callable[[], str | None]) -> str | None:
    try:
        return make()
    except ValueError:
        return None


def _opening(each: Json) -> Json:
    # Every second week is no rule for every week, and our entries know no other.
    days = _known(_text(each.get("byday")).upper().split(","), DAYS) if each.get("interval") in (None, 1) else []
    times = {name: _text(each.get(name))[:5] for name in ("opens_at", "closes_at")}
    return _clean({"days": days, **times, "description": each.get("description")})


def _known(codes: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the days; a monthly rule ("2MO") is no rule for every week."""
    found = [code.strip() for code in codes if code.strip()]
    return found if set(found) <= set(known) else []


def _area(each: Json) -> Json:
    found = _AREA.search(_text(each.get("uri")))
    code = found[1] if found else None
    return _clean({"name": each.get("name") or each.get("service_area") or code, "code": code})


def _language(each: Json) -> str | None:
    code = _text(each.get("code")).lower()
    return code if re.fullmatch("[a-z]{2,3}", code) else _LANGUAGES.get(_text(each.get("name")).lower())


def _cost(each: Json) -> Json:
    said = {"option": each.get("option"), "amount": each.get("amount"), "description": each.get("amount_description")}
    return _clean(said)


def _place(location: Json) -> Json:
    addresses = _dicts(location.get("addresses"))
    address = addresses[0] if addresses else {}
    kind = location.get("location_type") or address.get("address_type")
    parts = {
        "address": address.get("address_1"),
        "city": address.get("city"),
        "county": address.get("state_province"),
        "postcode": address.get("postal_code"),
    }
    access = [_text(each.get("description")) for each in _dicts(location.get("accessibility"))]
    said = {name: location.get(name) for name in ("description", "latitude", "longitude")}
    return _clean({
        "name": location.get("name") or address.get("address_1") or "A place",
        "type": kind if kind in PLACE_TYPES else None,
        **(parts if all(parts.values()) else {}),
        **said,
        "accessibility": "\n".join(text for text in access if text),
    })  # fmt: skip
