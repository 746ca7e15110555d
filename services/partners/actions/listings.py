"""The directory's entries: what staff say of partners and services, and which part of it is public."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from hubkit.crypto import Keyring
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError, PreconditionFailedError
from services.partners.model import Entry
from services.partners.policy.demonstration import made_up_organisation, made_up_service
from services.partners.policy.listing import gives_away, hides_people, searched, secrets_of, withheld
from services.partners.schemas.listings import Listing, PartnerListing
from services.partners.store import listings, registry

_SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class View:
    """An entry as staff see it, with why the public does not see it; version 0 when there is none yet."""

    id: UUID
    version: int
    row: Any | None
    is_confidential: bool
    private: dict[str, Any] | None
    withheld: tuple[str, ...]


async def read_listing(tx: Tx, keyring: Keyring, service_id: UUID) -> View:
    """Return the entry of a service.

    Raises
    ------
    NotFoundError
        When there is no such service.
    """
    found = await registry.services_with_partners(tx, [service_id])
    if service_id not in found:
        raise NotFoundError
    service, partner = found[service_id]
    listing, overlay = await listings.listing(tx, service_id), await listings.overlay(tx, service_id)
    organisation = await listings.organisation(tx, partner.id)
    entry = Entry(
        service_id,
        partner.id,
        listing.document if listing else {},
        organisation.document if organisation else {},
        listing.modified_at if listing else tx.now,
        is_public=listing is not None and listing.is_public,
        is_confidential=overlay is None or overlay.confidential,
        is_service_active=service.status == "active",
        is_partner_public=organisation is not None and organisation.is_public,
        is_partner_confidential=organisation is not None and organisation.confidential,
        is_partner_active=partner.status == "active",
    )
    private = _opened(keyring, overlay) if overlay else None
    version = listing.version if listing else 0
    return View(service_id, version, listing, entry.is_confidential, private, withheld(entry))


async def set_listing(tx: Tx, keyring: Keyring, service_id: UUID, version: int, wanted: Listing) -> View:
    """Set the whole entry of a service.

    Raises
    ------
    NotFoundError
        When there is no such service.
    PreconditionFailedError
        When it has changed since `version`; 0 is the version of an entry that is not there yet.
    InvalidError
        `confidential_not_public`, `needed_in_public`, `unknown_agreement`, `safe_address_in_public`.
    """
    service = await registry.service(tx, service_id)
    if service is None:
        raise NotFoundError
    # Under the lock of the partner no two of its entries change at once: they must not give each other away.
    await registry.partner(tx, service.partner_id, for_update=True)
    listing = await listings.listing(tx, service_id)
    if (listing.version if listing else 0) != version:
        raise PreconditionFailedError
    _check(wanted)
    await _check_agreement(tx, service.partner_id, wanted.private.agreement_id)
    document = as_document(wanted.public)
    private = wanted.private.model_dump(mode="json", exclude_none=True)
    await check_safe(tx, keyring, service.partner_id, service_id, document, private)
    kinds = wanted.public.kinds or (service.kind, *service.also)
    row = {"service_id": service_id, "version": version + 1, "is_public": wanted.is_public}
    row |= listing_values(document, kinds) | {"modified_at": tx.now}
    await listings.put_listing(tx, row if listing else row | {"seen": {}}, new=listing is None)
    await _put_overlay(tx, keyring, service_id, private)
    return await read_listing(tx, keyring, service_id)


async def read_partner_listing(tx: Tx, partner_id: UUID) -> View:
    """Return the entry of a partner.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    """
    partner = await registry.partner(tx, partner_id)
    if partner is None:
        raise NotFoundError
    row = await listings.organisation(tx, partner_id)
    reasons = {
        "not_public": row is None or not row.is_public,
        "confidential": row is None or row.confidential,
        "partner_suspended": partner.status != "active",
        "no_public_service": not (await listings.shown_organisations(tx, 0, 1, only=partner_id))[0],
    }
    version = row.version if row else 0
    why = tuple(reason for reason, holds in reasons.items() if holds)
    return View(partner_id, version, row, row is None or row.confidential, None, why)


async def set_partner_listing(tx: Tx, keyring: Keyring, partner_id: UUID, version: int, wanted: PartnerListing) -> View:
    """Set the whole entry of a partner; what the public reads of its services changes with it.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    PreconditionFailedError
        When it has changed since `version`; 0 is the version of an entry that is not there yet.
    InvalidError
        `confidential_not_public`, `safe_address_in_public`.
    """
    if await registry.partner(tx, partner_id, for_update=True) is None:
        raise NotFoundError
    row = await listings.organisation(tx, partner_id)
    if (row.version if row else 0) != version:
        raise PreconditionFailedError
    if wanted.is_public and wanted.confidential:
        raise _confidential()
    document = as_document(wanted.public)
    await check_safe(tx, keyring, partner_id, None, document, {})
    values: dict[str, Any] = {
        "partner_id": partner_id,
        "version": version + 1,
        "is_public": wanted.is_public,
        "confidential": wanted.confidential,
        "document": document,
        "modified_at": tx.now,
    }
    await listings.put_organisation(tx, values if row else values | {"seen": {}}, new=row is None)
    services = await registry.services_of(tx, [partner_id])
    await listings.touch(tx, [each.id for each in services], tx.now)
    return await read_partner_listing(tx, partner_id)


async def follow_service(tx: Tx, service_id: UUID, kinds: Sequence[str]) -> None:
    """Let the entry follow a change of the service: the kinds, where the entry has none of its own, and the time."""
    listing = await listings.listing(tx, service_id)
    if listing is not None:
        own = listing.document.get("kinds")
        row = {"service_id": service_id, "kinds": list(own or dict.fromkeys(kinds)), "modified_at": tx.now}
        await listings.put_listing(tx, row, new=False)


async def private_part(tx: Tx, keyring: Keyring, service_id: UUID) -> dict[str, Any]:
    """Return what only the hub knows of a service; nothing when it has no entry."""
    overlay = await listings.overlay(tx, service_id)
    return _opened(keyring, overlay) if overlay else {}


async def check_safe(
    tx: Tx, keyring: Keyring, partner_id: UUID, service_id: UUID | None, document: dict[str, Any], private: Any
) -> None:
    """Refuse what would give an address away that is safe only while it is unknown, of any service of the partner.

    Parameters
    ----------
    service_id
        Whose entry is to be `document` and `private`; None for the entry of the partner itself.

    Raises
    ------
    InvalidError
        `safe_address_in_public`; it does not say which.
    """
    standing, overlays = await listings.of_partner(tx, partner_id)
    organisation = await listings.organisation(tx, partner_id)
    public = [each.document for each in standing if each.service_id != service_id] + [document]
    if service_id is not None and organisation is not None:
        public.append(organisation.document)
    secrets = secrets_of(private)
    for each in overlays:
        if each.service_id != service_id:
            secrets += secrets_of(_opened(keyring, each))
    if gives_away(public, secrets):
        detail = "an address that is kept safe would be public; leave it out of every public part of this partner"
        raise InvalidError(errors=[FieldError("/public", "safe_address_in_public", detail)])


def as_document(part: Any) -> dict[str, Any]:
    """Return the public part of an entry as it is stored: what is not given is not there."""
    made: dict[str, Any] = part.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return made


def listing_values(document: dict[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """Return the columns that repeat a document, to be asked for."""
    return {
        "document": document,
        "name": document["name"],
        "kinds": list(dict.fromkeys(kinds)),
        "areas": [area["code"] for area in document.get("areas", ()) if area.get("code")],
        "searched": searched(document),
        "minimum_age": document.get("minimum_age"),
        "maximum_age": document.get("maximum_age"),
    }


async def list_demonstration(tx: Tx, partner_id: UUID, name: str, services: Sequence[Mapping[str, Any]]) -> None:
    """Make the entries of a new demonstration partner, public but for those whose name says that people are hidden."""
    partner = {"partner_id": partner_id, "version": 1, "is_public": True, "confidential": False, "modified_at": tx.now}
    await listings.put_organisation(tx, partner | {"document": made_up_organisation(name), "seen": {}}, new=True)
    for each in services:
        document = made_up_service(each)
        hidden = hides_people([each["name"]])
        row = {"service_id": each["id"], "version": 1, "is_public": not hidden, "modified_at": tx.now, "seen": {}}
        kinds = (each["kind"], *each["also"])
        await listings.put_listing(tx, row | listing_values(document, kinds), new=True)
        overlay = {"service_id": each["id"], "confidential": hidden, "sealed": None, "changed_at": tx.now}
        await listings.put_overlay(tx, overlay, new=True)


def _check(wanted: Listing) -> None:
    if not wanted.is_public:
        return
    if wanted.private.confidential:
        raise _confidential()
    needed = [
        FieldError(f"/public/{name}", "needed_in_public", "a public service has it: Open Referral UK asks for it")
        for name in ("description", "url")
        if getattr(wanted.public, name) is None
    ]
    if needed:
        raise InvalidError(errors=needed)


def _confidential() -> InvalidError:
    return InvalidError(
        errors=[FieldError("/is_public", "confidential_not_public", "what is confidential is never public")]
    )


async def _check_agreement(tx: Tx, partner_id: UUID, agreement_id: UUID | None) -> None:
    if agreement_id is None:
        return
    if agreement_id not in {each.id for each in await registry.agreements_of(tx, partner_id)}:
        detail = "is no agreement with this partner"
        raise InvalidError(errors=[FieldError("/private/agreement_id", "unknown_agreement", detail)])


async def _put_overlay(tx: Tx, keyring: Keyring, service_id: UUID, private: dict[str, Any]) -> None:
    is_new = await listings.overlay(tx, service_id) is None
    confidential = private.pop("confidential")
    sealed = keyring.record("service_overlay", service_id).seal(_SEALED, orjson.dumps(private)) if private else None
    row = {"service_id": service_id, "confidential": confidential, "sealed": sealed, "changed_at": tx.now}
    await listings.put_overlay(tx, row, new=is_new)


def _opened(keyring: Keyring, overlay: Any) -> dict[str, Any]:
    """Return what only the hub knows of a service."""
    private: dict[str, Any] = {}
    if overlay.sealed is not None:
        private = orjson.loads(keyring.record("service_overlay", overlay.service_id).open(_SEALED, overlay.sealed))
    return {"confidential": overlay.confidential, **private}
