"""The moves of an onward referral as a diagram, drawn from their table; and every coded reason with its words."""

from collections.abc import Mapping

from services.partners import model
from services.partners.policy.transitions import PARTNER_MOVES, TAKEN_BACK, TRANSITIONS
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "onward-referrals.md"
BEGIN = "<!-- made by `python -m tests.docs` from the table of moves and the coded reasons: change those -->\n"
END = "<!-- end -->\n"

_REASONS: dict[str, Mapping[str, str]] = {
    "Why a partner declines": model.DECLINE_REASONS,
    "How a partner's work ended": model.OUTCOMES,
    "Why staff recall": model.RECALL_REASONS,
    "Why routing recalls": model.ROUTING_REASONS,
    "Why the gate refuses": model.GATE_REASONS,
    "Why something may not be done now": model.ACTION_REASONS,
}


def page() -> str:
    """Return the page with its drawn part as the table is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_diagram()}{_reasons()}{END}{after}"


def _diagram() -> str:
    by_partner = {to: name for name, to in PARTNER_MOVES.items()}
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {model.Status.REQUESTED}"]
    for status, following in TRANSITIONS.items():
        lines += [
            f"    {status} --> {to}{f': {by_partner[to]}' if to in by_partner else ''}"
            for to in model.Status
            if to in following - TAKEN_BACK
        ]
    live = [status for status, following in TRANSITIONS.items() if following >= TAKEN_BACK]
    lines += [f"    {status} --> {to}" for to in model.Status if to in TAKEN_BACK for status in live]
    lines += [f"    {status} --> [*]" for status, following in TRANSITIONS.items() if not following]
    return "\n".join([*lines, "```", "", ""])


def _reasons() -> str:
    sections = []
    for title, words in _REASONS.items():
        rows = [f"| `{code}` | {text} |" for code, text in words.items()]
        sections.append("\n".join([f"### {title}\n", "| Code | Means |", "|---|---|", *rows, "", ""]))
    return "".join(sections)
