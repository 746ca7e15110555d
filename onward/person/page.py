"""The account as a page to read: every value escaped, nothing loaded from anywhere."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from onward.person.gather import Account
from onward.person.words import grounds, moment, recipient, sentence

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em;"
    "border-bottom:1px solid #b1b4b6;overflow-wrap:anywhere}th{white-space:nowrap}"
)
Row = Sequence[object]


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole document."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    body = "".join(parts)
    top = f'<!doctype html><html lang="en"><head>{policy}{head}</head>'
    return f"{top}<body><h1>{escape(title)}</h1>{body}</body></html>\n"


def table(heading: str, columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a headed table; every cell is escaped."""
    top = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<h2>{escape(heading)}</h2><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def received(account: Account) -> str:
    """Return who received what, when, why and under what."""
    rows = []
    for each in account.passages:
        line = each.line
        fields = ", ".join(line.codes.get("fields", ())) or "news without personal details"
        who = recipient(account.named(line), line.codes)
        rows.append((moment(line.at), who, fields, grounds(line.codes), line.codes.get("hash", "")))
    return table("Who received what", ("when", "who", "what", "why", "SHA-256"), rows)


def everything(account: Account) -> str:
    """Return every line in order of time."""
    rows = [(moment(each.line.at), each.service, sentence(account, each)) for each in account.told]
    return table("Everything, in order of time", ("when", "service", "what"), rows)
