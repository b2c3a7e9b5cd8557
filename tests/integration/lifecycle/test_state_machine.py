"""Random sequences of steps by workers, ticks and users, with crashes: the invariants hold after each step."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.integration.lifecycle.invariants import INVARIANTS, KINDS, StoredRows
from tests.integration.lifecycle.scheduler_steps import SchedulerSteps
from tests.support.effort import AT_NIGHT, by_day_or_at_night

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.periodic_work]


class SchedulerMachine(SchedulerSteps):
    """What must hold after each step. ``reached``: how many steps left rows of this kind."""

    reached: ClassVar[Counter[str]] = Counter()

    @invariant()
    def at_most_one_instance_of_each_job_is_alive(self) -> None:
        now = self.now
        alive = [worker.run.job_id for worker in self.workers if now < worker.deadline]
        assert len(alive) == len(set(alive))

    @invariant()
    def all_invariants_of_the_stored_rows_hold(self) -> None:
        rows = StoredRows(self.seen)
        for check in INVARIANTS:
            check(rows)
        self.reached.update(kind for kind, exist in rows.kinds() if exist)


def test_the_invariants_hold_for_random_sequences_of_events() -> None:
    SchedulerMachine.reached.clear()
    run_state_machine_as_test(
        SchedulerMachine,
        settings=settings(
            max_examples=by_day_or_at_night(15, 60),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not AT_NIGHT,
        ),
    )
    assert not KINDS - set(SchedulerMachine.reached), "no sequence has such a row"
