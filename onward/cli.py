"""The operator's command: run the hub on one machine, migrate, make clients, look after queues."""

import argparse
import asyncio
import os
import select
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

from hubkit.config import SettingsError
from hubkit.crypto import CryptoError
from hubkit.db import is_disconnect
from hubkit.errors import HubError
from hubkit.migrations import StaleSchemaError
from hubkit.profiles import ProfileError
from onward import agreements, directory, operate, profiles, replaying, retention, run
from onward.person import command as person
from onward.sandbox import command as sandbox
from onward.scenarios import command as scenarios

_SERVICES = ("intake", "triage", "routing", "partners")


def parser() -> argparse.ArgumentParser:
    """Return the command's parser; every sub-command sets `command`."""
    top = argparse.ArgumentParser(
        prog="onward",
        description=__doc__,
        epilog="A command works on the databases in --data, or, where a service's own variables are set (such as "
        "INTAKE_DATABASE_URL), on the database that they name.",
    )
    top.add_argument("--data", type=Path, default=Path(".data"), help="folder of the one-machine hub (default .data)")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    migrate = commands.add_parser("migrate", help="bring every database to the newest schema")
    migrate.set_defaults(command=operate.migrate)
    _add_clients(commands)
    _add_queues(commands)
    _add_deliveries(commands)
    agreements.add_to(commands)
    directory.add_to(commands)
    _add_keys(commands)
    sandbox.add_to(commands)
    _add_profiles(commands)
    person.add_to(commands)
    retention.add_to(commands)
    scenarios.add_to(commands)
    return top


def _add_keys(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    keys = commands.add_parser("keys", help="replace keys").add_subparsers(required=True, metavar="ACTION")
    rotate = keys.add_parser("rotate", help="re-seal every person with the current key of INTAKE_FIELD_KEYS")
    rotate.add_argument("--signing", action="store_true", help="instead, make a new key that signs access tokens")
    rotate.set_defaults(command=operate.rotate_keys)


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run_ = commands.add_parser("run", help="run the whole hub here: SQLite, no broker, demonstration data")
    run_.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default 8000)")
    run_.add_argument("--hub", help="which profile of profiles/ (default: the one that profiles/default names)")
    run_.set_defaults(command=run.serve)


def _add_clients(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    client = commands.add_parser("client", help="systems that may call the hub").add_subparsers(
        required=True, metavar="ACTION"
    )
    create = client.add_parser("create", help="register a system; prints its secret and private key once")
    create.add_argument("--organisation", required=True, help="whose system it is; a partner's own code for a partner")
    create.add_argument("--scopes", required=True, help="comma-separated, such as referrals:write,referrals:read")
    create.add_argument("--id", help="client id (made when not given)")
    create.set_defaults(command=operate.create_client)
    disable = client.add_parser("disable", help="let a system in no more")
    disable.add_argument("id")
    disable.set_defaults(command=operate.disable_client)
    enable = client.add_parser("enable", help="let a disabled system in again, with what it had")
    enable.add_argument("id")
    enable.set_defaults(command=operate.enable_client)
    client.add_parser("list", help="every system, with its organisation and scopes").set_defaults(
        command=operate.list_clients
    )


def _add_queues(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    outbox = commands.add_parser("outbox", help="events a service has made").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = outbox.add_parser("list", help="events that the bus has not confirmed")
    listing.set_defaults(command=operate.list_outbox)
    replay = outbox.add_parser("replay", help="publish events again; consumers drop those they have")
    replay.add_argument("--since", type=_moment, required=True, help="RFC 3339, such as 2026-11-21T00:00:00+00:00")
    replay.add_argument("--type", help="one event type, such as case.opened.v1")
    replay.set_defaults(command=operate.replay_outbox)
    inbox = commands.add_parser("inbox", help="events a service has heard").add_subparsers(
        required=True, metavar="ACTION"
    )
    heard = inbox.add_parser("list", help="events that wait to be retried, or are dead, with reasons")
    heard.add_argument("--state", choices=("pending", "dead"), default="dead")
    heard.set_defaults(command=operate.list_inbox)
    again = inbox.add_parser("replay", help="try dead events again")
    again.add_argument("--id", type=UUID, help="one event id (all dead ones when not given)")
    again.set_defaults(command=operate.replay_inbox)
    for rows, what, command in (
        (outbox, "forget events that the bus has confirmed", operate.prune_outbox),
        (inbox, "forget the ids of events that have taken effect", operate.prune_inbox),
    ):
        prune = rows.add_parser("prune", help=what)
        prune.add_argument("--before", type=date.fromisoformat, required=True, help="a day, YYYY-MM-DD (UTC)")
        prune.add_argument("--force", action="store_true", help="also those of the last 90 days")
        prune.add_argument("--service", choices=_SERVICES, help="which service (all when not given)")
        prune.set_defaults(command=command)
    for sub in (listing, replay, heard, again):
        sub.add_argument("--service", choices=_SERVICES, required=sub in (replay, again), help="which service")


def _add_deliveries(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    deliveries = commands.add_parser("deliveries", help="webhooks to partners").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = deliveries.add_parser("list", help="deliveries in a state, with reasons")
    listing.add_argument("--state", default="parked", help="a state of a delivery (default parked)")
    listing.set_defaults(command=operate.list_deliveries)
    replay = deliveries.add_parser("replay", help="send again, through today's gate")
    replay.add_argument("--id", type=UUID, help="one delivery id (all parked ones when not given)")
    replay.set_defaults(command=operate.replay_deliveries)


def _add_profiles(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    profile = commands.add_parser("profile", help="hubs' profiles").add_subparsers(required=True, metavar="ACTION")
    check = profile.add_parser("check", help="every mistake with file, line and column; exit status 1 if there is any")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(command=profiles.check)
    explain = profile.add_parser("explain", help="all rules in plain words")
    explain.add_argument("profile", metavar="HUB|FILE", help="an id or a file; @VERSION at its end names one version")
    explain.set_defaults(command=profiles.explain)
    diff = profile.add_parser("diff", help="what one profile does otherwise than another")
    diff.add_argument("before", metavar="A", help="an id or a file; @VERSION at its end names one version")
    diff.add_argument("after", metavar="B")
    diff.set_defaults(command=profiles.diff)
    for sub in (explain, diff):
        sub.add_argument("--on", type=date.fromisoformat, help="the version of a day, YYYY-MM-DD (default: today)")
    replay = profile.add_parser("replay", help="what past referrals would become; changes nothing")
    replay.add_argument("--profile", metavar="FILE", required=True, help="an id or a file")
    replay.add_argument("--since", type=_day, required=True, help="first day of receipt, YYYY-MM-DD, UTC")
    replay.set_defaults(command=replaying.replay)
    for sub in (diff, replay):
        sub.add_argument("--json", action="store_true", help="for machines")
    profile.add_parser("schema", help="the JSON Schema for editors").set_defaults(command=profiles.schema)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs an offset, such as +00:00")
    return moment


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a day, such as 2026-11-21") from None


def _is_reader_gone() -> bool:
    """Whether whoever read what the command prints has read enough, as `head` does; the rest goes nowhere then."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not any(events & select.POLLERR for _, events in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    chosen = parser().parse_args(arguments)
    try:
        status = asyncio.run(chosen.command(chosen))
    except KeyboardInterrupt:
        status = 0
    except HubError as error:
        faults = "".join(f"; {fault.pointer} {fault.detail}" for fault in error.errors)
        print(f"onward: {error}{faults}", file=sys.stderr)
        status = 1
    except (SettingsError, StaleSchemaError, ProfileError, CryptoError, FileExistsError) as error:
        print(f"onward: {error}", file=sys.stderr)
        status = 1
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_reader_gone():
            raise SystemExit(0) from None
        if not is_disconnect(error):
            raise
        print(f"onward: the database does not answer ({type(error).__name__})", file=sys.stderr)
        status = 1
    raise SystemExit(status)
