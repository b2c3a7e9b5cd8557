"""The image of the demo is built, and its containers, started like those of the compose file, pass the demo's check."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.project import containers
from tests.project.compose_file import OURS, variables_of
from tests.project.containers import Container
from tests.support.processes import wait_until
from tests.support.servers import PostgresServer, RedisServer
from tests.support.servers.base import HOST, free_port

pytestmark = [pytest.mark.celery, pytest.mark.nightly]

CHECK_SECONDS = 240


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    if missing := containers.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    containers.build(containers.base_image(tmp_path))
    with containers.root_file_system() as path:
        yield path


def test_the_containers_of_the_compose_file_pass_the_check_of_the_demo(
    root: Path, postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    declared, entry_point, site = containers.configuration()
    port = str(free_port())
    with variables_of(postgres_server, redis_server) as given, ExitStack() as stack:
        env = {**declared, **given}

        def start(name: str, words: list[str]) -> Container:
            local = [word.replace(":8000", f":{port}").replace("web:", f"{HOST}:") for word in words]
            container = Container(root, name, [*entry_point, *local], env, tmp_path / f"{name}.log")
            return stack.enter_context(container)

        def succeeds(name: str, words: list[str]) -> None:
            container = start(name, words)
            assert container.result() == 0, container.log

        for command in OURS["setup"]["command"][-1].split(" && "):
            succeeds("setup", [*shlex.split(command), *(["--hurry"] if "seed" in command else [])])
        ticks = [start(f"tick{number}", OURS["tick"]["command"]) for number in (1, 2)]
        workers = [start(f"worker{number}", OURS["worker"]["command"]) for number in (1, 2)]
        web = start("web", site)
        succeeds("report", ["python", "manage.py", "report_runs", "--wait", str(CHECK_SECONDS)])
        for service, container in {"web": web, "tick": ticks[0], "worker": workers[0]}.items():
            kind, *words = OURS[service]["healthcheck"]["test"]
            assert kind == "CMD", kind
            probe = container.execute([word.replace(":8000", f":{port}") for word in words])
            assert probe.returncode == 0, (service, probe)
        assert all(container.running() for container in (*ticks, *workers, web))
        for container in (*workers, *ticks, web):
            container.stop()
        wait_until(lambda: not any(each.running() for each in (*workers, *ticks, web)), seconds=90, what="all ended")
        assert [each.result() for each in workers] == [0, 0], workers[0].log
