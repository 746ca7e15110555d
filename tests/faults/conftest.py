"""One hub of real processes for all fault tests: they run one after the other on it, and it must survive each."""

import time
from collections.abc import Iterator

import pytest

from tests.support.hub import FullHub
from tests.support.receiver import Receiver
from tests.support.stack import Stack


@pytest.fixture(scope="package")
def full_hub() -> Iterator[FullHub]:
    """Five processes on private servers as durable as in production."""
    with Stack() as stack, FullHub(stack) as hub:
        time.sleep(1)  # RabbitMQ 3.10 may lose a quorum queue that was declared just before it is killed
        yield hub


@pytest.fixture(scope="package")
def partner(full_hub: FullHub) -> Iterator[Receiver]:
    """The counselling partner's web server, registered as its endpoint."""
    with Receiver() as receiver:
        full_hub.endpoint("counselling", receiver.url)
        yield receiver
