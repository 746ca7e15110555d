"""Where worlds stand in tests: made once, because each scenario gets an empty one anyway."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from onward.scenarios.grounds import Grounds, ServerGrounds
from tests.support.access import Broker, Databases


@pytest.fixture(scope="session")
def grounds() -> Iterator[Grounds]:
    yield from _open(Grounds())


@pytest.fixture(scope="session")
def server_grounds(postgres_server: Databases, rabbit_server: Broker) -> Iterator[Grounds]:
    vhost = f"scenarios-{secrets.token_hex(6)}"
    amqp_url = rabbit_server.create_vhost(vhost)
    yield from _open(ServerGrounds(postgres_server.url, amqp_url))
    rabbit_server.drop_vhost(vhost)


def _open(made: Grounds) -> Iterator[Grounds]:
    asyncio.run(made.__aenter__())
    yield made
    asyncio.run(made.__aexit__())
