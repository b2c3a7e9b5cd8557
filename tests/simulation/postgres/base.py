"""Django's backend for PostgreSQL. Each simulated thread has a session of its own; each statement is an event.

Other threads run between any two statements, also within transactions. So locks are held while others run, and a
statement may have to wait for one: see `waits`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import OperationalError

from tests.simulation.backend import statements
from tests.simulation.postgres import waits
from tests.simulation.world import active, is_inside


def _around(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    query = str(sql)
    statements.before(query)
    result = execute(sql, params, many, context)
    statements.after(query)
    return result


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute_wrappers.append(_around)

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if is_inside() and autocommit:
            active().transactions.discard(active().thread)
        elif is_inside():
            active().transactions.add(active().thread)

    def _close(self) -> None:
        if is_inside():
            active().check_alive()
        super()._close()  # type: ignore[misc]
        self._ended()

    def _ended(self) -> None:
        """A transaction is over: threads that wait for its locks try again."""
        if is_inside():
            active().transactions.discard(active().thread)
            waits.released()

    def _commit(self) -> None:
        if not is_inside():
            super()._commit()  # type: ignore[misc]
            return
        world = active()
        world.check_alive()
        if world.chance("kill at commit"):
            statements.die(world)
        if world.chance("commit fails"):
            raise OperationalError("simulated: the connection broke before the commit")
        super()._commit()  # type: ignore[misc]
        world.note("commit", world.process.name)
        self._ended()
        world.after_commit()
        statements.answer(world)

    def _rollback(self) -> None:
        if is_inside():
            active().check_alive()  # its session has ended
        super()._rollback()  # type: ignore[misc]
        self._ended()
