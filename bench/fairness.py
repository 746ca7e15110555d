"""`python -m bench fairness`: do partners that misbehave delay the others? Exit status 1 when they do, or news is lost.

Eight healthy partners get news at a steady rate, alone and beside fourteen: two each that drip, swallow, answer 1 GB,
reset, redirect, fail or are down, with a backlog and some more news all the time. The hub's part is the real dispatcher
in this process, on a database of its own; the partners are two other processes.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, Literal, cast
from uuid import UUID

import uvloop
from sqlalchemy import update

from bench.hostile import BEHAVIOURS
from bench.measure import percentile
from bench.report import Goal
from bench.systems import ROOT, Program, SinkProgram, describe_machine, dump
from hubkit.clock import SteeredClock
from hubkit.db import table_of
from hubkit.serve import tune_collector
from services.partners.tables.delivery import Delivery, Endpoint
from tests.services.partners.delivery_support import NOW, World, dispatching, open_world, until
from tests.support.process import free_port
from tests.support.servers import PostgresServer

Store = Literal["sqlite", "postgresql"]
STORES: tuple[Store, ...] = ("sqlite", "postgresql")
HEALTHY = 8
MOST_SLOWER = 1.10


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    seconds: float = 10.0
    #: News per second for each healthy partner, and for each of the others.
    rate: float = 3.0
    others_rate: float = 0.5
    #: What each of the others has waiting when the measurement begins.
    backlog: int = 100


@dataclass
class Partner:
    """A partner with its endpoint, and the moments (ns) at which its news was queued, by onward referral."""

    id: UUID
    name: str
    secret: str
    waiting: list[UUID] = field(default_factory=list)
    queued: dict[UUID, int] = field(default_factory=dict)


@dataclass
class Phase:
    """What one measurement found, in milliseconds from a piece of news' turn to its arrival."""

    store: str
    beside: bool
    p50_ms: float
    p95_ms: float
    p99_ms: float
    count: int
    faults: list[str]

    def line(self) -> str:
        """Return it in words."""
        parts = [f"  {self.store:<11}{'beside' if self.beside else 'alone':<7}"]
        parts.append(f"p50 {self.p50_ms:.2f} ms, p95 {self.p95_ms:.2f} ms, p99 {self.p99_ms:.2f} ms")
        parts += [f"\n    FAULT: {fault}" for fault in self.faults]
        return "".join(parts)


class Fairness:
    """One hub with its healthy partners."""

    def __init__(self, store: str, world: World, sink: SinkProgram, hostile: str, amounts: Amounts) -> None:
        self._store = store
        self._world = world
        self._sink = sink
        self._hostile = hostile
        self._amounts = amounts
        self._healthy: list[Partner] = []

    async def start(self) -> None:
        """Add the healthy partners, and let everything make its connections and plans."""
        for number in range(HEALTHY):
            self._healthy.append(await self._partner(f"healthy-{self._store}-{number}", self._sink.url))
        await self._prepare(self._healthy, 10)
        await self._stream(self._healthy, 1.0)
        await self._arrived()

    async def measure(self, *, beside: bool) -> Phase:
        """Measure once."""
        others = await self._others() if beside else []
        await self._prepare(self._healthy, int(self._amounts.seconds * self._amounts.rate))
        await self._prepare(others, int(self._amounts.seconds * self._amounts.others_rate))
        await self._stream([*self._healthy, *others], self._amounts.seconds)
        phase = await self._arrived(beside=beside)
        await self._forget()
        return phase

    async def _partner(self, name: str, url: str) -> Partner:
        id = await self._world.partner()
        return Partner(id, name, (await self._world.endpoint(id, f"{url}/{name}")).secret)

    async def _others(self) -> list[Partner]:
        """Add partners that misbehave, new ones each time: nothing is known of them yet, and much waits for them."""
        made = [await self._partner(name, self._hostile) for name in (*BEHAVIOURS, *BEHAVIOURS)]
        made += [await self._partner("down", f"http://127.0.0.1:{free_port()}") for _ in range(2)]
        await self._prepare(made, self._amounts.backlog)
        while any(partner.waiting for partner in made):
            for partner in made:
                ids, partner.waiting = partner.waiting[:20], partner.waiting[20:]
                await self._world.queue(partner.id, ids, permit=True)
                await asyncio.sleep(0.005)
        return made

    async def _prepare(self, partners: Sequence[Partner], count: int) -> None:
        for partner in partners:
            partner.waiting = await self._world.ready(partner.id, count)

    async def _stream(self, partners: Sequence[Partner], seconds: float) -> None:
        """Queue what is prepared, in no order, at a steady pace whatever becomes of it; each counts from its turn."""
        turns = [partner for partner in partners for _ in partner.waiting]
        random.shuffle(turns)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, partner in enumerate(turns):
                turn = began + number * seconds / len(turns)
                await asyncio.sleep(turn - time.monotonic())
                onward_id = partner.waiting.pop()
                partner.queued[onward_id] = int(turn * 1e9)
                group.create_task(self._world.queue(partner.id, [onward_id], permit=True))

    async def _arrived(self, *, beside: bool = False) -> Phase:
        """Wait until the healthy partners have everything; compare by id."""
        wanted = sum(len(partner.queued) for partner in self._healthy)

        async def all_there() -> bool:
            await asyncio.sleep(0.2)
            return sum(self._sink.count(partner.name) for partner in self._healthy) >= wanted

        faults = []
        try:
            await until(all_there, timeout_s=30)
        except AssertionError:
            faults.append("not all news arrived within 30 s")
        took: list[float] = []
        for partner in self._healthy:
            came, forged = self._sink.take(partner.name, partner.secret)
            moments = {UUID(id): at for at, id in came}
            lost, twice = len(partner.queued.keys() - moments.keys()), len(came) - len(moments)
            faults += [f"{partner.name}: {count} {what}" for what, count in
                       (("lost", lost), ("twice", twice), ("forged", forged)) if count]  # fmt: skip
            took += [(moments[id] - at) / 1e6 for id, at in partner.queued.items() if id in moments]
            partner.queued.clear()
        p50, p95, p99 = (percentile(took, share) for share in (0.5, 0.95, 0.99))
        return Phase(self._store, beside, p50, p95, p99, len(took), faults)

    async def _forget(self) -> None:
        """Stop what still waits, and wait until no attempt at it is under way."""
        endpoint, delivery = table_of(Endpoint), table_of(Delivery)
        ours = {partner.id for partner in self._healthy}
        async with self._world.db.transaction() as tx:
            await tx.run(update(endpoint).where(endpoint.c.partner_id.not_in(ours)).values(status="deleted"))
            waiting = delivery.c.partner_id.not_in(ours) & (delivery.c.state != "delivered")
            await tx.run(update(delivery).where(waiting).values(state="stopped", reason="endpoint_deleted"))

        async def settled() -> bool:
            await asyncio.sleep(0.5)
            return await self._world.unsettled() == 0

        await until(settled, timeout_s=60)


@asynccontextmanager
async def hub(store: str, url: str, sink: SinkProgram, hostile: str, amounts: Amounts) -> AsyncIterator[Fairness]:
    """Run a hub on an empty database."""
    clock = cast("Any", SteeredClock(max(NOW, datetime.now(UTC))))  # one that goes on: leases and breakers live
    async with open_world(url, clock) as world, dispatching(world):
        fairness = Fairness(store, world, sink, hostile, amounts)
        await fairness.start()
        yield fairness


async def run(hubs: dict[str, str], sink: SinkProgram, hostile: str, amounts: Amounts, rounds: int) -> list[Phase]:
    """Measure every store in every round, alone and beside in turn, printing each measurement."""
    phases: list[Phase] = []
    for store, url in hubs.items():
        async with hub(store, url, sink, hostile, amounts) as fairness:
            for number in range(rounds):
                for beside in (False, True) if number % 2 == 0 else (True, False):
                    phases.append(await fairness.measure(beside=beside))
                    print(phases[-1].line(), flush=True)
    return phases


def goals(phases: Sequence[Phase]) -> list[Goal]:
    """Return what must be reached: medians over the rounds, beside to alone."""
    found = []
    for store in dict.fromkeys(phase.store for phase in phases):
        for name in ("p50_ms", "p95_ms"):
            alone, beside = (
                median(getattr(p, name) for p in phases if (p.store, p.beside) == (store, which))
                for which in (False, True)
            )
            limit = MOST_SLOWER if name == "p95_ms" else float("inf")
            what = f"{store}: healthy partners' {name[:3]}, {beside:.2f} ms beside to {alone:.2f} ms alone"
            found.append(Goal(what, beside / alone, limit, at_most=True))
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=Amounts.seconds, help="of each measurement")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES, help="leave one out")
    given = parser.parse_args(arguments)
    amounts, started, machine = Amounts(seconds=given.seconds), datetime.now(UTC), describe_machine()
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()), flush=True)
    logging.disable(logging.CRITICAL)  # each failed attempt would be a line
    tune_collector()
    with ExitStack() as stack:
        sink, port = SinkProgram(), free_port()
        stack.callback(sink.stop)
        hostile = Program("bench.hostile", "--port", str(port))
        stack.callback(hostile.stop)
        for program, url in ((sink, f"{sink.url}/ready"), (hostile, f"http://127.0.0.1:{port}/ready")):
            program.wait_ready(url)
        hubs = {store: _database(store, stack) for store in given.stores}
        phases = uvloop.run(run(hubs, sink, f"http://127.0.0.1:{port}", amounts, given.rounds))
    reached = goals(phases)
    print("goals", *(goal.line() for goal in reached), sep="\n")
    faulty = any(phase.faults for phase in phases)
    path = ROOT / "bench" / "results" / f"{started:%Y%m%dT%H%M%SZ}-fairness.json"
    document = {"machine": machine, "phases": [vars(p) for p in phases], "goals": [vars(goal) for goal in reached]}
    dump(path, document)
    print(f"kept in {path.relative_to(ROOT)}")
    return int(faulty or not all(goal.is_met for goal in reached))


def _database(store: str, stack: ExitStack) -> str:
    """Return the address of an empty database, gone with the stack."""
    if store == "sqlite":
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="onward-bench-"))
        return f"sqlite+aiosqlite:///{folder}/partners.db"
    server = stack.enter_context(PostgresServer())
    return server.databases.create_database("fairness")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
