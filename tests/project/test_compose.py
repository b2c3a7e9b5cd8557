"""The containers of the demo, without containers: the same commands and variables, and the demo's own check."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from chroniker.process import alive_file
from tests.project.compose_file import BASE, DOCKER, OURS, load, variables_of
from tests.support import ROOT
from tests.support.bare_project import run
from tests.support.processes import Process, wait_until
from tests.support.servers import PostgresServer, RedisServer
from tests.support.servers.base import HOST, free_port

pytestmark = pytest.mark.celery

DEMO = DOCKER / "demo"
CHECK_SECONDS = 240


@pytest.mark.parametrize("variant", ["compose.rabbitmq.yaml", "compose.mariadb.yaml"])
def test_a_variant_replaces_one_server_for_all_processes(variant: str) -> None:
    services = load(variant)
    servers = services.keys() & {"database", "broker"}
    assert len(servers) == 1 and services.keys() == OURS.keys() | servers
    for server in servers:
        assert services[server]["image"] != BASE[server]["image"]
        assert services[server]["healthcheck"]["test"] != BASE[server]["healthcheck"]["test"]


def test_each_variable_is_known_to_the_settings() -> None:
    known = (DEMO / "demo" / "settings.py").read_text() + (DEMO / "samples/management/commands/seed.py").read_text()
    for name in ("compose.yaml", "compose.rabbitmq.yaml", "compose.mariadb.yaml"):
        services = load(name)
        used = {key for each in OURS.keys() & services.keys() for key in services[each]["environment"]}
        assert [key for key in used if f'"{key}"' not in known] == []


def test_each_process_has_a_health_check_and_a_file_system_that_it_cannot_write() -> None:
    assert all(service["read_only"] and service["tmpfs"] == ["/tmp"] for service in OURS.values())
    assert all("healthcheck" in service for name, service in BASE.items() if name != "setup")
    assert {name: OURS[name]["deploy"]["replicas"] for name in ("tick", "worker")} == {"tick": 2, "worker": 2}


def test_the_health_checks_of_the_site_name_addresses_that_exist() -> None:
    addresses = re.findall(r"/chroniker/(healthz/\w+)", str(OURS))
    routes = (ROOT / "chroniker" / "urls.py").read_text()
    assert set(addresses) == {"healthz/ready"}
    assert all(f'"{address}"' in routes for address in addresses)
    probes = {name: service["healthcheck"]["test"] for name, service in OURS.items() if "healthcheck" in service}
    kinds = {name: words[2] for name, words in probes.items() if words[:2] == ["CMD", "chroniker-alive"]}
    assert kinds == {"tick": "beat", "worker": "worker"} and set(kinds.values()) <= set(alive_file.PROCESS_KINDS)


def test_docker_waits_longer_than_a_worker_needs() -> None:
    settings = (DEMO / "demo" / "settings.py").read_text()
    graces = re.findall(r"^CHRONIKER_(?:SHUTDOWN|STOP)_GRACE_SECONDS = (\d+)$", settings, re.MULTILINE)
    assert int(OURS["worker"]["stop_grace_period"].rstrip("s")) >= sum(map(int, graces)) + 10


@pytest.fixture
def variables(postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHRONIKER_", "DJANGO_"))}
    with variables_of(postgres_server, redis_server) as declared:
        yield {
            **kept,
            **declared,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{DEMO}",
            "DJANGO_SETTINGS_MODULE": "demo.settings",
            "TMPDIR": str(tmp_path),
        }


def words(service: str) -> list[str]:
    """The arguments of Python that do what the service's command does."""
    program, *rest = OURS[service]["command"]
    assert program == "celery"
    return ["-m", program, *rest]


def test_the_site_is_tested_with_the_packages_of_the_image() -> None:
    requirement = re.compile(r'"((?:gunicorn|whitenoise)>=[^"]*)"')
    in_image, in_extra = (
        set(requirement.findall(path.read_text())) for path in (DOCKER / "Dockerfile", ROOT / "setup.py")
    )
    assert in_image and in_image == in_extra


def site_words(port: int) -> list[str]:
    """The arguments of Python for the default command of the image."""
    line = re.search(r"^CMD (\[.*\])$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert line
    program, *rest = yaml.safe_load(line[1])
    return ["-m", program, *(word.replace("0.0.0.0:8000", f"{HOST}:{port}") for word in rest)]


def test_the_processes_of_the_file_pass_the_check_of_the_demo(variables: dict[str, str], tmp_path: Path) -> None:
    shell, _option, line = OURS["setup"]["command"]
    assert shell == "sh"
    for command in line.split(" && "):
        program, *rest = shlex.split(command)
        assert program == "python"
        more = ["--hurry"] if "seed" in rest else []
        run([sys.executable, *rest, *more], env=variables, cwd=DEMO)
    port = free_port()
    with ExitStack() as stack:

        def start(arguments: list[str], name: str) -> Process:
            here = {"CHRONIKER_HOSTNAME": name, "CHRONIKER_RUNTIME_DIR": str(tmp_path / name[-4:])}
            process = Process(arguments, {**variables, **here}, tmp_path, name=name)
            process.cwd = DEMO
            return stack.enter_context(process)

        processes = [start([*words("tick")], f"tick{number}") for number in (1, 2)]
        processes += [start([*words("worker"), "-n", f"celery@w{number}"], f"worker{number}") for number in (1, 2)]
        processes.append(start(site_words(port), "web"))
        report = ["manage.py", "report_runs", "--wait", str(CHECK_SECONDS)]
        done = start(report, "report")
        wait_until(lambda: not done.running(), seconds=CHECK_SECONDS + 60, what="the report")
        assert "Every sample job ran" in done.log, done.log
        code = OURS["web"]["healthcheck"]["test"][-1].replace("127.0.0.1:8000", f"{HOST}:{port}")
        run([sys.executable, "-c", code], env=variables, cwd=DEMO)
        with urlopen(f"http://{HOST}:{port}/static/chroniker/console.css", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/css")
        for service, name in (("tick", "tick2"), ("worker", "worker1")):
            _cmd, program, kind = OURS[service]["healthcheck"]["test"]
            probe = [sys.executable, str(ROOT / "bin" / program), kind, "--max-age", "120"]
            run(probe, env={**variables, "CHRONIKER_RUNTIME_DIR": str(tmp_path / name[-4:])}, cwd=DEMO)
        assert all(process.running() for process in processes)
        worker = processes[2]
        os.kill(worker.pid, signal.SIGTERM)
        wait_until(lambda: not worker.running(), seconds=60, what="the end of a worker within its grace")
