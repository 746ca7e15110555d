"""What a person is given when they ask what the hub holds about them."""

import argparse
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from onward.operate import intake_deps, open_database
from onward.person import page
from onward.person.gather import Account, gather
from onward.person.words import moment
from services.intake.actions import export

#: Who of the staff did it is their data, not the person's.
_STAFF: Final = frozenset({
    "decided_by", "approved_by", "recorded_by", "taken_by", "placed_by", "lifted_by", "made_by", "reviewed_by",
})  # fmt: skip
_WITHHELD_STAFF: Final = "withheld: staff"
_WITHHELD_TEXT: Final = "withheld: staff_free_text"


async def make(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the export and the same as a page, once it has been recorded that it was made."""
    account = await gather(arguments)
    deps = intake_deps(arguments)
    async with open_database(arguments, "intake") as db:
        async with db.reading() as tx:
            is_reviewed = arguments.reviewed_by is not None
            held = await export.held_about(tx, deps, account.referrals, is_reviewed=is_reviewed)
        document = _document(account, held)
        content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        document["hash"] = hashlib.sha256(content).hexdigest()
        async with db.transaction() as tx:
            await export.record_export(
                tx,
                deps,
                account.referrals,
                made_by=arguments.by,
                reviewed_by=arguments.reviewed_by,
                hash=document["hash"],
            )
    return document, _page(document)


def _document(account: Account, held: list[dict[str, Any]]) -> dict[str, Any]:
    lines = [
        {"at": each.line.at, "what": each.line.what, "id": each.line.id, "named": account.named(each.line),
         "codes": _without_others(each.line.codes)}
        for each in account.told
    ]  # fmt: skip
    return {
        "held": held,
        "disclosures": [line for line in lines if line["what"] == "disclosure"],
        "consents": [line for line in lines if line["what"] == "consent"],
        "everything": lines,
    }


def _without_others(codes: Mapping[str, Any]) -> dict[str, Any]:
    """Return codes without what is about others: who of the staff, and what staff wrote in words of their own."""
    shown = {name: _WITHHELD_STAFF if name in _STAFF else _shown(value) for name, value in codes.items()}
    sealed = shown.pop("sealed", ())
    return shown | dict.fromkeys(sealed, _WITHHELD_TEXT)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_others(value)
    return [_shown(each) for each in value] if isinstance(value, (list, tuple)) else value


def _page(document: Mapping[str, Any]) -> str:
    parts = []
    for held in document["held"]:
        rows = [(name, _said(value)) for name, value in held["fields"].items()]
        rows += [(name, f"withheld: {why}") for name, why in held["withheld"].items()]
        rows += [(name, _said(value)) for name, value in held["codes"].items()]
        parts.append(page.table(f"Referral {held['referral_id']}", ("what", "value"), rows))
    for name in ("disclosures", "consents", "everything"):
        told = [
            (moment(line["at"]), line["what"], line["named"].get("partner", ""), _said(line["codes"]))
            for line in document[name]
        ]
        parts.append(page.table(name.capitalize(), ("when", "what", "who", "details"), told))
    return page.page("What the hub holds about you", parts)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_said(each)}" for name, each in value.items() if each not in (None, [], {}))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value))
    return str(value)
