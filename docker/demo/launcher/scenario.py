"""The steps of the demo."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from launcher import valkey
from launcher.console import Console
from launcher.process_group import DemoFailed, ProcessGroup, status_text
from launcher.service import TERMINATE, Ending, Service

HOST = "127.0.0.1"
PORT = 8000
START_SECONDS = 60.0
#: Time to start and to print the report, on a busy machine.
REPORT_SECONDS = 12.0
CELERY = (sys.executable, "-m", "celery", "--app", "demo")
MANAGE = (sys.executable, "manage.py")
#: Celery's warm shutdown, which waits for runs; then its cold one, which does not.
WARM_THEN_COLD: Ending = ((signal.SIGTERM, 2.0), (signal.SIGQUIT, 5.0))


class Scenario:
    def __init__(self, processes: ProcessGroup, console: Console, data: Path, password: str) -> None:
        self._processes = processes
        self._console = console
        self._data = data
        self._password = password
        self._env = environment(data)
        self.findings: list[str] = []
        """Output of the check, printed after all processes have ended."""

    async def serve(self, port: int | None) -> int:
        """Run everything until a process ends unexpectedly, or the caller is cancelled."""
        port = port or (PORT if is_free(PORT) else free_port())
        self._env["DEMO_INBOX"] = f"http://{HOST}:{port}/inbox/"
        await self._prepare()
        await self._scheduler()
        await self._site(port)
        service, status = await self._processes.first_end()
        raise DemoFailed(f"{service.name} has ended ({status_text(status)}).")

    async def check(self, seconds: float) -> int:
        """Run everything but the site until each sample job has run. Returns 0 if all results are as expected."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await self._prepare("--hurry")
                await self._scheduler(hurry=True)
                wait = max(1.0, seconds - (time.monotonic() - began) - REPORT_SECONDS)
                words = (*MANAGE, "report_runs", "--wait", f"{wait:.0f}")
                report = Service("check", words, env=self._env, tell=self.findings.append)
                await self._processes.start(report)
                service, status = await self._processes.first_end()
        except TimeoutError:
            raise DemoFailed(f"it did not finish within {seconds:g} seconds.") from None
        if service is not report:
            raise DemoFailed(f"{service.name} has ended ({status_text(status)}).")
        return min(abs(status), 1)

    async def _prepare(self, *seed: str) -> None:
        program = valkey.program()
        assert program is not None
        broker = self._service("valkey", *valkey.words(program, self._data))
        await self._processes.start(broker)
        try:
            await self._until(broker, lambda: valkey.answers(self._data))
        except DemoFailed as error:
            raise DemoFailed(f"{error} {valkey.log_tail(self._data)}") from None
        await self._processes.step(self._service("django", *MANAGE, "migrate", "--verbosity", "0"))
        await self._processes.step(self._service("django", *MANAGE, "seed", *seed, DEMO_PASSWORD=self._password))

    async def _scheduler(self, hurry: bool = False) -> None:
        quiet = ("--loglevel", "INFO", "--without-gossip", "--without-mingle")
        worker = ("worker", "--hostname", "demo@%h", *quiet)
        heavy = ("worker", "--hostname", "heavy@%h", "--queues", "heavy", "--concurrency", "3", *quiet)
        beat = ("beat", "--scheduler", "chroniker_celery.beat:Scheduler", "--loglevel", "INFO", "--pidfile=")
        await self._processes.start(self._service("worker", *CELERY, *worker, ending=WARM_THEN_COLD))
        if not hurry:
            await self._processes.start(self._service("heavy", *CELERY, *heavy, ending=WARM_THEN_COLD))
        await self._processes.start(self._service("beat", *CELERY, *beat))

    async def _site(self, port: int) -> None:
        words = ("runserver", "--noreload", f"{HOST}:{port}")
        site = self._service("site", *MANAGE, *words, DJANGO_DEBUG="1")
        await self._processes.start(site)
        await self._until(site, lambda: accepts(port))
        self._console.say(
            f"\n    The admin is at  http://{HOST}:{port}/\n"
            f"    Log in as        demo\n"
            f"    with password    {self._password}\n"
            f"    Files are in     {self._data}\n"
            f"    Ctrl-C ends everything.\n"
        )

    def _service(self, name: str, *words: str, ending: Ending = TERMINATE, **env: str) -> Service:
        tell = partial(self._console.line, name)
        return Service(name, words, env={**self._env, **env}, tell=tell, ending=ending)

    async def _until(self, service: Service, answers: Callable[[], Awaitable[bool]]) -> None:
        until = time.monotonic() + START_SECONDS
        while not await answers():
            if not service.running:
                raise DemoFailed(f"{service.name} did not start ({status_text(await service.ended())}).")
            if time.monotonic() > until:
                raise DemoFailed(f"{service.name} did not answer within {START_SECONDS:g} seconds.")
            await asyncio.sleep(0.05)


def environment(data: Path) -> dict[str, str]:
    """This process's environment, without variables that name another database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "demo.settings",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(40),
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": f"{HOST},localhost",
        "DEMO_DATA": str(data),
        "CHRONIKER_RUNTIME_DIR": str(data / "runs"),
        "CELERY_BROKER_URL": valkey.url(data),
        "DJANGO_RUNSERVER_HIDE_WARNING": "true",
        "PYTHONUNBUFFERED": "1",
    }


async def accepts(port: int) -> bool:
    try:
        _reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
