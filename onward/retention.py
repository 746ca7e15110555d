"""`onward retention`: whose data is kept no longer, what holds their deletion, the deletion and its proof."""

import argparse
import json
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

from onward.operate import intake_deps, open_database
from services.intake.actions import retention as intake
from services.intake.model import HOLD_REASONS
from services.triage.actions.retention import Due, due_for_deletion


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the operator's."""
    retention = commands.add_parser("retention", help="how long persons are kept, by the profile")
    actions = retention.add_subparsers(required=True, metavar="ACTION")
    plan = actions.add_parser("plan", help="who would be deleted, and who is held; changes nothing")
    plan.add_argument("--json", action="store_true", help="for machines, with the ids")
    plan.set_defaults(command=show_plan)
    run = actions.add_parser("run", help="delete those who are kept no longer, record it and prove it")
    run.add_argument("--by", required=True, help="who lets it run")
    run.set_defaults(command=delete)
    holds = actions.add_parser("hold", help="what keeps a person from deletion")
    hold = holds.add_subparsers(required=True, metavar="ACTION")
    add = hold.add_parser("add", help="keep a referral's person")
    add.add_argument("--referral", type=UUID, required=True, metavar="ID")
    add.add_argument("--reason", choices=sorted(HOLD_REASONS), required=True)
    add.add_argument("--until", type=date.fromisoformat, help="last local day, YYYY-MM-DD (default: until removed)")
    add.add_argument("--by", required=True, help="who holds it")
    add.set_defaults(command=add_hold)
    hold.add_parser("list", help="the holds that stand today").set_defaults(command=list_holds)
    remove = hold.add_parser("remove", help="end a hold")
    remove.add_argument("id", type=UUID)
    remove.add_argument("--by", required=True, help="who ends it")
    remove.set_defaults(command=remove_hold)


async def show_plan(arguments: argparse.Namespace) -> int:
    """Print who would be deleted by the profile of today, by how their cases ended, and who is held."""
    due = await _due(arguments)
    async with open_database(arguments, "intake") as db, db.reading() as tx:
        free, held = await intake.deletable(tx, intake_deps(arguments), due)
    chosen = [due[id] for id in sorted(free)]
    shown: dict[str, Any] = {
        "triage": {"due": len(due)},
        "intake": {"would_be_deleted": len(free), "held": len(held)},
        "ends": Counter(each.end for each in chosen),
    }
    if arguments.json:
        shown["intake"] |= {"ids": sorted(free), "held_ids": {str(id): reasons for id, reasons in held.items()}}
        shown["triage"] |= {"ids": sorted(each.case_id for each in due.values())}
    print(json.dumps(shown, default=str, indent=2))
    return 0


async def delete(arguments: argparse.Namespace) -> int:
    """Delete those who are kept no longer, each in a transaction with its record; ends with 1 where a proof fails."""
    due = await _due(arguments)
    deps = intake_deps(arguments)
    erased = []
    async with open_database(arguments, "intake") as db:
        async with db.reading() as tx:
            free, held = await intake.deletable(tx, deps, due)
        for id in sorted(free):
            async with db.transaction() as tx:
                found = await intake.erase(tx, deps, id, _why(due[id]), arguments.by)
            if found is not None:
                erased.append(found)
        async with db.reading() as tx:
            unproved = [each.referral_id for each in erased if not await intake.is_gone(tx, deps, each)]
    print(f"{len(erased)} persons deleted and recorded, {len(erased) - len(unproved)} proved, {len(held)} held")
    for id in unproved:
        print(f"not proved: {id}")
    return 1 if unproved else 0


async def add_hold(arguments: argparse.Namespace) -> int:
    """Keep a referral's person from deletion."""
    async with open_database(arguments, "intake") as db, db.transaction() as tx:
        deps = intake_deps(arguments)
        id = await intake.hold(tx, deps, arguments.referral, arguments.reason, arguments.until, arguments.by)
    print(id)
    return 0


async def list_holds(arguments: argparse.Namespace) -> int:
    """Print the holds that stand today."""
    async with open_database(arguments, "intake") as db, db.reading() as tx:
        for row in await intake.list_holds(tx, intake_deps(arguments)):
            print(json.dumps(dict(row._mapping), default=str))
    return 0


async def remove_hold(arguments: argparse.Namespace) -> int:
    """End a hold."""
    async with open_database(arguments, "intake") as db, db.transaction() as tx:
        await intake.lift(tx, intake_deps(arguments), arguments.id, arguments.by)
    print(f"{arguments.id} is lifted")
    return 0


async def _due(arguments: argparse.Namespace) -> dict[UUID, Due]:
    deps = intake_deps(arguments)
    async with open_database(arguments, "triage") as db, db.reading() as tx:
        return {each.referral_id: each async for each in due_for_deletion(tx, deps.profile_at(tx.now))}


def _why(due: Due) -> dict[str, Any]:
    return {"end": due.end, "ended_at": due.ended_at.isoformat(), "days": due.days, "due_at": due.due_at.isoformat()}
