"""Gathers the account of one person from all services; each is read through its own actions, and nothing is changed."""

import argparse
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import orjson

from hubkit.account import Line
from hubkit.db import Tx
from onward.operate import open_database
from services.intake.actions import account as intake
from services.partners.actions import account as partners
from services.routing.actions import account as routing
from services.triage.actions import account as triage

#: The kinds of lines by which something reached a recipient: a webhook, a reading.
PASSAGES: Final = ("attempt", "disclosure")
#: What happened to an onward referral, as triage heard it.
_HEARD: Final = "onward_referral."
_STANDING: Final = "onward_referral"


@dataclass(frozen=True, slots=True)
class Told:
    """A line with the service that keeps it."""

    service: str
    line: Line


@dataclass(frozen=True, slots=True)
class Account:
    """Everything of one person, in order of time. `names` are those of partners, services and endpoints, by id."""

    referrals: list[UUID]
    cases: list[UUID]
    told: list[Told]
    names: Mapping[UUID, str]

    @property
    def passages(self) -> list[Told]:
        """What reached a recipient, or may have."""
        return [each for each in self.told if is_passage(each.line)]

    def document(self) -> dict[str, Any]:
        """Return the account for machines; `hash` is SHA-256 of `lines` as JSON with sorted keys."""
        lines = [
            {"at": each.line.at, "service": each.service, "what": each.line.what, "id": each.line.id,
             "codes": each.line.codes, "named": self.named(each.line)}
            for each in self.told
        ]  # fmt: skip
        return {
            "referrals": [str(id) for id in self.referrals],
            "cases": [str(id) for id in self.cases],
            "lines": lines,
            "hash": hashlib.sha256(orjson.dumps(lines, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        }

    def named(self, line: Line) -> dict[str, str]:
        """Return what those are called whom a line names by their ids."""
        found = {}
        for name in ("partner", "service", "endpoint"):
            id = _id(line.codes.get(f"{name}_id"))
            if id is not None and id in self.names:
                found[name] = self.names[id]
        return found


def is_passage(line: Line) -> bool:
    """Return whether by this something reached a recipient, or may have: also a permit whose use nobody knows."""
    return line.what in PASSAGES or (line.what == "permit" and line.codes["use"] == "unknown")


async def gather(arguments: argparse.Namespace) -> Account:
    """Read the account of the person whom `--referral`, `--case` or `--reference` names.

    Raises
    ------
    NotFoundError
        When nothing is known under that name.
    """
    referrals = await _referrals(arguments)
    async with _reading(arguments, "triage") as tx:
        cases = await triage.cases_of_referrals(tx, referrals)
        heard = await triage.lines_of(tx, cases)
    async with _reading(arguments, "intake") as tx:
        taken = await intake.lines_of(tx, referrals)
    async with _reading(arguments, "routing") as tx:
        routed = await routing.lines_of(tx, cases)
    async with _reading(arguments, "partners") as tx:
        shared = await partners.account_of(tx, cases)
    said = (("intake", taken), ("triage", heard), ("routing", routed), ("partners", shared.lines))
    told = [Told(service, line) for service, lines in said for line in lines]
    told = sorted(_as_it_stands(told), key=lambda each: (each.line.at, each.line.id, each.service))
    return Account(referrals, cases, told, shared.names)


async def _referrals(arguments: argparse.Namespace) -> list[UUID]:
    referral_id: UUID | None = arguments.referral
    if arguments.case is not None:
        async with _reading(arguments, "triage") as tx:
            referral_id = await triage.referral_of_case(tx, arguments.case)
    async with _reading(arguments, "intake") as tx:
        if referral_id is None:
            organisation, _, reference = arguments.reference.partition(":")
            referral_id = await intake.referral_under(tx, organisation, reference)
        return await intake.referrals_of_person(tx, referral_id)


def _as_it_stands(told: list[Told]) -> Iterable[Told]:
    """Yield the lines; an onward referral as it stands counts at the time of its last change, which is not told twice.

    Triage may not have heard of the last change yet; partners has only the last.
    """
    standing = {(each.line.id, each.line.codes["version"]) for each in told if each.line.what == _STANDING}
    for each in told:
        line = each.line
        if line.what == _STANDING:
            yield Told(each.service, replace(line, at=line.codes["changed_at"]))
        elif not (line.what.startswith(_HEARD) and _version(line) in standing):
            yield each


def _version(line: Line) -> tuple[str, Any]:
    # What is no change of state (an amendment, a reminder) has no version, and is nowhere told otherwise.
    return str(line.codes["onward_referral_id"]), line.codes.get("version")


def _id(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


@contextlib.asynccontextmanager
async def _reading(arguments: argparse.Namespace, service: str) -> AsyncIterator[Tx]:
    async with open_database(arguments, service) as db, db.reading() as tx:
        yield tx
