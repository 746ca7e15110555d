"""Partners at fault: nothing is lost, nothing goes where it must not, nobody else waits.

The rows of the fault matrix that concern partners, and the tests that prove them, here and elsewhere:

28  test_partner_faults.py  test_a_half_open_socket_is_given_up_at_the_deadline
28  test_partner_faults.py  test_a_kept_connection_that_died_costs_one_attempt
29  test_dispatch.py        test_an_endpoint_that_drips_is_cut_off_and_does_not_slow_another
30  test_partner_faults.py  test_an_hour_of_failures_costs_few_attempts
30  test_dispatch.py        test_a_dead_endpoint_opens_its_breaker_and_burns_no_attempts
31  test_dispatch.py        test_retry_after_is_honoured_within_an_hour
32  test_partner_faults.py  test_a_redirect_inwards_is_counted_and_not_followed
33  test_partner_faults.py  test_a_name_that_turns_inwards_is_blocked_and_its_news_parked
34  test_partner_faults.py  test_bad_tls_is_a_failure_of_its_class_and_is_tried_again
35  test_dispatch.py        test_success_counts_when_the_connection_breaks_after_the_headers
36  test_partner_faults.py  test_a_lost_answer_repeats_the_id_and_is_applied_once
37  test_partner_faults.py  test_bombs_cost_no_memory
38  test_partner_faults.py  test_gone_stops_what_is_in_memory_too
39  test_fairness.py        test_row_39_after_75_hours_down_all_is_parked_with_its_reason_and_a_replay_delivers
43  test_onward.py          test_an_older_version_of_a_case_changes_nothing
43  test_onward.py          test_a_request_for_an_unknown_case_is_deferred_and_the_others_stand
44  test_withdrawal_races.py  test_nothing_is_sent_after_a_withdrawal_is_acknowledged
45  test_partner_faults.py  test_while_the_database_of_consents_is_away_news_waits
45  test_disclose.py        test_when_intake_is_away_nothing_is_recorded_and_the_permit_is_settled
46  test_partner_faults.py  test_an_agreement_that_ends_between_attempts_stops_the_next
46  test_agreements.py      test_a_change_between_preparing_and_sending_is_honoured
47  test_partner_faults.py  test_a_suspended_partner_gets_no_further_attempt
47  test_partner_faults.py  test_no_attempt_begins_at_an_address_that_was_given_up
47  test_verification.py    test_a_changed_url_is_told_nothing_before_it_is_verified_and_the_old_one_no_more
50  test_fairness.py        test_row_50_every_attempt_verifies_with_the_old_or_the_new_key_throughout_a_rotation

All at once, and whether anybody waits for them: `test_fairness.py`; by how much: `python -m bench fairness`.
"""

import ast
import asyncio
import contextlib
import gzip
import re
import socket
import ssl
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from sqlalchemy import make_url, update

from hubkit.db import table_of
from hubkit.egress import WebhookClient
from services.partners.actions.endpoints import change_endpoint, delete_endpoint, resume_endpoint
from services.partners.policy.breaker import MIN_REQUESTS
from services.partners.tables.delivery import Endpoint
from services.partners.tables.registry import Agreement, Partner
from tests.services.partners.delivery_support import (
    NOW,
    Receiver,
    World,
    dispatching,
    open_world,
    receiving,
    status,
    until,
)
from tests.services.partners.hostile_support import Authority, answering_tls, only, proxied

ROWS = {*range(28, 40), *range(43, 48), 50}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/partners.db"


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    async with open_world(url) as world:
        yield world


def wake(world: World, **forward: float) -> None:
    """Move the clock and let the dispatcher look again."""
    world.clock.advance(timedelta(**forward))
    world.deps.handover.take(())


async def attempted(world: World, count: int) -> list[Any]:
    """Wait for this many attempts and return all."""

    async def there() -> bool:
        return len(await world.attempts()) >= count

    await until(there)
    return await world.attempts()


def counted(name: str, **labels: str) -> float:
    """Return what a metric says."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def port_of(receiver: Receiver) -> int:
    return int(receiver.url.rsplit(":", 1)[1].partition("/")[0])


def index() -> list[tuple[int, str, str]]:
    """Return the index above: row, file, test."""
    lines = (line.split() for line in (__doc__ or "").splitlines())
    return [(int(line[0]), line[1], line[2]) for line in lines if len(line) == 3 and line[0].isdecimal()]


def test_every_row_is_named_by_a_test() -> None:
    assert {row for row, _, _ in index()} == ROWS
    for row, file, name in index():
        tree = ast.parse(Path(__file__).with_name(file).read_text(encoding="utf-8"))
        [found] = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == name]
        said = f"{name.replace('_', ' ')} {ast.get_docstring(found)}"
        assert re.search(rf"\brow {row}\b", said, re.IGNORECASE), (row, name)


async def test_a_half_open_socket_is_given_up_at_the_deadline(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 28: the kernel takes the connection and the request, and nobody is there. The only sender comes free."""
    monkeypatch.setattr("services.partners.jobs.ATTEMPT_S", 0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        async with (
            open_world(url, dispatch_concurrency=1, endpoint_concurrency=1) as world,
            receiving(status(204)) as healthy,
            dispatching(world),
        ):
            silent, well = await world.partner(), await world.partner()
            await world.endpoint(silent, f"http://127.0.0.1:{deaf.getsockname()[1]}/hook")
            await world.endpoint(well, healthy.url)
            await world.notify(silent, permit=True)
            await world.notify(well, permit=True)
            await world.states(delivered=1, queued=1)
            assert Counter(row.error_class for row in await attempted(world, 2)) == {"timeout": 1, "none": 1}
            assert len(healthy.received) == 1


async def test_a_kept_connection_that_died_costs_one_attempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 28 once more: a connection that served before and whose other end is gone without a word."""
    monkeypatch.setattr("services.partners.jobs.ATTEMPT_S", 0.5)
    partner = await world.partner()
    async with receiving(status(204)) as receiver, proxied(port_of(receiver)) as proxy, dispatching(world):
        await world.endpoint(partner, f"http://127.0.0.1:{proxy.port}/hook")
        await world.notify(partner, permit=True)
        await world.states(delivered=1)
        proxy.swallows = True
        await world.notify(partner, permit=True)
        assert [row.error_class for row in await attempted(world, 2)] == ["none", "timeout"]
        proxy.swallows = False
        wake(world, seconds=7)
        await world.states(delivered=2)
    assert len({hook.id for hook in receiver.received}) == 2


async def test_an_hour_of_failures_costs_few_attempts(world: World) -> None:
    """Row 30: the breaker opens, what is in memory goes back unsent, one probe goes at a time, all arrives after it."""
    partner = await world.partner()
    async with receiving(status(503)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        wanted = set(await world.notify(partner, 150, permit=True))

        async def opened(times: int) -> bool:
            [row] = await world.endpoints()
            rows = await world.deliveries()
            return row.openings == times and all(each.lease_token is None for each in rows)

        await until(lambda: opened(1))
        burst = len(receiver.received)
        assert MIN_REQUESTS <= burst <= MIN_REQUESTS + world.deps.endpoint_concurrency
        times = 1
        while world.clock.now() < NOW + timedelta(hours=1):
            [row] = await world.endpoints()
            wake(world, seconds=(row.open_until - world.clock.now()).total_seconds())
            times += 1
            await until(lambda times=times: opened(times))
        assert len(receiver.received) == burst + times - 1
        assert {row.state for row in await world.deliveries()} == {"queued"}
        receiver.answer = status(204)
        wake(world, minutes=16)

        async def delivered() -> bool:
            wake(world, minutes=1)
            await asyncio.sleep(0.3)
            return {row.state for row in await world.deliveries()} == {"delivered"}

        await until(delivered, timeout_s=60)
    assert {hook.onward_id for hook in receiver.received} == wanted


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_a_redirect_inwards_is_counted_and_not_followed(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Row 32: recorded and counted, tried again at its own address, and no other address is dialled."""
    dialled: set[str] = set()
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def dial(sock: socket.socket, address: Any) -> None:
        dialled.add(f"{address[0]}:{address[1]}")
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", dial)
    before = counted("onward_deliveries_total", outcome="redirect")
    partner = await world.partner()
    away = status(code, Location="http://169.254.169.254/latest/meta-data")
    async with receiving(away) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        [attempt] = await attempted(world, 1)
        assert (attempt.status, attempt.error_class) == (code, "redirect")
        receiver.answer = status(204)
        wake(world, seconds=7)
        await world.states(delivered=1)
    assert dialled == {f"127.0.0.1:{port_of(receiver)}"}
    assert len(receiver.received) == 2
    assert counted("onward_deliveries_total", outcome="redirect") == before + 1


async def test_a_name_that_turns_inwards_is_blocked_and_its_news_parked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 33: one name, public at first and then loopback, or both at once, and an answer that nobody may remember."""
    touched: list[str] = []

    async def canary(_: web.Request) -> web.StreamResponse:
        touched.append("canary")
        return web.Response()

    async with receiving(canary) as inside, receiving(status(204, Connection="close")) as outside:
        answers: list[tuple[Any, ...]] = []
        public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.41.0.4", 80))
        loopback = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port_of(inside)))
        mapped = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:127.0.0.1", port_of(inside), 0, 0))
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
            return answers

        async def dial(sock: socket.socket, address: Any) -> None:
            # The public address is played by the receiver: the tests have no way out.
            where = ("127.0.0.1", port_of(outside)) if address[0] == "198.41.0.4" else address
            await connect(sock, where)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(loop, "sock_connect", dial)
        monkeypatch.setattr("aiohttp.connector._DNSCacheTable.expired", lambda *_: True)  # a TTL of 0
        partner = await world.partner()
        await world.endpoint(partner, "http://hooks.example.org/hook")
        async with dispatching(world, WebhookClient(allow_http=True)):
            answers[:] = [public]
            await world.notify(partner, permit=True)
            await world.states(delivered=1)
            for number, turned in enumerate(([loopback], [mapped], [mapped, loopback]), 1):
                answers[:] = turned
                await world.notify(partner, permit=True)
                await world.states(delivered=1, parked=number)
            answers[:] = [mapped, public, loopback]  # happy eyeballs may take the public one, and no other
            await world.notify(partner, permit=True)
            await attempted(world, 5)
    assert touched == []
    assert inside.received == []
    assert {row.reason for row in await world.deliveries() if row.state == "parked"} == {"address_blocked"}


@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed", "TLS 1.0", "TLS 1.1"])
async def test_bad_tls_is_a_failure_of_its_class_and_is_tried_again(world: World, tmp_path: Path, fault: str) -> None:
    """Row 34: nothing passes before the handshake is right, no weaker one is tried, and the retry finds it mended."""
    authority = Authority(tmp_path)
    bad = {
        "expired": lambda: authority.server(days=-1),
        "wrong host": lambda: authority.server("other.example.org"),
        "self-signed": lambda: authority.server(is_own=True),
        "TLS 1.0": lambda: only(authority.server(), ssl.TLSVersion.TLSv1),
        "TLS 1.1": lambda: only(authority.server(), ssl.TLSVersion.TLSv1_1),
    }[fault]()
    partner = await world.partner()
    async with dispatching(world, WebhookClient(allow_private=True, tls=authority.client())):
        async with answering_tls(bad) as (port, came):
            await world.endpoint(partner, f"https://localhost:{port}/hook")
            await world.notify(partner, permit=True)
            [attempt] = await attempted(world, 1)
            assert (attempt.status, attempt.error_class) == (None, "tls")
            await world.states(queued=1)
            assert came == []
        async with answering_tls(authority.server(), port) as (_, came):
            wake(world, seconds=7)
            await world.states(delivered=1)
            assert len(came) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_an_old_tls_server_does_answer_who_would_speak_it(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """What the test before this one stands on: it is our client that refuses."""
    authority = Authority(tmp_path)
    async with answering_tls(only(authority.server(), version)) as (port, _):
        client = WebhookClient(allow_private=True, tls=only(authority.client(), version))
        assert (await client.post(f"https://localhost:{port}/", {}, b"{}")).ok
        await client.aclose()


async def test_a_lost_answer_repeats_the_id_and_is_applied_once(world: World) -> None:
    """Row 36: the partner has it and we do not know: the same `webhook-id` again, by which it applies it once."""
    applied: set[str] = set()
    times: list[str] = []

    async def apply(_: web.Request) -> web.StreamResponse:
        id = receiver.received[-1].id
        if id not in applied:
            applied.add(id)
            times.append(id)
        return web.Response()

    partner = await world.partner()
    async with receiving(apply) as receiver, proxied(port_of(receiver)) as proxy, dispatching(world):
        proxy.cuts_answers = True
        await world.endpoint(partner, f"http://127.0.0.1:{proxy.port}/hook")
        await world.notify(partner, permit=True)
        assert [row.error_class for row in await attempted(world, 1)] == ["reset"]
        assert await world.statuses() == ["ready"]
        proxy.cuts_answers = False
        wake(world, seconds=7)
        await world.states(delivered=1)
    assert [hook.id for hook in receiver.received] == times * 2
    assert len(times) == 1
    assert await world.statuses() == ["sent"]


async def test_bombs_cost_no_memory(world: World) -> None:
    """Row 37: twenty answers at once that unpack to 1 GB each, or are as long, are read to 64 KiB and left packed."""
    bomb = gzip.compress(bytes(2**24)) * 64  # a member of 16 MB in 16 kB, 64 times
    piece = bytes(2**16)

    async def explode(request: web.Request) -> web.StreamResponse:
        packed = request.path.endswith("gzip")
        head = {"Content-Encoding": "gzip"} if packed else {"Content-Length": str(2**30)}
        response = web.StreamResponse(headers=head)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(2**14):
                await response.write(bomb if packed else piece)
        return response

    partner = await world.partner()
    async with receiving(explode) as receiver, dispatching(world):
        await world.endpoint(partner, f"{receiver.url}/gzip")
        await world.endpoint(partner, receiver.url)
        tracemalloc.start()
        try:
            await world.notify(partner, 10, permit=True)
            await world.states(delivered=20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(receiver.received) == 20
    assert peak < 2**25, "less than two members of one of them"


async def test_gone_stops_what_is_in_memory_too(world: World) -> None:
    """Row 38: an endpoint that says 410 is paused, what was about to go to it is parked and shown, and none is lost."""
    partner = await world.partner()
    async with receiving(status(410)) as receiver, dispatching(world) as dispatcher:
        made = await world.endpoint(partner, receiver.url)
        wanted = set(await world.notify(partner, 150, permit=True))

        async def parked() -> bool:
            await dispatcher._keep_house()
            return {row.state for row in await world.deliveries()} == {"parked"}

        await until(parked)
        tried = len(receiver.received)
        assert tried <= MIN_REQUESTS + world.deps.endpoint_concurrency
        assert {row.reason for row in await world.deliveries()} == {"endpoint_gone", "endpoint_paused"}
        assert [row.status for row in await world.endpoints()] == ["paused"]
        await dispatcher._keep_house()
        assert counted("onward_deliveries_waiting", state="parked") == 150
        receiver.answer = status(204)
        async with world.db.transaction() as tx:
            await resume_endpoint(tx, world.deps, world.callers[partner], made.endpoint.id)
        await world.states(delivered=150)
    assert {hook.onward_id for hook in receiver.received} == wanted


async def test_while_the_database_of_consents_is_away_news_waits(postgres_url: str) -> None:
    """Row 45: consents and agreements are in the dispatcher's own database, so without it there is no permit.

    Intake holds none of them: away, it keeps partners from reading and no news from going, which tells of nobody.
    """
    address = make_url(postgres_url)
    assert address.port is not None
    async with (
        proxied(address.port) as proxy,
        open_world(postgres_url) as hub,
        receiving(status(204)) as receiver,
    ):
        partner = await hub.partner()
        await hub.endpoint(partner, receiver.url)
        through = address.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        async with open_world(through) as cut_off, dispatching(cut_off) as dispatcher:
            proxy.is_away = True
            proxy.cut()
            await hub.notify(partner, 3)
            dispatcher.take(())
            await asyncio.sleep(1.5)
            assert receiver.received == []
            assert [row.state for row in await hub.deliveries()] == ["queued"] * 3
            proxy.is_away = False
            await hub.states(delivered=3)
    assert len({hook.id for hook in receiver.received}) == 3


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"status": "suspended"}, "agreement_suspended"),
        ({"status": "ended"}, "agreement_expired"),
        ({"ends_on": date(2026, 11, 20)}, "agreement_expired"),
    ],
    ids=["suspended", "ended", "past its last day"],
)
async def test_an_agreement_that_ends_between_attempts_stops_the_next(
    world: World, terms: dict[str, Any], reason: str
) -> None:
    """Row 46: the retry asks the gate anew, which refuses; the delivery and the onward referral keep the reason."""
    partner = await world.partner()
    async with receiving(status(503)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await attempted(world, 1)
        async with world.db.transaction() as tx:
            await tx.run(update(table_of(Agreement)).values(**terms))
        receiver.answer = status(204)
        wake(world, seconds=7)
        await world.states(stopped=1)
        wake(world, hours=1)
        await asyncio.sleep(0.2)
    assert len(receiver.received) == 1
    [delivery] = await world.deliveries()
    assert (delivery.reason, delivery.attempts) == (reason, 1)
    assert await world.statuses() == ["refused"]
    assert await world.unsettled() == 0


async def test_a_suspended_partner_gets_no_further_attempt(world: World) -> None:
    """Row 47: an organisation that is suspended between two attempts is not told, and it shows why."""
    partner = await world.partner()
    async with receiving(status(503)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await attempted(world, 1)
        async with world.db.transaction() as tx:
            await tx.run(update(table_of(Partner)).values(status="suspended"))
        receiver.answer = status(204)
        wake(world, seconds=7)
        await world.states(stopped=1)
    assert len(receiver.received) == 1
    assert [row.reason for row in await world.deliveries()] == ["partner_suspended"]


@pytest.mark.parametrize("how", ["changed", "deleted"])
async def test_no_attempt_begins_at_an_address_that_was_given_up(url: str, how: str) -> None:
    """Row 47 at the address: once the change is answered, not even what was in memory goes to the old address."""

    async def dawdle(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return web.Response(status=204)

    async with (
        open_world(url, endpoint_concurrency=2) as world,
        receiving(dawdle) as old,
        receiving(status(503)) as new,
        dispatching(world),
    ):
        partner = await world.partner()
        made = await world.endpoint(partner, old.url)
        await world.notify(partner, 30, permit=True)
        await attempted(world, 1)
        if how == "changed":
            await change_endpoint(world.db, world.deps, world.callers[partner], made.endpoint.id, new.url, None)
        else:
            await delete_endpoint(world.db, world.callers[partner], made.endpoint.id)
        before = len(old.received)
        await world.notify(partner, 5)
        wake(world, seconds=30)
        await asyncio.sleep(0.3)
        assert len(old.received) == before >= 1
        [row] = await world.endpoints()
        assert row.status == ("pending" if how == "changed" else "deleted")


async def test_slow_endpoints_leave_senders_and_room_for_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many swallow what they are given, an endpoint that comes later has several senders, and room."""
    monkeypatch.setattr("services.partners.jobs.ATTEMPT_S", 8.0)
    held, most = 0, 0

    async def swallow(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async def answer(_: web.Request) -> web.StreamResponse:
        nonlocal held, most
        held += 1
        most = max(most, held)
        await asyncio.sleep(0.05)
        held -= 1
        return web.Response()

    async with receiving(swallow) as slow, receiving(answer) as quick, dispatching(world):
        for _ in range(6):
            partner = await world.partner()
            await world.endpoint(partner, slow.url)
            await world.notify(partner, 300, permit=True)
        well = await world.partner()
        await world.endpoint(well, quick.url)
        await world.notify(well, 40, permit=True)
        await world.states(delivered=40)
        assert len(slow.received) < world.deps.dispatch_concurrency
        assert most >= 4
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(status="deleted"))
