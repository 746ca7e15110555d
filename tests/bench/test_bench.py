"""The benchmark counts rightly. Nothing here is about speed."""

from collections.abc import Iterator

import pytest

from bench.bodies import bodies
from bench.job import Referral as PeerReferral
from bench.load import Done
from bench.measure import Figures, _Run, light, throughput
from bench.report import describe, goals, medians
from bench.systems import Bench
from hubkit.ids import new_id
from services.intake.schemas import Referral
from tests.support.access import Broker, Databases


@pytest.fixture(scope="module")
def bench(postgres_server: Databases, rabbit_server: Broker) -> Iterator[Bench]:
    bench = Bench(["floor", "celery"], (postgres_server, rabbit_server))
    yield bench
    bench.stop()


@pytest.mark.parametrize("name", ["floor", "celery"])
def test_every_accepted_referral_becomes_one_genuine_webhook(bench: Bench, name: str):
    system = bench.system(name)
    assert system is not None

    figures = [throughput(bench, system, 12), light(bench, system, rate=20, seconds=0.3)]

    assert [f.faults for f in figures] == [[], []]
    assert [f.count for f in figures] == [12, 6]
    assert all(f.rate > 0 for f in figures)
    assert figures[1].p99_ms >= figures[1].p50_ms > 0
    assert set(figures[0].cpu_ms) == ({"floor"} if name == "floor" else {"endpoint", "worker"})


def test_the_benchmark_s_referrals_are_valid_for_the_hub_and_for_its_peers():
    for body in bodies("TEST", 30):
        assert (
            Referral.model_validate_json(body).needs == PeerReferral.model_validate_json(body).needs == ["counselling"]
        )


@pytest.fixture
def run(bench: Bench) -> _Run:
    system = bench.system("floor")
    assert system is not None
    run = _Run(bench, system)
    run._used, run._forged = {}, 0
    return run


def told(run: _Run, monkeypatch: pytest.MonkeyPatch, pairs: dict[str, str], accepted: list[str], came: list[str]):
    monkeypatch.setattr(run._system, "pairs", lambda _first: pairs)
    figures = Figures(system="floor", kind="throughput", count=len(accepted), rate=1)
    run.check_pairs(figures, accepted, [(1, onward) for onward in came])
    return figures.faults


def test_a_lost_a_doubled_and_a_strange_webhook_are_faults(run: _Run, monkeypatch: pytest.MonkeyPatch):
    referrals = [str(new_id()) for _ in range(3)]
    pairs = {"a": referrals[0], "b": referrals[1], "c": referrals[2], "other": str(new_id())}

    assert told(run, monkeypatch, pairs, referrals, ["a", "b", "c"]) == []
    assert told(run, monkeypatch, pairs, referrals, ["a", "c"]) == ["1 accepted referrals without a webhook"]
    assert told(run, monkeypatch, pairs, referrals, ["a", "b", "c", "c"]) == ["1 referrals with more than one webhook"]
    assert told(run, monkeypatch, pairs, referrals, ["a", "b", "c", "other"]) == ["1 webhooks of no accepted referral"]
    assert told(run, monkeypatch, pairs, referrals, ["a", "b", "c", "?"]) == ["1 webhooks of no accepted referral"]


def test_a_refused_request_and_a_forged_webhook_are_faults(run: _Run):
    run._forged = 2
    done = Done(sent=[1, 2], answered=[3, 4], statuses=[202, 503], ids=["x", None])

    faults = run.figures("throughput", 2, done, [(5, "a")]).faults

    assert faults == ["2 webhooks are not signed rightly", "1 requests were answered 503"]


def figures_of(system: str, kind: str, **values: float) -> Figures:
    return Figures.model_validate({"system": system, "kind": kind, "count": 1, "rate": 0, "cpu_ms": {"x": 1}, **values})


def test_the_goals_are_those_of_the_issue_and_compare_medians():
    rounds = [
        *(figures_of("floor", "throughput", rate=rate) for rate in (900, 1000, 9000)),
        *(figures_of("onward", "throughput", rate=rate) for rate in (1, 99, 500)),
        figures_of("celery", "throughput", rate=10),
        figures_of("onward", "light", p50_ms=10, p99_ms=20, acknowledged_p50_ms=3),
        figures_of("celery", "light", p50_ms=20, p99_ms=30, acknowledged_p50_ms=4),
        figures_of("onward", "bulk", rate=200),
    ]

    found = {goal.name: (goal.value, goal.is_met) for goal in goals(rounds, {"intake": 150.1})}

    assert found == {
        "throughput / floor": (0.099, False),
        "throughput / Celery": (9.9, True),
        "bulk rate / floor's single rate": (0.2, True),
        "light p50 / Celery": (0.5, True),
        "peak memory of intake, MB": (150.1, False),
    }
    assert all(isinstance(line, str) for line in [*medians(rounds), *map(describe, rounds)])


def test_without_the_hub_there_is_no_goal():
    assert goals([figures_of("floor", "throughput", rate=1)], {}) == []
