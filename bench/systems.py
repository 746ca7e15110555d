"""The three systems under measurement, each as real processes beside private servers."""

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
from typing_extensions import override

from bench import tables
from bench.job import ISSUER, Job
from hubkit.auth import SigningKeys, issue_access_token, new_signing_key
from hubkit.config import default_profile
from hubkit.crypto import new_keyring
from hubkit.webhooks import new_secret, new_signing_pair
from tests.support.access import Broker, Databases
from tests.support.process import free_port
from tests.support.servers import PostgresServer, RabbitServer
from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
RATE_LIFTED = {"GATEWAY_RATE_PER_SECOND": "100000", "GATEWAY_RATE_BURST": "1000000"}


class Program:
    """A child process with its log in a folder of its own."""

    def __init__(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="onward-bench-"))
        values = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **(environment or {})}
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=values,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def wait_ready(self, url: str, timeout: float = 30) -> None:
        """Wait until `url` is answered with 200.

        Raises
        ------
        RuntimeError
            When it ends first, or does not answer in time.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"{self.process.args!r} is not ready:\n{self.log()}")

    def stop(self) -> None:
        """Ask it to end; kill it and its children when it does not."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                for process in [*children, self.process]:
                    process.kill()
                self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class SinkProgram(Program):
    """The sink, and how to ask it."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__("bench.sink", "--port", str(port))
        self.url = f"http://127.0.0.1:{port}"

    def count(self, name: str) -> int:
        """Return how many webhooks have come for a system."""
        return int(httpx.get(f"{self.url}/{name}").text)

    def take(self, name: str, secret: str) -> tuple[list[tuple[int, str]], int]:
        """Return (nanoseconds, onward referral id) of each webhook since the last call, and how many were forged."""
        report = httpx.put(f"{self.url}/{name}", content=secret, timeout=60).json()
        return [(moment, onward_id) for moment, onward_id in report["came"]], report["forged"]


class System(ABC):
    """Something that takes referrals by `POST /v1/referrals` and tells a partner by webhook.

    Attributes
    ----------
    name
        Also the path of its webhooks at the sink.
    secret
        What its webhooks are signed with.
    """

    name: str
    url: str
    secret: str

    @abstractmethod
    def token(self) -> str:
        """Return an access token that may send referrals."""

    @abstractmethod
    def pairs(self, first: str) -> dict[str, str]:
        """Return the referral id by onward referral id, for referrals whose id is not below `first`."""

    @abstractmethod
    def processes(self) -> dict[str, int]:
        """Return the process ids by name."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""


class _Made(System):
    """What the floor and the Celery chain have in common."""

    def __init__(self, databases: Databases, sink: SinkProgram, statements: str, amqp_url: str = "") -> None:
        self._databases = databases
        self._database = f"bench_{self.name}_{secrets.token_hex(4)}"
        databases.create_database(self._database)
        for statement in filter(None, map(str.strip, statements.split(";\n"))):
            databases.execute(statement, self._database)
        self.secret = new_secret()
        self._keys = SigningKeys([new_signing_key("bench-1")])
        self._folder = Path(tempfile.mkdtemp(prefix="onward-bench-"))
        self._job = Job(
            database_url=databases.address(self._database, driver=""),
            amqp_url=amqp_url,
            jwks=self._keys.public_jwks(),
            field_keys=new_keyring("bench-1"),
            webhook_url=f"{sink.url}/{self.name}",
            webhook_secret=self.secret,
            webhook_signing_key=new_signing_pair()[0],
            index_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            digest_key=secrets.token_hex(32),
            profile=str(ROOT / default_profile()),
        )
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.programs: dict[str, Program] = {}

    def _start(self, name: str, *command: str, job: Job) -> Program:
        path = self._folder / f"{name}.json"
        path.touch(mode=0o600)
        path.write_text(job.model_dump_json())
        self.programs[name] = Program(*command, environment={"BENCH_JOB": str(path)})
        return self.programs[name]

    @override
    def token(self) -> str:
        return issue_access_token(
            self._keys, issuer=ISSUER, client_id="police", organisation="police", scopes=["referrals:write"],
            audience=ISSUER, now=datetime.now(UTC), lifetime_s=3600,
        )  # fmt: skip

    @override
    def pairs(self, first: str) -> dict[str, str]:
        query = f"SELECT onward_referral_id, referral_id FROM delivery WHERE referral_id >= '{first}'"
        return {str(onward): str(known) for onward, known in self._databases.execute(query, self._database)}

    @override
    def processes(self) -> dict[str, int]:
        return {name: program.process.pid for name, program in self.programs.items()}

    @override
    def stop(self) -> None:
        for program in self.programs.values():
            program.stop()
        self._databases.drop_database(self._database)
        shutil.rmtree(self._folder, ignore_errors=True)


class FloorSystem(_Made):
    """`bench.floor`."""

    name = "floor"

    def __init__(self, databases: Databases, sink: SinkProgram) -> None:
        super().__init__(databases, sink, tables.FLOOR)
        program = self._start("floor", "bench.floor", "--port", str(self._port), job=self._job)
        program.wait_ready(f"{self.url}/readyz")


class CelerySystem(_Made):
    """`bench.peer_celery`: an endpoint and a worker of four processes."""

    name = "celery"

    def __init__(self, databases: Databases, broker: Broker, sink: SinkProgram, prefetch: int = 4) -> None:
        self._broker, self._vhost = broker, f"bench-{secrets.token_hex(4)}"
        super().__init__(databases, sink, tables.CELERY, broker.create_vhost(self._vhost))
        command = ("uvicorn", "bench.peer_celery:api", "--port", str(self._port), "--no-access-log")
        self._start("endpoint", *command, "--log-level", "warning", job=self._job).wait_ready(f"{self.url}/readyz")
        self.use_prefetch(prefetch)

    def use_prefetch(self, prefetch: int) -> None:
        """Start the worker with this prefetch multiplier, in the place of the one that runs."""
        if "worker" in self.programs:
            self.programs["worker"].stop()
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")
        command = ("celery", "-A", "bench.peer_celery", "worker", "--pool", "prefork", *quiet)
        self._start("worker", *command, job=self._job.model_copy(update={"prefetch": prefetch}))

    @override
    def stop(self) -> None:
        super().stop()
        self._broker.drop_vhost(self._vhost)


def _wait_verified(http: httpx.Client) -> None:
    """Wait until the partner's endpoint has answered its challenge: nothing is sent to it before."""
    deadline = time.monotonic() + 30
    while http.get("/v1/webhook-endpoints").raise_for_status().json()["items"][0]["status"] != "active":
        if time.monotonic() > deadline:
            raise TimeoutError("the partner's endpoint was not verified")
        time.sleep(0.05)


class OnwardSystem(System):
    """The hub: five processes, and the counselling partner with its endpoint."""

    name = "onward"

    def __init__(self, sink: SinkProgram) -> None:
        self.stack = Stack(extra=RATE_LIFTED)
        try:
            self.stack.start()
            self.url = self.stack.base_url
            with self._client("counselling") as http:
                answer = http.post("/v1/webhook-endpoints", json={"url": f"{sink.url}/{self.name}"})
                self.secret = answer.raise_for_status().json()["secret"]
                _wait_verified(http)
        except BaseException:
            self.stack.stop()
            raise

    def _client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self._token(name)}"}, timeout=30)

    def _token(self, name: str) -> str:
        client = self.stack.secrets["clients"][name]
        answer = httpx.post(
            f"{self.url}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
            timeout=30,
        )
        return str(answer.raise_for_status().json()["access_token"])

    @override
    def token(self) -> str:
        return self._token("police")

    @override
    def pairs(self, first: str) -> dict[str, str]:
        query = f"SELECT id, referral_id FROM onward_referral WHERE referral_id >= '{first}'"
        return {str(onward): str(known) for onward, known in self.stack.rows("partners", query)}

    @override
    def processes(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.stack.processes.items()}

    def transferred(self, transfer_id: str) -> Sequence[str]:
        """Return the ids of the referrals that a transfer made."""
        query = f"SELECT referral_id FROM transfer_row WHERE transfer_id = '{transfer_id}' AND outcome = 'accepted'"
        return [str(row[0]) for row in self.stack.rows("intake", query)]

    @override
    def stop(self) -> None:
        self.stack.stop()


class Bench:
    """Everything that runs during a measurement.

    Parameters
    ----------
    names
        Of the systems; `systems` has them in the order in which each round goes through them.
    servers
        Where the floor and the Celery chain keep their things; private servers if not given, and with the hub always.
    """

    def __init__(self, names: Sequence[str], servers: tuple[Databases, Broker] | None = None) -> None:
        self.systems: list[System] = []
        self.sink = SinkProgram()
        self._own: list[PostgresServer | RabbitServer] = []
        self._pids: dict[str, int] = {}
        try:
            self.sink.wait_ready(f"{self.sink.url}/ready")
            self._start(names, servers)
        except BaseException:
            self.stop()
            raise

    def _start(self, names: Sequence[str], servers: tuple[Databases, Broker] | None) -> None:
        if "onward" in names:
            onward = OnwardSystem(self.sink)
            self.systems.append(onward)
            servers = self._shared(onward.stack.postgres, onward.stack.rabbit)
        databases, broker = servers or self._private()
        if "floor" in names:
            self.systems.insert(0, FloorSystem(databases, self.sink))
        if "celery" in names:
            self.systems.append(CelerySystem(databases, broker, self.sink))

    def _private(self) -> tuple[Databases, Broker]:
        postgres, rabbit = PostgresServer(), RabbitServer(management=True)
        self._own = [postgres, rabbit]
        return self._shared(postgres.start(), rabbit.start())

    def _shared(self, postgres: PostgresServer, rabbit: RabbitServer) -> tuple[Databases, Broker]:
        pairs = (("postgres", postgres.process), ("rabbitmq", rabbit.process))
        self._pids = {name: process.pid for name, process in pairs if process is not None}
        return postgres.databases, rabbit.broker

    def system(self, name: str) -> System | None:
        """Return a system, None when it is left out."""
        return next((system for system in self.systems if system.name == name), None)

    def server_pids(self) -> dict[str, int]:
        """Return the process ids of the servers that all systems share, where they are ours."""
        return self._pids

    def run_name(self) -> str:
        """Return a name that no other run has."""
        return f"BENCH-{secrets.token_hex(4)}"

    def stop(self) -> None:
        """End the systems, then the servers."""
        for system in reversed(self.systems):
            if system.name != "onward":
                system.stop()
        onward = self.system("onward")
        if onward is not None:
            onward.stop()
        self.sink.stop()
        for server in reversed(self._own):
            server.close()


def describe_machine() -> dict[str, str | int]:
    """Return what the figures were taken on."""
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    return {
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": sys.version.split()[0],
        "load_average_before": load,
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def dump(path: Path, document: object) -> None:
    """Write a document as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
