"""A running hub as its users meet it: calls over HTTP, the operator's command, nothing else."""

import copy
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from typing_extensions import override

from examples.police_client import REFERRAL
from tests.support.process import die_with_parent, free_port
from tests.support.stack import MODULES, ROOT, Stack

T = TypeVar("T")


def eventually(look: Callable[[], T | None], seconds: float = 20) -> T:
    """Return what `look` finds once it is true; fails with its last finding."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > end:
            assert found, f"not within {seconds} s"
            return found
        time.sleep(0.02)


def referral(**changes: Any) -> dict[str, Any]:
    """Return the referral of the public contract under a reference of its own; `changes` replace top-level parts."""
    made = copy.deepcopy(REFERRAL)
    made["source"]["reference"] = f"CMS-{uuid.uuid4().hex[:12].upper()}"
    return {**made, **changes}


def without_onward_consent() -> dict[str, Any]:
    """Return a referral of somebody who was not asked about partners."""
    made = referral()
    made["consents"] = [consent for consent in made["consents"] if consent["hop"] != "hub_to_partner"]
    return made


class Hub:
    """Base: where the hub is and who may call it."""

    base_url: str
    clients: Mapping[str, Any]
    is_full = False

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=60)
        self._tokens: dict[str, tuple[float, str]] = {}

    def environment(self) -> dict[str, str]:
        """Return the variables for the operator's command."""
        raise NotImplementedError

    def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on one deployable's database."""
        raise NotImplementedError

    def logs(self) -> dict[str, str]:
        """Return what every process has logged, by its name."""
        raise NotImplementedError

    def token(self, name: str) -> str:
        """Return a client's access token, renewed each two minutes."""
        kept = self._tokens.get(name)
        if kept is None or kept[0] < time.monotonic() - 120:
            kept = self._tokens[name] = (time.monotonic(), self._new_token(name))
        return kept[1]

    def _new_token(self, name: str) -> str:
        client = self.clients[name]
        form = {"grant_type": "client_credentials"}
        sign_in = (client["client_id"], client["client_secret"])
        tries = 0
        while True:
            answer = self._http.post(f"{self.base_url}/oauth/token", data=form, auth=sign_in)
            if answer.status_code != 503 or tries == 10:
                break
            tries += 1
            time.sleep(0.2 * tries)  # its database has just come back: the answer says to send it again
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def call(self, name: str, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the public API as one of the demonstration clients."""
        headers = {"Authorization": f"Bearer {self.token(name)}", **options.pop("headers", {})}
        return self._http.request(method, self.base_url + path, headers=headers, **options)

    def post_referral(self, body: Mapping[str, Any], key: str | None = None) -> httpx.Response:
        """Post a referral as the police."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.call("police", "POST", "/v1/referrals", json=body, headers=headers)

    def accepted(self, body: Mapping[str, Any]) -> str:
        """Post a referral that must be accepted; return its id."""
        answer = self.post_referral(body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def status(self, referral_id: str) -> dict[str, Any]:
        """Return what the police may see of a referral."""
        answer = self.call("police", "GET", f"/v1/referrals/{referral_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def case(self, referral_id: str) -> dict[str, Any] | None:
        """Return the case of a referral as the hub's staff see it, or None while there is none."""
        found = self.call("hub", "GET", f"/v1/cases?referral_id={referral_id}").json()["items"]
        return dict(self.call("hub", "GET", f"/v1/cases/{found[0]['id']}").json()) if found else None

    def case_onward(self, referral_id: str, status: str) -> dict[str, Any] | None:
        """Return the case once it has an onward referral in `status`."""
        case = self.case(referral_id)
        return case if case and any(onward["status"] == status for onward in case["onward"]) else None

    def endpoint(self, name: str, url: str) -> dict[str, Any]:
        """Register a partner's webhook endpoint and wait until it has answered its challenge."""
        answer = self.call(name, "POST", "/v1/webhook-endpoints", json={"url": url})
        assert answer.status_code == 201, answer.text
        made = dict(answer.json())
        deadline = time.monotonic() + 20
        while made["id"] not in self._verified(name):
            assert time.monotonic() < deadline, "the endpoint was not verified in time"
            time.sleep(0.05)
        return made

    def _verified(self, name: str) -> set[str]:
        listed = self.call(name, "GET", "/v1/webhook-endpoints").json()["items"]
        return {endpoint["id"] for endpoint in listed if endpoint["status"] == "active"}

    def remove_endpoint(self, name: str, endpoint_id: str) -> None:
        """Remove it again."""
        self.call(name, "DELETE", f"/v1/webhook-endpoints/{endpoint_id}")

    def operate(self, *arguments: str) -> str:
        """Run the operator's command on this hub and return what it prints."""
        command = [sys.executable, "-m", "onward", *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **self.environment()}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        """Stop it."""
        self._http.close()


class EmbeddedHub(Hub):
    """`onward run` in a process of its own, with its data in a temporary folder; `hub` None: the default one."""

    def __init__(self, hub: str | None = None) -> None:
        super().__init__()
        self.hub = hub
        self.folder = Path(tempfile.mkdtemp(prefix="onward-embedded-"))
        self.port = free_port()
        self.log = self.folder / "onward.log"
        self.process = self._start()
        demo = json.loads((self.folder / "data" / "demo.json").read_text())
        self.base_url, self.clients = demo["base_url"], demo["clients"]

    def _start(self) -> subprocess.Popen[bytes]:
        demo = self.folder / "data" / "demo.json"
        demo.unlink(missing_ok=True)
        command = [sys.executable, "-m", "onward", "--data", str(self.folder / "data"), "run", "--port", str(self.port)]
        command += ["--hub", self.hub] if self.hub else []
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
                preexec_fn=die_with_parent,
            )
        end = time.monotonic() + 60
        while not demo.exists():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        return process

    @override
    def environment(self) -> dict[str, str]:
        """Return nothing: the data folder says it all."""
        return {}

    @override
    def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on one service's file."""
        connection = sqlite3.connect(f"file:{self.folder / 'data' / service}.db?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    @override
    def logs(self) -> dict[str, str]:
        """Return what the one process has logged."""
        return {"onward": self.log.read_text(errors="replace")}

    @override
    def operate(self, *arguments: str) -> str:
        """Run the operator's command on this hub's folder."""
        return super().operate("--data", str(self.folder / "data"), *arguments)

    def stop(self) -> int:
        """Press Ctrl-C; return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.wait(10)

    def restart(self) -> None:
        """Start it again on the same data."""
        self.process = self._start()

    @override
    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        super().close()
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class FullHub(Hub):
    """Five processes on RabbitMQ and PostgreSQL."""

    is_full = True

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.base_url, self.clients = stack.base_url, stack.secrets["clients"]

    @override
    def environment(self) -> dict[str, str]:
        """Return every deployable's variables."""
        return {key: value for name in MODULES for key, value in self.stack.environment(name).items()}

    @override
    def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on one deployable's database."""
        return self.stack.rows(service, query)

    @override
    def logs(self) -> dict[str, str]:
        """Return what the deployables and both servers have logged."""
        servers = {server.name: server.log() for server in (self.stack.postgres, self.stack.rabbit)}
        return {name: self.stack.log(name) for name in MODULES} | servers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
