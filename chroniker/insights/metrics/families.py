"""All metrics: name, type, labels and meaning. The reference in the documentation is compared with this list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

#: By name without prefix: for each combination of the labels' values, the number.
Samples = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]

METRIC_PREFIX = "chroniker_"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """``name``: without the prefix."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    help: str

    @property
    def full_name(self) -> str:
        return METRIC_PREFIX + self.name


def _counter(name: str, meaning: str, *labels: str) -> MetricFamily:
    return MetricFamily(name, "counter", labels, meaning)


def _gauge(name: str, meaning: str, *labels: str) -> MetricFamily:
    return MetricFamily(name, "gauge", labels, meaning)


METRIC_FAMILIES: tuple[MetricFamily, ...] = (
    _counter("job_runs_total", "Closed runs of the job by outcome.", "job", "outcome"),
    _counter("job_skips_total", "Skipped ranges of scheduled times of the job.", "job"),
    _counter("job_run_seconds_total", "Sum of the durations of the job's closed runs.", "job"),
    _gauge("job_enabled", "1: the job is enabled.", "job"),
    _gauge("job_running", "1: a run of the job is running.", "job"),
    _gauge("job_held", "1: the job is held after a failure.", "job"),
    _gauge("job_failures_in_a_row", "Chains of attempts in a row that ended badly.", "job"),
    _gauge("job_last_run_succeeded", "1: the latest closed run succeeded. Without a closed run: no value.", "job"),
    _gauge("job_last_run_seconds", "Duration of the latest closed run. If it was not started: no value.", "job"),
    _gauge("job_expected_run_seconds", "Median duration of the last 50 successful runs.", "job"),
    _gauge("job_last_end_timestamp_seconds", "End of the latest closed run.", "job"),
    _gauge("job_last_success_timestamp_seconds", "End of the latest successful run.", "job"),
    _gauge("job_next_run_timestamp_seconds", "When the schedule starts the job next.", "job"),
    _gauge(
        "job_lateness_seconds",
        "How long the job has been due and not started, while a tick would claim it or its run is queued; else 0.",
        "job",
    ),
    _gauge("metrics_jobs_left_out", "Jobs without metrics of their own, by CHRONIKER_METRICS_JOBS."),
    _counter("runs_total", "Closed runs of all jobs by outcome, also of deleted jobs.", "outcome"),
    _counter("skips_total", "Skipped ranges of scheduled times of all jobs, also of deleted jobs."),
    _counter("run_seconds_total", "Sum of the durations of the closed runs of all jobs, also of deleted jobs."),
    _gauge("jobs", "Jobs by state: each job is counted in one state.", "state"),
    _gauge("runs_open", "Open runs by state and executor.", "state", "executor"),
    _gauge("queued_oldest_seconds", "How long the oldest queued run has waited for its start.", "executor"),
    _gauge("due_jobs", "Jobs that are due and that a tick would claim."),
    _gauge("due_oldest_seconds", "How long the first of these jobs has been due; 0 without any."),
    _gauge("tick_timestamp_seconds", "End of the last recorded pass of a process that ticks.", "host", "kind"),
    _gauge("tick_pass_seconds", "Duration of that pass.", "host", "kind"),
    _gauge("host_seen_timestamp_seconds", "Last heartbeat of a host.", "host"),
    _gauge("host_clock_skew_seconds", "A host's clock minus the database's.", "host"),
    _gauge("outbox_pending", "Messages that wait to be sent.", "kind"),
    _gauge("outbox_oldest_seconds", "How long the oldest of them has been due for its next attempt.", "kind"),
    _gauge("outbox_given_up", "Messages that are not sent any more.", "kind"),
    _gauge("alerts_open", "Open alarms about the scheduler (tick, queue) and alerts about jobs, by kind.", "kind"),
    _gauge("activations_waiting", "Starts requested by triggers and programs that wait for their run."),
    _gauge("backfill_remaining", "Runs that the job's open backfills have still to make, as planned.", "job"),
    _gauge("events_day", "Events of runs within the last 24 hours.", "kind"),
    _gauge("paused", "1: all jobs are paused (scope=all). Number of paused groups (scope=group).", "scope"),
    _gauge("build_info", "1, with the version of chroniker that answers.", "version"),
)
