"""Where the programs of PostgreSQL and RabbitMQ are on this machine; stdlib only.

Run as a module it prints the Debian packages that are missing, nothing when all is there.
"""

import shutil
from pathlib import Path


class MissingProgramError(Exception):
    """A server program that tests need is not installed."""


def postgres_programs() -> Path:
    """Return the folder that holds `postgres` and `initdb`, of the newest version installed.

    Raises
    ------
    MissingProgramError
        When there is none.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    for folder in [*reversed(debian), *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingProgramError("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def rabbitmq_programs() -> Path:
    """Return the folder that holds RabbitMQ's own scripts.

    Debian's `/usr/sbin/rabbitmq-server` is a wrapper that changes the user and drops the environment, so it is not it.

    Raises
    ------
    MissingProgramError
        When there is none.
    """
    on_path = shutil.which("rabbitmq-server")
    for folder in [Path("/usr/lib/rabbitmq/bin"), *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "rabbitmq-server").exists() and (folder / "rabbitmq-defaults").exists() and shutil.which("epmd"):
            return folder
    raise MissingProgramError("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs cannot be found."""
    missing = []
    for package, find in (("postgresql", postgres_programs), ("rabbitmq-server", rabbitmq_programs)):
        try:
            find()
        except MissingProgramError:
            missing.append(package)
    return missing


if __name__ == "__main__":
    print(" ".join(missing_packages()))  # noqa: T201
