"""The running frame of a deployable."""

from typing import ClassVar

import pytest

from hubkit.config import Settings, SettingsError
from hubkit.service import Service


class _Settings(Settings):
    PREFIX: ClassVar[str] = "SOME_"


async def test_a_deployable_without_a_broker_says_which_setting_is_missing() -> None:
    service = Service("services.some", _Settings(database_url="sqlite+aiosqlite://"), None)
    with pytest.raises(SettingsError, match=r"^SOME_AMQP_URL is needed$"):
        service.messages({})
