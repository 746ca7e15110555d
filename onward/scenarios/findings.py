"""What staff judged and found, in the words of a scenario, as the calls by which they record it."""

from collections.abc import Mapping
from typing import Any, Final

from hubkit.contracts import codes
from onward.scenarios.book import ScenarioError
from onward.scenarios.stage import Stage
from onward.scenarios.vocabulary import ASSESSMENT_STATE, as_list, code

#: Words of a scenario for a finding that has another code.
_FOUND: Final = {"in_house": "in_house_support"}
_JUDGEMENT: Final = frozenset({"enhanced", "recorded_by", "decided_by", "by", "reason"})


async def judge(stage: Stage, case_id: str, block: Mapping[str, Any]) -> bool:
    """Record a professional judgement, where the block has one; return whether it has."""
    judgement = block.get("manager_judgement")
    if judgement is None:
        return False
    if not isinstance(judgement, Mapping):
        judgement = {"enhanced": bool(judgement)}
    unknown = sorted(set(judgement) - _JUDGEMENT)
    if unknown:
        raise ScenarioError(f"manager_judgement.{unknown[0]}: unknown key")
    by = judgement.get("decided_by") or judgement.get("recorded_by") or judgement.get("by") or "hub_manager"
    reason = judgement.get("reason") or "as_the_scenario_has_it"
    said = {"decided_by": code(by), "reason": code(reason)}
    await stage.act(case_id, "judgements", {"enhanced": judgement["enhanced"], **said})
    return True


async def assess(stage: Stage, case_id: str, block: Mapping[str, Any]) -> bool:
    """Record an assessment, where the block has something of one; return whether it has."""
    if not (ASSESSMENT_STATE | codes.FINDINGS | {"findings"}) & block.keys():
        return False
    body = assessment(block)
    if body["needs"] is None:
        body["needs"] = await known_needs(stage, case_id)
    await stage.act(case_id, "assessments", body)
    return True


async def known_needs(stage: Stage, case_id: str) -> list[str]:
    """Return the needs that the case has, those too that the hub works on itself first."""
    case = await stage.case(case_id)
    return [*case["needs"], *(held["need"] for held in case["held_needs"])]


def assessment(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an assessment; its needs are None where the block names none."""
    needs: list[str] | None = None
    named = {key for key in ("assessed_need", "assessed_needs") if key in block}
    words = [word for key in sorted(named) for word in as_list(block[key])]
    findings = [code for code in sorted(codes.FINDINGS) if block.get(code) is True]
    findings += as_list(block.get("findings"))
    body: dict[str, Any] = {"kind": block.get("kind"), "sections": None, "by": None}
    if block.get("by") is not None:
        body["by"] = code(block["by"])
    initial = block.get("initial_assessment")
    if initial is not None:
        body["kind"] = "initial"
        words += as_list(initial.get("needs"))
        named |= {"needs"} & initial.keys()
        findings += _inner_findings(initial)
    detailed = block.get("needs_assessment")
    if detailed is not None:
        body["kind"] = body["kind"] or "detailed"
        body["sections"] = [code(section) for section in detailed]
        words += as_list(detailed.get("needs"))
        named |= {"needs"} & detailed.keys()
    if named:
        needs = [word for word in dict.fromkeys(words) if word in codes.KINDS]
        findings += [_FOUND[word] for word in words if word in _FOUND]
        if not words:
            findings.append("no_needs")
    return {**body, "needs": needs, "findings": list(dict.fromkeys(findings))}


def _inner_findings(initial: Mapping[str, Any]) -> list[str]:
    unknown = sorted(set(initial) - codes.FINDINGS - {"needs"})
    if unknown:
        raise ScenarioError(f"initial_assessment.{unknown[0]}: unknown key")
    return [code for code in sorted(codes.FINDINGS) if initial.get(code) is True]
