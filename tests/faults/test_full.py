"""Rows of the fault matrix as real faults: servers that stand still, go away, forget, or say everything twice."""

import shutil
import time
from datetime import UTC, datetime, timedelta

import httpx

from tests.support.evidence import Eavesdropper
from tests.support.hub import FullHub, eventually, referral
from tests.support.ledger import Run
from tests.support.posting import Posting, somebody
from tests.support.receiver import Receiver
from tests.support.stack import MODULES

SERVICES = tuple(name for name in MODULES if name != "gateway")


def post(hub: FullHub, run: str, count: int) -> Posting:
    """Post referrals and wait until all are answered."""
    posting = Posting(hub, [somebody(run, number) for number in range(count)])
    posting.finish()
    return posting


def test_broker_that_stands_still_stops_no_accept(full_hub: FullHub, partner: Receiver) -> None:
    """Row 9."""
    run = Run(full_hub, partner)
    rabbit = full_hub.stack.rabbit
    rabbit.pause()
    try:
        began = time.monotonic()
        posting = post(full_hub, "Paused", 100)
        assert time.monotonic() - began < 10
        assert set(posting.statuses) == {202}
        time.sleep(max(0.0, began + 20 - time.monotonic()))
    finally:
        rabbit.resume()
    faults = run.faults(posting.accepted.values())
    assert not faults, "\n".join(faults)


def test_database_killed_while_idle_is_used_again_within_ten_seconds(full_hub: FullHub, partner: Receiver) -> None:
    """Row 20."""
    full_hub.stack.postgres.kill()
    answer = full_hub.post_referral(referral())
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1"), answer.text
    assert not _ready(full_hub)
    full_hub.stack.postgres.start()
    run, began = Run(full_hub, partner), time.monotonic()
    for name in MODULES:
        full_hub.stack.wait_ready(name, 10)
    posting = post(full_hub, "Recovered", 5)
    faults = run.faults(posting.accepted.values(), 10)
    assert not faults, "\n".join(faults)
    assert time.monotonic() - began < 10


def _ready(hub: FullHub) -> list[str]:
    return [name for name in MODULES if httpx.get(f"{hub.stack.url(name)}/readyz").status_code == 200]


def test_messages_that_come_a_hundred_times_have_one_effect(full_hub: FullHub, partner: Receiver) -> None:
    """Row 42."""
    run = Run(full_hub, partner)
    with Eavesdropper(full_hub.stack.rabbit.url) as eavesdropper:
        posting = post(full_hub, "Repeated", 2)
        assert not run.faults(posting.accepted.values())
        said = dict.fromkeys(eavesdropper.bodies)
        assert {"referral.received.v1", "case.opened.v1", "onward_referral.sent.v1"} <= {type for type, _ in said}
        eavesdropper.publish(message for message in said for _ in range(100))
    eventually(lambda: not full_hub.stack.queued(), 30)
    faults = run.faults(posting.accepted.values())
    assert not faults, "\n".join(faults)


def test_partner_that_fails_and_recovers_is_told_once(full_hub: FullHub, partner: Receiver) -> None:
    """Rows 6 and 36: the repetition carries the same webhook-id, so that the partner knows it."""
    run, heard = Run(full_hub, partner), len(partner.received)
    partner.status = 500
    posting = post(full_hub, "Failing", 3)
    eventually(lambda: len(partner.received) >= heard + 3)
    partner.status = 204
    faults = run.faults(posting.accepted.values())
    assert not faults, "\n".join(faults)
    ids = [one.headers["webhook-id"] for one in partner.received[heard:]]
    assert {ids.count(id) for id in ids} == {2}


def test_queue_that_is_deleted_comes_back(full_hub: FullHub, partner: Receiver) -> None:
    """Rows 18 and 19: until it is back its events are unroutable, and wait in the outbox."""
    run = Run(full_hub, partner)
    api = full_hub.stack.rabbit.broker.api
    api("DELETE", "/api/queues/%2F/triage.referral.received.v1")
    api("DELETE", "/api/queues/%2F/partners.onward_referral.requested.v1")
    posting = post(full_hub, "Deleted", 5)
    faults = run.faults(posting.accepted.values())
    assert not faults, "\n".join(faults)


def test_broker_that_has_forgotten_everything_is_told_again(full_hub: FullHub, partner: Receiver) -> None:
    """Row 17: the operator has the outboxes replayed; what consumers have is dropped by them."""
    run, since = Run(full_hub, partner), datetime.now(UTC) - timedelta(seconds=1)
    rabbit = full_hub.stack.rabbit
    for name in SERVICES[1:]:
        full_hub.stack.kill_service(name)  # nobody consumes: what intake says is in the queues alone
    posting = post(full_hub, "Forgotten", 20)
    eventually(lambda: full_hub.stack.queued().get("triage.referral.received.v1"), 10)
    rabbit.kill()
    shutil.rmtree(rabbit.folder / "mnesia")
    rabbit.start()
    for name in SERVICES[1:]:
        full_hub.stack.start_service(name)
    for name in SERVICES:
        full_hub.stack.wait_ready(name)
    for name in SERVICES:
        full_hub.operate("outbox", "replay", "--service", name, "--since", since.isoformat())
    faults = run.faults(posting.accepted.values())
    assert not faults, "\n".join(faults)


def test_two_of_every_service_share_the_work_and_one_may_die(full_hub: FullHub, partner: Receiver) -> None:
    """Row 7: the relay of the survivor takes over; no event is lost or applied twice between the two."""
    run = Run(full_hub, partner)
    stack = full_hub.stack
    second = {name: stack.start_replica(name) for name in SERVICES}
    try:
        posting = Posting(full_hub, [somebody("Two", number) for number in range(200)])
        posting.wait_for(60)
        for name in SERVICES:
            stack.kill_service(name)
        for name in SERVICES:
            stack.start_service(name)
        faults = run.faults(posting.finish().values())
    finally:
        for process in second.values():
            process.terminate()
        for process in second.values():
            process.wait(25)
        for name in SERVICES:
            stack.revive(name)
    assert not faults, "\n".join(faults)
