"""PostgreSQL: a statement that a connection has sent a few times is prepared there, so that the server plans it once.

A pooler such as PgBouncer gives the server's session to another client after each transaction. With a pooler nothing is
prepared. It is recognised by the number of the session: its clients get another number than the server's own.
"""

from __future__ import annotations

import hashlib
import sys
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import Error

from chroniker.models.compiled import QueryParameter

#: A connection prepares a statement when it is used for this time. Most short processes use a statement less often.
USES_BEFORE_PREPARE = 4
#: SQLSTATE: the session does not know the prepared statement. A pooler has replaced the session by another one.
_UNKNOWN_STATEMENT_SQLSTATE = "26000"


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """The text of ``PREPARE``, and the names of its parameters. The name belongs to the text."""

    name: str
    text: str
    parameters: tuple[str, ...]

    @property
    def sql_to_execute(self) -> str:
        values = f"({', '.join(['%s'] * len(self.parameters))})" if self.parameters else ""
        return f"EXECUTE {self.name}{values}"


@dataclass(slots=True)
class _DatabaseSession:
    use_counts: Counter[str] = field(default_factory=Counter)
    prepared_names: set[str] = field(default_factory=set)
    is_without_pooler: bool | None = None  #: None: not known yet


class _DatabaseSessions:
    """What the connections of this process have prepared."""

    def __init__(self) -> None:
        self.enabled = True
        self._by_connection: weakref.WeakKeyDictionary[Any, _DatabaseSession] = weakref.WeakKeyDictionary()

    def for_connection(self, connection: Any) -> _DatabaseSession:
        return self._by_connection.setdefault(connection, _DatabaseSession())


_sessions = _DatabaseSessions()


def make_prepared_statement(sql: str, params: Sequence[Any], raw: Any) -> PreparedStatement:
    """The prepared form of this SQL. Each ``QueryParameter`` becomes a parameter; other ``params`` become literals."""
    from psycopg.sql import Literal  # PostgreSQL only

    names: list[str] = []
    first, *pieces = sql.split("%s")
    text = [first]
    for value, piece in zip(params, pieces, strict=True):
        if isinstance(value, QueryParameter):
            if value.name not in names:
                names.append(value.name)
            text += [f"${names.index(value.name) + 1}", piece]
        else:
            text += [Literal(value).as_string(raw), piece]
    whole = "".join(text).replace("%%", "%")
    digest = hashlib.sha256(whole.encode()).hexdigest()[:20]
    return PreparedStatement(f"chroniker_{digest}", whole, tuple(names))


def count_use_and_decide_to_prepare(cursor: Any, sql: str) -> bool:
    """Count this use of the statement; returns whether this connection may prepare it and has sent it often."""
    psycopg = sys.modules.get("psycopg")
    if not _sessions.enabled or psycopg is None or not isinstance(cursor.cursor, psycopg.ClientCursor):
        return False
    session = _sessions.for_connection(cursor.connection)
    session.use_counts[sql] += 1
    if session.use_counts[sql] < USES_BEFORE_PREPARE or session.is_without_pooler is False:
        return False
    if session.is_without_pooler is None:
        cursor.execute("SELECT pg_backend_pid()")
        session.is_without_pooler = cursor.fetchone()[0] == cursor.connection.info.backend_pid
    return session.is_without_pooler


def execute_prepared(cursor: Any, statement: PreparedStatement, values: Mapping[str, Any]) -> None:
    """Execute this statement; prepare it first if this connection has not."""
    session = _sessions.for_connection(cursor.connection)
    if statement.name not in session.prepared_names:
        cursor.execute(f"PREPARE {statement.name} AS {statement.text}", None)
        session.prepared_names.add(statement.name)
    try:
        cursor.execute(statement.sql_to_execute, [values[name] for name in statement.parameters])
    except Error as error:
        if getattr(error.__cause__, "sqlstate", None) == _UNKNOWN_STATEMENT_SQLSTATE:
            _sessions.enabled = False  # nothing is prepared from now on; the caller tries again
        raise
