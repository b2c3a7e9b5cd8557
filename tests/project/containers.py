"""The image of ``docker/Dockerfile``, built by buildah, and containers of it: processes with namespaces of their own.

Needs root, buildah and util-linux; Docker is not needed. A container has its own process numbers, host name and mounts,
a root file system that it cannot write, a ``/tmp`` in memory, and the network of this machine.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support import ROOT

IMAGE = "chroniker-demo"
#: Names the base image to build on.
BASE_VARIABLE = "CHRONIKER_TEST_BASE_IMAGE"
#: Made here of Debian's packages, where the base image of the Dockerfile cannot be pulled.
DEBIAN_BASE = "localhost/chroniker-python"
DEBIAN = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs")
#: vfs and chroot work inside a container, too.
STORAGE = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
#: $1: the root file system, $2: the host name; the rest is the command. Mounts are private, so they end with it.
ENTER = """
hostname "$2"
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/tmp"
chmod 1777 "$1/tmp"
root=$1 && shift 2
exec chroot --userspec=1000:1000 "$root" sh -c 'cd /srv/demo && exec "$@"' sh "$@"
"""


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments], env={**os.environ, **STORAGE}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"buildah {shlex.join(arguments)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


def missing_programs() -> list[str]:
    needed = ["buildah", "unshare", "nsenter", "chroot"]
    if not os.environ.get(BASE_VARIABLE):
        needed.append("mmdebstrap")
    return [name for name in needed if shutil.which(name) is None]


def base_image(directory: Path) -> str:
    """The base image to build on: the named one, or Debian's Python."""
    if named := os.environ.get(BASE_VARIABLE):
        return named
    if buildah("images", "--quiet", "--filter", f"reference={DEBIAN_BASE}"):
        return DEBIAN_BASE
    packages = "python3,python3-venv,ca-certificates"
    archive = directory / "base.tar"
    subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={packages}", DEBIAN, str(archive)], check=True)
    (directory / "Dockerfile").write_text(f"FROM scratch\nADD {archive.name} /\nRUN ln -s python3 /usr/bin/python\n")
    buildah("build", "--tag", DEBIAN_BASE, "--file", str(directory / "Dockerfile"), str(directory))
    archive.unlink()
    return DEBIAN_BASE


def build(base: str) -> None:
    """Build the image of the Dockerfile. It trusts the certificates that this machine trusts."""
    certificates = CERTIFICATES / "ca-certificates.crt"
    buildah(
        *("build", "--tag", IMAGE, "--file", "docker/Dockerfile", "--build-arg", f"BASE={base}"),
        *("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--env", f"PIP_CERT={certificates}", "--unsetenv=PIP_CERT"),
        ".",
    )


@contextmanager
def root_file_system() -> Iterator[Path]:
    """Where the files of the image are, for the time of the block."""
    name = buildah("from", IMAGE)
    try:
        yield Path(buildah("mount", name))
    finally:
        buildah("rm", name)


def configuration() -> tuple[dict[str, str], list[str], list[str]]:
    """The variables, the entry point and the command that the image declares."""
    declared = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    variables = dict(each.split("=", 1) for each in declared["Env"])
    return variables, declared["Entrypoint"], declared["Cmd"]


class Container:
    """A command of the image in a container. A context manager that ends all of its processes."""

    def __init__(self, root: Path, name: str, words: list[str], env: Mapping[str, str], log: Path) -> None:
        inside = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh"]
        self.words = [*inside, str(root), name, *words]
        self.env, self.log_path = {**env, "HOSTNAME": name}, log
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def __enter__(self) -> Self:
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                self.words, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.popen is not None
        self.popen.kill()  # and the kernel kills all others of its process namespace
        self.popen.wait()

    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def result(self) -> int:
        assert self.popen is not None
        return self.popen.wait()

    def stop(self) -> None:
        """Send SIGTERM to its first process, as Docker does."""
        self._first().send_signal(signal.SIGTERM)

    def execute(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run another command in the running container, as Docker does for a health check."""
        inside = ["nsenter", f"--target={self._first().pid}", "--mount", "--pid", "--uts", "--root"]
        enter = [*inside, "--setuid=1000", "--setgid=1000", "sh", "-c", 'cd /srv/demo && exec "$@"', "sh"]
        return subprocess.run([*enter, *words], env=self.env, capture_output=True, text=True, check=False)

    def _first(self) -> psutil.Process:
        assert self.popen is not None
        [first] = psutil.Process(self.popen.pid).children()
        return first
