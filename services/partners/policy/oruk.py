"""The public directory in the words of Open Referral UK 3.0, a profile of HSDS 3.0.

Source: schema/compiled/service.json, service_list.json, organization.json, taxonomy.json, taxonomy_term.json and
openapi.json of OpenReferralUK/uk-profile; HSDS 3.0 for what the profile leaves out and does not forbid (phones,
names of languages, location types).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from hubkit.contracts.codes import KINDS
from services.partners.model import Entry

Json = dict[str, Any]
#: Terms, and parts of services, have ids of their own that never change: they are made from this and from the service.
_NAMESPACE: Final = UUID("6f4f5b0e-6a53-4c0b-9d5e-5d0a8b7c2e11")
TAXONOMY_ID: Final = uuid5(_NAMESPACE, "kinds of support")
_TAXONOMY: Final = "Onward kinds of support for victims of crime"
TERMS: Final[Mapping[UUID, str]] = {uuid5(TAXONOMY_ID, kind): kind for kind in sorted(KINDS)}
_TERM_IDS: Final = {kind: id for id, kind in TERMS.items()}
_LANGUAGE_NAMES: Final = {"en": "English", "cy": "Welsh", "pl": "Polish", "ur": "Urdu", "pa": "Punjabi", "bfi": "BSL"}


def metadata(public_url: str) -> Json:
    """Return what the directory says of itself."""
    return {
        # The public validator of Open Referral UK chooses the schemas by this name.
        "version": "HSDS-UK-3.0",
        "profile": "https://docs.openreferraluk.org/",
        "openapi_url": f"{public_url}/openapi.json",
        "description": "Support services for victims of crime; services whose whereabouts protect people are not here",
    }


def page(contents: Sequence[Json], total: int, number: int, size: int) -> Json:
    """Return one page of a list; `size` is how many items a page may have, in the answer how many this one has."""
    pages = -(-total // size)
    return {
        "total_items": total,
        "total_pages": pages,
        "page_number": number,
        "size": len(contents),
        "first_page": number == 1,
        "last_page": number >= pages,
        "empty": not contents,
        "contents": list(contents),
    }


def service_in_list(entry: Entry, language: str) -> Json:
    """Return a service with what it has one of."""
    public = _in(entry.document, language)
    said = {
        "id": str(entry.service_id),
        "organization_id": str(entry.partner_id),
        "alternate_name": _other_name(entry.document, language),
        "last_modified": f"{entry.modified_at:%Y-%m-%dT%H:%M:%S}.{entry.modified_at.microsecond // 1000:03d}Z",
        "assured_date": public.get("assured_on"),
        "organization": organisation(entry.partner_id, entry.organisation, language),
    }
    same = ("name", "description", "url", "email", "fees", "accreditations", "minimum_age", "maximum_age", "alert")
    said |= {name: public.get(name) for name in same}
    return _given(said | {"status": public.get("status", "active")})


def service(entry: Entry, kinds: Sequence[str], language: str) -> Json:
    """Return a service with everything that belongs to it."""
    public, id = entry.document, entry.service_id
    return service_in_list(entry, language) | {
        "phones": _linked(public, _each(id, "phones", public, _phone)),
        "schedules": _linked(public, _each(id, "openings", public, _schedule)),
        "service_areas": _each(id, "areas", public, _area),
        "service_at_locations": at_locations(entry),
        "languages": _linked(public, _each(id, "languages", public, _language)),
        "cost_options": _linked(public, _each(id, "costs", public, _cost)),
        "attributes": [_attribute(id, kind) for kind in kinds],
    }


def at_locations(entry: Entry) -> list[Json]:
    """Return the places of a service, each with what belongs to it, but without the service."""
    return _each(entry.service_id, "places", entry.document, _at_location)


def at_location_in_list(at_location: Json, service: Json) -> Json:
    """Return one of a service's places with what it has one of."""
    location = {name: value for name, value in at_location["location"].items() if not isinstance(value, list)}
    return {**at_location, "location": location, "service": service}


def organisation(id: UUID, public: Json, language: str) -> Json:
    """Return an organisation."""
    said = _in(public, language)
    return _given({
        "id": str(id),
        "name": said["name"],
        "alternate_name": _other_name(public, language),
        "description": said["description"],
        "email": said.get("email"),
        "website": said.get("url"),
    })  # fmt: skip


def taxonomy() -> Json:
    """Return the one taxonomy that services are classified by."""
    return {
        "id": str(TAXONOMY_ID),
        "name": _TAXONOMY,
        "description": "What a person who was harmed by a crime may need; each term is a kind of support service.",
        "version": "1",
    }


def term(id: UUID) -> Json:
    """Return one term of the taxonomy."""
    kind = TERMS[id]
    name = kind.replace("_", " ").capitalize()
    return {
        "id": str(id),
        "code": kind,
        "name": name,
        "term": name,
        "description": f"Support of the kind {name.lower()}",
        "taxonomy": _TAXONOMY,
        "taxonomy_id": str(TAXONOMY_ID),
    }


def _in(public: Json, language: str) -> Json:
    """Return a document in a language, as far as it is given in it."""
    return {**public, **(public.get("welsh") or {})} if language == "cy" else public


def _other_name(public: Json, language: str) -> str | None:
    welsh: str | None = (public.get("welsh") or {}).get("name")
    return public["name"] if language == "cy" and welsh else welsh


def _given(node: Json) -> Json:
    """Return what is given: the schemas know no null."""
    return {name: value for name, value in node.items() if value is not None}


def _each(id: UUID, name: str, public: Json, make: Any) -> list[Json]:
    made = ((uuid5(id, f"{name}/{number}"), each) for number, each in enumerate(public.get(name) or ()))
    return [_given({"id": str(part), "service_id": str(id), **make(each, part)}) for part, each in made]


def _linked(public: Json, parts: list[Json]) -> list[Json]:
    """Return parts with the service's address on the web.

    Published versions of the profile's phones, schedules, languages and costs require a `url`, others know none.
    """
    return [_given(part | {"url": public.get("url")}) for part in parts]


def _phone(each: Json, _id: UUID) -> Json:
    return {"number": each["number"], "type": "voice", "description": each.get("description")}


def _schedule(each: Json, _id: UUID) -> Json:
    days = ",".join(each.get("days") or ())
    said = {name: each.get(name) for name in ("opens_at", "closes_at", "description")}
    # Without an interval it is every week; with one the standard wants a first date, and there is none.
    return said | ({"freq": "WEEKLY", "byday": days} if days else {})


def _area(each: Json, _id: UUID) -> Json:
    code = each.get("code")
    uri = f"http://statistics.data.gov.uk/id/statistical-geography/{code}" if code else None
    return {"name": each["name"], "service_area": each["name"], "uri": uri}


def _language(code: str, _id: UUID) -> Json:
    return {"code": code, "name": _LANGUAGE_NAMES.get(code, code)}


def _cost(each: Json, _id: UUID) -> Json:
    return {"option": each.get("option"), "amount": each.get("amount"), "amount_description": each.get("description")}


def _at_location(place: Json, id: UUID) -> Json:
    at = uuid5(id, "location")
    kind = place.get("type", "physical")
    location = {
        "id": str(at),
        "location_type": kind,
        **{name: place.get(name) for name in ("name", "description", "latitude", "longitude")},
    }
    if place.get("address"):
        location["addresses"] = [{
            "id": str(uuid5(at, "address")), "location_id": str(at), "address_1": place["address"],
            "city": place["city"], "state_province": place["county"], "postal_code": place["postcode"],
            "country": "GB", "address_type": kind,
        }]  # fmt: skip
    if place.get("accessibility"):
        part = str(uuid5(at, "accessibility"))
        location["accessibility"] = [{"id": part, "location_id": str(at), "description": place["accessibility"]}]
    return {"location_id": str(at), "location": _given(location)}


def _attribute(id: UUID, kind: str) -> Json:
    return {
        "id": str(uuid5(id, f"kinds/{kind}")),
        "link_id": str(id),
        "link_entity": "service",
        "taxonomy_term_id": str(_TERM_IDS[kind]),
        "taxonomy_term": term(_TERM_IDS[kind]),
    }
