"""The parts of a light load are measured by the hub's own bus and client. Nothing here is about speed."""

from collections.abc import Iterator

import pytest

from bench.parts import PARTS, lines, measure
from bench.systems import SinkProgram
from hubkit.webhooks import new_secret
from tests.support.access import Broker, Databases


@pytest.fixture
def sink_url() -> Iterator[str]:
    sink = SinkProgram()
    sink.wait_ready(f"{sink.url}/ready")
    sink.take("parts", new_secret())
    yield f"{sink.url}/parts"
    sink.stop()


async def test_each_part_is_measured_as_often_as_it_is_asked_for(
    postgres_server: Databases, rabbit_server: Broker, sink_url: str
) -> None:
    vhost, database = "bench-parts", "bench_parts"
    amqp_url, database_url = rabbit_server.create_vhost(vhost), postgres_server.create_database(database)
    try:
        found = await measure(amqp_url, database_url, sink_url, count=5, rate=100)
    finally:
        rabbit_server.drop_vhost(vhost)
        postgres_server.drop_database(database)
    assert {name: len(times) for name, times in found.items()} == dict.fromkeys(PARTS, 5)
    assert all(0 < time < 5000 for times in found.values() for time in times)


def test_the_sum_counts_each_part_as_often_as_a_referral_passes_it() -> None:
    said = lines({"hand-over": [9.0, 2.0, 1.0], "commit": [1.0], "call": [0.5]})
    assert said[-1] == "  together   11.50 ms at least"
    assert said[0].endswith("p50  2.00 ms, 3 times  6.00 ms")
