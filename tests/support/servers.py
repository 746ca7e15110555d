"""Private PostgreSQL and RabbitMQ servers for tests and measurements.

    with PostgresServer() as postgres, RabbitServer() as rabbit:
        url = postgres.create_database("intake")
        rabbit.kill()
        rabbit.start()

`tests.support.process.Server` says what every one of them can do: start, stop, kill, restart, pause, resume, close.
"""

import secrets
import signal
import socket
import time
from collections.abc import Mapping
from typing import Any, Self

from typing_extensions import override

from tests.support.access import Broker, Databases
from tests.support.process import Server, ServerError, free_port
from tests.support.programs import postgres_programs, rabbitmq_programs

__all__ = ["PostgresServer", "RabbitServer", "Server", "ServerError", "free_port"]


class PostgresServer(Server):
    """PostgreSQL on a port of its own, as durable as in production unless `fast`.

    Parameters
    ----------
    fast
        Give up durability for speed: for tests that never kill the server.
    settings
        Further settings of the server, by name.
    """

    name = "postgres"
    users = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # the fast shutdown; SIGTERM would wait for the clients

    def __init__(self, *, fast: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.programs = postgres_programs()
        super().__init__()
        self.port = free_port()
        self._password = secrets.token_hex(12)
        self._settings = {"max_connections": "200", "log_timezone": "UTC", "timezone": "UTC"}
        if fast:
            self._settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._settings |= settings or {}
        self.databases = Databases(f"postgresql://onward:{self._password}@127.0.0.1:{self.port}/postgres")

    @override
    def start(self, wait: float = 60) -> Self:
        """Start, after making the data folder the first time."""
        if not (self.folder / "data" / "PG_VERSION").exists():
            password = self.write("password", self._password)
            self.run(
                str(self.programs / "initdb"),
                *("-D", str(self.folder / "data"), "-U", "onward", f"--pwfile={password}", "-A", "scram-sha-256"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
            )
        return super().start(wait)

    @override
    def command(self) -> list[str]:
        """Return the server's command: loopback only, no socket."""
        settings = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [part for name, value in (settings | self._settings).items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options]

    @override
    def ready(self) -> bool:
        """Whether a query is answered."""
        return self.databases.answers()

    def create_database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy URL (`postgresql+asyncpg://…`)."""
        return self.databases.create_database(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and end whoever is connected to it."""
        self.databases.drop_database(name)

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return self.databases.execute(statement, database)


class _PortMapper(Server):
    """Erlang's `epmd`, one per broker; otherwise the broker leaves a daemon behind."""

    name = "epmd"
    users = ("rabbitmq", "nobody")

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    @override
    def environment(self) -> dict[str, str]:
        return super().environment() | {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.port)}

    @override
    def command(self) -> list[str]:
        return ["epmd"]

    @override
    def ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True


class RabbitServer(Server):
    """RabbitMQ, one node on ports of its own.

    A queue declared less than a second before `kill` can be lost by RabbitMQ 3.10: wait a second after declaring.

    Parameters
    ----------
    management
        Also serve the HTTP API (`create_vhost`, `api`): costs a second at the start and some CPU.
    """

    name = "rabbitmq"
    users = ("rabbitmq", "nobody")

    def __init__(self, *, management: bool = False) -> None:
        self.programs = rabbitmq_programs()
        super().__init__()
        self.port, self._distribution_port = free_port(), free_port()
        self.management_port = free_port() if management else None
        self._mapper = _PortMapper()
        password = secrets.token_hex(12)
        self.url = f"amqp://onward:{password}@127.0.0.1:{self.port}/"
        self.broker = Broker(self.url, f"http://127.0.0.1:{self.management_port}" if management else None)
        self.write(".erlang.cookie", secrets.token_hex(16), 0o400)
        self.write("enabled_plugins", "[rabbitmq_management].\n" if management else "[].\n")
        self.write("env.conf", "")
        settings = {
            "default_user": "onward",
            "default_pass": password,
            "log.console": "true",
            "log.file": "false",
            "disk_free_limit.absolute": "50MB",
        }
        if management:
            settings |= {"management.tcp.ip": "127.0.0.1", "management.tcp.port": str(self.management_port)}
        self.write("rabbitmq.conf", "".join(f"{name} = {value}\n" for name, value in settings.items()))

    @override
    def environment(self) -> dict[str, str]:
        """Return settings that keep every file, port and cookie in this server's own folder."""
        folder = str(self.folder)
        return super().environment() | {
            "RABBITMQ_NODENAME": "onward@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "ERL_EPMD_PORT": str(self._mapper.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config",
            "RABBITMQ_SCHEMA_DIR": f"{folder}/schema",
            "ERL_CRASH_DUMP": f"{folder}/erl_crash.dump",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the broker, and its pid the broker's
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
        }

    @override
    def start(self, wait: float = 90) -> Self:
        """Start; after a restart also wait until quorum queues have their leaders again."""
        self._mapper.start()
        again = not self.alive and (self.folder / "mnesia").exists()
        super().start(wait)
        if again:
            time.sleep(1)
        return self

    @override
    def close(self) -> None:
        """Kill the broker and its port mapper and remove their folders."""
        super().close()
        self._mapper.close()

    @override
    def command(self) -> list[str]:
        """Return RabbitMQ's own script; Debian's wrapper would drop the environment."""
        return [str(self.programs / "rabbitmq-server")]

    @override
    def ready(self) -> bool:
        """Whether the broker greets an AMQP client; the listener opens last."""
        return self.broker.answers()

    def create_vhost(self, name: str) -> str:
        """Make an empty virtual host and return its URL. Needs `management`."""
        return self.broker.create_vhost(name)

    def drop_vhost(self, name: str) -> None:
        """Remove a virtual host with all its queues and connections. Needs `management`."""
        self.broker.drop_vhost(name)

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` (about a second) and return what it printed."""
        return self.run(str(self.programs / "rabbitmqctl"), "-q", *arguments)
