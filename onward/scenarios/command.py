"""`onward scenarios`: play the scenarios of files, and say of each whether it holds."""

import argparse
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from onward.scenarios.book import Scenario, ScenarioError, read_book
from onward.scenarios.grounds import Grounds, ServerGrounds
from onward.scenarios.play import Result, play


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the operator's."""
    scenarios = commands.add_parser("scenarios", help="play acceptance scenarios against the hubs' profiles")
    scenarios.add_argument("files", type=Path, nargs="+", metavar="FILE", help="YAML: hubs, each with scenarios")
    scenarios.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    scenarios.add_argument("--only", metavar="ID", action="append", help="only this scenario; may stand several times")
    scenarios.add_argument("--profiles", type=Path, default=Path("profiles"), help="folder of profiles (profiles)")
    scenarios.add_argument("--database-url", help="a PostgreSQL server to make databases on, instead of files")
    scenarios.add_argument("--amqp-url", help="an unused virtual host of a RabbitMQ broker, with --database-url")
    scenarios.set_defaults(command=run)


async def run(arguments: argparse.Namespace) -> int:
    """Play every scenario of the files; returns 1 when one fails."""
    # What goes wrong in the hub is said of the scenario; its logs would stand between the lines.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return await _run(arguments)
    finally:
        logging.disable(before)


async def _run(arguments: argparse.Namespace) -> int:
    try:
        grounds = grounds_of(arguments.database_url, arguments.amqp_url)
        scenarios = [scenario for path in arguments.files for scenario in read_book(path)]
    except ScenarioError as error:
        print(f"onward: {error}", file=sys.stderr)
        return 1
    chosen = [each for each in scenarios if not arguments.only or each.id in arguments.only]
    return await _play_all(grounds, chosen, arguments)


async def _play_all(grounds: Grounds, scenarios: Iterable[Scenario], arguments: argparse.Namespace) -> int:
    counts = dict.fromkeys(("passed", "failed", "not_run"), 0)
    async with grounds:
        for scenario in scenarios:
            result = await play(grounds, scenario, arguments.profiles)
            counts[result.status] += 1
            print(_as_json(result) if arguments.json else line(result), flush=True)
    summary = f"{counts['passed']} passed, {counts['failed']} failed"
    print(json.dumps(counts) if arguments.json else summary)
    return 1 if counts["failed"] else 0


def grounds_of(database_url: str | None, amqp_url: str | None) -> Grounds:
    """Return where the worlds stand.

    Raises
    ------
    ScenarioError
        When only one of the two servers is named.
    """
    if database_url and amqp_url:
        return ServerGrounds(database_url, amqp_url)
    if database_url or amqp_url:
        raise ScenarioError("--database-url and --amqp-url go together")
    return Grounds()


def line(result: Result) -> str:
    """Return the line that says what came of a scenario."""
    name = f"{result.scenario.id} {result.scenario.title}".rstrip()
    if result.status == "not_run":
        return f"not run yet (reporting) {name}"
    return f"FAILED {name}: {'; '.join(result.faults)}" if result.faults else f"ok {name}"


def _as_json(result: Result) -> str:
    return json.dumps(
        {
            "hub": result.scenario.hub,
            "id": result.scenario.id,
            "title": result.scenario.title,
            "status": result.status,
            "faults": list(result.faults),
            "seconds": round(result.seconds, 3),
        }
    )
