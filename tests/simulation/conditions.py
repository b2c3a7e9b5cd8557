"""What a history has: kinds of databases, commands and hosts, and interruptions. A scene or a plan changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tests.simulation.processes import Process, Thread

INFINITY = float("inf")
#: Its kind, and the number of the opportunity for this kind.
Fault: TypeAlias = tuple[str, int]


@dataclass
class Interruption:
    """What happens once to one process at its ``place``-th statement from now: a delay, a fault, or its death."""

    process: Process
    place: int
    seconds: float = 0.0
    fault: str = (
        ""  #: "kill", "fail": before the statement; "lose answer", "slow answer", "late answer, then cut": after it
    )


class Conditions:
    """The values of a history of which nothing is said."""

    database_server = "cluster:00000001"
    row_locks = False  #: a database in which transactions go on beside each other
    interruption: Interruption | None = None
    following: Interruption | None = None  #: comes after it, counted from then on
    only: frozenset[Fault] | None = None  #: these faults happen and no others; None: as drawn
    period = 5.0  #: seconds between two ticks when nothing is due
    schedulers_run = True  #: a scheduler that died is started again
    command_seconds: float | None = None  #: how long commands take; None: drawn
    command_code = 0  #: the exit status of commands whose time is not drawn
    keepers_serve_again = False  #: processes of workers live on after a run, and with them their keepers
    child_seconds: float | None = None  #: how long a process lives that each command starts; None: drawn
    children_are_ours = True  #: False: they belong to another user, and cannot be killed
    kill_seconds: float | None = None  #: how long it takes to kill a tree; None: some milliseconds
    shortest_lease: float | None = None  #: for the checker; None: it is not one
    start_deadline: float | None = None  #: for the checker
    jumped_at = -INFINITY  #: when the database's clock jumped last
    copies = 0  #: how often the database was replaced by a copy of it
    installation = ""  #: the name of the present one in the settings of all hosts; empty: it has none
    author: Thread | None = None  #: whose commit is checked
