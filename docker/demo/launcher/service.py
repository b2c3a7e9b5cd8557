"""One process of the demo."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

EXEC_WITH_PARENT = Path(__file__).with_name("exec_with_parent.py")
READ_BYTES = 65536

#: Signals in order, each with the seconds until the next. SIGKILL follows the last.
Ending = Sequence[tuple[signal.Signals, float]]
TERMINATE: Ending = ((signal.SIGTERM, 5.0),)


class Service:
    """A process in its own session: Ctrl-C reaches only the demo, which ends its processes in order.

    Its output is a plain pipe. With asyncio's pipe, a process counts as running until its last grandchild ends.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        tell: Callable[[str], object],
        ending: Ending = TERMINATE,
    ) -> None:
        """``tell`` is called with each line of its output."""
        self.name = name
        self._words, self._env, self._tell, self._ending = words, env, tell, ending
        self._process: asyncio.subprocess.Process | None = None
        self._rest = b""

    async def start(self, cwd: Path) -> None:
        ours, theirs = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(EXEC_WITH_PARENT), str(os.getpid()), *self._words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env=self._env,
                cwd=cwd,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        asyncio.get_running_loop().add_reader(ours, self._read, ours)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def ended(self) -> int:
        """Wait for its end. Returns its exit status; negative for a signal."""
        assert self._process is not None, "not started"
        return await self._process.wait()

    async def end(self) -> None:
        """Send the signals of ``ending`` until it has ended; then SIGKILL."""
        if not self.running:
            return
        for signum, seconds in self._ending:
            self._signal(signum)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended(), seconds)
                return
        self._tell("did not end after its signals, and is killed")
        self.kill()
        await self.ended()

    def kill(self) -> None:
        """Kill its whole process group."""
        if self._process is not None and self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _signal(self, signum: signal.Signals) -> None:
        # Not to the process group: a worker's children would end, too.
        if self._process is not None and self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signum)

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, READ_BYTES)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
            lines = [self._rest] if self._rest else []
        for line in lines:
            self._tell(line.decode(errors="replace").rstrip())
