from __future__ import annotations

from tests.support.supervision.fixtures import fork_server, run, supervise, warm_fork_server

__all__ = ["fork_server", "run", "supervise", "warm_fork_server"]
