"""Messengers: GOV.UK Notify against a server on this machine that answers as its documentation says, and the file."""

import json
import logging
import stat
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hubkit.clock import ManualClock
from hubkit.config import SettingsError
from hubkit.egress import HttpInternalClient
from hubkit.messenger import Failure, FolderMessenger, Message, NotifyMessenger, Receipt, notify
from hubkit.messenger.folder import FILE
from tests.support.notify import KEY, NOW, SERVICE, TEMPLATE, Notify, running

WELSH = str(uuid.UUID(int=4))
TEMPLATES = {"text": TEMPLATE, "email": TEMPLATE, "letter": TEMPLATE, "text.offer.cy": WELSH}
PHONE, EMAIL = "07700 900461", "kestrel@example.org"


def message(method: str = "text", to: tuple[str, ...] = (PHONE,), **changes: Any) -> Message:
    values = {"reference": f"r-{method}", "subject": "Hello", "body": "Words", "purpose": "offer", "language": "en"}
    return Message(method=method, to=to, **{**values, **changes})


@pytest.fixture
async def fake() -> AsyncIterator[Notify]:
    async with running() as made:
        yield made


@pytest.fixture
async def messenger(fake: Notify) -> AsyncIterator[NotifyMessenger]:
    made = NotifyMessenger(HttpInternalClient(fake.url), KEY, TEMPLATES, ManualClock(NOW))
    yield made
    await made.aclose()


async def test_each_method_is_sent_as_notify_wants_it(fake: Notify, messenger: NotifyMessenger):
    address = ("Alex Example", "1 Example Street", "Exampleton", "ZZ99 9ZZ")
    results = [
        await messenger.send(each) for each in (message(), message("email", (EMAIL,)), message("letter", address))
    ]

    assert results == [Receipt(one["id"]) for one in fake.taken]
    text, email, letter = fake.taken
    assert (text["path"], text["phone_number"], text["reference"]) == ("/v2/notifications/sms", PHONE, "r-text")
    assert text["personalisation"] == {"subject": "Hello", "body": "Words"}
    assert (email["path"], email["email_address"]) == ("/v2/notifications/email", EMAIL)
    assert letter["path"] == "/v2/notifications/letter"
    lines = {f"address_line_{number}": line for number, line in enumerate(address, 1)}
    assert letter["personalisation"] == {"subject": "Hello", "body": "Words", **lines}


async def test_an_address_has_at_most_seven_lines(fake: Notify, messenger: NotifyMessenger):
    await messenger.send(message("letter", ("Alex", "a", "b", "c", "d", "e", "f", "ZZ99 9ZZ")))

    assert list(fake.taken[0]["personalisation"].values())[2:] == ["Alex", "a", "b", "c", "d", "e, f", "ZZ99 9ZZ"]


async def test_the_closest_template_is_taken_and_without_one_nothing_is_sent(fake: Notify, messenger: NotifyMessenger):
    await messenger.send(message(language="cy"))
    await messenger.send(message(language="cy", purpose="support"))
    without = NotifyMessenger(HttpInternalClient(fake.url), KEY, {"email": TEMPLATE}, ManualClock(NOW))

    assert [one["template_id"] for one in fake.taken] == [WELSH, TEMPLATE]
    assert await without.send(message()) == Failure("template_missing", is_permanent=True)
    await without.aclose()


@pytest.mark.parametrize(
    ("answer", "reason", "is_permanent"),
    [
        (400, "refused_by_messenger", True),
        (403, "messenger_refused_key", False),
        (404, "messenger_unavailable", False),
        (429, "messenger_busy", False),
        (500, "messenger_unavailable", False),
        ("elsewhere", "messenger_unavailable", False),
        ("slow", "messenger_unavailable", False),
        ("cut", "messenger_unavailable", False),
    ],
)
async def test_a_failure_says_whether_to_try_again_and_repeats_nothing(
    fake: Notify, messenger: NotifyMessenger, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, answer: int | str, reason: str, is_permanent: bool,
):  # fmt: skip
    monkeypatch.setattr(notify, "DEADLINE_S", 0.3)
    caplog.set_level(logging.DEBUG)
    fake.answers.append(answer)

    failure = await messenger.send(message())

    assert failure == Failure(reason, is_permanent)
    assert "900461" not in caplog.text + repr(failure) + repr(message())
    assert not any("elsewhere" in path for path in fake.paths)


async def test_nobody_there_is_a_passing_failure():
    messenger = NotifyMessenger(HttpInternalClient("http://127.0.0.1:9"), KEY, TEMPLATES, ManualClock(NOW))

    assert await messenger.send(message()) == Failure("messenger_unavailable")
    assert await messenger.find("r-text") == Failure("messenger_unavailable")
    await messenger.aclose()


async def test_what_was_taken_is_found_again_although_its_answer_was_lost(fake: Notify, messenger: NotifyMessenger):
    fake.answers.append("cut")
    lost = await messenger.send(message())

    assert lost == Failure("messenger_unavailable")
    assert await messenger.find("r-text") == Receipt(fake.taken[0]["id"])
    assert await messenger.find("r-email") is None
    fake.answers.append(500)
    assert await messenger.find("r-text") == Failure("messenger_unavailable")


@pytest.mark.parametrize(
    ("key", "templates"),
    [("hush", {}), (f"{SERVICE}-hush", {}), (KEY, {"pigeon": TEMPLATE}), (KEY, {"text": "hush"})],
)
def test_wrong_settings_are_refused_and_not_repeated(key: str, templates: dict[str, str]):
    with pytest.raises(SettingsError) as raised:
        NotifyMessenger(HttpInternalClient("http://127.0.0.1:9"), key, templates, ManualClock(NOW))

    assert "hush" not in str(raised.value)


async def test_the_file_holds_what_would_have_been_sent_for_its_owner_alone(tmp_path: Path):
    messenger = FolderMessenger(tmp_path / "out", ManualClock(NOW))
    before = await messenger.find("r-text")
    receipts = [await messenger.send(message()), await messenger.send(message("email", (EMAIL,)))]

    path = tmp_path / "out" / FILE
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert (before, receipts) == (None, [Receipt("r-text"), Receipt("r-email")])
    assert [(line["method"], line["to"]) for line in lines] == [("text", [PHONE]), ("email", [EMAIL])]
    assert await messenger.find("r-email") == Receipt("r-email")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]


async def test_half_a_line_of_a_crash_spoils_no_other(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b'{"reference": "r-')
    messenger = FolderMessenger(tmp_path, ManualClock(NOW))

    assert await messenger.find("r-text") is None
    await messenger.send(message())
    assert await messenger.find("r-text") == Receipt("r-text")


async def test_a_folder_that_cannot_be_written_is_a_passing_failure(tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    messenger = FolderMessenger(tmp_path / "taken", ManualClock(NOW))

    assert await messenger.send(message()) == Failure("messenger_unavailable")
