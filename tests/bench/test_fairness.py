"""The measurement of fairness counts rightly. Nothing here is about speed."""

import math
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.fairness import HEALTHY, Amounts, Phase, goals, run
from bench.systems import Program, SinkProgram
from tests.support.process import free_port


@pytest.fixture
def partners() -> Iterator[tuple[SinkProgram, str]]:
    with ExitStack() as stack:
        sink, port = SinkProgram(), free_port()
        stack.callback(sink.stop)
        hostile = Program("bench.hostile", "--port", str(port))
        stack.callback(hostile.stop)
        sink.wait_ready(f"{sink.url}/ready")
        hostile.wait_ready(f"http://127.0.0.1:{port}/ready")
        yield sink, f"http://127.0.0.1:{port}"


async def test_healthy_partners_get_all_their_news_alone_and_beside_others(
    partners: tuple[SinkProgram, str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.partners.jobs.ATTEMPT_S", 1.0)
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('bench')}/partners.db"
    amounts = Amounts(seconds=1.0, rate=4.0, others_rate=2.0, backlog=10)
    phases = await run({"sqlite": url}, *partners, amounts, rounds=1)
    assert [(phase.beside, phase.count, phase.faults) for phase in phases] == [
        (False, HEALTHY * 4, []),
        (True, HEALTHY * 4, []),
    ]
    assert all(0 < phase.p50_ms <= phase.p95_ms <= phase.p99_ms for phase in phases)


def phase(beside: bool, p95_ms: float) -> Phase:
    return Phase("sqlite", beside, 1.0, p95_ms, 99.0, 1, [])


@pytest.mark.parametrize(("beside", "is_met"), [(11.0, True), (11.1, False)])
def test_the_goal_compares_medians_and_allows_a_tenth(beside: float, is_met: bool) -> None:
    rounds = [phase(False, 10.0), phase(True, beside), phase(False, 9.0), phase(True, 1.0), phase(False, 20.0)]
    p50, p95 = goals([*rounds, phase(True, 500.0)])
    assert (p50.value, p50.is_met) == (1.0, True)
    assert math.isclose(p95.value, beside / 10.0)
    assert p95.is_met is is_met
    assert "sqlite" in p95.line()
