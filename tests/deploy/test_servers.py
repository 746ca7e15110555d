"""The private servers that the other tests stand on."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import aio_pika
import asyncpg
import psutil
import pytest

from tests.support.access import Broker, Databases
from tests.support.servers import PostgresServer, RabbitServer, ServerError, free_port


def test_ports_are_outside_the_range_of_outgoing_connections():
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50
    assert max(ports) < 32768


async def test_each_test_has_an_empty_database_of_its_own(postgres_url: str, postgres_server: Databases):
    assert postgres_url.startswith("postgresql+asyncpg://")
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        await connection.execute("CREATE TABLE kept (id int)")
    finally:
        await connection.close()
    assert postgres_server.address("kept", driver="").startswith("postgresql://")


def test_a_dropped_database_is_gone_though_someone_is_connected(postgres_server: Databases):
    async def hold(url: str) -> None:
        connection = await asyncpg.connect(url)
        postgres_server.drop_database("dropped")
        with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
            await connection.execute("SELECT 1")

    asyncio.run(hold(postgres_server.create_database("dropped").replace("+asyncpg", "")))

    assert postgres_server.execute("SELECT count(*) FROM pg_database WHERE datname = 'dropped'") == [(0,)]


async def test_each_test_has_an_empty_virtual_host_of_its_own(rabbit_url: str):
    connection = await aio_pika.connect(rabbit_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), "kept")
        message = await queue.get(timeout=5)
        assert message is not None
        assert message.body == b"hello"
        await message.ack()


def test_postgresql_keeps_committed_rows_when_it_is_killed():
    with PostgresServer() as server:
        server.create_database("ledger")
        server.execute("CREATE TABLE row (id int)", "ledger")
        server.execute("INSERT INTO row VALUES (1)", "ledger")
        processes = _processes(server)

        server.kill()

        assert not server.alive
        assert all(_is_gone(process) for process in processes)
        server.start()
        assert server.execute("SELECT id FROM row", "ledger") == [(1,)]


def test_a_paused_postgresql_does_not_answer_until_it_resumes():
    with PostgresServer(fast=True) as server:
        server.pause()
        states = {process.status() for process in _processes(server)}
        assert states <= {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}

        server.resume()

        assert server.execute("SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_why():
    server = PostgresServer(settings={"max_connections": "many"})
    with pytest.raises(ServerError, match="max_connections"), server:
        pass
    assert not server.folder.exists()


async def test_rabbitmq_keeps_confirmed_messages_when_it_is_killed():
    with RabbitServer() as server:
        connection = await aio_pika.connect(server.url)
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await asyncio.sleep(1.2)
        message = aio_pika.Message(b"hello", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
        server.kill()
        await connection.close()

        server.start()

        async with await aio_pika.connect(server.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue("kept")
            kept = await queue.get(timeout=10)
            assert kept is not None
            assert kept.body == b"hello"
        assert "kept" in server.ctl("list_queues", "name")


def test_servers_die_with_the_process_that_started_them(tmp_path: Path):
    script = (
        "import os, time\n"
        "from tests.support.servers import PostgresServer\n"
        "server = PostgresServer(fast=True).start()\n"
        "print(server.process.pid, server.folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    with starter.stdout as output:
        pid, folder = output.readline().split()
    server = psutil.Process(int(pid))
    processes = [server, *server.children(recursive=True)]

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    deadline = time.monotonic() + 10
    while not all(_is_gone(process) for process in processes):
        assert time.monotonic() < deadline, "PostgreSQL outlived the process that started it"
        time.sleep(0.05)
    subprocess.run(["rm", "-r", folder], check=True)


def test_the_broker_api_refuses_a_server_without_one():
    with pytest.raises(AssertionError, match="management"):
        Broker("amqp://onward@127.0.0.1:1/").create_vhost("x")


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _processes(server: PostgresServer) -> list[psutil.Process]:
    assert server.process is not None
    main = psutil.Process(server.process.pid)
    deadline = time.monotonic() + 2
    while len(main.children()) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    return [main, *main.children(recursive=True)]
