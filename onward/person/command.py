"""`onward person`: the account of one person."""

import argparse
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from onward.person import export, page, words
from onward.person.gather import gather


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the operator's."""
    person = commands.add_parser("person", help="what is held about one person, and who received it")
    actions = person.add_subparsers(required=True, metavar="ACTION")
    account = actions.add_parser("account", help="who received what, when, why and under what, and all that led to it")
    _add_whom(account)
    account.add_argument("--json", action="store_true", help="for machines, with a hash")
    account.add_argument("--html", type=Path, metavar="FILE", help="also as a page to read")
    account.set_defaults(command=show_account)

    access = actions.add_parser("export", help="all that is held about a person, for the person; kept on record")
    _add_whom(access)
    access.add_argument("--by", required=True, type=_name, help="who answers the person's request")
    access.add_argument("--reviewed-by", type=_name, help="who has read the free text, which then goes along")
    access.add_argument("--out", type=Path, metavar="FILE", required=True, help="the new file, JSON")
    access.add_argument("--html", type=Path, metavar="FILE", help="also as a page to read")
    access.set_defaults(command=make_export)


def _name(given: str) -> str:
    if not given.strip() or len(given) > 80:
        raise argparse.ArgumentTypeError("is 1 to 80 characters")
    return given.strip()


def _add_whom(command: argparse.ArgumentParser) -> None:
    whom = command.add_mutually_exclusive_group(required=True)
    whom.add_argument("--referral", type=UUID, metavar="ID", help="a referral of the person")
    whom.add_argument("--case", type=UUID, metavar="ID", help="a case of the person")
    whom.add_argument("--reference", type=_reference, metavar="SOURCE:REF", help="a source's own reference")


def _reference(given: str) -> str:
    source, _, reference = given.partition(":")
    if not (source and reference):
        raise argparse.ArgumentTypeError("is the source's code, a colon, its reference")
    return given


async def show_account(arguments: argparse.Namespace) -> int:
    """Print everything about a person in order of time; no personal detail is in it."""
    account = await gather(arguments)
    if arguments.html is not None:
        parts = (page.received(account), page.everything(account))
        write(arguments.html, page.page("Account of what was decided, shared and received", parts))
    if arguments.json:
        print(as_json(account.document()))
    else:
        print("\n".join(words.text(account)))
    return 0


async def make_export(arguments: argparse.Namespace) -> int:
    """Write all that is held about a person to files that their owner alone may read; it is recorded first."""
    for path in filter(None, (arguments.out, arguments.html)):
        if path.exists():
            raise FileExistsError(f"{path} is there already")
    document, html = await export.make(arguments)
    write(arguments.out, as_json(document))
    if arguments.html is not None:
        write(arguments.html, html)
    withheld = sum(len(held["withheld"]) for held in document["held"])
    print(f"{len(document['held'])} referrals, {len(document['disclosures'])} disclosures, {withheld} fields withheld")
    print(f"recorded with the hash {document['hash']}")
    return 0


def as_json(document: Any) -> str:
    """Return a document as JSON; times are in UTC."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def write(path: Path, content: str) -> None:
    """Write a file that its owner alone may read; one that stands is not overwritten.

    Raises
    ------
    FileExistsError
        When there is one.
    """
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(content, encoding="utf-8")
