"""Taking a feed of services into the directory: new ones as drafts, known ones field by field, nothing cleared."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

from hubkit.crypto import Keyring
from hubkit.db import Tx
from hubkit.errors import InvalidError
from hubkit.ids import new_id
from services.partners.actions.directory import Offer, store_services
from services.partners.actions.listings import check_safe, listing_values, private_part
from services.partners.policy import feed
from services.partners.policy.listing import hides_people
from services.partners.schemas.listings import OrganisationPart, PublicPart
from services.partners.store import listings, registry

Json = dict[str, Any]
#: The codes of organisations that a feed brought are made from this: the same one each time.
_FEEDS: Final = UUID("0d1f6c9e-38a1-4f0e-8f43-7f1f3a0f2b55")


@dataclass(slots=True)
class Report:
    """What an import changes. Each item names the feed's id; `missing` were in the feed before and are not any more."""

    feed: str
    added: list[Json] = field(default_factory=list)
    updated: list[Json] = field(default_factory=list)
    unchanged: int = 0
    conflicts: list[Json] = field(default_factory=list)
    missing: list[Json] = field(default_factory=list)
    refused: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        """Return it as plain values."""
        return asdict(self)


async def import_feed(tx: Tx, keyring: Keyring, name: str, records: Iterable[Json], *, complete: bool) -> Report:
    """Take the services of a feed into the directory; for a dry run, let the transaction fail afterwards.

    A new service is a draft: its entry is not public and it is suspended, so that nobody is referred to it, until
    staff say otherwise. One whose words say that people are hidden there is confidential from the beginning. A known
    one takes what the feed has changed and staff have not.

    Parameters
    ----------
    name
        The feed's name: with the id of a record it says whether we know it.
    records
        Services with everything that belongs to each, as `GET /services/{id}` of a feed answers.
    complete
        Whether these are all that the feed has; only then does one that is not among them count as missing.
    """
    services, partners = await listings.of_feed(tx, name)
    run = _Run(tx, keyring, Report(name), {each.feed_id: each for each in services if each.feed_id})
    run.partners = {each.feed_id: each.partner_id for each in partners if each.feed_id}
    for number, record in enumerate(records):
        await run.take(record, number)
    await run.flag(complete)
    return run.report


def _says_hidden(document: Json) -> bool:
    """Whether an entry says that people are hidden there: what the public reads does not become so without staff."""
    return hides_people(text for name in ("name", "description") if (text := document.get(name)))


@dataclass(slots=True)
class _Run:
    tx: Tx
    keyring: Keyring
    report: Report
    known: dict[str, Any]
    partners: dict[str, UUID] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    async def take(self, record: Json, number: int) -> None:
        """Take one service."""
        id = record.get("id")
        if not isinstance(id, str) or not 0 < len(id) <= 64:
            self.report.refused.append({"feed_id": None, "number": number, "reason": "id_missing"})
            return
        if id in self.seen:
            self.report.refused.append({"feed_id": id, "reason": "repeated_id"})
            return
        self.seen.add(id)
        said = feed.service_of(record)
        if said.refused:
            self.report.refused.append({"feed_id": id, "reason": "fields", "fields": list(said.refused)})
        if id in self.known:
            await self._update(id, self.known[id].service_id, said.values)
        elif not said.values.get("name"):
            self.report.refused.append({"feed_id": id, "reason": "name_missing"})
        else:
            await self._add(id, record, said.values)

    async def flag(self, complete: bool) -> None:
        """Say of each known service whether the feed still has it; more does not happen to one that it lost."""
        back = [row.service_id for id, row in self.known.items() if id in self.seen and row.missing_since]
        await listings.flag_missing(self.tx, back, None)
        if not complete:
            return
        lost = {id: row for id, row in self.known.items() if id not in self.seen}
        new = [row.service_id for row in lost.values() if row.missing_since is None]
        await listings.flag_missing(self.tx, new, self.tx.now)
        for id, row in lost.items():
            self.report.missing.append({"feed_id": id, "service_id": str(row.service_id), "name": row.name})

    async def _update(self, id: str, service_id: UUID, said: Json) -> None:
        service = await registry.service(self.tx, service_id)
        if service is None:
            return
        # As where staff set an entry: no two entries of a partner change at once. So it is read under the lock.
        await registry.partner(self.tx, service.partner_id, for_update=True)
        row = await listings.listing(self.tx, service_id)
        if row is None:
            return
        merged = feed.merge(row.document, row.seen, said)
        if merged.conflicts:
            self.report.conflicts.append({
                "feed_id": id, "service_id": str(row.service_id),
                "fields": {name: {"here": row.document.get(name), "feed": said[name]} for name in merged.conflicts},
            })  # fmt: skip
        if not feed.is_whole(PublicPart, merged.values):
            self.report.refused.append({"feed_id": id, "reason": "does_not_fit_what_stands"})
            return
        if row.is_public and _says_hidden(merged.values) and not _says_hidden(row.document):
            self.report.refused.append({"feed_id": id, "reason": "may_hide_people"})
            return
        if merged.changed and not await self._is_safe(id, service, merged.values):
            return
        values: Json = {"service_id": row.service_id, "seen": merged.seen}
        if merged.changed:
            kinds = merged.values.get("kinds") or (service.kind, *service.also)
            values |= listing_values(merged.values, kinds)
            values |= {"version": row.version + 1, "modified_at": self.tx.now}
            self.report.updated.append(
                {"feed_id": id, "service_id": str(row.service_id), "fields": list(merged.changed)}
            )
        else:
            self.report.unchanged += 1
        await listings.put_listing(self.tx, values, new=False)

    async def _is_safe(self, id: str, service: Any, document: Json) -> bool:
        """Whether the entry gives no safe address away, not even its own."""
        private = await private_part(self.tx, self.keyring, service.id)
        try:
            await check_safe(self.tx, self.keyring, service.partner_id, service.id, document, private)
        except InvalidError:
            self.report.refused.append({"feed_id": id, "reason": "safe_address_in_public"})
            return False
        return True

    async def _add(self, id: str, record: Json, said: Json) -> None:
        partner_id = await self._partner(record)
        if partner_id is None:
            self.report.refused.append({"feed_id": id, "reason": "organization_missing"})
            return
        kinds = said.get("kinds") or ["other"]
        draft = Offer(said["name"], kinds[0], tuple(kinds[1:]), status="suspended", route="signpost")
        [made] = await store_services(self.tx, partner_id, [draft])
        confidential = hides_people(feed.words_of(record))
        row = {"service_id": made["id"], "version": 1, "is_public": False, "modified_at": self.tx.now}
        row |= {"feed": self.report.feed, "feed_id": id, "seen": said}
        await listings.put_listing(self.tx, row | listing_values(said, kinds), new=True)
        overlay = {"service_id": made["id"], "confidential": confidential, "sealed": None, "changed_at": self.tx.now}
        await listings.put_overlay(self.tx, overlay, new=True)
        self.report.added.append(
            {"feed_id": id, "service_id": str(made["id"]), "name": said["name"], "confidential": confidential}
        )

    async def _partner(self, record: Json) -> UUID | None:
        """Return the partner of a record's organisation, which is added as a draft when the feed is the first to say.

        What stands of a partner is not touched: an organisation has few facts, and staff know them.
        """
        organisation = record.get("organization")
        if not isinstance(organisation, dict) or not isinstance(organisation.get("id"), str):
            return None
        id = organisation["id"]
        said = feed.organisation_of(organisation).values
        if id in self.partners or len(id) > 64 or not feed.is_whole(OrganisationPart, said):
            return self.partners.get(id)
        partner_id = new_id()
        row = {
            "id": partner_id,
            "organisation": f"feed-{uuid5(_FEEDS, f'{self.report.feed} {id}')}",
            "name": said["name"],
            "status": "active",
            "ring_fenced": False,
            "created_at": self.tx.now,
        }
        await registry.add_partners(self.tx, [row])
        listing = {
            "partner_id": partner_id, "version": 1, "is_public": False, "document": said, "seen": said,
            "confidential": hides_people([said["name"]]), "modified_at": self.tx.now, "feed": self.report.feed,
            "feed_id": id,
        }  # fmt: skip
        await listings.put_organisation(self.tx, listing, new=True)
        self.partners[id] = partner_id
        return partner_id
