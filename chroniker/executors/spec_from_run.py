"""Builds the spec that a supervisor executes from a run and its job."""

from __future__ import annotations

from chroniker.conf import settings
from chroniker.job_commands import environment, policy
from chroniker.models import Job, Run
from chroniker.process.run_spec import RunSpec


def spec_from_run(run: Run, job: Job, *, stop: bool) -> RunSpec:
    """Build the spec. Raises ``CommandRefused``: the rules for commands are checked again at execution."""
    raw = bool(job.raw_command)
    args = job.args if run.args is None else run.args
    argv = policy.raw_argv(job.raw_command) if raw else policy.management_argv(job.command, args)
    return RunSpec(
        run_id=run.pk,
        token=run.token,
        job_id=job.pk,
        argv=argv,
        raw=raw,
        env=environment.resolve_environment(job.environment, job.secrets),
        cwd=environment.resolve_directory(job.working_directory),
        timeout=float(job.timeout_seconds) if job.timeout_seconds else None,
        grace=settings.stop_grace.total_seconds(),
        lease=settings.lease.total_seconds(),
        margin=settings.lease_margin.total_seconds(),
        heartbeat=settings.heartbeat.total_seconds(),
        log_stdout=job.log_stdout,
        log_stderr=job.log_stderr,
        log_max_bytes=job.log_max_bytes,
        fail_on_stderr=job.fail_on_stderr,
        stop_requested=stop,
    )
