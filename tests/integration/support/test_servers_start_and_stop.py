"""The servers of the tests. If these tests fail, fix them before all others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support import ROOT
from tests.support.processes import wait_until
from tests.support.servers import MariaDBServer, PostgresServer, RabbitMQServer, RedisServer, Server

SERVERS = [RedisServer, PostgresServer, MariaDBServer, RabbitMQServer]


each_kind = pytest.mark.parametrize("kind", SERVERS, indirect=True, ids=lambda kind: kind.name)


@each_kind
def test_a_server_responds_after_its_start_and_is_gone_after_its_stop(kind: type[Server]) -> None:
    with kind() as server:
        assert server.ready()
        directory, process = server.directory, psutil.Process(server.pid)
        tree = [process, *process.children(recursive=True)]
    assert not server.ready()
    assert not directory.exists()
    assert not [process for process in tree if process.is_running()]


@each_kind
def test_a_server_does_not_run_as_root(kind: type[Server]) -> None:
    with kind() as server:
        assert psutil.Process(server.pid).uids().effective != 0


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_frozen_server_is_removed_and_restarts_with_its_data(signum: signal.Signals) -> None:
    if not PostgresServer.available():
        pytest.skip("postgres is not installed here")
    import psycopg

    with PostgresServer() as server:
        address = f"host=127.0.0.1 port={server.port} user={server.user} dbname=postgres"
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE kept ()")
        os.kill(server.pid, signum)
        server.stop(keep=True)
        server.start()
        with psycopg.connect(address) as connection:
            connection.execute("SELECT * FROM kept")


def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    if not RedisServer.available():
        pytest.skip("redis is not installed here")
    program = (
        "import pathlib, sys, time\n"
        "from tests.support.servers import RedisServer\n"
        "server = RedisServer().start()\n"
        "pathlib.Path(sys.argv[1]).write_text(f'{server.pid} {server.directory}')\n"
        "time.sleep(600)\n"
    )
    note = tmp_path / "note"
    with subprocess.Popen([sys.executable, "-c", program, str(note)], cwd=ROOT) as owner:
        try:
            pid, directory = wait_until(lambda: note.read_text().split() if note.exists() else [])
        finally:
            owner.kill()
    wait_until(lambda: not psutil.pid_exists(int(pid)), what="server gone")
    wait_until(lambda: not Path(directory).exists(), what="directory gone")
