"""What a run of a job would start: the words of its command, and its variables. Starts and writes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from chroniker.conf import settings
from chroniker.job_commands import environment, placeholders, policy
from chroniker.lifecycle.planned_rows import instant_before
from chroniker.models import Job, JobState, Trigger
from chroniker.process.run_variables import CurrentRun

#: Stands for a value that only a claim or a start sets.
UNKNOWN_VALUE = "…"


@dataclass(frozen=True, slots=True)
class PlannedStart:
    argv: tuple[str, ...]
    variables: dict[str, str]  #: about the run, without its id and token
    environment: dict[str, str]  #: the job's variables; those with the name of a secret are masked


def plan_start(
    job: Job,
    state: JobState,
    trigger: Trigger,
    instant: dt.datetime,
    interval_start: dt.datetime | None,
    args: str | None = None,
    host: str = UNKNOWN_VALUE,
) -> PlannedStart:
    """For a run with this trigger and scheduled time. ``args``: in place of the job's.

    Raises ``CommandRefused``, as the start would: a command that is not allowed, a placeholder without a value.
    """
    run = CurrentRun(
        job_id=job.pk or 0,
        job_name=job.name,
        timezone=job.timezone,
        run_id=UUID(int=0),
        token=0,
        attempt=1,
        trigger=trigger,
        scheduled_for=instant,
        covered_until=instant,
        interval_start=interval_start,
        last_success=state.last_success_until,
    )
    values = {**placeholders.placeholder_values_of_run(run, host), "run_id": UNKNOWN_VALUE, "token": UNKNOWN_VALUE}
    line = job.args if args is None else args
    argv = (
        policy.raw_argv(job.raw_command, values)
        if job.raw_command
        else policy.management_argv(job.command, line, values)
    )
    lines = environment.parse_variables(job.environment)
    variables = {name: placeholders.fill(value, values) for name, value in lines.items()}
    secrets = dict.fromkeys(environment.parse_secrets(job.secrets), "***")
    unknown = {"CHRONIKER_RUN_ID", "CHRONIKER_RUN_TOKEN"}
    known = {name: value for name, value in run.to_environment().items() if name not in unknown}
    return PlannedStart(argv, known, {**variables, **secrets})


def plan_manual_start(job: Job, now: dt.datetime, args: str | None, instant: dt.datetime | None) -> PlannedStart:
    """What ``run_now`` would start on this host."""
    state = JobState.objects.filter(pk=job.pk).first() or JobState(job_id=job.pk)
    before = state.last_instant if instant is None else instant_before(job.spec, instant)
    return plan_start(job, state, Trigger.MANUAL, instant or now, before, args, settings.hostname)


def plan_scheduled_start(job: Job, state: JobState, instant: dt.datetime) -> PlannedStart:
    """What the run for this scheduled time would start."""
    before = state.last_instant or instant_before(job.spec, instant)
    return plan_start(job, state, Trigger.SCHEDULE, instant, before)
