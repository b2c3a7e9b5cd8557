"""A network of its own for some processes, with one cable that can be cut: by namespaces, where there is root."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.support.servers.fault_proxy import Way

NOBODY = "02:00:00:00:00:01"  # no interface has this address: what is sent there is lost without a word


class OwnNetwork:
    """Processes started with ``prefix`` reach this machine by ``address`` alone.

    Ends with the processes in it, and with whoever made it: nothing is left behind, however that ends.
    """

    def __init__(self) -> None:
        subnet = f"10.{secrets.randbelow(56) + 200}.{secrets.randbelow(256)}"
        self.address, self._inside = f"{subnet}.1", f"{subnet}.2"
        self._cable = f"chr{secrets.token_hex(4)}"
        self._holder: subprocess.Popen[bytes] | None = None

    @staticmethod
    def available() -> bool:
        """Root, and a kernel and tools that let root do it."""
        if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
            return False
        try:
            with OwnNetwork():
                return True
        except subprocess.CalledProcessError:
            return False

    @property
    def prefix(self) -> list[str]:
        """Words before those of a program, for which it is the program's own process that is started in here."""
        assert self._holder is not None
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def __enter__(self) -> Self:
        # It lives as long as its standard input is open, and with it the network.
        holder = ["unshare", "--net", "sh", "-c", "echo; exec cat"]
        self._holder = subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._holder.stdout is not None
        try:
            self._holder.stdout.readline()  # it is in there now
            self._lay_cable(self._holder.pid)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def cut(self, way: Way = Way.BOTH) -> None:
        """Nothing comes through that way any more; nobody is told, and connections stay open on either side."""
        if way in (Way.UP, Way.BOTH):
            self._do("neigh", "replace", self.address, "lladdr", NOBODY, "dev", "cable", inside=True)
        if way in (Way.DOWN, Way.BOTH):
            self._do("neigh", "replace", self._inside, "lladdr", NOBODY, "dev", self._cable)

    def mend(self) -> None:
        """What was sent meanwhile is sent again by whoever still wants to."""
        self._do("neigh", "flush", "nud", "permanent", "dev", "cable", inside=True)
        self._do("neigh", "flush", "nud", "permanent", "dev", self._cable)

    def _lay_cable(self, pid: int) -> None:
        self._do("link", "add", self._cable, "type", "veth", "peer", "name", "cable", "netns", str(pid))
        self._do("addr", "add", f"{self.address}/30", "dev", self._cable)
        self._do("link", "set", self._cable, "up")
        self._do("addr", "add", f"{self._inside}/30", "dev", "cable", inside=True)
        self._do("link", "set", "cable", "up", inside=True)
        self._do("link", "set", "lo", "up", inside=True)

    def _do(self, *words: str, inside: bool = False) -> None:
        prefix = self.prefix if inside else []
        subprocess.run([*prefix, "ip", *words], check=True, capture_output=True)

    def _end(self) -> None:
        """Should a process still be in there, the cable goes all the same."""
        assert self._holder is not None
        subprocess.run(["ip", "link", "delete", self._cable], check=False, capture_output=True)
        self._holder.communicate()
        self._holder = None
