"""The demonstration partners: one each of five kinds, with a service and an agreement, so that the hub has somebody."""

from datetime import date
from typing import Any, Final
from uuid import UUID

from hubkit.contracts import AgreementChangedV1, ServiceListedV1
from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.db import Tx
from hubkit.ids import new_id
from services.partners.store import registry

_NAMES: Final = {
    "idva": "Demonstration independent domestic violence advisers",
    "isva": "Demonstration independent sexual violence advisers",
    "witness_care": "Demonstration Witness Care Unit",
    "counselling": "Demonstration counselling service",
    "restorative_justice": "Demonstration restorative justice service",
}


async def add_demonstration_partners(tx: Tx) -> None:
    """Add those that are not there yet; nothing that stands is changed."""
    partners = {new_id(): kind for kind in _NAMES}
    rows = [
        {"id": id, "organisation": f"demo-{kind.replace('_', '-')}", "name": _NAMES[kind], "status": "active",
         "ring_fenced": False, "created_at": tx.now}
        for id, kind in partners.items()
    ]  # fmt: skip
    new = await registry.add_partners(tx, rows)
    added = {id: kind for id, kind in partners.items() if id in new}
    services = [_service(tx, id, kind) for id, kind in added.items()]
    agreements = [_agreement(tx, id, kind) for id, kind in added.items()]
    await registry.add_services(tx, services)
    await registry.add_agreements(tx, agreements)
    for row in services:
        facts = {name: row[name] for name in ("partner_id", "version", "kind", "status", "preference")}
        tx.emit(ServiceListedV1(service_id=row["id"], **facts), row["id"])
    for row in agreements:
        facts = {name: row[name] for name in ("partner_id", "version", "status", "starts_on")}
        tx.emit(AgreementChangedV1(agreement_id=row["id"], **facts), row["id"])


def _service(tx: Tx, partner_id: UUID, kind: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "partner_id": partner_id,
        "version": 1,
        "kind": kind,
        "name": _NAMES[kind],
        "status": "active",
        "areas": [],
        "crimes": [],
        "risk_grades": [],
        "preference": 100,
        "changed_at": tx.now,
    }


def _agreement(tx: Tx, partner_id: UUID, kind: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "partner_id": partner_id,
        "version": 1,
        "status": "active",
        "lawful_basis": "consent",
        "purposes": [kind],
        "data_categories": [category for category in DATA_CATEGORIES if category != "narrative"],
        "crimes_excluded": [],
        "starts_on": date(tx.now.year - 1, 1, 1),
        "ends_on": None,
        "changed_at": tx.now,
    }
