"""``python docker/demo`` (``make demo``): runs a broker, a worker, a beat and the admin site until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher import valkey
from launcher.console import Console
from launcher.process_group import DemoFailed, ProcessGroup
from launcher.scenario import Scenario

INTERRUPTED = 130
TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description="Runs the demo until Ctrl-C. Ends all processes that it started."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run every sample job once, without the site, print the results, and end; exit status 0 if all are as"
        " expected, else 1",
    )
    parser.add_argument("--port", type=int, help="the site's port (default: 8000 if it is free, else another)")
    parser.add_argument("--data", type=Path, help="keep the database and all files in this directory")
    parser.add_argument("--timeout", type=float, default=300.0, help="with --check: time limit in seconds (300)")
    return parser.parse_args()


@contextmanager
def data_directory(kept: Path | None) -> Iterator[Path]:
    """The directory to keep, or a temporary one. It is private, because it contains the scheduler's sockets."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="chroniker-demo-", ignore_cleanup_errors=True) as directory:
            yield Path(directory)
        return
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (kept / "in-use").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demo runs in {kept}.") from None
        yield kept.resolve()


async def run(chosen: argparse.Namespace, data: Path, console: Console) -> int:
    """Run the demo. Returns its exit status."""
    task = asyncio.current_task()
    assert task is not None
    processes = ProcessGroup(console, Path(__file__).parent)
    signals = 0

    def end() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            console.say("Ending all processes. Press Ctrl-C again to kill them.")
            task.cancel()
        else:
            processes.kill()

    for signum in TERMINATION_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, end)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as it is under nohup
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, end)
    console.on_closed = end
    password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(6)
    scenario = Scenario(processes, console, data, password)
    try:
        async with processes:
            return await (scenario.check(chosen.timeout) if chosen.check else scenario.serve(chosen.port))
    except asyncio.CancelledError:
        console.say("Ended." if not chosen.check else "Ended before the check was complete.")
        return INTERRUPTED if chosen.check else 0
    finally:
        console.print(*scenario.findings)


def main() -> int:
    chosen = options()
    console = Console(sys.stdout, width=len("worker"))
    if valkey.program() is None:
        console.say(f"No Redis or Valkey was found. Install one, or set {valkey.VARIABLE} to its path.")
        return 1
    try:
        with data_directory(chosen.data) as data:
            return asyncio.run(run(chosen, data, console))
    except DemoFailed as error:
        console.say(f"The demo failed: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
