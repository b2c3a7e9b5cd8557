"""A worker that sleeps longer than its lease: what its command does on waking, before it is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from django.db import connections
from django.test import RequestFactory

from chroniker.models import Job, Run, Status
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until
from tests.testapp.fencing_page import DONE, REFUSED, names_of
from tests.testapp.models import Account, Report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgres", "mariadb")]

ALL_DONE = dict.fromkeys(("database", "file", "service"), DONE)
ALL_REFUSED = dict.fromkeys(ALL_DONE, REFUSED)


class Service(BaseHTTPRequestHandler):
    """The receiver that the page shows, behind real HTTP."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = RequestFactory().put("/report", body, headers={"X-Fencing-Token": self.headers["X-Fencing-Token"]})
        try:
            answer = names_of("service")["receive"](request, "report")
        finally:
            connections.close_all()
        self.send_response(answer.status_code)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Not to stderr."""


@pytest.fixture
def service() -> Iterator[str]:
    Report.objects.create(name="report")
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/report"
        server.shutdown()
        thread.join()


def said(directory: Path, name: str) -> dict[str, str]:
    """What came of the effects of this token, in this round."""
    path = directory / name
    wait_until(path.exists, what=name)
    words: dict[str, str] = json.loads(path.read_text())
    return words


def send(signum: signal.Signals, *pids: int) -> None:
    for pid in pids:
        os.kill(pid, signum)


def test_what_it_still_does_is_refused_by_database_file_and_service(
    start: Callable[..., ManagementCommand], service: str, tmp_path: Path
) -> None:
    Account.objects.create(pk=7, balance=1000)
    job = a_booked_job(cron="0 3 1 1 *", command="fenced_effects", args=f"{tmp_path} {service}")
    Job.objects.filter(pk=job.pk).update(force_run=True)
    sleeper = start("cronserver", "0.5", CHRONIKER_HOSTNAME="sleeper", CHRONIKER_RUNTIME_DIR=str(tmp_path / "a"))
    assert said(tmp_path, "1.first") == ALL_DONE
    command = int((tmp_path / "1.pid").read_text())
    guards = [sleeper.pid, *(each.pid for each in sleeper.children() if each.pid != command)]
    send(signal.SIGSTOP, *guards, command)
    try:
        start("cronserver", "0.5", CHRONIKER_HOSTNAME="other", CHRONIKER_RUNTIME_DIR=str(tmp_path / "b"))
        wait_until(lambda: Run.objects.get(job=job, token=1).status == Status.LOST, what="lost")
        Job.objects.filter(pk=job.pk).update(force_run=True)
        assert said(tmp_path, "2.first") == ALL_DONE
        (tmp_path / "again").touch()
        assert said(tmp_path, "2.again") == ALL_DONE
        send(signal.SIGCONT, command)  # shortly before the processes that will kill it
        assert said(tmp_path, "1.again") == ALL_REFUSED
    finally:
        send(signal.SIGCONT, *guards)
    wait_until(lambda: not psutil.pid_exists(command), what="the late command killed")
    assert Account.objects.get(pk=7).balance == 1000 - 3 * 100
    assert Report.objects.get().token == 2
    assert (tmp_path / "report.token").read_text() == "2"
