"""The demo as started by ``make demo``: real processes, a real broker, and no process left at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import ROOT
from tests.support.processes import Process, wait_until
from tests.support.servers.base import free_port

pytestmark = pytest.mark.celery

DEMO = ROOT / "docker" / "demo"
START_SECONDS = 120.0
CHECK_SECONDS = 300.0
END_SECONDS = 45.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
SAMPLES = {
    "Import the catalogue": "SUCCEEDED",
    "Write to all outputs": "SUCCEEDED",
    "Charge a card that is declined": "FAILED",
    "Wait for a bank that never answers": "TIMED_OUT",
    "Collect the sales": "SUCCEEDED",
    "Report the sales, once they are collected": "SUCCEEDED",
    "Send the report, when it is written": "SUCCEEDED",
    "Disk space (a raw command)": "SUCCEEDED",
    "Print the time, every ten seconds": "SUCCEEDED",
}


@pytest.fixture
def env() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHRONIKER_", "DEMO_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


@pytest.fixture
def demo(env: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    """The running demo with its site, in a directory that is kept."""
    port = ("--port", str(free_port()))
    with Process([str(DEMO), "--data", str(tmp_path / "data"), *port], env, tmp_path, name="demo") as process:
        wait_until(
            lambda: "Log in as" in process.log or not process.running(), seconds=START_SECONDS, what="the demo is up"
        )
        assert process.running()
        yield process


def run(arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(DEMO), *arguments]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)


def part(demo: Process, words: str) -> psutil.Process:
    """The child process of the demo with these words in its command line."""
    children = psutil.Process(demo.pid).children()
    return next(child for child in children if words in " ".join(child.cmdline()))


def test_the_check_passes_for_every_sample_job_on_a_celery_worker(env: dict[str, str], tmp_path: Path) -> None:
    with Process([str(DEMO), "--check", "--timeout", f"{CHECK_SECONDS:g}"], env, tmp_path, name="check") as check:
        status = check.wait(CHECK_SECONDS + END_SECONDS)
        wait_until(lambda: not check.survivors(), what="nothing is left")
        rows = {name: row for name in SAMPLES if (row := re.search(f"^{re.escape(name)} .*$", check.log, re.MULTILINE))}
        assert status == 0
        assert {name: row[0].removeprefix(name).split()[0] for name, row in rows.items()} == SAMPLES
        assert all("demo@" in row[0] for row in rows.values())
        assert "77/77" in rows["Import the catalogue"][0]


def test_the_site_responds_at_the_printed_address_and_one_interrupt_ends_everything(
    demo: Process, env: dict[str, str], tmp_path: Path
) -> None:
    address = ADDRESS.search(demo.log)
    assert address is not None
    with urllib.request.urlopen(address[0], timeout=30) as page:
        assert "/admin/login/" in page.url
    second = run(["--data", str(tmp_path / "data")], env)
    assert (second.returncode, "another demo runs in" in second.stdout) == (1, True)
    demo.kill(signal.SIGINT)
    assert demo.wait(END_SECONDS) == 0
    assert not demo.survivors()


def test_the_demo_reports_a_dead_worker_and_ends(demo: Process) -> None:
    part(demo, "celery --app demo worker").kill()
    assert demo.wait(END_SECONDS) == 1
    assert "The demo failed: worker has ended (signal 9)" in demo.log
    assert not demo.survivors()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_killing_the_demo_kills_its_processes(demo: Process) -> None:
    demo.kill(signal.SIGKILL)
    wait_until(lambda: not demo.survivors(), seconds=END_SECONDS, what="nothing is left")


def test_the_demo_reports_a_missing_broker(env: dict[str, str]) -> None:
    done = run(["--check"], {**env, "DEMO_REDIS_SERVER": "/nowhere/redis-server"})
    assert (done.returncode, "DEMO_REDIS_SERVER" in done.stdout) == (1, True)


def test_jobs_that_did_not_run_are_named_with_the_reason(env: dict[str, str], tmp_path: Path) -> None:
    env |= {"DEMO_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "demo.settings"}

    def manage(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=DEMO, env=env, capture_output=True, text=True, check=False
        )

    for words in (["migrate", "--verbosity", "0"], ["seed"], ["seed"]):
        assert manage(*words).returncode == 0
    report = manage("report_runs")
    assert report.returncode == 1
    for name in SAMPLES:
        assert f"WRONG  {name}: no run has ended." in report.stdout
