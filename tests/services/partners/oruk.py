"""What Open Referral UK 3.0 asks of an answer, as JSON Schema: names, types, formats, codes, what is required.

Source: schema/compiled/service.json, service_list.json, organization.json, taxonomy.json, taxonomy_term.json and
openapi.json (Page, `/`) of OpenReferralUK/uk-profile, version 3.0, and, where that profile drops a table or asks for
less, schema/*.json of openreferral/specification 3.0 (phone, language, location_type, attribute, taxonomy_term). The
stricter of the two is kept. Facts of the published schemas only, set down here anew: no text of theirs. Some
published versions require a `url` of each phone, schedule, language and cost, and so does this. What they say in
words alone is asked too where it can be: an interval has a first date, and the version is the name by which the
standard's public validator knows the schemas.

On top of them every name must be known to one of the two, so that a misspelt field fails.
"""

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Schema = dict[str, Any]
STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
UUID: Schema = {"type": "string", "format": "uuid"}
_PART = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+"
#: The pattern, because the checker of this format comes with a package that is not here.
URI: Schema = {"type": "string", "format": "uri", "pattern": f"^[a-z][a-z0-9+.-]*:{_PART}(#{_PART})?$"}
EMAIL: Schema = {"type": "string", "format": "email"}
DATE: Schema = {"type": "string", "format": "date"}
TIME: Schema = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(Z|[+-][0-9:]+)?$"}
INSTANT: Schema = {"type": "string", "format": "date-time", "pattern": r"\.[0-9]{3}Z$"}


def codes(*known: str) -> Schema:
    return {"type": "string", "enum": list(known)}


def table(required: str, **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


TERM = table(
    "id name description taxonomy", id=UUID, code=STRING, name=STRING, description=STRING, parent_id=UUID,
    taxonomy=STRING, taxonomy_id=UUID, term_uri=URI, term=STRING, language=STRING,
)  # fmt: skip
TAXONOMY = table("id name description", id=UUID, name=STRING, description=STRING, uri=URI, version=STRING)
ATTRIBUTE = table(
    "id", id=UUID, link_id=UUID, taxonomy_term_id=UUID, link_type=STRING, link_entity=STRING, value=STRING,
    taxonomy_term=TERM, label=STRING,
)  # fmt: skip
ADDRESS = table(
    "id address_1 city state_province postal_code country address_type", id=UUID, location_id=UUID, attention=STRING,
    address_1=STRING, city=STRING, region=STRING, state_province=STRING, postal_code=STRING, country=STRING,
    address_type=codes("physical", "postal", "virtual"), attributes=many(ATTRIBUTE),
)  # fmt: skip
ACCESSIBILITY = table("id", id=UUID, location_id=UUID, description=STRING, details=STRING, url=URI)
LOCATION = table(
    "id location_type", id=UUID, location_type=codes("physical", "postal", "virtual"), name=STRING, description=STRING,
    latitude=NUMBER, longitude=NUMBER, external_identifier=STRING, external_identifier_type=STRING,
    addresses=many(ADDRESS), accessibility=many(ACCESSIBILITY), attributes=many(ATTRIBUTE),
)  # fmt: skip
AT_LOCATION = table("id", id=UUID, service_id=UUID, location_id=UUID, location=LOCATION)
SCHEDULE: Schema = {"dependentRequired": {"interval": ["dtstart"]}} | table(
    "id url", id=UUID, url=URI, service_id=UUID, service_at_location_id=UUID, valid_from=DATE, valid_to=DATE,
    dtstart=DATE,
    freq=codes("WEEKLY", "MONTHLY"), interval=NUMBER, byday=STRING, bymonthday=STRING, description=STRING,
    opens_at=TIME, closes_at=TIME, schedule_link=URI, attending_type=STRING, notes=STRING,
)  # fmt: skip
AREA = table(
    "id", id=UUID, service_id=UUID, name=STRING, extent=STRING, extent_type=STRING, uri=STRING, service_area=STRING
)
PHONE = table(
    "id number url", id=UUID, url=URI, location_id=UUID, service_id=UUID, organization_id=UUID, contact_id=UUID,
    number=STRING,
    extension=NUMBER, type=STRING, description=STRING,
)  # fmt: skip
LANGUAGE = table("id url", id=UUID, url=URI, service_id=UUID, phone_id=UUID, name=STRING, code=STRING, note=STRING)
COST = table(
    "id url", id=UUID, url=URI, service_id=UUID, valid_from=DATE, valid_to=DATE, option=STRING, amount=NUMBER,
    amount_description=STRING,
)  # fmt: skip
ORGANISATION = table(
    "id name description", id=UUID, name=STRING, alternate_name=STRING, description=STRING, email=EMAIL, website=URI,
    logo=STRING, uri=URI, parent_organization_id=UUID,
)  # fmt: skip
_SERVICE: dict[str, Schema] = {
    "id": UUID, "organization_id": UUID, "name": STRING, "alternate_name": STRING, "description": STRING, "url": URI,
    "email": EMAIL, "status": codes("active", "inactive", "defunct", "temporarily closed"), "fees": STRING,
    "accreditations": STRING, "minimum_age": NUMBER, "maximum_age": NUMBER, "assured_date": DATE,
    "assurer_email": EMAIL, "alert": STRING, "last_modified": INSTANT, "organization": ORGANISATION,
}  # fmt: skip
SERVICE_IN_LIST = table("id name status url", **_SERVICE)
SERVICE = table(
    "id name status url", **_SERVICE, phones=many(PHONE), schedules=many(SCHEDULE), service_areas=many(AREA),
    service_at_locations=many(AT_LOCATION), languages=many(LANGUAGE), cost_options=many(COST),
    attributes=many(ATTRIBUTE),
)  # fmt: skip
AT_LOCATION_IN_LIST = table(
    "id service location", id=UUID, service_id=UUID, location_id=UUID, service=SERVICE_IN_LIST,
    location=table("id location_type", **{k: v for k, v in LOCATION["properties"].items() if v.get("type") != "array"}),
)  # fmt: skip
AT_LOCATION_WHOLE = table(
    "id service location", id=UUID, service_id=UUID, location_id=UUID, location=LOCATION, service=SERVICE
)
API = table(
    "version profile openapi_url", version=codes("HSDS-UK-3.0"), profile=URI, openapi_url=URI, description=STRING
)


def page(item: Schema) -> Schema:
    numbers = {name: {"type": "integer"} for name in ("total_items", "total_pages", "page_number", "size")}
    flags = {name: {"type": "boolean"} for name in ("first_page", "last_page", "empty")}
    fields = {**numbers, **flags, "contents": many(item)}
    return table(" ".join(fields), **fields)


def faults(schema: Schema, answer: Any) -> list[str]:
    """Return what is wrong with an answer."""
    checker = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(answer)]
