"""The names of the events that messages are about: ends of runs, alarms of the scheduler, alerts of jobs."""

from __future__ import annotations

from collections.abc import Mapping

#: A run has started. Only channels for pings and check-ins get it.
RUN_STARTED_EVENT = "run.started"

#: The event for each final status. A skipped run is reported only if it was missed.
RUN_EVENTS: Mapping[str, str] = {
    "SUCCEEDED": "run.succeeded",
    "FAILED": "run.failed",
    "TIMED_OUT": "run.timed_out",
    "STOPPED": "run.stopped",
    "LOST": "run.lost",
    "SKIPPED": "run.missed",
}

#: The events when an alarm about the scheduler is raised and when it ends, by kind of alarm.
ALARM_EVENTS: Mapping[str, tuple[str, str]] = {
    "tick": ("scheduler.silent", "scheduler.back"),
    "queue": ("queue.silent", "queue.back"),
}

#: An alert about a job has ended. The other events of ``ALERT_EVENTS``: it was raised.
ALERT_RECOVERED_EVENT = "alert.recovered"
ALERT_EVENTS = (
    "alert.late",
    "alert.slow",
    "alert.overdue",
    "alert.failing",
    "alert.missed",
    "alert.held",
    "alert.set_aside",
    "alert.backfill",
    ALERT_RECOVERED_EVENT,
)
#: One message for many alerts of one pass.
ALERT_DIGEST_EVENT = "alert.digest"

#: Events of alerts and alarms: a problem began or ended.
PROBLEM_EVENTS = (*ALERT_EVENTS, *(event for pair in ALARM_EVENTS.values() for event in pair))
ALL_EVENTS = (*RUN_EVENTS.values(), *PROBLEM_EVENTS)
#: Alerts and alarms that have ended.
PROBLEM_END_EVENTS = frozenset({ALERT_RECOVERED_EVENT, *(end for _begin, end in ALARM_EVENTS.values())})
