"""A separate network for some processes, with one link that a test can cut. Needs root and network namespaces."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.support.servers.fault_proxy import Way

NOBODY = "02:00:00:00:00:01"  # no interface has this address: packets to it are lost without an error


class OwnNetwork:
    """Processes started with ``prefix`` reach this machine by ``address`` alone.

    Ends with its processes and with the process that created it: nothing is left behind, however that process ends.
    """

    def __init__(self) -> None:
        subnet = f"10.{secrets.randbelow(56) + 200}.{secrets.randbelow(256)}"
        self.address, self._inside = f"{subnet}.1", f"{subnet}.2"
        self._cable = f"chr{secrets.token_hex(4)}"
        self._holder: subprocess.Popen[bytes] | None = None

    @staticmethod
    def available() -> bool:
        """Whether this is root, with a kernel and tools that support it."""
        if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
            return False
        try:
            with OwnNetwork():
                return True
        except subprocess.CalledProcessError:
            return False

    @property
    def prefix(self) -> list[str]:
        """A command prefix that executes a program in this network, in the same process."""
        assert self._holder is not None
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def __enter__(self) -> Self:
        # It and the network exist as long as its standard input is open.
        holder = ["unshare", "--net", "sh", "-c", "echo; exec cat"]
        self._holder = subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._holder.stdout is not None
        try:
            self._holder.stdout.readline()  # it has entered the network
            self._create_link(self._holder.pid)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def cut(self, way: Way = Way.BOTH) -> None:
        """Drop all packets in this direction. Connections stay open on both sides, without an error."""
        if way in (Way.UP, Way.BOTH):
            self._do("neigh", "replace", self.address, "lladdr", NOBODY, "dev", "cable", inside=True)
        if way in (Way.DOWN, Way.BOTH):
            self._do("neigh", "replace", self._inside, "lladdr", NOBODY, "dev", self._cable)

    def restore(self) -> None:
        """Let packets pass again. Lost ones are sent again by TCP."""
        self._do("neigh", "flush", "nud", "permanent", "dev", "cable", inside=True)
        self._do("neigh", "flush", "nud", "permanent", "dev", self._cable)

    def _create_link(self, pid: int) -> None:
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
        """Removes the link even if a process is still in the network."""
        assert self._holder is not None
        subprocess.run(["ip", "link", "delete", self._cable], check=False, capture_output=True)
        self._holder.communicate()
        self._holder = None
