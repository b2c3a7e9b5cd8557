"""The processes under test: ticks, beats and workers on two hosts, each with its own proxies to the servers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.faults import administrator, failpoints
from tests.support import ROOT
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryBeat, CeleryWorker
from tests.support.processes import ManagementCommand, Process, with_settings
from tests.support.servers import HOST, FaultProxy, OwnNetwork

#: What a release consists of.
CODE = ("chroniker", "chroniker_celery", "tests")

ROLES = ("tick", "beat", "worker")


@dataclass(frozen=True)
class ProcessSpec:
    """A process to start: its role, its host name, and for workers their pool."""

    role: str
    host: str
    pool: str = ""
    runtime: str = ""  # the name of its runtime directory, if not its host's


#: On SQLite all of it is on one host, as it must be.
LAYOUT = (
    ProcessSpec("worker", "alder", "prefork"),
    ProcessSpec("worker", "birch", "threads"),
    ProcessSpec("worker", "birch", "prefork"),
    ProcessSpec("tick", "alder"),
    ProcessSpec("tick", "birch"),
    ProcessSpec("beat", "alder"),
    ProcessSpec("beat", "birch"),
)
#: Three workers have more room than is needed at a time.
CONCURRENCY = 6


@dataclass
class Actor:
    """One process of the scheduler, with the proxies through which it reaches database and broker."""

    role: str  # "tick", "beat" or "worker"
    process: Process
    proxies: Mapping[str, FaultProxy] = field(default_factory=dict)
    host: str = ""
    pool: str = ""
    network: OwnNetwork | None = None

    def __str__(self) -> str:
        return f"{self.pool} {self.role}".strip()

    def pids(self) -> list[int]:
        """Its process id, and those of all that it started."""
        return [self.process.pid, *(each.pid for each in self.process.children())]

    def use_release(self, release: Path) -> None:
        """From its next start on it runs the code in this directory."""
        others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        paths = [str(release), *(each for each in others if each and each != str(ROOT))]
        self.process.env["PYTHONPATH"] = os.pathsep.join(paths)
        self.process.cwd = release  # which "python -m" looks at first


def copy_release(directory: Path, number: int) -> Path:
    """A copy of the code in a directory of its own, as a deploy makes it."""
    place = directory / f"release-{number}"
    for name in CODE:
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def create_actor(
    spec: ProcessSpec,
    proxies: Mapping[str, FaultProxy],
    broker: Broker,
    directory: Path,
    settings: Mapping[str, Any],
) -> Actor:
    """The actor, not started yet. ``settings`` differ from those of the others."""
    env = with_settings(_environ(spec, proxies, broker, directory), **settings)
    return Actor(spec.role, _process(spec, env, directory), proxies, spec.host, spec.pool)


def _environ(part: ProcessSpec, proxies: Mapping[str, FaultProxy], post: Broker, directory: Path) -> dict[str, str]:
    parts = urlsplit(post.url)
    proxy = proxies["broker"]
    address = parts.netloc.replace(f"{HOST}:{post.server.port}", f"{proxy.host}:{proxy.port}")
    env = {**os.environ, **post.environ(url=urlunsplit(parts._replace(netloc=address)))}
    env[failpoints.VARIABLE] = str(directory / "failpoints")
    if "database" in proxies:
        proxy = proxies["database"]
        env |= {"CHRONIKER_TEST_DB_HOST": proxy.host, "CHRONIKER_TEST_DB_PORT": str(proxy.port)}
        env["CHRONIKER_TEST_DB_USER"] = administrator.ACTORS
    runtime = directory / f"runtime-{part.runtime or part.host}"
    return with_settings(env, CHRONIKER_HOSTNAME=part.host, CHRONIKER_RUNTIME_DIR=str(runtime))


def _process(part: ProcessSpec, env: dict[str, str], directory: Path) -> Process:
    if part.role == "tick":
        return ManagementCommand("cronserver", "1", env=env, directory=directory)
    if part.role == "beat":
        own = Path(tempfile.mkdtemp(prefix=f"beat-{part.host}-", dir=directory))
        return CeleryBeat(env, own)
    return CeleryWorker(env, directory, pool=part.pool, concurrency=CONCURRENCY)
