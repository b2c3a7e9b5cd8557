"""``python docker/demo``: a broker, a worker, a beat and the admin site, until Ctrl-C. ``make demo`` starts it."""

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

from up import valkey
from up.console import Console
from up.play import Play
from up.stage import Failed, Stage

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="The demo, until Ctrl-C. Ends all it starts.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="without the site: run every sample job once, print what became of each, and end; exit status 0 if all did"
        " as they should, else 1",
    )
    parser.add_argument("--port", type=int, help="the site's port (default: 8000 if it is free, else another)")
    parser.add_argument("--data", type=Path, help="keep database and all in this directory, for the next time")
    parser.add_argument("--timeout", type=float, default=105.0, help="with --check: seconds for all of it (105)")
    return parser.parse_args()


@contextmanager
def data_directory(kept: Path | None) -> Iterator[Path]:
    """The one to keep, or a temporary one. Nobody else may look into it: the scheduler's sockets are there."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="chroniker-demo-", ignore_cleanup_errors=True) as directory:
            yield Path(directory)
        return
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (kept / "in-use").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(f"another one runs in {kept}.") from None
        yield kept.resolve()


async def run(chosen: argparse.Namespace, data: Path, console: Console) -> int:
    """The demo from beginning to end; its exit status."""
    task = asyncio.current_task()
    assert task is not None
    stage = Stage(console, Path(__file__).parent)
    asked = 0

    def end() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            console.say("Ending what runs. Once more, and it is killed.")
            task.cancel()
        else:
            stage.kill()

    for signum in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, end)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as it is under nohup
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, end)
    console.on_gone = end
    password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(6)
    play = Play(stage, console, data, password)
    try:
        async with stage:
            return await (play.check(chosen.timeout) if chosen.check else play.show(chosen.port))
    except asyncio.CancelledError:
        console.say("Ended." if not chosen.check else "Ended before the check was through.")
        return INTERRUPTED if chosen.check else 0
    finally:
        console.print(*play.findings)


def main() -> int:
    chosen = options()
    console = Console(sys.stdout, width=len("worker"))
    if valkey.program() is None:
        console.say(f"There is no Redis or Valkey here. Install one, or say in {valkey.VARIABLE} where it is.")
        return 1
    try:
        with data_directory(chosen.data) as data:
            return asyncio.run(run(chosen, data, console))
    except Failed as error:
        console.say(f"The demo failed: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
