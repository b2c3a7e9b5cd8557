"""Django's SQLite backend on one database in memory. Each simulated thread has a connection object of its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from tests.simulation.backend import statements
from tests.simulation.processes import EPOCH
from tests.simulation.world import active, is_inside


def _now(seconds: Any) -> str:
    moment = EPOCH + active().now + active().database_offset + float(seconds)
    return dt.datetime.fromtimestamp(round(moment, 3), dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


class Cursor(base.SQLiteCursorWrapper):
    def execute(self, query: str, params: Any = None) -> Any:
        statements.before(query)
        result = super().execute(query, params)
        statements.after(query)
        return result

    def executemany(self, query: str, param_list: Any) -> Any:
        statements.before(query)
        result = super().executemany(query, param_list)
        statements.after(query)
        return result


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: Any) -> Any:
        if not statements.connections:
            connection: Any = super().get_new_connection({**conn_params, "database": ":memory:"})
            connection.create_function("SIM_NOW", 1, _now, deterministic=True)
            connection.create_function("SIM_SERVER", 0, lambda: active().database_server)
            statements.connections.append(connection)
        return statements.raw()

    def _set_autocommit(self, autocommit: bool) -> None:
        if statements.raw().isolation_level is not None:  # to set it commits the transaction of another thread
            statements.raw().isolation_level = None

    def create_cursor(self, name: Any = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def close(self) -> None:
        if is_inside() and active().transaction is active().current:
            statements.release(rollback=True)
        self.in_atomic_block = False
        self.connection: Any = None

    def _commit(self) -> None:
        if not is_inside():
            statements.raw().commit()
            return
        world = active()
        if world.process.dead:
            self._rollback()
            return
        if world.chance("kill at commit"):
            statements.die(world)
        if world.chance("commit fails"):
            raise OperationalError("simulated: the connection broke before the commit")
        statements.raw().commit()
        world.note("commit", world.process.name)
        statements.release()
        world.after_commit()
        statements.answer(world)

    def _rollback(self) -> None:
        if not is_inside():
            statements.raw().rollback()
        elif active().transaction is active().current:
            statements.release(rollback=True)

    def is_usable(self) -> bool:
        return True
