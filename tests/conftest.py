"""Servers for the tests: private ones, or those that the environment names. Without any, a test fails."""

import gc
import math
import os
import secrets
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hubkit.serve import tune_collector
from tests.support.access import Broker, Databases
from tests.support.migrated import Copies
from tests.support.servers import PostgresServer, RabbitServer

# How long an example takes says more about the machine than about the code. In CI, hypothesis's own profile says so
# too, and chooses the same examples every time.
settings.register_profile("onward", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("onward")


#: Tests of whole hubs, which take long and share what they have started: a process begins with them, and the short
#: tests that the others take over from it come last.
_LONG = [Path(__file__).parent / name for name in ("faults", "journeys")]


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_auto_num_workers() -> int:
    """Half as many processes again as there are cores: a test waits for about as long as it works."""
    return min(4, math.ceil(1.5 * (os.cpu_count() or 1)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take long first."""
    items.sort(key=lambda item: not any(folder in item.path.parents for folder in _LONG))


def pytest_collection_finish() -> None:
    """Collect garbage as seldom as a service does; what was imported stays anyway, and is not looked through again."""
    gc.collect()
    gc.freeze()
    tune_collector()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Databases]:
    """Where tests make their databases: `ONWARD_TEST_POSTGRES_URL`, or a private PostgreSQL without durability."""
    given = os.environ.get("ONWARD_TEST_POSTGRES_URL")
    if given:
        yield Databases(given.replace("+asyncpg", "", 1))
        return
    with PostgresServer(fast=True) as server:
        yield server.databases


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[Broker]:
    """Where tests make their virtual hosts: `ONWARD_TEST_AMQP_URL`, or a private RabbitMQ.

    The given one needs its management API, at `ONWARD_TEST_AMQP_API` or on port 15672 of the same host.
    """
    given = os.environ.get("ONWARD_TEST_AMQP_URL")
    if given:
        host = urllib.parse.urlsplit(given).hostname
        yield Broker(given, os.environ.get("ONWARD_TEST_AMQP_API", f"http://{host}:15672"))
        return
    with RabbitServer(management=True) as server:
        yield server.broker


@pytest.fixture(scope="session")
def postgres_copies(postgres_server: Databases) -> Iterator[Copies]:
    """Where tests get databases that are migrated already."""
    with Copies(postgres_server) as copies:
        yield copies


@pytest.fixture
def migrated_postgres_url(postgres_server: Databases, postgres_copies: Copies) -> Iterator[Callable[[str], str]]:
    """Return what makes a migrated database of this test's own: `migrated_postgres_url("services.intake")`."""
    made = []

    def make(module: str) -> str:
        made.append(f"test_{secrets.token_hex(6)}")
        return postgres_copies.create(module, made[-1])

    yield make
    for name in made:
        postgres_server.drop_database(name)


@pytest.fixture
def postgres_url(postgres_server: Databases) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty database of this test's own."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def rabbit_url(rabbit_server: Broker) -> Iterator[str]:
    """Return the AMQP URL of an empty virtual host of this test's own."""
    name = f"test-{secrets.token_hex(6)}"
    yield rabbit_server.create_vhost(name)
    rabbit_server.drop_vhost(name)
