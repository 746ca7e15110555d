"""Takes the pathways of cases up again: what all that changes a case or the directory has in common."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hubkit.db import Tx
from hubkit.ids import new_id
from services.routing import store
from services.routing.actions.deps import Deps
from services.routing.actions.tell import announce, open_review, save_changed, tell
from services.routing.model import CaseFacts, Pathway, PathwayStatus
from services.routing.policy.candidates import services_for, with_fresh_capacity
from services.routing.policy.plan import Changed, plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """The needs of an open case that are named, and at which of its versions staff asked for one."""

    case: CaseFacts
    needs: tuple[str, ...]
    requests: Mapping[str, int] = field(default_factory=dict)


async def take_up(tx: Tx, deps: Deps, wanted: Sequence[Wanted], standing: Sequence[Pathway]) -> None:
    """Make the pathways that do not stand yet, decide those anew that are to be, and say what became of them.

    Parameters
    ----------
    standing
        All pathways of these cases, locked.
    """
    if not wanted:
        return
    profile = deps.profile_at(tx.now)
    pathways: defaultdict[UUID, list[Pathway]] = defaultdict(list)
    for pathway in standing:
        pathways[pathway.case_id].append(pathway)
    needs = {need for each in wanted for need in (*each.needs, *each.requests)}
    needs |= {pathway.need for pathway in standing if pathway.status is PathwayStatus.AWAITING_LEAD}
    listings = with_fresh_capacity(await store.list_services(tx, needs), profile.routing, tx.now)
    services = {need: services_for(need, listings) for need in needs}
    before: dict[UUID, Pathway] = {}
    after: list[Pathway] = []
    reviewed = {}
    for each in wanted:
        mine = pathways[each.case.case_id]
        blanks = _blanks(each, {pathway.need for pathway in mine})
        before |= {pathway.id: pathway for pathway in (*mine, *blanks)}
        changed = Changed(frozenset(each.needs), services, each.requests)
        planned = plan(profile, each.case, (*mine, *blanks), changed, new_id)
        after += planned.pathways
        places = frozenset((matched.service_id, matched.team) for matched in planned.review)
        if profile.lead_provider is not None and places != each.case.reviewed:
            reviewed[each.case.case_id] = places
            if planned.review:
                open_review(tx, each.case, planned.review)
    for pathway in after:
        tell(tx, before[pathway.id], pathway)
    new = [pathway for pathway in after if before[pathway.id].version == 0]
    await store.add_pathways(tx, new)
    announce(tx, profile, new)
    await save_changed(tx, profile, before, [pathway for pathway in after if before[pathway.id].version > 0])
    await store.set_reviewed(tx, reviewed)


def _blanks(wanted: Wanted, known: set[str]) -> list[Pathway]:
    case = wanted.case
    return [
        Pathway(
            new_id(), case.case_id, case.referral_id, need, PathwayStatus.NO_CANDIDATE, 0,
            requested_version=case.version,
        )
        for need in dict.fromkeys(wanted.needs)
        if need not in known
    ]  # fmt: skip
