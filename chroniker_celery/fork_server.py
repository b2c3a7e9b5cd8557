"""The fork server of this worker. It is started before the pool forks, so that the pool's processes inherit it."""

from __future__ import annotations

from chroniker.process.fork_server_client import ForkServer

_current: ForkServer | None = None


def start_fork_server() -> None:
    global _current
    if _current is None:
        _current = ForkServer.start()


def current_fork_server() -> ForkServer | None:
    """``None`` outside a worker, and where the pool does not fork: keepers then start as new processes."""
    return _current


def close_fork_server() -> None:
    """End the fork server with the worker. The fork server of a killed worker ends by itself."""
    global _current
    server, _current = _current, None
    if server is not None:
        server.close()
