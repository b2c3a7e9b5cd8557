"""``peers``: other schedulers and this one, with the same work: many schedules that wait, and some due at one moment.

Each is installed into an environment of its own, which is deleted afterwards.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import redis

from tests.benchmarks.installation import DurablePostgres
from tests.benchmarks.measuring import Row, figure, load, percentile
from tests.benchmarks.peer_list import PEERS, Peer
from tests.support.servers import RedisServer

PROJECTS = Path(__file__).with_name("peer_projects")
#: Until all processes of a peer are ready, which no sign shows for all peers; then it is idle, for one full minute.
READY_SECONDS, IDLE_SECONDS = 25.0, 62.0
#: All runs have to start within this time after they were due.
START_TIMEOUT_SECONDS = 240.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--schedules", type=int, default=10_000, help="that wait, far in the future")
    parser.add_argument("--due", type=int, default=50, help="schedules that are due at one moment")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this peer; may be repeated")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for each peer, also for one that could not be installed or did not do the work."""
    for peer in PEERS:
        if options.only and peer.name not in options.only:
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="chroniker-peer-") as directory:
                python = _installed(peer, Path(directory))
                yield _in_time(peer, python, Path(directory), options.schedules, options.due)
        except (subprocess.CalledProcessError, AssertionError) as error:
            yield {"benchmark": "peers", "peer": peer.name, "failed": _reason(error)}


def _installed(peer: Peer, directory: Path) -> str:
    if not peer.packages:
        return sys.executable
    venv.create(directory / "venv", with_pip=True)
    python = str(directory / "venv" / "bin" / "python")
    _checked([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages], os.environ)
    return python


class _TooLate(AssertionError):
    """Filling or starting took longer than planned."""


def _in_time(peer: Peer, python: str, directory: Path, far: int, due: int) -> Row:
    """Measure; on a busy machine once more, with more time before the moment at which schedules are due."""
    for ahead in (20 + far / 500, 100 + far / 100):
        with suppress(_TooLate):
            return _measured(peer, python, directory, far, due, ahead)
    raise _TooLate("filling and start took too long: use fewer schedules")


def _measured(peer: Peer, python: str, directory: Path, far: int, due: int, ahead: float) -> Row:
    with ExitStack() as stack:
        postgres, broker = stack.enter_context(DurablePostgres()), stack.enter_context(RedisServer())
        at = 60 * math.ceil((time.time() + ahead + READY_SECONDS + IDLE_SECONDS) / 60)
        env = _environ(peer, postgres, broker, directory, at=at, far=far, due=due)
        _checked([python, *peer.fill], env)
        log = stack.enter_context((directory / "log").open("wb"))
        processes = [
            stack.enter_context(
                _ended(subprocess.Popen([python, *words], cwd=PROJECTS, env=env, stdout=log, stderr=log))
            )
            for words in peer.processes
        ]
        pids = [postgres.pid, broker.pid, *(each.pid for each in processes)]
        _sleep_until(at - IDLE_SECONDS + 1)
        began, before = time.time(), _processor_seconds(pids)
        _sleep_until(at - 1)
        idle = (_processor_seconds(pids) - before) / (time.time() - began)
        memory = sum(_memory(each.pid) for each in processes)
        began, before = time.time(), _processor_seconds(pids)
        starts = _starts(broker, due, at + START_TIMEOUT_SECONDS)
        if not starts:
            raise AssertionError(f"nothing was started\n{(directory / 'log').read_text(errors='replace')[-500:]}")
        _wait_until_quiet(pids, idle)
        used = _processor_seconds(pids) - before - idle * (time.time() - began)
    delays = [each - at for each in starts]
    return {
        "benchmark": "peers", "peer": f"{peer.name} ({_versions(python, peer)})", "schedules": far,
        "idle_ms_per_second": figure(idle * 1000), "memory_mb": figure(memory), "due": due, "started": len(starts),
        "start_p50_ms": figure(percentile(delays, 50) * 1000), "start_p99_ms": figure(percentile(delays, 99) * 1000),
        "runs_per_second": figure(len(starts) / max(delays)), "cpu_ms_per_run": figure(used / len(starts) * 1000),
        "load": load(), "does": peer.does,
    }  # fmt: skip


def _environ(
    peer: Peer, postgres: DurablePostgres, broker: RedisServer, directory: Path, *, at: int, far: int, due: int
) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CHRONIKER_", "PYTHONPATH"))}
    return env | {
        "DJANGO_SETTINGS_MODULE": "settings" if peer.apps else "",
        "PYTHONPATH": str(PROJECTS),
        "PEER_APPS": peer.apps,
        "PEER_AT": str(at),
        "PEER_FAR": str(far),
        "PEER_DUE": str(due),
        "PEER_DIRECTORY": str(directory / "runtime"),
        "PEER_REDIS": broker.url.rpartition("/")[0],
        "PEER_POSTGRES_PORT": str(postgres.port),
    }


def _checked(command: Sequence[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=PROJECTS, env=env, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout


class _ended:
    """Ends a process and all its descendants."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *error: object) -> None:
        tree = _tree(self._process.pid)
        self._process.terminate()
        _gone, alive = psutil.wait_procs(tree, timeout=15)
        for each in alive:
            each.kill()
        self._process.wait()


def _starts(broker: RedisServer, due: int, until: float) -> list[float]:
    """The times of the starts, as soon as there are enough of them."""
    client = redis.Redis.from_url(f"{broker.url.rpartition('/')[0]}/9")
    while client.llen("starts") < due and time.time() < until:
        time.sleep(0.05)  # the times are those of the peers, so this only limits the load
    return sorted(map(float, client.lrange("starts", 0, -1)))


def _wait_until_quiet(pids: Sequence[int], idle: float) -> None:
    """Wait for a second in which not much more was done than in an idle one; one minute at most."""
    for _each in range(60):
        before = _processor_seconds(pids)
        time.sleep(1)
        if _processor_seconds(pids) - before < 0.05 + 2 * idle:
            return


def _processor_seconds(pids: Sequence[int]) -> float:
    """Of these processes and their descendants, with those that have ended."""
    used = 0.0
    for each in (process for pid in pids for process in _tree(pid)):
        with suppress(psutil.NoSuchProcess):  # then its parent has its time
            used += sum(each.cpu_times()[:4])
    return used


def _memory(pid: int) -> float:
    """Proportional, in megabytes, with all descendants."""
    used = 0
    for each in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            used += each.memory_full_info().pss
    return used / 1e6


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _versions(python: str, peer: Peer) -> str:
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]), sep=', ')"
    versions = _checked([python, "-c", code, *peer.shown], os.environ).strip().split(", ")
    names = ["", *(f"{name} " for name in peer.shown[1:])]
    return ", ".join(name + version for name, version in zip(names, versions, strict=True))


def _sleep_until(moment: float) -> None:
    if moment < time.time():
        raise _TooLate
    time.sleep(moment - time.time())


def _reason(error: Exception) -> str:
    text = str(getattr(error, "stderr", "") or error).strip()
    return " ".join((text.splitlines() or ["no reason"])[-1].split())[:200].replace("|", "/")
