"""The operator's commands for data sharing agreements; every change is an action with its version and its event."""

import argparse
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml
from pydantic import ValidationError

from hubkit.clock import SystemClock
from hubkit.config import SettingsError
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError
from hubkit.profiles.document import Document, read_documents
from hubkit.profiles.fault import Fault, Loc, ProfileError
from onward.operate import open_database
from services.partners.actions import agreement_files, agreements, directory
from services.partners.actions.agreement_files import Imported
from services.partners.schemas.agreements import AgreementFile

_CLIENT: Final = "onward-command"
#: The local days of England and Wales, for which a hub is made.
_ZONE: Final = ZoneInfo("Europe/London")
_ALL: Final = 1_000_000


def _by(name: str | None, reason: str | None = None) -> agreements.By:
    return agreements.By(_CLIENT, SystemClock().now().astimezone(_ZONE).date(), name, reason)


async def show(arguments: argparse.Namespace) -> int:
    """Print every agreement with its partner's code."""
    today = _by(None).today
    async with open_database(arguments, "partners") as db, db.reading() as tx:
        organisations = {
            partner.id: partner.organisation for partner, _ in await directory.list_partners(tx, None, _ALL)
        }
        for each in await agreements.list_agreements(tx, None, _ALL):
            shown = agreements.shown(each, today)
            line = {"organisation": organisations.get(each.partner_id)}
            line |= {name: shown[name] for name in ("id", "reference", "version", "status", "starts_on", "ends_on")}
            line |= {"lawful_basis": shown["lawful_basis"], "waits_for_approval": _waits(each)}
            print(json.dumps(line, default=str))
    return 0


def _waits(standing: Any) -> bool:
    return standing.status == "draft" or standing.proposed is not None


async def change(arguments: argparse.Namespace) -> int:
    """Change when a partner's agreement runs, or whether it stands; what adds to it needs two persons."""
    dates = {"starts_on": arguments.starts_on, "ends_on": arguments.ends_on}
    changes = {name: day.isoformat() for name, day in dates.items() if day is not None}
    by = _by(arguments.drafted_by, arguments.reason)
    async with open_database(arguments, "partners") as db, db.transaction() as tx:
        found = await _chosen(tx, arguments.organisation, arguments.reference)
        changed = await agreements.change_agreement(tx, found.id, found.version, changes, by, arguments.status)
        if changed.proposed is not None and arguments.approved_by:
            changed = await agreements.approve_agreement(tx, found.id, changed.version, _by(arguments.approved_by))
    terms = changed.terms
    waits = "; the change waits for approval" if changed.proposed is not None else ""
    state = agreements.shown(changed, by.today)["status"]
    print(f"{arguments.organisation}: {state}, from {terms.starts_on} to {terms.ends_on or 'no end'}{waits}")
    return 0


async def _chosen(tx: Tx, organisation: str, reference: str | None) -> Any:
    """Return the agreement that is meant: the one named, or else the partner's newest that has not been ended."""
    partners = {partner.organisation: partner.id for partner, _ in await directory.list_partners(tx, None, _ALL)}
    if organisation not in partners:
        raise SettingsError(f"no partner {organisation}; there are: {', '.join(sorted(partners))}")
    held = [each for each in await agreements.list_agreements(tx, None, _ALL)
            if each.partner_id == partners[organisation] and reference in (None, each.reference)]  # fmt: skip
    standing = [each for each in held if each.status in ("active", "suspended")] or held
    if not standing:
        raise SettingsError(f"{organisation} has no such agreement")
    return standing[-1]


async def approve(arguments: argparse.Namespace) -> int:
    """Approve a draft or a proposed change, as another person than who drafted it."""
    async with open_database(arguments, "partners") as db, db.transaction() as tx:
        listed = {each.reference: each for each in await agreements.list_agreements(tx, None, _ALL)}
        if arguments.reference not in listed:
            raise SettingsError("no agreement has this reference (see `onward agreement list`)")
        found = listed[arguments.reference]
        approved = await agreements.approve_agreement(tx, found.id, found.version, _by(arguments.approved_by))
    print(f"{approved.reference}: {agreements.shown(approved, _by(None).today)['status']}")
    return 0


async def export(arguments: argparse.Namespace) -> int:
    """Print every agreement, all that it says, as one document."""
    async with open_database(arguments, "partners") as db, db.reading() as tx:
        document = {"agreements": await agreement_files.export_agreements(tx)}
    if arguments.format == "json":
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), end="")
    return 0


async def import_(arguments: argparse.Namespace) -> int:
    """Draft the agreements of a file; an import of the same file again changes nothing."""
    path: Path = arguments.file
    documents = read_documents(path)
    if len(documents) != 1:
        raise ProfileError(path, [Fault(1, 1, (), "must be one document")])
    try:
        file = AgreementFile.model_validate(documents[0].value)
    except ValidationError as error:
        wrong = [(each["loc"], each["msg"]) for each in error.errors(include_input=False, include_url=False)]
        raise _placed(path, documents[0], wrong) from None
    wanted = [Imported(each.organisation, each.reference, each.said()) for each in file.agreements]
    try:
        async with open_database(arguments, "partners") as db, db.transaction() as tx:
            outcomes = await agreement_files.import_agreements(tx, wanted, _by(arguments.drafted_by))
    except InvalidError as error:
        raise _placed(path, documents[0], [(_loc(fault), fault.detail) for fault in error.errors]) from None
    for outcome in outcomes:
        print(f"{outcome.reference}: {outcome.became}")
    return 0


def _placed(path: Path, document: Document, faults: Iterable[tuple[Loc, str]]) -> ProfileError:
    return ProfileError(path, [Fault(*document.place(loc), loc, message) for loc, message in faults])


def _loc(fault: FieldError) -> Loc:
    return tuple(int(step) if step.isdigit() else step for step in fault.pointer.split("/")[1:])


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `agreement` to the operator's command."""
    agreement = commands.add_parser("agreement", help="data sharing agreements").add_subparsers(
        required=True, metavar="ACTION"
    )
    agreement.add_parser("list", help="every agreement with its partner and dates").set_defaults(command=show)
    setting = agreement.add_parser("set", help="change a partner's agreement; the gate asks it at every step")
    setting.add_argument("organisation", help="the partner's code, such as demo-counselling")
    setting.add_argument("--reference", help="which of its agreements (default: the newest that stands)")
    setting.add_argument("--starts-on", type=date.fromisoformat, help="first day, YYYY-MM-DD")
    setting.add_argument("--ends-on", type=date.fromisoformat, help="last day, YYYY-MM-DD")
    setting.add_argument("--status", choices=("active", "suspended", "ended"))
    setting.add_argument("--drafted-by", help="who makes the change; needed where it adds to what was approved")
    setting.add_argument("--approved-by", help="the second person, who approves it now")
    setting.add_argument("--reason", help="why")
    setting.set_defaults(command=change)
    approving = agreement.add_parser("approve", help="approve a draft or a proposed change")
    approving.add_argument("reference", help="as `onward agreement list` shows it")
    approving.add_argument("--approved-by", required=True, help="the second person")
    approving.set_defaults(command=approve)
    exporting = agreement.add_parser("export", help="print every agreement, all that it says")
    exporting.add_argument("--format", choices=("yaml", "json"), default="yaml")
    exporting.set_defaults(command=export)
    importing = agreement.add_parser("import", help="draft the agreements of a YAML or JSON file, as exported")
    importing.add_argument("file", type=Path, metavar="FILE")
    importing.add_argument("--drafted-by", required=True, help="who answers for the drafts")
    importing.set_defaults(command=import_)
