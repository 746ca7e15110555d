"""`onward directory import`: a feed in Open Referral UK 3.0, from an address or a file, into the directory."""

import argparse
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hubkit.config import SettingsError
from hubkit.crypto import Keyring
from hubkit.egress import FeedClient
from hubkit.jsonbody import parse_json
from onward.operate import open_database, partners_setting
from services.partners.actions.imports import Report, import_feed

#: A county's whole directory has some thousands.
_MAX_SERVICES: Final = 20_000
_MAX_FILE: Final = 256 * 2**20
_PER_PAGE: Final = 100
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Json = dict[str, Any]


class _DryRunError(Exception):
    """Undoes what was done to see what it would do."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about the directory."""
    directory = commands.add_parser("directory", help="the directory of services").add_subparsers(
        required=True, metavar="ACTION"
    )
    take = directory.add_parser(
        "import", help="take services from an Open Referral UK feed: new ones as drafts, nothing cleared"
    )
    take.add_argument("source", metavar="URL|FILE", help="where the feed answers, such as https://…/o/v3, or its JSON")
    take.add_argument("--feed", help="the feed's name, the same each time (default: its address, or the file's name)")
    take.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    take.set_defaults(command=import_directory)


async def import_directory(arguments: argparse.Namespace) -> int:
    """Take a feed into the directory and print what changed; exit status 1 when something of it was refused."""
    source: str = arguments.source
    if source.startswith(("https://", "http://")):
        name, records, complete = arguments.feed or _feed_name(source), await _fetch(arguments, source), True
    else:
        name = arguments.feed or Path(source).name
        records, complete = _read(Path(source))
    if not 0 < len(name) <= 200:
        raise SettingsError("a feed's name has 1 to 200 characters; give it with --feed")
    keyring = Keyring.parse(partners_setting(arguments, "field_keys"))
    report = Report(name)
    async with open_database(arguments, "partners") as db:
        try:
            async with db.transaction() as tx:
                report = await import_feed(tx, keyring, name, records, complete=complete)
                if arguments.dry_run:
                    raise _DryRunError
        except _DryRunError:
            pass
    shown = {"dry_run": arguments.dry_run, "complete": complete, **report.as_json()}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 1 if report.refused else 0


def _feed_name(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path.rstrip('/').removesuffix('/services')}"


def _read(path: Path) -> tuple[list[Json], bool]:
    """Return the services in a file, and whether they are all that the feed has."""
    try:
        size = path.stat().st_size
        if size > _MAX_FILE:
            raise SettingsError(f"{path} is larger than {_MAX_FILE} bytes")
        document = parse_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    if isinstance(document, dict) and "contents" in document:
        is_all = document.get("first_page", True) is True and document.get("last_page", True) is True
        return _services(document["contents"]), is_all
    if isinstance(document, list):
        return _services(document), True
    return _services([document]), False


async def _fetch(arguments: argparse.Namespace, url: str) -> list[Json]:
    """Return every service of a feed, with what belongs to each."""
    private = partners_setting(arguments, "allow_private_endpoints", "false").lower() in ("true", "1")
    client = FeedClient(allow_http=private, allow_private=private)
    base = url.rstrip("/").removesuffix("/services")
    found: list[Json] = []
    try:
        async for listed in _pages(client, base):
            for each in listed:
                found.append(await _whole(client, base, each))
                if len(found) > _MAX_SERVICES:
                    raise SettingsError(f"the feed has more than {_MAX_SERVICES} services")
    finally:
        await client.aclose()
    return found


async def _pages(client: FeedClient, base: str) -> AsyncIterator[list[Json]]:
    number, total = 1, 1
    while number <= total:
        page = parse_json(await client.get(f"{base}/services?page={number}&per_page={_PER_PAGE}"))
        if not isinstance(page, dict) or not isinstance(page.get("contents"), list):
            raise SettingsError(f"page {number} of {base}/services is no page of Open Referral UK 3.0")
        yield _services(page["contents"])
        pages = page.get("total_pages")
        # A feed that says nothing, or too much, of its pages is read until one is empty or the last.
        total = pages if isinstance(pages, int) else number + bool(page["contents"])
        if page.get("last_page") is True or not page["contents"]:
            return
        number += 1
    return


async def _whole(client: FeedClient, base: str, listed: Json) -> Json:
    """Return a service with what belongs to it; a list has only what it has one of."""
    id = listed.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        return listed
    document = parse_json(await client.get(f"{base}/services/{id}"))
    return document if isinstance(document, dict) and document.get("id") == id else listed


def _services(items: Any) -> list[Json]:
    if isinstance(items, list) and all(isinstance(each, dict) for each in items):
        return items
    raise SettingsError("this is no list of services in Open Referral UK 3.0")
