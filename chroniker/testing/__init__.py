"""For the tests of projects: run a job in this process, play a schedule in simulated time, validate declarations.

Belongs here: what a project's own tests call. Does not belong here: tests of this package. Nothing else imports it.
"""

from chroniker.testing.declarations import assert_declarations_valid
from chroniker.testing.job_runs import Outcome, inline_executors, run_job
from chroniker.testing.simulated_scheduler import Scheduler, scheduler

__all__ = ["Outcome", "Scheduler", "assert_declarations_valid", "inline_executors", "run_job", "scheduler"]
