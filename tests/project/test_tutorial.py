"""The tutorial, step by step: its code is written into the named files, and its commands are executed."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.project.test_install import NewProject
from tests.support import ROOT
from tests.support.processes import Process, wait_until
from tests.support.servers import RedisServer

pytestmark = pytest.mark.celery

SETTINGS, COMMAND, CELERY = "site_/settings.py", "app/management/commands/refresh.py", "site_/celery.py"
#: Commands that run until they are stopped, ask at the terminal, create an environment, or need another database.
ELSEWHERE = ("runserver", "createsuperuser", "cronserver", "venv", "pip install", "* * * *")
MAKE_JOBS = """
from chroniker.models import Job
Job.objects.create(name="clear sessions", command="clearsessions", cron="*/5 * * * *", force_run=True)
Job.objects.create(name="refresh", command="refresh", cron="0 0 1 1 *", force_run=True)
"""
FORCE = "from chroniker.models import Job; Job.objects.filter(name='refresh').update(force_run=True)"
WHAT_RAN = """
from chroniker.models import Run
print([f"{run.job.name} {run.token} {run.status} {run.total_parts_complete}" for run in Run.objects.all()])
"""


class Reader(NewProject):
    """Executes the tutorial section by section."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "site_")
        text = (ROOT / "docs" / "tutorial.md").read_text()
        parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
        self.sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    def follow(self, section: str) -> list[str]:
        """The commands that run until they are stopped."""
        endless = []
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", self.sections[section], re.MULTILINE | re.DOTALL):
            if language == "python":
                self.write_file(block)
                continue
            for line in block.splitlines():
                if line.startswith("celery "):
                    endless.append(line)
                elif not any(word in line for word in ELSEWHERE):
                    self.execute(line)
        return endless

    def write_file(self, block: str) -> None:
        path = COMMAND if "class Command" in block else CELERY if "Celery(" in block else SETTINGS
        with (self.directory / path).open("a") as file:
            file.write("\n" + block)

    def execute(self, line: str) -> None:
        words = shlex.split(line)
        if words[0] == "python":
            self.run(*words[1:])
        else:
            assert words[:2] == ["mkdir", "-p"], f"the tutorial has another command: {line}"
            (self.directory / words[2]).mkdir(parents=True)

    def finished_runs(self) -> str:
        return self.manage("shell", "--verbosity", "0", "--command", WHAT_RAN)


def test_the_tutorial_leads_from_an_empty_project_to_a_running_fleet(tmp_path: Path, redis_server: RedisServer) -> None:
    reader = Reader(tmp_path)
    assert reader.follow("One host, no broker") == []
    assert reader.follow("A command of your own") == []
    reader.manage("shell", "--verbosity", "0", "--command", MAKE_JOBS)
    reader.manage("cron")
    ran = reader.finished_runs()
    assert "clear sessions 1 SUCCEEDED" in ran and "refresh 1 SUCCEEDED 77" in ran

    fleet = reader.sections["Celery workers on several hosts"]
    init = re.search(r"with `(from \.celery import \w+ as \w+)` in `(\S+)`", fleet)
    assert init, "the tutorial no longer says what goes into the package of the project"
    (reader.directory / init[2]).write_text(init[1] + "\n")
    endless = reader.follow("Celery workers on several hosts")
    assert [line.split()[3] for line in endless] == ["worker", "beat"]
    redis_server.reset()
    reader.add_settings(f'CELERY_BROKER_URL = "{redis_server.url}"')
    reader.manage("shell", "--verbosity", "0", "--command", FORCE)
    with ExitStack() as stack:
        for line in endless:
            process = Process(["-m", *shlex.split(line)], reader.env, tmp_path)
            process.cwd = reader.directory
            stack.enter_context(process)
        wait_until(lambda: "refresh 2 SUCCEEDED 77" in reader.finished_runs(), seconds=300, what="a worker ran it")
