"""After each commit: a closed run never changes, a start keeps its deadline and host, no run is lost before its time.

Times are true times: a jump of the database's clock makes nothing late or early.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

TOLERANCE = 0.01  #: seconds; a host's clock may drift this much within a lease
_OUTPUT_OF_LOST = (
    "SELECT r.id, (SELECT COUNT(*) FROM chroniker_logchunk c WHERE c.run_id = r.id)"
    " FROM chroniker_run r WHERE r.status = 'LOST'"
)


class Runs:
    TABLES: ClassVar = frozenset({"chroniker_lease", "chroniker_logchunk", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.closed: dict[Any, tuple[Any, ...]] = {}
        self.claimed_at: dict[Any, float] = {}
        self.started: set[Any] = set()
        self.stored: dict[Any, int] = {}  #: of lost runs: the pieces of output, when the loss was committed
        self.renewed_at: dict[Any, tuple[Any, float]] = {}  #: the lease's end as stored, and when it was stored

    def after_commit(self) -> None:
        found = rows(
            "SELECT id, status, finished_at, token, job_id, code, started_at, required_host, host FROM chroniker_run"
        )
        for row in found:
            self._check_run(row)
        self._check_output()
        for run, ends in rows("SELECT run_id, expires_at FROM chroniker_lease"):
            if self.renewed_at.get(run, ("",))[0] != ends:
                self.renewed_at[run] = (ends, self.world.now)

    def _check_output(self) -> None:
        """A report that comes after its run was lost stores nothing."""
        for run, count in rows(_OUTPUT_OF_LOST):
            if count > self.stored.setdefault(run, count):
                self.world.violated("a late report changes nothing", f"output of run {run} was stored after its loss")

    def _check_run(self, row: tuple[Any, ...]) -> None:
        run, status, finished_at, token, job, code, started_at, *_hosts = row
        self.claimed_at.setdefault(run, self.world.now)
        if started_at is not None and run not in self.started:
            self.started.add(run)
            self._check_start(row)
        if finished_at is None:
            return
        before = self.closed.get(run)
        if before is None:
            self.closed[run] = (status, finished_at, code)
            if status == "LOST":
                self._check_loss(row)
        elif before != (status, finished_at, code):
            self.world.violated("a closed run stays", f"run {token} of job {job}: {before} became {status} ({code})")

    def _check_start(self, row: tuple[Any, ...]) -> None:
        if row[7] not in ("", "*", row[8]):
            self.world.violated(
                "the required host", f"run {row[3]} of job {row[4]} is for {row[7]}, and began on {row[8]}"
            )
        limit = self.world.start_deadline
        late = self.world.now - self.claimed_at[row[0]]
        if limit is not None and not self.world.clock_jumped and row[7] != "*" and late > limit + TOLERANCE:
            self.world.violated("start deadline", f"run {row[3]} of job {row[4]} began {late:.2f} s after its claim")

    def _check_loss(self, row: tuple[Any, ...]) -> None:
        """A tick may not close a run before its lease, or its start deadline, has passed."""
        run, _status, _finished_at, token, job, code, started_at, host, _here = row
        if started_at is not None and code in ("NOT_TAKEN", "HOST_GONE"):
            self.world.violated("every reason is true", f"run {token} of job {job} began, and was closed as {code}")
        lease, deadline = self.world.shortest_lease, self.world.start_deadline
        if code == "LEASE" and lease is not None:
            self._check_time(f"run {token} of job {job}", self.world.now - self.renewed_at[run][1], lease)
        elif code == "NOT_TAKEN" and deadline is not None and host == "":
            self._check_time(f"run {token} of job {job}", self.world.now - self.claimed_at[run], deadline)

    def _check_time(self, run: str, seconds: float, least: float) -> None:
        if seconds < least - TOLERANCE:
            self.world.violated("not lost early", f"{run} was closed after {seconds:.2f} s, of {least:g}")
