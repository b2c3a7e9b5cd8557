"""The fork server of this worker: started before the pool forks, so that its processes inherit the way to it."""

from __future__ import annotations

from chroniker.process.fork_server_client import ForkServer

_current: ForkServer | None = None


def start() -> None:
    global _current
    if _current is None:
        _current = ForkServer.start()


def current() -> ForkServer | None:
    """``None`` outside of a worker, and where the pool's processes are not forked: keepers then start cold."""
    return _current


def close() -> None:
    """At the worker's end. A worker that is killed needs no such call: the fork server sees that nobody is left."""
    global _current
    fork_server, _current = _current, None
    if fork_server is not None:
        fork_server.close()
