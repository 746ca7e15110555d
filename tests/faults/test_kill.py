"""kill -9 of anything at a random moment, while referrals come in: every accepted one takes effect exactly once."""

import os
import random
import time
from collections.abc import Sequence

import pytest

from tests.support.hub import FullHub
from tests.support.ledger import Run
from tests.support.posting import Posting, somebody
from tests.support.receiver import Receiver
from tests.support.stack import MODULES

REFERRALS = 500
SERVERS = ("rabbitmq", "postgres")
EVERYTHING = (*MODULES, *SERVERS)
#: Each of the first seeds has its own victims; further ones (`ONWARD_KILL_SEEDS=200`) draw one or several.
VICTIMS: tuple[tuple[str, ...], ...] = (
    *((name,) for name in MODULES), ("rabbitmq",), ("postgres",), ("receiver",), ("rabbitmq", "partners"), EVERYTHING,
)  # fmt: skip
SEEDS = range(int(os.environ.get("ONWARD_KILL_SEEDS", len(VICTIMS))))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_accepted_referral_takes_effect_once(seed: int, full_hub: FullHub, partner: Receiver) -> None:
    chance = random.Random(seed)
    victims = VICTIMS[seed] if seed < len(VICTIMS) else chance.sample(EVERYTHING, chance.choice((1, 1, 1, 2, 3)))
    run = Run(full_hub, partner)
    posting = Posting(full_hub, [somebody(f"Seed {seed}", number) for number in range(REFERRALS)])
    posting.wait_for(chance.randrange(20, REFERRALS - 50))
    time.sleep(chance.uniform(0, 0.05))
    _kill(full_hub, partner, victims)
    time.sleep(2 if "receiver" in victims else chance.uniform(0.1, 1.5))
    _restart(full_hub, partner, chance.sample(victims, len(victims)))
    faults = run.faults(posting.finish().values())
    assert not faults, "\n".join([f"after killing {victims}:", *faults])
    assert set(posting.statuses) <= {0, 202, 502, 503, 504}, posting.statuses


def _kill(hub: FullHub, partner: Receiver, victims: Sequence[str]) -> None:
    for victim in victims:
        if victim == "receiver":
            partner.down()
        elif victim in SERVERS:
            hub.stack.server(victim).kill()
        else:
            hub.stack.kill_service(victim)


def _restart(hub: FullHub, partner: Receiver, victims: Sequence[str]) -> None:
    """Start them in this order. A service that ends because a server is not there yet is started again, as usual."""
    for victim in victims:
        if victim == "receiver":
            partner.up()
            _resume(hub)
        elif victim in SERVERS:
            hub.stack.server(victim).start()
        else:
            hub.stack.start_service(victim)
    for victim in victims:
        if victim in MODULES:
            hub.stack.revive(victim)


def _resume(hub: FullHub) -> None:
    """Have the partner ask to be called again at once, rather than when its circuit breaker closes."""
    for endpoint in hub.call("counselling", "GET", "/v1/webhook-endpoints").json()["items"]:
        answer = hub.call("counselling", "POST", f"/v1/webhook-endpoints/{endpoint['id']}/resume")
        assert answer.status_code == 200, answer.text
