"""The two ways the hub runs, each started once; every journey goes through both."""

from collections.abc import Iterator

import pytest

from tests.support.hub import EmbeddedHub, FullHub, Hub
from tests.support.receiver import Receiver
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def embedded_hub() -> Iterator[Hub]:
    hub = EmbeddedHub()
    yield hub
    hub.close()


@pytest.fixture(scope="session")
def full_hub() -> Iterator[Hub]:
    with Stack() as stack, FullHub(stack) as hub:
        yield hub


@pytest.fixture(params=["embedded", "full"])
def hub(request: pytest.FixtureRequest) -> Hub:
    chosen: Hub = request.getfixturevalue(f"{request.param}_hub")
    return chosen


@pytest.fixture
def counselling(hub: Hub) -> Iterator[Receiver]:
    """The counselling partner's web server, registered as its endpoint."""
    with Receiver() as receiver:
        endpoint = hub.endpoint("counselling", receiver.url)
        receiver.secret = endpoint["secret"]  # type: ignore[attr-defined]
        receiver.public_key = endpoint["public_key"]  # type: ignore[attr-defined]
        yield receiver
        hub.remove_endpoint("counselling", endpoint["id"])
