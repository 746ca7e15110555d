"""kill -9 of the hub on one machine: on the same data it goes on where it was."""

import random
import time
from collections.abc import Iterator

import pytest

from tests.support.hub import EmbeddedHub
from tests.support.ledger import Run
from tests.support.posting import Posting, somebody
from tests.support.receiver import Receiver

REFERRALS = 100


@pytest.fixture(scope="module")
def hub() -> Iterator[EmbeddedHub]:
    hub = EmbeddedHub()
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def counselling(hub: EmbeddedHub) -> Iterator[Receiver]:
    with Receiver() as receiver:
        hub.endpoint("counselling", receiver.url)
        yield receiver


@pytest.mark.parametrize("seed", range(2))
def test_every_accepted_referral_takes_effect_once(seed: int, hub: EmbeddedHub, counselling: Receiver) -> None:
    chance = random.Random(seed)
    run = Run(hub, counselling)
    posting = Posting(hub, [somebody(f"Seed {seed}", number) for number in range(REFERRALS)])
    posting.wait_for(chance.randrange(5, REFERRALS - 10))
    time.sleep(chance.uniform(0, 0.05))
    hub.kill()
    hub.restart()
    faults = run.faults(posting.finish().values())
    assert not faults, "\n".join(faults)
    assert set(posting.statuses) <= {0, 202, 503}, posting.statuses
